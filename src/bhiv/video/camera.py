"""The camera: a still becomes moving frames by sub-pixel steps on planar YUV.

Zoom and pan map each axis on its own, so one `cv2.resize` per plane does both at a quarter of an affine warp's cost. It
takes its window from whole pixels, but keeps an exact scale when the scale, not the size, is given. The missing part of
a pixel is found in the output: at a scale s, starting d pixels further left moves the phase by d·s, and some small d
brings it within a few hundredths of a pixel of the ideal path.
"""

from collections.abc import Generator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bhiv.plan import Camera, Frames

Plane = NDArray[np.uint8]

#: How much larger than the frame a picture is drawn, so that the camera has room and never magnifies.
MARGIN = 1.15
#: The closest view. Above 1, because the sub-pixel search needs a scale that is not a whole number.
_CLOSE = 1.04
_PANNING = 1.06
#: How many output pixels the search may skip, and the error in picture pixels that ends it.
_REACH = 32
_GOOD_ENOUGH = 0.02
#: Repeated edge pixels around a plane: room for the search where a view touches the picture's edge.
_BORDER = 40

# ITU-R BT.709, 8 bit, limited range: Y' = 16 + 219·(Kr R + Kg G + Kb B), C = 128 + 224·(B - Y)/(2 (1 - Kb)).
_KR, _KB = 0.2126, 0.0722
_KG = 1 - _KR - _KB
#: RGB to Y, U and V, for `cv2.transform`.
TO_YUV = np.array(
    [
        [219 * _KR, 219 * _KG, 219 * _KB, 16 * 255],
        [-112 * _KR / (1 - _KB), -112 * _KG / (1 - _KB), 112, 128 * 255],
        [112, -112 * _KG / (1 - _KR), -112 * _KB / (1 - _KR), 128 * 255],
    ]
) / 255  # fmt: skip


@dataclass(frozen=True)
class View:
    """What the camera sees: a window `scale` frames wide, its centre in fractions of the picture."""

    scale: float
    x: float = 0.5
    y: float = 0.5


_SIDE = _PANNING / MARGIN / 2
_MOVES: dict[Camera, tuple[View, View]] = {
    "still": (View(MARGIN), View(MARGIN)),
    "zoom_in": (View(MARGIN), View(_CLOSE)),
    "zoom_out": (View(_CLOSE), View(MARGIN)),
    "pan_left": (View(_PANNING, x=1 - _SIDE), View(_PANNING, x=_SIDE)),
    "pan_right": (View(_PANNING, x=_SIDE), View(_PANNING, x=1 - _SIDE)),
    "pan_up": (View(_PANNING, y=1 - _SIDE), View(_PANNING, y=_SIDE)),
    "pan_down": (View(_PANNING, y=_SIDE), View(_PANNING, y=1 - _SIDE)),
}
_AUTO: tuple[Camera, ...] = ("zoom_in", "pan_right", "zoom_out", "pan_left")


def choose(camera: Camera, scene: int) -> Camera:
    """Return the move of a scene; `auto` alternates by the scene's number, so that an edit elsewhere changes none."""
    return _AUTO[scene % len(_AUTO)] if camera == "auto" else camera


def picture_size(width: int, height: int) -> tuple[int, int]:
    """Return the even width and height in pixels of a picture for frames of this size."""
    return -(-round(width * MARGIN) // 2) * 2, -(-round(height * MARGIN) // 2) * 2


def planes(picture: NDArray[np.uint8]) -> tuple[Plane, Plane, Plane]:
    """Return an RGB picture (height, width, 3), both even, as BT.709 limited-range Y, and U and V of half its size."""
    height, width = picture.shape[:2]
    y, u, v = cv2.split(cv2.transform(picture, TO_YUV))
    half = (width // 2, height // 2)
    small = (cv2.resize(plane, half, interpolation=cv2.INTER_AREA) for plane in (u, v))
    return tuple(plane.astype(np.uint8, copy=False) for plane in (y, *small))  # type: ignore[return-value]


def shoot(picture: NDArray[np.uint8], camera: Camera, frames: Frames, width: int, height: int) -> Generator[memoryview]:
    """Yield each frame of a move over a picture as planar YUV 4:2:0 bytes.

    The picture has `picture_size(width, height)`. The buffer is reused: write it before asking for the next.
    """
    y, u, v = (np.pad(plane, _BORDER, mode="edge") for plane in planes(picture))
    start, end = _MOVES[camera]
    frame = np.empty(width * height * 3 // 2, np.uint8)
    luma, chroma = width * height, width * height // 4
    targets = (
        (y, frame[:luma].reshape(height, width)),
        (u, frame[luma : luma + chroma].reshape(height // 2, width // 2)),
        (v, frame[luma + chroma :].reshape(height // 2, width // 2)),
    )
    scratch = np.empty((height + 2 * _REACH, width + 2 * _REACH), np.uint8)
    for number in range(frames):
        if number == 0 or start != end:
            view = _between(start, end, number / max(frames - 1, 1))
            for plane, target in targets:
                _look(plane, view, target, scratch)
        yield frame.data


def _between(start: View, end: View, time: float) -> View:
    """Return the view at `time` 0-1; half the motion is eased, so that it neither jerks nor ever stands still."""
    eased = time / 2 + time * time * (3 - 2 * time) / 2
    return View(*(a + (b - a) * eased for a, b in ((start.scale, end.scale), (start.x, end.x), (start.y, end.y))))


def _look(plane: Plane, view: View, target: Plane, scratch: Plane) -> None:
    """Fill `target` with what `view` shows of a bordered plane."""
    height, width = target.shape
    inner_height, inner_width = (side - 2 * _BORDER for side in plane.shape)
    left, skip_x = _aim(_BORDER + view.x * inner_width - view.scale * width / 2, view.scale)
    top, skip_y = _aim(_BORDER + view.y * inner_height - view.scale * height / 2, view.scale)
    scale = view.scale
    window = plane[top : top + _window(height + skip_y, scale), left : left + _window(width + skip_x, scale)]
    shape = tuple(round(side / scale) for side in window.shape)
    seen = scratch[: shape[0], : shape[1]]
    seen = cv2.resize(window, None, dst=seen, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    target[:] = seen[skip_y : skip_y + height, skip_x : skip_x + width]


def _window(side: int, scale: float) -> int:
    return int(np.ceil(side * scale))


def _aim(origin: float, scale: float) -> tuple[int, int]:
    """Return the whole pixel to start from and the output pixels to skip, so that what follows starts at `origin`."""
    skips = np.arange(_REACH)
    starts = origin - skips * scale
    errors = np.abs(starts - np.round(starts))
    good = np.flatnonzero(errors < _GOOD_ENOUGH)
    skip = int(good[0] if good.size else errors.argmin())
    return round(starts[skip]), skip
