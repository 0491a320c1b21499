from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from bhiv import production
from bhiv.cache import Made
from bhiv.encoding import make_clip
from bhiv.photos import Collection, Wish
from bhiv.pictures import Brief
from bhiv.plan import Camera, Focus, Frames, Quality
from bhiv.production import Captioned, Drawn, Frame
from bhiv.settings import Settings
from bhiv.video import camera, parallax
from bhiv.video.camera import Still
from bhiv.video.clip import Clip
from bhiv.video.layers import Layer
from bhiv.video.staging import Movement, Staging
from bhiv.video.yuv import YUV, Buffer, Plane
from bhiv.workplace import Workplace, claimed, open_workplace
from tests.integration.test_camera import SMOOTH, phase_in_the_middle

WIDTH, HEIGHT = 640, 360
FRAMES, FPS = 90, 30
PANS: tuple[Camera, ...] = ("pan_left", "pan_right", "pan_up", "pan_down")
RATE = 0.21


def flat(width: int, height: int, value: int) -> Plane:
    return np.full((height, width), value, np.uint8)


def layer(light: Plane, near: float, cover: Plane | None = None, left: int = 0, top: int = 0) -> Layer:
    """A grey layer; `cover` is 255 where nothing shows through."""
    grey = flat(light.shape[1] // 2, light.shape[0] // 2, 128)
    if cover is None:
        return Layer(near, left, top, (light, grey, grey), None)
    small = cover[::2, ::2]
    chroma = (grey.astype(int) * small // 255).astype(np.uint8)
    return Layer(near, left, top, (np.minimum(light, cover), chroma, chroma), (255 - cover, 255 - small))


def wave(width: int, height: int, along_x: bool) -> Plane:
    line = 128 + 90 * np.sin(np.arange(width if along_x else height) * RATE)
    line = line.round().astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(line if along_x else line[:, None], (height, width)))


def shoot(
    layers: list[Layer], move: Camera, frames: int = FRAMES, width: int = WIDTH, height: int = HEIGHT,
    focus: Focus | None = None,
) -> Iterator[YUV]:  # fmt: skip
    still = Still(picture_sha256="", layers_sha256="", move=move, focus=focus, frames=Frames(frames))
    shot, buffer = parallax.open_pan(layers, still, width, height, FPS), Buffer.empty(width, height)
    for number in range(frames + camera.run_on(FPS)):
        yield shot.expose(number, buffer)


def paths(move: Camera) -> list[NDArray[np.float64]]:
    """Where the middle of a far and of a near layer's half of each frame looks, in picture pixels along the move."""
    width, height = camera.picture_size(WIDTH, HEIGHT)
    along_x = move in ("pan_left", "pan_right")
    seen = wave(width, height, along_x)
    half = np.zeros_like(seen)
    half[(slice(height // 2, None), slice(None)) if along_x else (slice(None), slice(width // 2, None))] = 255
    phases: list[list[float]] = [[], []]
    for frame in shoot([layer(seen, 0), layer(seen, 1, half)], move):
        far, near = (
            (frame.y[: HEIGHT // 2 - 20], frame.y[HEIGHT // 2 + 20 :])
            if along_x
            else (frame.y[:, : WIDTH // 2 - 30], frame.y[:, WIDTH // 2 + 30 :])
        )
        for found, part in zip(phases, (far, near), strict=True):
            found.append(phase_in_the_middle(part.astype(float).mean(axis=0 if along_x else 1), RATE))
    return [np.unwrap(found) / RATE for found in phases]


@pytest.mark.parametrize("move", PANS)
def test_what_is_near_passes_faster_and_all_move_smoothly(move: Camera) -> None:
    far, near = paths(move)

    side = WIDTH if move in ("pan_left", "pan_right") else HEIGHT
    whole = (camera.MARGIN - camera.CLOSE) * side
    plain = (camera.MARGIN - 1.06) * side
    for places, travelled in ((far, 0.4 * whole), (near, whole)):
        steps = np.diff(places)
        ideal = np.polyval(np.polyfit(np.arange(len(places)), places, 7), np.arange(len(places)))
        assert abs(abs(places[-1] - places[0]) - travelled) < 2
        # A twelfth of a pixel is the finest step; the slowest part may wait a frame for its turn.
        assert np.all(steps > -0.005) or np.all(steps < 0.005)
        assert np.abs(steps[:-1] + steps[1:]).min() > 0.07
        assert np.std(places - ideal) < SMOOTH
    assert abs(far[-1] - far[0]) < plain < abs(near[-1] - near[0])
    assert np.sign(far[-1] - far[0]) == np.sign(near[-1] - near[0]) == (1 if move in ("pan_right", "pan_down") else -1)


@pytest.mark.parametrize("size", [(144, 144), (146, 258), (640, 360), (360, 640)])
@pytest.mark.parametrize("move", PANS)
def test_no_frame_shows_a_rim_or_a_hole(size: tuple[int, int], move: Camera) -> None:
    width, height = camera.picture_size(*size)
    cover = flat(width, height, 0)
    cover[height // 2 :] = 255
    parts = [layer(flat(width, height, 90), 0), layer(flat(width, height, 200), 1, cover)]

    for focus in (None, Focus(x=0, y=1), Focus(x=1, y=0)):
        for frame in shoot(parts, move, 8, *size, focus):
            rows = frame.y.astype(int)
            assert np.all(rows == rows[:, :1])
            column = rows[:, 0]
            edge = int(np.argmax(column > 95))
            assert set(column[: edge - 1]) == {90}
            assert set(column[edge + 2 :]) == {200}
            assert set(np.unique(frame.u)) <= {127, 128, 129}
            assert len(frame.tobytes()) == size[0] * size[1] * 3 // 2


@pytest.mark.parametrize("move", PANS)
def test_a_small_part_lies_where_the_picture_has_it_in_the_middle_of_the_move(move: Camera) -> None:
    width, height = camera.picture_size(WIDTH, HEIGHT)
    left, top = width // 4 * 2, height // 4 * 2
    boat = layer(flat(48, 48, 220), 1, np.pad(flat(40, 40, 255), 4), left - 24, top - 24)
    parts = [layer(flat(width, height, 40), 0), layer(flat(width, height, 0), 0.5, flat(width, height, 0)), boat]

    frames = [frame.y.copy() for frame in shoot(parts, move, 76)]

    middle = frames[len(frames) // 2]
    rows, columns = np.nonzero(middle > 130)
    assert abs(rows.mean() - (HEIGHT - 1) / 2) < 1.5
    assert abs(columns.mean() - (WIDTH - 1) / 2) < 1.5
    assert rows.size == pytest.approx((40 / camera.CLOSE) ** 2, rel=0.05)
    assert {int(value) for value in np.unique(middle[:100])} == {40}


@pytest.mark.parametrize("move", PANS)
def test_a_move_goes_on_past_the_end_of_its_scene(move: Camera) -> None:
    width, height = camera.picture_size(WIDTH, HEIGHT)
    parts = [layer(wave(width, height, along_x), near, cover) for along_x, near, cover in (
        (True, 0, None), (False, 1, flat(width, height, 128)))]  # fmt: skip

    frames = [frame.tobytes() for frame in shoot(parts, move, 20)]

    assert len(set(frames)) == len(frames) == 20 + FPS // 2
    assert frames == [frame.tobytes() for frame in shoot(parts, move, 20)]


# In a video.

STILL_LIFE = Brief(layout="landscape", motif="temple", palette="dusk", width=186, height=166, seed=2)


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    """A workplace with a run in it."""
    workplace = open_workplace(Settings(home=tmp_path / "home"))
    with claimed(workplace, "run", b""):
        yield workplace


def frame_of(quality: Quality) -> Frame:
    return Frame(width=160, height=144, fps=25, quality=quality)


def shown(workplace: Workplace, brief: Brief = STILL_LIFE, *, layered: bool) -> Drawn:
    wish, nothing = Wish(scene=1, brief=brief), Collection.of(Settings(home=workplace.runs))
    return production.show_picture(workplace, "run", wish, (), nothing, layered=layered).result


def clip_of(workplace: Workplace, drawn: Drawn, quality: Quality) -> Made[Clip]:
    staging = Staging(movement=Movement(move="pan_right"))
    captioned = Captioned(cues=(), layer=None, frames=Frames(10))
    return make_clip(workplace, "run", staging, [drawn], [captioned], frame_of(quality))


def test_layers_are_made_for_pans_at_high_quality_only() -> None:
    wanted = {
        (quality, move)
        for quality in get_args(Quality)
        for move in get_args(Camera)
        if parallax.suits(quality, move)
    }  # fmt: skip

    assert wanted == {("high", move) for move in PANS}


def test_a_clip_past_layers_differs_from_one_over_the_picture_and_is_made_once(workplace: Workplace) -> None:
    plain, layered = shown(workplace, layered=False), shown(workplace, layered=True)
    assert plain.layers is None
    assert layered.layers is not None

    over, past = clip_of(workplace, plain, "high"), clip_of(workplace, layered, "high")
    again = clip_of(workplace, shown(workplace, layered=True), "high")

    assert over.result.chunks != past.result.chunks
    assert (past.cached, again.cached) == (False, True)
    assert layered.image == plain.image


def test_a_flat_picture_is_shown_as_it_was(workplace: Workplace) -> None:
    slide = STILL_LIFE.model_copy(update={"layout": "quote", "motif": "", "quote": "Less is more."})

    assert shown(workplace, slide, layered=True) == shown(workplace, slide, layered=False)


def test_the_same_layers_give_the_same_bytes(workplace: Workplace, tmp_path: Path) -> None:
    first = clip_of(workplace, shown(workplace, layered=True), "high").result

    elsewhere = open_workplace(Settings(home=tmp_path / "other"))
    with claimed(elsewhere, "run", b""):
        second = clip_of(elsewhere, shown(elsewhere, layered=True), "high").result

    assert first == second
