import itertools
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bhiv.plan import Camera, Focus, Frames
from bhiv.video import camera
from bhiv.video.camera import Still
from bhiv.video.yuv import BESIDE, YUV, Buffer, planes

WIDTH, HEIGHT = 640, 360
FRAMES, FPS = 90, 30
#: Of a pixel; a jitter of 0.3 can be seen, the path's own error with cv2's affine warp is 0.075.
SMOOTH = 0.04


def waves() -> NDArray[np.uint8]:
    """A grey picture of which each place can be told: a wave along x plus one along y."""
    width, height = camera.picture_size(WIDTH, HEIGHT)
    x, y = np.sin(np.arange(width) * 0.21), np.sin(np.arange(height) * 0.17)
    grey = np.clip(128 + 50 * x[None, :] + 50 * y[:, None], 0, 255).round().astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def shoot(
    picture: NDArray[np.uint8], move: Camera, frames: int, width: int, height: int, focus: Focus | None = None
) -> Iterator[YUV]:
    """The frames of a scene and those that the next one may begin over."""
    still = Still(picture_sha256="", move=move, focus=focus, frames=Frames(frames))
    shot, buffer = camera.open_shot(camera.prepare(picture), still, width, height, FPS), Buffer.empty(width, height)
    for number in range(frames + camera.run_on(FPS)):
        yield shot.expose(number, buffer)


def path(move: Camera, axis: int) -> NDArray[np.float64]:
    """Where along an axis the middle of each frame looks, in picture pixels, told by the wave's phase there."""
    rate = (0.21, 0.17)[axis]
    profiles = (frame.y.astype(float).mean(axis=axis) for frame in shoot(waves(), move, FRAMES, WIDTH, HEIGHT))
    return np.unwrap([phase_in_the_middle(profile, rate) for profile in profiles]) / rate


def phase_in_the_middle(profile: NDArray[np.float64], rate: float) -> float:
    """The phase of the wave that fits best, its scale being one between the camera's nearest and widest view."""
    offset = np.arange(len(profile)) - (len(profile) - 1) / 2

    def fit(scale: float) -> tuple[float, float]:
        waves = np.stack([np.sin(rate * scale * offset), np.cos(rate * scale * offset), np.ones_like(offset)], axis=1)
        (a, b, _), residual, *_ = np.linalg.lstsq(waves, profile, rcond=None)
        return float(residual[0]), float(np.arctan2(b, a))

    return min(map(fit, np.linspace(1.03, 1.16, 66)))[1]


@pytest.mark.parametrize(("move", "axis"), [("pan_right", 0), ("pan_left", 0), ("pan_down", 1), ("pan_up", 1)])
def test_a_pan_moves_smoothly_all_the_way(move: Camera, axis: int) -> None:
    places = path(move, axis)

    steps = np.diff(places)
    ideal = np.polyval(np.polyfit(np.arange(len(places)), places, 7), np.arange(len(places)))
    travelled = (camera.MARGIN - 1.06) * (WIDTH, HEIGHT)[axis]
    assert abs(abs(places[-1] - places[0]) - travelled) < 1
    assert np.all(steps > 0) or np.all(steps < 0)
    assert np.std(places - ideal) < SMOOTH


@pytest.mark.parametrize("move", ["zoom_in", "zoom_out"])
def test_a_zoom_keeps_its_centre(move: Camera) -> None:
    for axis in (0, 1):
        places = path(move, axis)

        assert np.abs(places - places.mean()).max() < 0.1


def test_a_still_camera_repeats_its_frame() -> None:
    frames = [frame.tobytes() for frame in shoot(waves(), "still", 3, WIDTH, HEIGHT)]

    assert len(set(frames)) == 1


@pytest.mark.parametrize("size", [(144, 144), (146, 258), (640, 360), (360, 640)])
@pytest.mark.parametrize("move", ["zoom_in", "pan_left", "pan_up", "still"])
def test_every_size_gives_whole_frames(size: tuple[int, int], move: Camera) -> None:
    width, height = size
    pictured = camera.picture_size(width, height)
    picture = np.full((pictured[1], pictured[0], 3), 90, np.uint8)

    for frame in shoot(picture, move, 5, width, height):
        assert [(int(plane.min()), int(plane.max())) for plane in frame.planes] == [(93, 93), (128, 128), (128, 128)]
        assert len(frame.tobytes()) == width * height * 3 // 2


