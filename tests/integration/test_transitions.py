from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bhiv import ffmpeg, process
from bhiv.plan import Camera, Frames, RenderPlan, Scene, Transition
from bhiv.video import camera, transitions
from bhiv.video.camera import Still
from bhiv.video.clip import ClipSpec, Entry, encode
from bhiv.video.staging import stage_scenes
from bhiv.video.transitions import Mixed
from bhiv.video.yuv import Buffer

WIDTH, HEIGHT, FPS, FRAMES = 320, 180, 25, 20
BEFORE, AFTER = (200, 40, 40), (40, 60, 200)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A work folder."""
    return tmp_path


def shown(
    folder: Path, transition: Mixed, size: tuple[int, int] = (WIDTH, HEIGHT), move: Camera = "still"
) -> Iterator[NDArray[np.int16]]:
    """The decoded frames of a clip that begins over a red scene and is blue itself, its right half a little lighter."""
    width, height = size
    before, after = picture(folder, "before.png", size, BEFORE), picture(folder, "after.png", size, AFTER)
    length = Frames(transitions.frames_of(transition, FPS, 2 * FRAMES))
    spec = ClipSpec(
        frames=Frames(FRAMES),
        still=Still(picture_sha256="", move=move, frames=Frames(FRAMES)),
        entry=Entry(
            transition=transition, frames=length, still=Still(picture_sha256="", move=move, frames=Frames(30))
        ),
        width=width, height=height, fps=FPS, quality="high", captions=None, encoder="",
    )  # fmt: skip
    made = encode(spec, [after, before], folder, 60)
    raw = ffmpeg.command("-i", str(made), "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    frames = np.frombuffer(process.run(raw, timeout_seconds=60).stdout, np.uint8).reshape(-1, height, width, 3)
    assert len(frames) == FRAMES
    return iter(frames.astype(np.int16))


def picture(folder: Path, name: str, size: tuple[int, int], colour: tuple[int, int, int]) -> Path:
    width, height = camera.picture_size(*size)
    image = np.full((height, width, 3), colour, np.uint8)
    image[:, width // 2 :] += 30
    cv2.imwrite(str(folder / name), image[:, :, ::-1])
    return folder / name


def mean(frame: NDArray[np.int16]) -> NDArray[np.float64]:
    """The colour of a frame's darker half."""
    return np.asarray(frame[:, 4 : frame.shape[1] // 2 - 4].mean(axis=(0, 1)))


def is_like(found: NDArray[np.float64], wanted: tuple[float, ...]) -> bool:
    return bool(np.abs(found - wanted).max() <= 8)


@pytest.mark.parametrize("size", [(320, 180), (180, 320), (144, 144), (146, 258)])
def test_a_crossfade_blends_one_scene_into_the_other(folder: Path, size: tuple[int, int]) -> None:
    colours = [mean(frame) for frame in shown(folder, "crossfade", size)]

    length = transitions.frames_of("crossfade", FPS, 2 * FRAMES)
    assert length == 12
    for number, colour in enumerate(colours):
        share = min((number + 1) / (length + 1), 1)
        assert is_like(colour, tuple(a + (b - a) * share for a, b in zip(BEFORE, AFTER, strict=True)))


@pytest.mark.parametrize("size", [(320, 180), (180, 320)])
def test_a_dip_goes_through_black(folder: Path, size: tuple[int, int]) -> None:
    colours = [mean(frame) for frame in shown(folder, "dip", size)]

    length = transitions.frames_of("dip", FPS, 2 * FRAMES)
    light = [float(colour.max()) for colour in colours]
    middle = light.index(min(light))
    assert abs(middle - (length - 1) / 2) <= 1
    assert min(light) < 30
    assert light[: middle + 1] == sorted(light[: middle + 1], reverse=True)
    assert light[middle:length] == sorted(light[middle:length])
    assert np.argmax(colours[1]) == 0
    assert np.argmax(colours[length - 2]) == 2
    assert is_like(colours[-1], AFTER)


@pytest.mark.parametrize("size", [(320, 180), (180, 320)])
def test_a_slide_pushes_one_scene_out_with_the_other(folder: Path, size: tuple[int, int]) -> None:
    frames = list(shown(folder, "slide", size))

    length = transitions.frames_of("slide", FPS, 2 * FRAMES)
    edges = [int(np.count_nonzero(frame[size[1] // 2, :, 0] > frame[size[1] // 2, :, 2])) for frame in frames]
    assert edges == sorted(edges, reverse=True)
    assert size[0] > edges[0] > edges[length // 2] > edges[length - 1] > 0
    assert edges[length:] == [0] * (FRAMES - length)
    # What is new comes in from the right, its darker half first.
    half = frames[length // 2 - 1]
    assert half[size[1] // 2, 2, 0] > 150
    assert half[size[1] // 2, -3, 2] > 150


def test_both_scenes_go_on_moving_while_one_becomes_the_other(folder: Path) -> None:
    moving = Still(picture_sha256="", move="pan_right", frames=Frames(30))
    ramp = np.zeros((*camera.picture_size(WIDTH, HEIGHT)[::-1], 3), np.uint8)
    ramp[:] = np.linspace(0, 250, ramp.shape[1])[None, :, None]
    shot, buffer = camera.open_shot(camera.prepare(ramp), moving, WIDTH, HEIGHT, FPS), Buffer.empty(WIDTH, HEIGHT)

    seen = [float(shot.expose(number, buffer).y.mean()) for number in range(25, 30 + camera.run_on(FPS))]

    steps = np.diff(seen)
    assert np.all(steps > 0)
    assert steps.min() > steps.max() / 4, "it slows down, but does not stop at its end"


@pytest.mark.parametrize(
    ("wanted", "own", "number", "heading", "is_"),
    [
        ("auto", None, 0, None, None),
        ("auto", None, 1, None, "crossfade"),
        ("auto", None, 1, "Chapter", "dip"),
        ("auto", "slide", 1, "Chapter", "slide"),
        ("cut", None, 1, "Chapter", None),
        ("cut", "auto", 1, None, "crossfade"),
        ("slide", None, 1, None, "slide"),
        ("slide", "cut", 1, None, None),
    ],
)
def test_a_scene_begins_as_it_says_or_else_as_the_plan_says(
    wanted: Transition, own: Transition | None, number: int, heading: str | None, is_: Mixed | None
) -> None:
    scenes = [Scene(narration="A."), Scene(narration="B.")]
    scenes[number] = Scene(narration="It begins.", transition=own, title=heading)

    staging = stage_scenes(RenderPlan(title="T", transition=wanted, scenes=tuple(scenes)))[number]

    assert staging.transition == is_
    assert (staging.before is None) == (is_ is None)


def test_a_short_scene_is_never_all_transition() -> None:
    assert transitions.frames_of("crossfade", 30, 6) == 3
    assert transitions.frames_of("dip", 30, 1) == 1


def test_an_edit_changes_a_scene_and_the_beginning_of_the_next_only() -> None:
    scenes = [Scene(narration=f"Part {number}.") for number in range(6)]
    before = stage_scenes(RenderPlan(title="T", scenes=tuple(scenes)))
    scenes[2] = scenes[2].model_copy(update={"camera": "pan_up"})

    after = stage_scenes(RenderPlan(title="T", scenes=tuple(scenes)))

    assert [one != other for one, other in zip(before, after, strict=True)] == [False, False, True, True, False, False]
