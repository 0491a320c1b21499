"""Real clips for tests of footage, encoded by ffmpeg from frames that are known pixel by pixel."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bhiv import ffmpeg, process
from bhiv.plan import Footage, Frames
from bhiv.video import footage
from bhiv.video.footage import FootageSpec
from bhiv.video.probe import probe
from bhiv.video.yuv import YUV, Buffer

Picture = NDArray[np.uint8]
WIDTH, HEIGHT, FPS = 320, 180, 30
#: Nearly lossless.
CODEC = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "4", "-pix_fmt", "yuv420p")
BARS = ((235, 235, 235), (190, 190, 20), (20, 190, 190), (20, 190, 20), (190, 20, 190), (190, 20, 20), (20, 20, 190))


def run(*arguments: str) -> None:
    process.run(ffmpeg.command("-v", "error", *arguments), timeout_seconds=120)


def write(
    path: Path,
    draw: Callable[[int], Picture],
    count: int,
    *,
    rate: str = str(FPS),
    filters: str = "null",
    codec: tuple[str, ...] = CODEC,
) -> Path:
    """Encode `count` frames that `draw` makes of their numbers."""
    height, width = draw(0).shape[:2]
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", rate, "-i", "pipe:0")
    argv = ffmpeg.command("-v", "error", *source, "-vf", filters, "-fps_mode", "passthrough", *codec, str(path))
    with process.feed(argv, stall_seconds=60) as feed:
        for number in range(count):
            feed(np.ascontiguousarray(draw(number)).data.cast("B"))
    return path


def counter(number: int, width: int = WIDTH, height: int = HEIGHT) -> Picture:
    """A grey that tells the frame's number, up to 100; see `numbers`."""
    return np.full((height, width, 3), 20 + 2 * number, np.uint8)


def moving(number: int, width: int = WIDTH, height: int = HEIGHT, step: int = 2) -> Picture:
    """A white box of 40 pixels that moves right by `step` each frame, from 20, over dark grey."""
    picture = np.full((height, width, 3), 30, np.uint8)
    left = 20 + step * number
    picture[60:100, left : left + 40] = 255
    return picture


def cornered(_number: int, width: int = WIDTH, height: int = HEIGHT) -> Picture:
    """Red in the top left quarter, green in the top right one, blue in the bottom left one, grey in the last."""
    picture = np.full((height, width, 3), 110, np.uint8)
    picture[: height // 2, : width // 2] = (200, 30, 30)
    picture[: height // 2, width // 2 :] = (30, 160, 30)
    picture[height // 2 :, : width // 2] = (30, 30, 200)
    return picture


def bars(_number: int, width: int = 448, height: int = 180) -> Picture:
    """Seven bars of `BARS`."""
    return np.repeat(np.tile(np.repeat(np.array(BARS, np.uint8), width // 7, axis=0), (height, 1, 1)), 1, axis=1)


def spec(path: Path, wanted: Footage | None = None) -> FootageSpec:
    return footage.specify(wanted or Footage(object="clips/a"), "0" * 64, probe(path, path.name), path.name)


def frames(
    path: Path,
    count: int,
    wanted: Footage | None = None,
    *,
    width: int = WIDTH,
    height: int = HEIGHT,
    fps: int = FPS,
) -> Iterator[NDArray[np.uint8]]:
    """Shoot a clip and yield each frame's bytes."""
    with closing(shoot(spec(path, wanted), path, count, width, height, fps)) as shot:
        for frame in shot:
            yield np.frombuffer(frame.tobytes(), np.uint8)


def shoot(
    shown: FootageSpec, path: Path, count: int, width: int = WIDTH, height: int = HEIGHT, fps: int = FPS
) -> Generator[YUV]:
    """Yield the frames of a scene in order, each in the same buffer; to be closed."""
    buffer = Buffer.empty(width, height)
    with footage.open_shot(shown, path, Frames(count), width, height, fps) as shot:
        for number in range(count):
            yield shot.expose(number, buffer)


def lumas(path: Path, count: int, wanted: Footage | None = None, **shape: int) -> list[NDArray[np.float64]]:
    """Shoot a clip and return the luma of each frame, in levels of 0 to 255."""
    width, height = shape.get("width", WIDTH), shape.get("height", HEIGHT)
    shot = frames(path, count, wanted, width=width, height=height, fps=shape.get("fps", FPS))
    return [(frame[: width * height].reshape(height, width).astype(float) - 16) * 255 / 219 for frame in shot]


def numbers(path: Path, count: int, wanted: Footage | None = None, **shape: int) -> list[int]:
    """Shoot a clip of `counter`s and return which of its frames each frame shows."""
    return [round((float(luma.mean()) - 20) / 2) for luma in lumas(path, count, wanted, **shape)]


def colours(frame: NDArray[np.uint8], width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.float64]:
    """The frame in RGB, by BT.709's own equations."""
    y, u, v = (plane.astype(float) for plane in YUV.of(frame, width, height).planes)
    u, v = (cv2.resize(plane, (width, height), interpolation=cv2.INTER_NEAREST) for plane in (u, v))
    luma, blue, red = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
    kr, kb = 0.2126, 0.0722
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    return np.clip(np.stack([r, (luma - kr * r - kb * b) / (1 - kr - kb), b], axis=2) * 255, 0, 255)


def quarters(path: Path, wanted: Footage | None = None, **shape: int) -> list[str]:
    """What the quarters of the first frame show of `cornered`: top left, top right, bottom left, bottom right."""
    width, height = shape.get("width", WIDTH), shape.get("height", HEIGHT)
    [frame] = frames(path, 1, wanted, **shape)
    seen, known = colours(frame, width, height), {"red": (200, 30, 30), "green": (30, 160, 30), "blue": (30, 30, 200)}
    places = [(0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)]
    points = [seen[int(down * height), int(across * width)] for down, across in places]
    return [
        next((name for name, shade in known.items() if np.abs(point - shade).max() < 12), "grey") for point in points
    ]