@pytest.mark.parametrize("size", [(144, 144), (16, 16), (640, 360), (360, 642)])
@pytest.mark.parametrize("move", ["zoom_in", "zoom_out", "pan_left", "pan_right", "pan_up", "pan_down", "still"])
def test_a_frame_lies_in_rows_as_the_encoder_takes_them(size: tuple[int, int], move: Camera) -> None:
    pictured = camera.picture_size(*size)
    picture = np.random.default_rng(1).integers(0, 256, (pictured[1], pictured[0], 3), np.uint8)
    still = Still(picture_sha256="", move=move, frames=Frames(40))
    shot = camera.open_shot(camera.prepare(picture), still, *size, FPS)
    buffers = [Buffer.empty(*size, shot.stride) for _ in range(2)]

    for number in range(40 + camera.run_on(FPS)):
        frame, again = (shot.expose(number, buffer) for buffer in buffers)

        for rows, plane, by in zip(frame.rows, frame.planes, (1, 2, 2), strict=True):
            assert rows.flags.c_contiguous
            assert rows.shape == (size[1] // by, shot.stride // by)
            assert np.array_equal(rows[:, BESIDE // by : (BESIDE + size[0]) // by], plane)
            assert plane.shape == (size[1] // by, size[0] // by)
        assert frame.tobytes() == again.tobytes()


@pytest.mark.parametrize("move", ["zoom_in", "zoom_out", "pan_left", "pan_right", "pan_up", "pan_down"])
def test_a_move_goes_on_past_the_end_of_its_scene(move: Camera) -> None:
    frames = [frame.tobytes() for frame in shoot(waves(), move, 20, WIDTH, HEIGHT)]

    assert len(set(frames)) == len(frames) == 20 + FPS // 2


def middle(move: Camera, focus: Focus, number: int) -> tuple[float, float]:
    """What a frame has in its middle of a picture that is brighter to the right and whose U grows downwards."""
    width, height = camera.picture_size(WIDTH, HEIGHT)
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., :] = np.linspace(0, 250, width)[None, :, None]
    picture[..., 2] = np.linspace(0, 250, height)[:, None]
    *_, frame = itertools.islice(shoot(picture, move, 40, WIDTH, HEIGHT, focus), number + 1)
    return float(frame.y[HEIGHT // 2, WIDTH // 2]), float(frame.u[HEIGHT // 4, WIDTH // 4])


def test_a_zoom_closes_in_on_its_focus() -> None:
    (left, _), (right, _) = (middle("zoom_in", Focus(x=at), 54) for at in (0, 1))
    (_, high), (_, low) = (middle("zoom_in", Focus(y=at), 54) for at in (0, 1))

    assert right > left + 10
    assert low > high + 3
    assert middle("zoom_in", Focus(x=0, y=0), 0) == middle("zoom_in", Focus(x=1, y=1), 0)
    assert middle("zoom_out", Focus(y=0), 0)[1] == high


def test_a_pan_passes_at_the_height_of_its_focus() -> None:
    (_, high), (_, low) = (middle("pan_right", Focus(y=at), 20) for at in (0, 1))

    assert low > high + 3


@pytest.mark.parametrize(
    ("rgb", "yuv"),
    [
        # ITU-R BT.709, limited range, worked out by hand
        ((0, 0, 0), (16, 128, 128)),
        ((255, 255, 255), (235, 128, 128)),
        ((255, 0, 0), (63, 102, 240)),
        ((0, 255, 0), (173, 42, 26)),
        ((0, 0, 255), (32, 240, 118)),
        ((200, 40, 30), (79, 108, 199)),
    ],
)
def test_colours_are_bt709(rgb: tuple[int, int, int], yuv: tuple[int, int, int]) -> None:
    picture = np.full((8, 8, 3), rgb, np.uint8)

    assert tuple(int(plane[0, 0]) for plane in planes(picture)) == yuv


def test_auto_alternates_and_an_edit_elsewhere_changes_nothing() -> None:
    moves = [camera.choose("auto", number) for number in range(8)]

    assert all(move != following for move, following in itertools.pairwise(moves))
    assert camera.choose("pan_up", 3) == "pan_up"


def test_what_is_resized_shows_what_the_path_asks_for() -> None:
    draw, misses = np.random.default_rng(1), []
    for _ in range(2_000):
        scale, side = draw.uniform(camera.CLOSE, camera.MARGIN), int(draw.choice([72, 540, 1080, 1920]))
        room = int(side * camera.MARGIN) + 1 + 2 * camera.BORDER
        origin = draw.uniform(camera.BORDER, room - camera.BORDER - side * scale)

        span = camera.aim(origin, side, room, scale)

        assert span.start >= 0
        assert span.start + span.read <= room
        assert span.skip + side <= span.made <= side + 64
        step = span.read / span.made
        first = span.start + span.skip * step - origin
        misses += [first, first + side * (step - scale)]
    assert np.abs(misses).max() < 0.15
    assert np.sqrt(np.mean(np.square(misses))) < 0.025


def test_a_resize_to_a_size_has_the_middles_of_pixels_where_they_should_be() -> None:
    """The camera relies on it, with Intel's code and without."""
    ramp = np.tile(np.arange(240, dtype=np.uint8), (8, 1))
    wanted = (np.arange(200) + 0.5) * 1.2 - 0.5

    seen = []
    for quick in (True, False):  # the last stays, of this thread
        cv2.ipp.setUseIPP_NotExact(quick)
        seen.append(cv2.resize(ramp, (200, 8), interpolation=cv2.INTER_LINEAR)[0])

    assert np.abs(np.array(seen) - wanted)[:, 1:-1].max() <= 1
