import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bhiv import process
from bhiv.bucket.local import LocalBucket
from bhiv.errors import Interrupted
from bhiv.photos import Collection, Credit, Procured, Wish, find_photos, procure, wish_pictures
from bhiv.photos.collection import Source
from bhiv.photos.fetching import MAX_BYTES
from bhiv.photos.openai_images import OpenAIImages
from bhiv.photos.openverse import Openverse
from bhiv.photos.pexels import Pexels
from bhiv.photos.pixabay import Pixabay
from bhiv.pictures import brief_scenes
from bhiv.plan import Picture, RenderPlan
from bhiv.request import check_objects
from bhiv.settings import Settings
from bhiv.vendors import Patience
from tests.servers import photos
from tests.servers.photos import BLUE, GREEN, PATHS, RED, Answer, PhotoServer, photo_server, picture
from tests.servers.starting import free_port
from tests.servers.vendor import FAULTS, Asked, Fault, Said
from tests.unit.test_developing import BOMB, CLIP, GREY16, SVG, animation, noisy

WIDTH, HEIGHT = 160, 90

SOURCES: dict[str, tuple[Answer, Callable[[str, Patience], Source]]] = {
    "openverse": (photos.openverse, lambda url, patience: Openverse(url, patience)),
    "pexels": (photos.pexels, lambda url, patience: Pexels("pexels-key", url, patience)),
    "pixabay": (photos.pixabay, lambda url, patience: Pixabay("pixabay-key", url, patience)),
    "openai": (photos.images, lambda url, patience: OpenAIImages("gpt-image-1", "sk-key", url, patience)),
}
LIBRARIES = [name for name in SOURCES if name != "openai"]


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[PhotoServer]:
    """A server that has two photographs of a river, or makes a picture."""
    with photo_server(SOURCES[request.param][0]) as running:
        running.add("river", "bank", picture(RED))
        running.add("river", "ford", picture(GREEN))
        running.add("mill", "mill", picture(BLUE))
        running.files["made"] = Said(picture(RED), "image/png")
        yield running


def source(server: PhotoServer, name: str) -> Source:
    api, build = SOURCES[name]
    return build(f"{server.url}{PATHS[api]}", server.vendor.patience)


def wishes(*scenes: Picture | str | None, width: int = WIDTH, height: int = HEIGHT) -> tuple[Wish, ...]:
    """What scenes with these pictures, or picture prompts, want; the first is behind the title."""
    given = [Picture(prompt=one) if isinstance(one, str) else one for one in scenes]
    plan = RenderPlan.model_validate(
        {"title": "A day", "scenes": [{"narration": "Listen.", "picture": one and one.model_dump()} for one in given]}
    )
    return wish_pictures(plan, brief_scenes(plan, width, height))


def shown(bucket: LocalBucket, wish: Wish, *sources: Source) -> Procured:
    """What becomes of a wish, its photographs searched first."""
    collection = Collection(sources)
    found = find_photos(bucket, [wish], collection).result.offers[0]
    return procure(bucket, wish, found, collection)


def colour(bucket: LocalBucket, procured: Procured) -> tuple[int, ...]:
    """The mean colour of a picture that has the size that was asked for."""
    assert procured.photo is not None, procured.notes
    with Image.open(BytesIO(bucket.get_bytes(procured.photo.result.image.key))) as image:
        assert image.size == (WIDTH, HEIGHT)
        return tuple(round(value) for value in np.asarray(image).reshape(-1, 3).mean(axis=0))


