"""Pexels: photographs that may be used freely; a key is needed, and the photographer is named."""

from dataclasses import dataclass, field
from typing import Any

from bhiv.errors import PictureError
from bhiv.photos.credits import Credit, cleaned, web_address
from bhiv.photos.offers import LIBRARY_PATIENCE, Offer, hits, orientation, sizes_of
from bhiv.vendors import Patience, Vendor, VendorClient

BASE_URL = "https://api.pexels.com/v1"
_LICENCE_URL = "https://www.pexels.com/license/"
#: `large2x` fits into this.
_LARGE = (1880, 1300)
#: The server reduces an original by itself: 4K is needed by few.
_REDUCED_WIDTH = 2560


@dataclass(frozen=True)
class Pexels:
    """Pexels under a key."""

    api_key: str = field(repr=False)
    base_url: str = BASE_URL
    patience: Patience = LIBRARY_PATIENCE

    name = "pexels"

    @property
    def vendor(self) -> Vendor:
        """How it is reached."""
        headers = {"Authorization": self.api_key}
        return Vendor("Pexels", self.base_url, PictureError, headers, self.patience, max_bytes=2 << 20)

    async def search(self, client: VendorClient, query: str, width: int, height: int) -> tuple[Offer, ...]:
        """Return photographs of the frame's orientation."""
        shape = orientation(width, height, "landscape", "portrait", "square")
        answer = await client.ask("GET", "search", params={"query": query, "orientation": shape, "per_page": 20})
        return tuple(offer for hit in hits(answer.body, "photos", "Pexels") if (offer := _offer(hit)))


def _offer(hit: dict[str, Any]) -> Offer | None:
    width, height, sources = hit.get("width"), hit.get("height"), hit.get("src")
    whole = sizes_of(("-", width, height))
    if not whole or not isinstance(sources, dict) or not cleaned(hit.get("id")):
        return None
    original = sources.get("original")
    large = min(1.0, _LARGE[0] / whole[0].width, _LARGE[1] / whole[0].height)
    sizes = [(original, width, height), (sources.get("large2x"), *_scaled(whole[0].width, whole[0].height, large))]
    if isinstance(original, str) and "?" not in original and whole[0].width > _REDUCED_WIDTH:
        reduced = f"{original}?auto=compress&cs=tinysrgb&w={_REDUCED_WIDTH}"
        sizes.append((reduced, *_scaled(whole[0].width, whole[0].height, _REDUCED_WIDTH / whole[0].width)))
    found = sizes_of(*sizes)
    if not found:
        return None
    credit = Credit(
        title=cleaned(hit.get("alt")),
        author=cleaned(hit.get("photographer")),
        licence="Pexels License",
        licence_url=_LICENCE_URL,
        source_url=web_address(hit.get("url")),
    )
    return Offer(source="pexels", id=cleaned(hit["id"]), sizes=found, credit=credit)


def _scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    return max(1, round(width * scale)), max(1, round(height * scale))
