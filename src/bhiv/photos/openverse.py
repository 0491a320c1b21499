"""Openverse: photographs under open licences, from many museums and web sites; no key is needed."""

from dataclasses import dataclass
from typing import Any

from bhiv.errors import PictureError
from bhiv.photos.credits import Credit, cleaned, web_address
from bhiv.photos.offers import LIBRARY_PATIENCE, Offer, hits, sizes_of
from bhiv.vendors import Patience, Vendor, VendorClient

BASE_URL = "https://api.openverse.org/v1"
#: Pictures are cut to the frame, so none whose licence forbids changes; videos are anybody's, so none that forbids
#: trade or binds the video to its own licence.
_LICENCES = {"cc0": "CC0", "pdm": "public domain", "by": "CC BY"}


@dataclass(frozen=True)
class Openverse:
    """Openverse, or a server that speaks its API."""

    base_url: str = BASE_URL
    patience: Patience = LIBRARY_PATIENCE

    name = "openverse"

    @property
    def vendor(self) -> Vendor:
        """How it is reached."""
        return Vendor("Openverse", self.base_url, PictureError, patience=self.patience, max_bytes=2 << 20)

    async def search(self, client: VendorClient, query: str, width: int, height: int) -> tuple[Offer, ...]:  # noqa: ARG002 - its filter by shape leaves too little; `rank` looks at it
        """Return what is under a licence that allows a video to show it cut to its frame."""
        asked: dict[str, str | int] = {"q": query, "license": ",".join(_LICENCES), "page_size": 20, "mature": "false"}
        answer = await client.ask("GET", "images/", params=asked)
        return tuple(offer for hit in hits(answer.body, "results", "Openverse") if (offer := _offer(hit)))


def _offer(hit: dict[str, Any]) -> Offer | None:
    sizes = sizes_of((hit.get("url"), hit.get("width"), hit.get("height")))
    # The licence is looked at again: what was asked for is not what must come.
    licence = _LICENCES.get(str(hit.get("license")).lower())
    if not sizes or licence is None or hit.get("mature") is True or not cleaned(hit.get("id")):
        return None
    version = cleaned(hit.get("license_version"))
    credit = Credit(
        title=cleaned(hit.get("title")),
        author=cleaned(hit.get("creator")),
        licence=f"{licence} {version}".strip() if licence != "public domain" else licence,
        licence_url=web_address(hit.get("license_url")),
        source_url=web_address(hit.get("foreign_landing_url")),
    )
    if licence == "CC BY" and not (credit.author or credit.source_url):
        return None  # whom it is owed to can't be said
    return Offer(source="openverse", id=cleaned(hit["id"]), sizes=sizes, credit=credit)
