"""A whole render with a title card and an end card, checked by its pixels and its sound."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bhiv import ffmpeg, process
from bhiv.cards import end_cards, title_cards
from bhiv.photos import Credit
from bhiv.pictures import Brief, draw
from bhiv.plan import RenderPlan
from bhiv.video import camera
from bhiv.video.gate_sound import listen
from tests.acceptance.conftest import Ended, Shop
from tests.acceptance.test_render import made_anew
from tests.servers import photos
from tests.servers.photos import BLUE, photo_server, picture

PLAN = {
    "title": "The Old Mill",
    "size": "320x180",
    "fps": 24,
    "title_card": True,
    "scenes": [
        {"narration": "There is a mill by the river.", "picture": {"prompt": "a mill"}},
        {"narration": "It has been there for 300 years.", "title": "Its age"},
    ],
}


def frame(video: Path, second: float) -> NDArray[np.uint8]:
    command = ffmpeg.command(
        "-ss", f"{second}", "-i", str(video), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24"
    )
    shown = process.run([*command, "-"], timeout_seconds=60).stdout
    return np.frombuffer(shown, np.uint8).reshape(180, 320, 3)


def difference(shown: NDArray[np.uint8], brief: Brief) -> float:
    """How much a frame differs from a card as the camera sees all of it, in steps of 255."""
    card = cv2.resize(draw(brief), (320, 180), interpolation=cv2.INTER_AREA)
    return float(np.abs(shown.astype(int) - card).mean())


@pytest.fixture
def rendered(shop: Shop) -> tuple[Shop, Ended]:
    shop.write("plan.json", json.dumps(PLAN))
    with photo_server(photos.openverse) as server:
        server.add("mill", "mill", picture(BLUE))
        settings: dict[str, Any] = {"BHIV_PICTURES": "openverse", "BHIV_OPENVERSE_BASE_URL": f"{server.url}/v1"}
        ended = shop.bhiv("render", "plan.json", "-o", "a.mp4", "--json", **settings)
        assert ended.code == 0, ended.err
        again = shop.bhiv("render", "plan.json", "-o", "b.mp4", "--json", **settings)
    assert set(made_anew(again.summary).values()) == {0}
    assert (shop.folder / "a.mp4").read_bytes() == (shop.folder / "b.mp4").read_bytes()
    return shop, ended


def test_cards_stand_around_the_scenes_silent_and_without_captions(rendered: tuple[Shop, Ended]) -> None:
    shop, ended = rendered
    video, length = shop.folder / "a.mp4", ended.summary["duration_seconds"]
    told = json.loads((shop.bucket / ended.summary["credits"]).read_text())
    owed = [Credit.model_validate(row["credit"]) for row in told["pictures"] if row["credit"]]
    plan, size = RenderPlan.model_validate(PLAN), camera.picture_size(320, 180)
    [title], [end] = title_cards(plan, *size), end_cards(plan, owed, *size)

    assert len(told["pictures"]) == 2, "cards are owed to nobody"
    assert difference(frame(video, 0.04), title.brief) < 6
    assert difference(frame(video, length - 0.1), end.brief) < 4
    assert difference(frame(video, 3.0), title.brief) > 20
    assert tuple(
        int(value) for value in frame(video, 3.0)[60:100, 100:220].reshape(-1, 3).mean(axis=0)
    ) == pytest.approx(BLUE, abs=12)
    levels = listen(video).levels
    assert levels[: int(2.5 / 0.02)].max() < -55
    assert levels[int((length - 3.7) / 0.02) :].max() < -55
    assert levels.max() > -30
    cues = (shop.folder / "a.srt").read_text()
    assert "00:00:02,8" in cues
    assert ffmpeg.inspect(video).chapters[0] == 0
    assert len(ffmpeg.inspect(video).chapters) == 2


def test_options_add_and_leave_out_cards(shop: Shop) -> None:
    shop.write("plan.json", json.dumps({**PLAN, "scenes": [{"duration_seconds": 1}]}))

    plain = shop.bhiv("render", "plan.json", "--no-title-card", "-o", "a.mp4", "--json")
    framed = shop.bhiv("render", "plan.json", "--title-card", "--end-card", "always", "-o", "b.mp4", "--json")

    assert [ended.summary["duration_seconds"] for ended in (plain, framed)] == [1, 1 + 2.5 + 3]
