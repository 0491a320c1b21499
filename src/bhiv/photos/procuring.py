"""Procuring: a scene's picture from the first source that has one, found again where it was made before.

What each source gave is kept under a key of its own. So what a later source gave in place of an earlier one is never
taken for that one's, and the next run gets what was wished once it is back.
"""

from collections.abc import Callable, Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import NamedTuple

from bhiv.bucket import Artifact, Bucket
from bhiv.cache import Made, Step, recall
from bhiv.errors import PictureError, StorageError
from bhiv.photos import developing
from bhiv.photos.collection import Collection, Source
from bhiv.photos.credits import Credit
from bhiv.photos.developing import Shade, develop
from bhiv.photos.fetching import fetch, rules_of, shown
from bhiv.photos.offers import Library, Offer, fitting_size, name_of, orientation, rank
from bhiv.photos.openai_images import OpenAIImages
from bhiv.photos.wishes import Wish
from bhiv.pictures.palette import GAMMA, palettes
from bhiv.plan import Contract
from bhiv.safe_transport import AddressRules
from bhiv.vendors import VendorClient, wait_for

#: The user's own picture is asked for more often than one of many.
_OWN_ATTEMPTS = 3
#: So many photographs of one library are tried for a scene.
_MOST_TRIED = 3
_SEARCHES_AT_ONCE = 4
#: Libraries ask that a search is kept so long.
_SEARCH_KEPT = timedelta(hours=24)
#: The largest picture of the user's own, in bytes.
MOST_OWN_BYTES = 64 << 20
_MODELS = "the picture of the image model"
#: How a vendor's error ends that was left alone: of two hundred scenes without it, the notes should be one.
_LEFT_ALONE = " (a moment ago; it was not asked again)"


class Photo(Contract):
    """A picture of the camera's size that came from somewhere."""

    image: Artifact
    source: str
    credit: Credit | None = None


class Searched(Contract):
    """What a library has for some words."""

    offers: tuple[Offer, ...]


class Found(Contract):
    """For each scene, what to try; empty where nothing is sought or was found."""

    offers: tuple[tuple[Offer, ...], ...]


class Procured(NamedTuple):
    """A scene's picture, None when no source has one; and what went otherwise than wished."""

    photo: Made[Photo] | None
    notes: tuple[str, ...]


PHOTO = Step("photo", developing.VERSION, "images", Photo)
SEARCH = Step("search", 1, "images", Searched)


def find_photos(bucket: Bucket, wishes: Sequence[Wish], collection: Collection) -> Made[Found]:
    """Search for all scenes at once and share out what is found, so that no two scenes begin with the same photograph.

    Only libraries that stand before an image model are searched. What fails here, `procure` tries and tells.
    """
    started, taken, asked = monotonic(), set[str](), False
    shares: list[tuple[Offer, ...]] = [() for _ in wishes]
    for library in collection.searched_first:
        sought = [
            place for place, wish in enumerate(wishes) if wish.queries and not _has_own(wish) and not shares[place]
        ]
        each = {wishes[place].queries: wishes[place] for place in sought}
        with ThreadPoolExecutor(_SEARCHES_AT_ONCE) as threads:
            answers = dict(zip(each, threads.map(partial(_tried, bucket, library), each.values()), strict=True))
        asked = asked or not all(answer and answer.cached for answer in answers.values())
        for place in sought:
            if answer := answers[wishes[place].queries]:
                shares[place] = _ranked(answer.result, wishes[place], taken)
                taken.update(map(name_of, shares[place][:1]))
    return Made(Found(offers=tuple(shares)), monotonic() - started, cached=not asked)


def procure(bucket: Bucket, wish: Wish, found: Sequence[Offer], collection: Collection) -> Procured:
    """Return the picture that a scene shows: the user's own, else that of the first source that has one.

    `found` is what `find_photos` had for the scene. The same call again asks nobody, but for what failed.
    """
    started, notes = monotonic(), list[str]()
    tries: list[Callable[[list[str]], Made[Photo] | None]] = []
    if _own(wish):
        tries.append(partial(_own_photo, bucket, wish, collection))
    if wish.prompt:
        tries += [partial(_from, source, bucket, wish, found, collection) for source in collection.sources]
        notes += collection.lacking
    for attempt in tries:
        try:
            photo = attempt(notes)
        except PictureError as error:
            notes.append(_note(error))
            continue
        if photo is not None:
            return Procured(replace(photo, seconds=monotonic() - started), tuple(notes))
    return Procured(None, tuple(notes))


def _own(wish: Wish) -> str:
    return wish.object or wish.url or ""


def _has_own(wish: Wish) -> bool:
    return bool(_own(wish) or wish.footage)


def _note(error: PictureError) -> str:
    return f"{str(error).removesuffix(_LEFT_ALONE)}; another picture takes its place"


def _from(
    source: Source, bucket: Bucket, wish: Wish, found: Sequence[Offer], collection: Collection, notes: list[str]
) -> Made[Photo] | None:
    if isinstance(source, OpenAIImages):
        return _painted(source, bucket, wish, collection)
    offered = [offer for offer in found if offer.source == source.name]
    return _photographed(source, bucket, wish, offered, collection, notes) if wish.queries else None


