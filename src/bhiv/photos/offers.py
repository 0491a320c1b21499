"""Offers: what a library of photographs has for some words, and what every library can do."""

import math
from collections.abc import Container, Sequence
from typing import Any, Protocol

from pydantic import Field, TypeAdapter, ValidationError

from bhiv.errors import PictureError
from bhiv.photos.credits import Credit
from bhiv.plan import Contract
from bhiv.vendors import Patience, Vendor, VendorClient

#: A scene waits for a library no longer than it takes to make the picture offline a few times over.
LIBRARY_PATIENCE = Patience(attempts=3, silence=15, total=45)
#: More than this, and one sees that a picture was enlarged.
MOST_ENLARGED = 1.5
#: Among so many of the best the scene's seed decides.
_EQUALS = 3
#: Pictures that shape are near enough: at most this share of them is cut off.
_MOST_CUT = 0.35


class Size(Contract):
    """One of the sizes in which a photograph can be fetched."""

    url: str
    width: int = Field(ge=1)
    height: int = Field(ge=1)


class Offer(Contract):
    """A photograph that was found."""

    source: str
    id: str = Field(description="The library's own name for it.")
    sizes: tuple[Size, ...] = Field(min_length=1, description="The smallest first.")
    credit: Credit


class Library(Protocol):
    """A collection of photographs that can be searched."""

    @property
    def name(self) -> str:
        """As the settings call it."""
        ...

    @property
    def vendor(self) -> Vendor:
        """How it is reached."""
        ...

    async def search(self, client: VendorClient, query: str, width: int, height: int) -> tuple[Offer, ...]:
        """Return what fits the English words `query` and may be used, the best first; empty when nothing does.

        Only the ratio of `width` to `height` counts.

        Raises:
            PictureError: it does not answer, or not with what was asked for.
        """
        ...


def rank(offers: Sequence[Offer], width: int, height: int, seed: int, taken: Container[str] = ()) -> list[Offer]:
    """Return the offers in the order in which to try them for a picture of this size, the same for the same seed.

    First those that are not `taken` (by `name_of`), then those that are large enough, then those of a like shape; the
    library's own order decides the rest, but for the first few that are alike, of which the seed takes one.
    """

    def rating(offer: Offer) -> tuple[bool, bool, bool]:
        largest = offer.sizes[-1]
        return (
            name_of(offer) in taken,
            enlargement(largest, width, height) > MOST_ENLARGED,
            cut_off(largest, width, height) > _MOST_CUT,
        )

    ordered = sorted(offers, key=rating)
    alike = [offer for offer in ordered[:_EQUALS] if rating(offer) == rating(ordered[0])]
    first = alike[seed % len(alike)] if alike else None
    return [first, *(offer for offer in ordered if offer is not first)] if first else []


def name_of(offer: Offer) -> str:
    """Return the name of an offer among those of all libraries."""
    return f"{offer.source}:{offer.id}"


def fitting_size(offer: Offer, width: int, height: int) -> Size:
    """Return the smallest size that need not be enlarged, else the largest."""
    enough = [size for size in offer.sizes if enlargement(size, width, height) <= 1]
    return enough[0] if enough else offer.sizes[-1]


def enlargement(size: Size, width: int, height: int) -> float:
    """Return by how much a photograph is enlarged to fill a picture; below 1 it is reduced."""
    return max(width / size.width, height / size.height)


def cut_off(size: Size, width: int, height: int) -> float:
    """Return the share of a photograph that is outside of a picture that it fills."""
    wanted, given = width / height, size.width / size.height
    return 1 - min(wanted, given) / max(wanted, given)


def orientation(width: int, height: int, wide: str, tall: str, square: str) -> str:
    """Return a library's word for a shape; nearly square is square."""
    lean = math.log2(width / height)
    return square if abs(lean) < 0.2 else wide if lean > 0 else tall


def hits(answer: bytes, field: str, library: str) -> list[dict[str, Any]]:
    """Return the objects in a field of a library's answer; what is no object is left out.

    Raises:
        PictureError: the answer is not JSON, or has no such list.
    """
    try:
        found = _ANSWER.validate_json(answer).get(field)
    except ValidationError as error:
        raise PictureError(f"{library} answers something that is not JSON of its kind") from error
    if not isinstance(found, list):
        raise PictureError(f"{library} answers without a list of {field}")
    return [hit for hit in found if isinstance(hit, dict)]


def sizes_of(*given: tuple[object, object, object]) -> tuple[Size, ...]:
    """Return those of the addresses, widths and heights that a picture can have, the smallest first."""
    sizes = [
        Size(url=url, width=width, height=height)
        for url, width, height in given
        if isinstance(url, str) and url and len(url) <= 2_000
        if isinstance(width, int)
        and isinstance(height, int)
        and 1 <= min(width, height) <= max(width, height) < 1 << 20
    ]
    return tuple(sorted(sizes, key=lambda size: size.width * size.height))


_ANSWER = TypeAdapter(dict[str, Any])
