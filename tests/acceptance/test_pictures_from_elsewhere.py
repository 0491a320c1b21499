"""Photographs and the user's own pictures, from the command to the pixels of the video."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from bhiv.connectors import save_to_bucket
from bhiv.settings import Settings
from tests.acceptance.conftest import Shop
from tests.acceptance.test_render import made_anew
from tests.servers import photos
from tests.servers.photos import BLUE, GREEN, RED, PhotoServer, photo_server, picture

SMALL = {"size": "320x180", "fps": 24, "captions": "off"}


@pytest.fixture
def openverse() -> Iterator[PhotoServer]:
    with photo_server(photos.openverse) as server:
        server.add("mill", "mill", picture(BLUE))
        yield server


def plan(shop: Shop, *scenes: dict[str, object]) -> Path:
    made = {"title": "Three pictures", "scenes": [{"duration_seconds": 1, **scene} for scene in scenes], **SMALL}
    return shop.write("plan.json", json.dumps(made))


def colours(video: Path, seconds: list[float]) -> list[tuple[int, ...]]:
    """The colour in the middle of the frames at these times."""
    film, seen = cv2.VideoCapture(str(video)), []
    for second in seconds:
        film.set(cv2.CAP_PROP_POS_MSEC, second * 1000)
        _, frame = film.read()
        seen.append(tuple(int(value) for value in frame[60:120, 100:220].reshape(-1, 3).mean(axis=0)[::-1]))
    film.release()
    return seen


def is_like(seen: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return max(abs(one - other) for one, other in zip(seen, wanted, strict=True)) <= 12


def test_a_photograph_a_file_and_an_object_are_shown_and_credited(shop: Shop, openverse: PhotoServer) -> None:
    settings: dict[str, Any] = {"BHIV_PICTURES": "openverse", "BHIV_OPENVERSE_BASE_URL": f"{openverse.url}/v1"}
    key = save_to_bucket(
        picture(GREEN, kind="PNG"), "mine.png", segment="images", settings=Settings(bucket_dir=shop.bucket)
    )
    (shop.folder / "pictures").mkdir()
    (shop.folder / "pictures" / "red.webp").write_bytes(picture(RED, kind="WEBP"))
    source = plan(
        shop,
        {"picture": {"file": "pictures/red.webp"}},
        {"picture": {"object": key}},
        {"picture": {"prompt": "a mill"}},
        {"narration": "Then 42 birds came."},
    )

    ended = shop.bhiv("render", source, "-o", "a.mp4", "--json", **settings)

    assert ended.code == 0, ended.err
    shown = colours(shop.folder / "a.mp4", [0.5, 1.5, 2.5])
    assert all(map(is_like, shown, [RED, GREEN, BLUE])), shown
    assert ended.summary["notes"] == []
    told = json.loads((shop.bucket / ended.summary["credits"]).read_text())
    assert [row["source"] for row in told["pictures"]] == ["own", "own", "openverse", "offline"]
    assert told["pictures"][2]["credit"]["author"] == "Ada Lens"
    assert told["lines"] == ["“The mill” by Ada Lens (CC BY 4.0), https://example.com/mill"]
    assert json.loads((shop.folder / "a_credits.json").read_text()) == told
    assert "show with the video" in ended.err

    asked = len(openverse.asked())
    again = shop.bhiv("render", source, "-o", "a.mp4", "--json", **settings)

    assert len(openverse.asked()) == asked
    assert made_anew(again.summary) == {"images": 0, "tts": 0, "subtitles": 0, "render": 0, "stitch": 0}

    openverse.vendor.always = "500"
    source = plan(shop, {"picture": {"object": key}}, {"picture": {"prompt": "a river"}})
    without = shop.bhiv("render", source, "-o", "a.mp4", "--json", **settings)

    assert without.code == 0, without.err
    assert [note for note in without.summary["notes"] if note.startswith("Openverse answered 500")]
    assert "another picture takes its place" in without.err
    assert not (shop.folder / "a_credits.json").exists()


def test_a_picture_file_that_is_none_is_refused_before_any_work(shop: Shop) -> None:
    shop.write("page.png", "<html>")
    wanted = {"missing.png": "there is no file", "page.png": "is a web page", "clip.mp4": "is a video clip"}

    for name, said in wanted.items():
        ended = shop.bhiv("render", plan(shop, {"picture": {"file": name}}), "--json")

        assert (ended.code, ended.out) == (2, "")
        assert said in ended.err
        assert "scenes.0.picture" in ended.err
    assert not shop.bucket.exists()


def test_a_printed_plan_names_the_stored_picture(shop: Shop) -> None:
    (shop.folder / "red.jpg").write_bytes(picture(RED))

    printed = shop.bhiv("plan", plan(shop, {"picture": {"file": "red.jpg", "prompt": "a red wall"}}))

    stored = json.loads(printed.out)["scenes"][0]["picture"]
    assert (stored["file"], stored["prompt"]) == (None, "a red wall")
    assert (shop.bucket / stored["object"]).read_bytes() == picture(RED)