def is_like(seen: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return max(abs(one - other) for one, other in zip(seen, wanted, strict=True)) <= 4


@pytest.mark.parametrize(("server", "name"), [(name, name) for name in LIBRARIES], indirect=["server"])
def test_a_photograph_is_found_and_credited(server: PhotoServer, bucket: LocalBucket, name: str) -> None:
    [wish] = wishes("the mill")

    procured = shown(bucket, wish, source(server, name))

    assert is_like(colour(bucket, procured), BLUE)
    assert procured.notes == ()
    assert procured.photo is not None
    photo = procured.photo.result
    assert (photo.source, photo.image.media_type) == (name, "image/jpeg")
    assert photo.credit is not None
    assert "mill" in photo.credit.source_url
    assert photo.credit.author.casefold().startswith("ada")
    assert photo.credit.licence_url.startswith("https://")


@pytest.mark.parametrize(("server", "name"), [(name, name) for name in SOURCES], indirect=["server"])
def test_the_same_wish_again_asks_nobody(server: PhotoServer, bucket: LocalBucket, name: str) -> None:
    [wish] = wishes("river")
    first = shown(bucket, wish, source(server, name))
    before = len(server.asked())

    again = shown(bucket, wish, source(server, name))

    assert before == (1 if name == "openai" else 2)
    assert len(server.asked()) == before
    assert again.photo is not None
    assert first.photo is not None
    assert again.photo.cached
    assert again.photo.result == first.photo.result


@pytest.mark.parametrize("server", ["openai"], indirect=True)
@pytest.mark.parametrize("by_url", [False, True])
def test_a_model_makes_a_picture(server: PhotoServer, bucket: LocalBucket, by_url: bool) -> None:
    server.by_url = by_url
    [wish] = wishes("a river of light")

    procured = shown(bucket, wish, source(server, "openai"))

    assert is_like(colour(bucket, procured), RED)
    assert procured.photo is not None
    assert (procured.photo.result.source, procured.photo.result.credit) == ("openai", None)
    [asked] = server.asked("/images/generations")
    assert asked.headers["authorization"] == "Bearer sk-key"
    assert asked.json == {"model": "gpt-image-1", "prompt": "a river of light", "n": 1, "size": "1536x1024"}


@pytest.mark.parametrize("server", ["openverse"], indirect=True)
def test_no_photograph_is_shown_twice_where_there_is_another(server: PhotoServer, bucket: LocalBucket) -> None:
    wanted = wishes("river", "the river again", "river", "river")
    collection = Collection((source(server, "openverse"),))

    found = find_photos(bucket, wanted, collection)
    seen = [procure(bucket, *both, collection) for both in zip(wanted, found.result.offers, strict=True)]

    titles = [one.photo.result.credit.title for one in seen if one.photo and one.photo.result.credit]
    assert set(titles[:2]) == {"The bank", "The ford"}
    assert len(titles) == 4  # there are two only, and both come again
    assert find_photos(bucket, wanted, collection).cached


@pytest.mark.parametrize("server", ["openverse"], indirect=True)
def test_fewer_words_are_tried_when_there_is_nothing_for_all(server: PhotoServer, bucket: LocalBucket) -> None:
    server.photos["mountain"] = server.photos.pop("mill")
    server.photos.pop("river")
    [wish] = wishes("mountain seen through an old window")
    server.vendor.answer = only_alone(server.vendor.answer, "mountain")

    procured = shown(bucket, wish, source(server, "openverse"))

    assert is_like(colour(bucket, procured), BLUE)
    assert [one.query["q"] for one in server.asked("/images/")] == ["mountain seen old window", "mountain"]


def only_alone(answer: Callable[[Asked], Said], word: str) -> Callable[[Asked], Said]:
    def strict(asked: Asked) -> Said:
        query = asked.query.get("q", word)
        return answer(asked if query == word else replace(asked, query={**asked.query, "q": ""}))

    return strict


#: Where the answers are read in different ways; the rest is the same for all.
OF_THE_CONTENT: tuple[Fault, ...] = ("400", "401", "type", "html", "json", "empty", "truncated", "huge")
TABLE = [(name, name, fault) for name in SOURCES for fault in (FAULTS if name == "openai" else OF_THE_CONTENT)]


@pytest.mark.parametrize(("server", "name", "fault"), TABLE, indirect=["server"])
def test_no_fault_of_a_source_keeps_the_next_from_helping(
    server: PhotoServer, bucket: LocalBucket, name: str, fault: Fault
) -> None:
    server.vendor.always = fault
    [wish] = wishes("river")

    with photo_server(photos.openverse) as other:
        other.add("river", "weir", picture(BLUE))
        procured = shown(bucket, wish, source(server, name), source(other, "openverse"))

    assert len(server.asked()) <= 2 * server.vendor.patience.attempts + 2
    if procured.notes:
        assert is_like(colour(bucket, procured), BLUE)
        assert procured.notes[0].endswith("; another picture takes its place")
        assert "key" not in procured.notes[0].replace("API key …", "")
    else:  # it is the library's own: an answer of an unknown type is right all the same
        assert fault == "type"
    if procured.photo is not None and procured.notes:
        assert procured.photo.result.credit == Credit(
            title="The weir", author="Ada Lens", licence="CC BY 4.0",
            licence_url="https://creativecommons.org/licenses/by/4.0/", source_url="https://example.com/weir",
        )  # fmt: skip


@pytest.mark.parametrize("fault", ["slow", "500", "reset", "cut", "429 soon"])
@pytest.mark.parametrize("server", ["openverse"], indirect=True)
def test_what_passes_is_not_told(server: PhotoServer, bucket: LocalBucket, fault: Fault) -> None:
    server.vendor.faults = [fault]
    [wish] = wishes("mill")

    procured = shown(bucket, wish, source(server, "openverse"))

    assert is_like(colour(bucket, procured), BLUE)
    assert procured.notes == ()


@pytest.mark.parametrize("server", ["openverse"], indirect=True)
def test_what_was_wished_comes_back_with_its_source(server: PhotoServer, bucket: LocalBucket) -> None:
    [wish] = wishes("mill")
    server.vendor.always = "404"
    without = shown(bucket, wish, source(server, "openverse"))
    server.vendor.always = None

    again = shown(bucket, wish, source(server, "openverse"))

    assert without.photo is None
    assert is_like(colour(bucket, again), BLUE)


#: What a photograph's file may be, and what is said of it; empty for a picture that is shown.
FILES: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "truncated JPEG": (lambda: noisy()[:5000], "image/jpeg", "is damaged"),
    "bomb": (lambda: BOMB, "image/png", "has more than 50 million pixels"),
    "SVG": (lambda: SVG, "image/svg+xml", "is an SVG drawing"),
    "HTML as image": (lambda: b"<html><body>Sign in.</body></html>", "image/jpeg", "is a web page"),
    "HTML": (lambda: b"<html><body>Sign in.</body></html>", "text/html", "is a web page"),
    "20 MB": (lambda: picture(RED) + bytes(20_000_000), "image/jpeg", f"answers more than {MAX_BYTES} bytes"),
    "video": (lambda: CLIP, "video/mp4", "is a video clip, which belongs under the scene's footage"),
    "nothing": (lambda: b"", "image/jpeg", "is no picture"),
    "animated GIF": (animation, "image/gif", ""),
    "CMYK JPEG": (lambda: picture((0, 0, 0, 0), kind="JPEG", mode="CMYK"), "image/jpeg", ""),
    "16-bit PNG": (lambda: GREY16, "image/png", ""),
    "no type": (lambda: picture(RED), "application/octet-stream", ""),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("server", ["openverse"], indirect=True)
def test_a_bad_file_makes_room_for_another(server: PhotoServer, bucket: LocalBucket, kind: str) -> None:
    make, media_type, said = FILES[kind]
    server.photos = {}
    server.add("river", "wrong", make(), media_type)
    [wish] = wishes("river")

    procured = shown(bucket, wish, source(server, "openverse"))

    assert (procured.photo is None) == bool(said)
    assert [said in note for note in procured.notes] == [True] * bool(said)
    assert len(server.asked("/files/")) == 1


@pytest.mark.parametrize("server", ["openverse"], indirect=True)
def test_the_next_photograph_is_tried(server: PhotoServer, bucket: LocalBucket) -> None:
    for name in ("bank", "ford"):
        server.files[name] = Said(b"", status=404)
    server.add("river", "weir", picture(BLUE))
    [wish] = wishes("river")

    procured = shown(bucket, wish, source(server, "openverse"))

    assert is_like(colour(bucket, procured), BLUE)
    assert len(procured.notes) == 2
    assert all("answers 404" in note for note in procured.notes)


PRIVATE = [
    "http://127.0.0.1:1/a.jpg",
    "http://10.0.0.1/a.jpg",
    "http://169.254.169.254/latest/meta-data",
    "http://[::1]/a",
]
STRANGE = ["ftp://example.com/a.jpg", "file:///etc/passwd", "http://", "not an address", "//example.com/a.jpg"]
BROKEN = [
    "http://[::1", "http://exa mple/a", "http://a\x1b[31m/b.jpg", f"http://{'a' * 300}.example/x",
    "https://example.com:99999/a", "http://xn--/a", "http://a..b/c", "http://127.1/a", "http://0x7f.1/a",
]  # fmt: skip


@pytest.mark.parametrize("address", [*PRIVATE, *STRANGE, *BROKEN])
@pytest.mark.parametrize("server", ["openverse"], indirect=True)
def test_a_library_leads_nobody_into_the_own_network(server: PhotoServer, bucket: LocalBucket, address: str) -> None:
    server.addresses["mill"] = address
    [wish] = wishes("mill")

    procured = shown(bucket, wish, source(server, "openverse"))

    assert procured.photo is None
    assert len(procured.notes) == 1
    assert procured.notes[0].isprintable()
    assert len(server.asked()) == 1


@pytest.mark.parametrize("address", PRIVATE)
@pytest.mark.parametrize("server", ["openverse"], indirect=True)
def test_nor_does_a_redirect(server: PhotoServer, bucket: LocalBucket, address: str) -> None:
    server.files["mill"] = Said(b"", status=302, headers={"Location": address})
    [wish] = wishes("mill")

    procured = shown(bucket, wish, source(server, "openverse"))

    assert procured.photo is None
    assert "may not be reached" in procured.notes[0]
    assert len(server.asked()) == 2


@pytest.mark.parametrize("server", ["openverse"], indirect=True)
def test_a_redirect_is_followed_thrice(server: PhotoServer, bucket: LocalBucket) -> None:
    server.files["mill"] = Said(b"", status=301, headers={"Location": "/files/moved"})
    server.files["moved"] = Said(picture(GREEN), "image/jpeg")
    server.files["bank"] = Said(b"", status=302, headers={"Location": "/files/bank"})
    server.photos["river"] = ["bank"]
    mill, river = wishes("mill", "river")

    found = shown(bucket, mill, source(server, "openverse"))
    lost = shown(bucket, river, source(server, "openverse"))

    assert is_like(colour(bucket, found), GREEN)
    assert "moved again and again" in lost.notes[0]
    assert len(server.asked("/files/bank")) == 4


def test_a_silent_host_is_not_waited_for_again(bucket: LocalBucket) -> None:
    with photo_server(photos.openverse) as server:
        server.add("river", "bank", picture(RED))
        server.add("mill", "mill", picture(BLUE))
        nobody = free_port()
        server.addresses = {name: f"http://localhost:{nobody}/{name}.jpg" for name in ("bank", "mill")}
        collection = Collection((source(server, "openverse"),), allowed_hosts=("localhost",))
        river, mill = wishes("river", "mill")

        first, second = procure(bucket, river, (), collection), procure(bucket, mill, (), collection)

    assert "can't be had" in first.notes[0]
    assert "silent a moment ago" in second.notes[0]


def own(server: PhotoServer, name: str) -> Wish:
    [wish] = wishes(Picture(url=f"{server.url}/files/{name}"))
    return wish


@pytest.mark.parametrize("server", ["openverse"], indirect=True)
def test_a_picture_of_the_users_own_comes_from_its_address(server: PhotoServer, bucket: LocalBucket) -> None:
    collection = Collection(allowed_hosts=("127.0.0.1",))

    procured = procure(bucket, own(server, "ford"), (), collection)
    before = len(server.asked())
    again = procure(bucket, own(server, "ford"), (), collection)

    assert is_like(colour(bucket, procured), GREEN)
    assert procured.photo is not None
    assert (procured.photo.result.source, procured.photo.result.credit) == ("own", None)
    assert (len(server.asked()), again.photo is not None and again.photo.cached) == (before, True)


@pytest.mark.parametrize("server", ["openverse"], indirect=True)
def test_the_users_own_address_may_not_be_in_the_own_network(server: PhotoServer, bucket: LocalBucket) -> None:
    procured = procure(bucket, own(server, "ford"), (), Collection())

    assert procured.photo is None
    assert procured.notes[0].startswith("scene 1: the picture at 127.0.0.1/files/ford can't be had: 127.0.0.1 may not")
    assert server.asked() == []


@pytest.mark.parametrize("server", ["openverse"], indirect=True)
def test_the_users_own_address_is_tried_again_when_that_may_help(server: PhotoServer, bucket: LocalBucket) -> None:
    server.vendor.faults = ["500", "429"]

    procured = procure(bucket, own(server, "ford"), (), Collection(allowed_hosts=("127.0.0.1",)))

    assert is_like(colour(bucket, procured), GREEN)
    assert len(server.asked()) == 3


@pytest.mark.parametrize("server", ["openverse"], indirect=True)
def test_in_place_of_a_bad_own_picture_a_photograph_is_shown(server: PhotoServer, bucket: LocalBucket) -> None:
    [wish] = wishes(Picture(prompt="mill", object="images/nothing.png"))

    procured = shown(bucket, wish, source(server, "openverse"))

    assert is_like(colour(bucket, procured), BLUE)
    assert procured.notes[0].startswith("scene 1: the picture images/nothing.png can't be read")


def test_a_picture_of_the_bucket_is_shown_and_known_by_its_bytes(bucket: LocalBucket) -> None:
    bucket.put_bytes("images/mine.png", picture(GREEN, kind="PNG"), "image/png")
    [wish] = wishes(Picture(object="images/mine.png"))

    first = procure(bucket, wish, (), Collection())
    bucket.put_bytes("images/mine.png", picture(BLUE, kind="PNG"), "image/png")
    changed = procure(bucket, wish, (), Collection())

    assert is_like(colour(bucket, first), GREEN)
    assert is_like(colour(bucket, changed), BLUE)


def test_a_source_without_its_key_is_told_and_passed_over(bucket: LocalBucket) -> None:
    collection = Collection.of(Settings(pictures=("pexels", "openai")))
    [wish] = wishes("mill")

    assert procure(bucket, wish, (), collection) == (
        None,
        (
            "pexels was not asked for pictures: set BHIV_PEXELS_API_KEY",
            "openai was not asked for pictures: set BHIV_IMAGES_MODEL, and BHIV_IMAGES_API_KEY or BHIV_IMAGES_BASE_URL",
        ),
    )


@pytest.mark.parametrize("server", ["openai"], indirect=True)
def test_a_run_that_is_asked_to_end_waits_for_no_picture(server: PhotoServer, bucket: LocalBucket) -> None:
    server.vendor.always, server.vendor.silence_seconds = "slow", 2
    patient = OpenAIImages("m", "", f"{server.url}/v1", replace(server.vendor.patience, silence=60))
    [wish] = wishes("mill")
    process.stop_all()

    with pytest.raises(Interrupted):
        procure(bucket, wish, (), Collection((patient,)))


@pytest.mark.parametrize("server", ["pixabay"], indirect=True)
def test_a_search_whose_pictures_are_gone_is_made_again_after_a_day(server: PhotoServer, bucket: LocalBucket) -> None:
    del server.files["mill"]
    [wish] = wishes("mill")
    shown(bucket, wish, source(server, "pixabay"))
    shown(bucket, wish, source(server, "pixabay"))
    assert len(server.asked("/api/")) == 1

    [kept] = Path(bucket.uri("images/x").removeprefix("file://")).parent.glob("search-*.json")
    day_ago = time.time() - 90_000
    os.utime(kept, (day_ago, day_ago))
    shown(bucket, wish, source(server, "pixabay"))
    server.files["mill"] = Said(picture(BLUE), "image/jpeg")
    found = shown(bucket, wish, source(server, "pixabay"))

    assert is_like(colour(bucket, found), BLUE)
    assert len(server.asked("/api/")) == 2


def test_openverse_is_asked_for_licences_that_allow_use_and_is_not_believed(bucket: LocalBucket) -> None:
    def lying(server: PhotoServer, asked: Asked) -> Said:
        said = photos.openverse(server, asked)
        return replace(said, body=said.body.replace(b'"license": "by"', b'"license": "by-nc-nd"'))

    with photo_server(lying) as server:
        server.add("mill", "mill", picture(BLUE))
        [wish] = wishes("mill")
        procured = shown(bucket, wish, Openverse(f"{server.url}/v1", server.vendor.patience))

    assert procured.photo is None
    assert server.asked("/images/")[0].query["license"] == "cc0,pdm,by"


def test_a_picture_of_the_bucket_that_is_shown_again_counts_as_used(bucket: LocalBucket) -> None:
    bucket.put_bytes("images/mine.png", picture(GREEN, kind="PNG"), "image/png")
    long_ago = time.time() - 40 * 86_400
    os.utime(bucket.path("images/mine.png"), (long_ago, long_ago))
    plan = RenderPlan.model_validate(
        {"title": "A day", "scenes": [{"narration": "Listen.", "picture": {"object": "images/mine.png"}}]}
    )

    check_objects(plan, bucket, use=True)

    assert not bucket.delete_unused("images/mine.png", datetime.now(UTC) - timedelta(days=30))