def _own_photo(bucket: Bucket, wish: Wish, collection: Collection, _notes: list[str]) -> Made[Photo]:
    what = f"scene {wish.scene}: the picture"
    if wish.url:
        rules = rules_of(collection.allowed_hosts)
        what = f"{what} at {shown(wish.url)}"
        load = partial(_fetched, wish.url, rules, what, _OWN_ATTEMPTS)
        return _kept(bucket, wish, ("own", wish.url), load, what, own=True)
    assert wish.object, "asked for by `_own`"
    what = f"{what} {wish.object}"
    try:
        artifact = bucket.stat(wish.object).artifact
    except StorageError as error:
        raise PictureError(f"{what} can't be read: {error}") from error
    if artifact.size > MOST_OWN_BYTES:
        raise PictureError(f"{what} has more than {MOST_OWN_BYTES:,} bytes")
    return _kept(bucket, wish, ("own", artifact.sha256), partial(_read, bucket, artifact.key, what), what, own=True)


def _painted(painter: OpenAIImages, bucket: Bucket, wish: Wish, collection: Collection) -> Made[Photo]:
    brief, rules = wish.brief, rules_of(collection.allowed_hosts, painter.base_url)

    async def paint() -> bytes:
        async with VendorClient(painter.vendor) as client:
            answer = await painter.paint(client, wish.prompt, brief.width, brief.height)
        return answer if isinstance(answer, bytes) else await fetch(answer, rules, _MODELS)

    identity = (painter.name, painter.base_url, painter.model, wish.prompt, brief.seed)
    return _kept(bucket, wish, identity, lambda: wait_for(paint()), _MODELS)


def _photographed(
    library: Library,
    bucket: Bucket,
    wish: Wish,
    offered: Sequence[Offer],
    collection: Collection,
    notes: list[str],
) -> Made[Photo] | None:
    offers = offered or _ranked(_search(bucket, library, wish).result, wish)
    rules = rules_of(collection.allowed_hosts, library.vendor.base_url)
    for offer in offers[:_MOST_TRIED]:
        url = fitting_size(offer, wish.brief.width, wish.brief.height).url
        what = f"the picture at {shown(url)}"
        load = partial(_fetched, url, rules, what)
        try:
            return _kept(bucket, wish, (library.name, url), load, what, offer.credit)
        except PictureError as error:
            notes.append(_note(error))
            if error.is_down:
                return None
    if offers:
        _forget_old(bucket, library, wish)
    return None


def _kept(
    bucket: Bucket,
    wish: Wish,
    identity: tuple[str | int, ...],
    load: Callable[[], bytes],
    what: str,
    credit: Credit | None = None,
    *,
    own: bool = False,
) -> Made[Photo]:
    """Return the picture that is kept for `identity`, whose first part is its source, at the wish's size."""
    width, height = wish.brief.width, wish.brief.height
    # Others' pictures that are transparent are rare, and need not be fetched again for another palette.
    backdrop = _backdrop(wish) if own else (0, 0, 0)
    key = PHOTO.key(*identity, width, height, *backdrop)

    def make() -> Photo:
        jpeg = develop(load(), width, height, what, backdrop)
        image = bucket.put_bytes(f"{key}.jpg", jpeg, "image/jpeg")
        return Photo(image=image, source=str(identity[0]), credit=credit)

    return recall(bucket, PHOTO, key, make)


def _backdrop(wish: Wish) -> Shade:
    red, green, blue = (round(255 * light ** (1 / GAMMA)) for light in palettes()[wish.brief.palette].deep)
    return red, green, blue


def _tried(bucket: Bucket, library: Library, wish: Wish) -> Made[Searched] | None:
    try:
        return _search(bucket, library, wish)
    except PictureError:
        return None


def _search(bucket: Bucket, library: Library, wish: Wish) -> Made[Searched]:
    """Return what a library has for a wish, by fewer words when there is nothing for all of them."""
    made = Made(Searched(offers=()), 0.0, cached=True)
    for query in wish.queries:
        made = recall(bucket, SEARCH, _search_key(library, wish, query), partial(_asked, library, wish, query))
        if made.result.offers:
            break
    return made


def _asked(library: Library, wish: Wish, query: str) -> Searched:
    async def search() -> tuple[Offer, ...]:
        async with VendorClient(library.vendor) as client:
            return await library.search(client, query, wish.brief.width, wish.brief.height)

    return Searched(offers=wait_for(search()))


def _search_key(library: Library, wish: Wish, query: str) -> str:
    shape = orientation(wish.brief.width, wish.brief.height, "wide", "tall", "square")
    return SEARCH.key(library.name, library.vendor.base_url, query, shape)


def _ranked(searched: Searched, wish: Wish, taken: Container[str] = ()) -> tuple[Offer, ...]:
    brief = wish.brief
    # Not by the scene's number: a new scene would change the pictures of all behind it.
    return tuple(rank(searched.offers, brief.width, brief.height, brief.seed, taken)[:_MOST_TRIED])


def _forget_old(bucket: Bucket, library: Library, wish: Wish) -> None:
    """Have the next run search again when none of the pictures is there any more."""
    for query in wish.queries:
        key = f"{_search_key(library, wish, query)}.json"
        with suppress(StorageError):
            if datetime.now(UTC) - bucket.stat(key).changed_at > _SEARCH_KEPT:
                bucket.delete(key)


def _read(bucket: Bucket, key: str, what: str) -> bytes:
    try:
        return bucket.get_bytes(key)
    except StorageError as error:
        raise PictureError(f"{what} can't be read: {error}") from error


def _fetched(url: str, rules: AddressRules, what: str, attempts: int = 1) -> bytes:
    return wait_for(fetch(url, rules, what, attempts=attempts))
