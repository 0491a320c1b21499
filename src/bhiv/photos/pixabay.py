"""Pixabay: photographs that may be used freely; a key is needed.

Its rules ask that searches are kept for a day and pictures are not shown from its servers: searches are kept until
their pictures are gone, and pictures are downloaded.
"""

from dataclasses import dataclass, field
from typing import Any

from bhiv.errors import PictureError
from bhiv.photos.credits import Credit, cleaned, web_address
from bhiv.photos.offers import LIBRARY_PATIENCE, Offer, hits, orientation, sizes_of
from bhiv.vendors import Patience, Vendor, VendorClient

BASE_URL = "https://pixabay.com/api"
_LICENCE_URL = "https://pixabay.com/service/license-summary/"
_MOST_QUERY = 100
#: The longest side that each address gives; the last is there for accounts that were approved.
_SIDES = (("largeImageURL", 1280), ("fullHDURL", 1920), ("imageURL", 1 << 20))


@dataclass(frozen=True)
class Pixabay:
    """Pixabay under a key."""

    api_key: str = field(repr=False)
    base_url: str = BASE_URL
    patience: Patience = LIBRARY_PATIENCE

    name = "pixabay"

    @property
    def vendor(self) -> Vendor:
        """How it is reached."""
        return Vendor("Pixabay", self.base_url, PictureError, patience=self.patience, max_bytes=2 << 20)

    async def search(self, client: VendorClient, query: str, width: int, height: int) -> tuple[Offer, ...]:
        """Return photographs of the frame's orientation that suit everybody."""
        asked: dict[str, str | int] = {
            "key": self.api_key,
            "q": query[:_MOST_QUERY],
            "image_type": "photo",
            "orientation": orientation(width, height, "horizontal", "vertical", "all"),
            "safesearch": "true",
            "per_page": 20,
        }
        try:
            answer = await client.ask("GET", "", params=asked)
        except PictureError as error:
            # The key goes into the address, so nothing else hides it.
            words = str(error).replace(self.api_key, "…")
            raise PictureError(words, can_pass=error.can_pass, is_down=error.is_down) from None
        return tuple(offer for hit in hits(answer.body, "hits", "Pixabay") if (offer := _offer(hit)))


def _offer(hit: dict[str, Any]) -> Offer | None:
    whole = sizes_of(("-", hit.get("imageWidth"), hit.get("imageHeight")))
    if not whole or not cleaned(hit.get("id")):
        return None
    longest = max(whole[0].width, whole[0].height)
    scales = [(hit.get(name), min(1.0, side / longest)) for name, side in _SIDES]
    sizes = sizes_of(
        *((url, max(1, round(whole[0].width * scale)), max(1, round(whole[0].height * scale))) for url, scale in scales)
    )
    if not sizes:
        return None
    credit = Credit(
        title=cleaned(hit.get("tags")),
        author=cleaned(hit.get("user")),
        licence="Pixabay Content License",
        licence_url=_LICENCE_URL,
        source_url=web_address(hit.get("pageURL")),
    )
    return Offer(source="pixabay", id=cleaned(hit["id"]), sizes=sizes, credit=credit)
