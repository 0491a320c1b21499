"""The camera: a still becomes moving frames by sub-pixel steps on planar YUV.

Zoom and pan map each axis on its own, so one `cv2.resize` per plane does both at a quarter of an affine warp's cost. It
takes whole pixels and makes whole pixels, and takes a third longer when a scale is given that is not the ratio of both.
What is missing is found in the output: at a scale s, starting d pixels further left moves the phase by d·s, and some
small d brings it within a few hundredths of a pixel of the ideal path; some pixels more at the other end make a size
that is, as exactly, a whole number of the picture's pixels.

A pan keeps its scale, so all that it shows is resized once, at twelve positions within a pixel; each of its frames is
then seen in the one that fits best, where it lies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from bhiv.plan import Camera, Contract, Focus, Frames
from bhiv.video.yuv import ABOVE, BESIDE, YUV, Buffer, Plane, Sheet, planes, stride_of

#: How much larger than the frame a picture is drawn, so that the camera has room and never magnifies.
MARGIN = 1.15
#: The closest view. Above 1, because the sub-pixel search needs a scale that is not a whole number.
CLOSE = 1.04
_PANNING = 1.06
#: How many output pixels each search may add, no more than a sheet has room for, and the error that ends it, in pixels
#: of the picture.
_REACH = 32
_GOOD_ENOUGH = 0.02
#: Repeated edge pixels around a plane: room for the search where a view touches the picture's edge.
BORDER = 40
#: Positions within a pixel at which a pan is resized; the path is missed by 0.042 pixels at most.
PHASES = 12
_MIDDLE = Focus(x=0.5, y=0.5)


class Still(Contract):
    """How a picture of `picture_size` is seen, as far as it decides a clip's bytes."""

    picture_sha256: str
    move: Camera
    focus: Focus | None = None
    #: The picture's parts, where the camera passes them at their own speeds; None: it sees the picture as one.
    layers_sha256: str | None = None
    #: Length of the scene. The move lasts a little longer, so that the next scene can begin over it.
    frames: Frames


class Source(Protocol):
    """What gives the frames of a scene; that of a still may be asked by several threads."""

    @property
    def stride(self) -> int:
        """How far apart its frames' rows of luma lie."""
        ...

    def expose(self, number: int, buffer: Buffer) -> YUV:
        """Return frame `number` of the scene; those up to `run_on` frames past its end are there too.

        It is `buffer`'s, which was filled, or one that is kept and that nobody may change.
        """


@dataclass(frozen=True)
class _View:
    """What the camera sees: a window `scale` frames wide, its centre in fractions of the picture."""

    scale: float
    x: float = 0.5
    y: float = 0.5


_AUTO: tuple[Camera, ...] = ("zoom_in", "pan_right", "zoom_out", "pan_left")


def choose(camera: Camera, scene: int) -> Camera:
    """Return the move of a scene; `auto` alternates by the scene's number, so that an edit elsewhere changes none."""
    return _AUTO[scene % len(_AUTO)] if camera == "auto" else camera


def picture_size(width: int, height: int) -> tuple[int, int]:
    """Return the even width and height in pixels of a picture for frames of this size."""
    return -(-round(width * MARGIN) // 2) * 2, -(-round(height * MARGIN) // 2) * 2


def run_on(fps: int) -> int:
    """Return for how many frames a scene can be seen after its end: half a second."""
    return fps // 2


def prepare(picture: NDArray[np.uint8]) -> tuple[Plane, ...]:
    """Return an RGB picture as `open_shot` takes it: its planes, with room around them."""
    return tuple(np.pad(plane, BORDER, mode="edge") for plane in planes(picture))


def open_shot(bordered: Sequence[Plane], still: Still, width: int, height: int, fps: int) -> Source:
    """Return the shot of a prepared picture of `picture_size(width, height)` for frames of this size."""
    start, end = _views(still.move, still.focus or _MIDDLE)
    steps = still.frames + run_on(fps)
    if start == end:
        return _Hold(bordered, start, width, height)
    if start.scale == end.scale:
        return _Pan(bordered, start, end, steps, width, height)
    return _Zoom(bordered, start, end, steps, width)


class _Hold:
    """A camera that stands still."""

    def __init__(self, bordered: Sequence[Plane], view: _View, width: int, height: int) -> None:
        self.stride = stride_of(width)
        buffer = Buffer.empty(width, height)
        for plane, sheet in zip(bordered, buffer.sheets, strict=True):
            _look(plane, view, sheet)
        self._seen = buffer.frame

    def expose(self, _number: int, _buffer: Buffer) -> YUV:
        return self._seen


class _Zoom:
    """A view that grows or shrinks."""

    def __init__(self, bordered: Sequence[Plane], start: _View, end: _View, steps: int, width: int) -> None:
        self.stride = stride_of(width)
        self._bordered, self._start, self._end, self._steps = bordered, start, end, steps

    def expose(self, number: int, buffer: Buffer) -> YUV:
        view = _between(self._start, self._end, eased(number, self._steps))
        for plane, sheet in zip(self._bordered, buffer.sheets, strict=True):
            _look(plane, view, sheet)
        return buffer.frame


class _Pan:
    """A view that moves along one axis: the strip of the picture that it passes, at each phase."""

    def __init__(
        self, bordered: Sequence[Plane], start: _View, end: _View, steps: int, width: int, height: int
    ) -> None:
        self._steps, self._width, self._height = steps, width, height
        self._backwards = end.x < start.x or end.y < start.y
        self._ways = [_way(plane, start, end) for plane in bordered]
        # A pixel more: the nearest phase may lie behind.
        shapes = [
            (height // by + int(down) + 1, width // by + int(across) + 1)
            for (across, down), by in zip(self._ways, (1, 2, 2), strict=True)
        ]
        self.stride = stride_of(2 * max(-(-shapes[0][1] // 2), *(wide for _, wide in shapes[1:])))
        self._strips = [
            [Sheet.empty(wide, high, self.stride // by, BESIDE // by) for _ in range(PHASES)]
            for (high, wide), by in zip(shapes, (1, 2, 2), strict=True)
        ]
        first = end if self._backwards else start
        for plane, sheets, by in zip(bordered, self._strips, (1, 2, 2), strict=True):
            corner = _corner(plane, first, (height // by, width // by))
            at_phases(plane, corner, first.scale, sheets, along_x=start.x != end.x)

    def expose(self, number: int, _buffer: Buffer) -> YUV:
        along = eased(number, self._steps)
        gone, rows = 1 - along if self._backwards else along, list[Plane]()
        for (across, down), strips, by in zip(self._ways, self._strips, (1, 2, 2), strict=True):
            at, phase = divmod(round(gone * (across + down) * PHASES), PHASES)
            left, top = (at, 0) if across else (0, at)
            rows.append(strips[phase].rows(self._height // by, left, top))
        return YUV.seen_in((rows[0], rows[1], rows[2]), self._width, BESIDE)


def _views(move: Camera, focus: Focus) -> tuple[_View, _View]:
    """Return where a move starts and ends: a zoom closes in on the focus, a pan passes at its height."""
    far, close = _View(MARGIN), _View(CLOSE, *(inside(at, CLOSE) for at in (focus.x, focus.y)))
    low, high = inside(0, _PANNING), inside(1, _PANNING)
    x, y = inside(focus.x, _PANNING), inside(focus.y, _PANNING)
    match move:
        case "zoom_in":
            return far, close
        case "zoom_out":
            return close, far
        case "pan_right":
            return _View(_PANNING, low, y), _View(_PANNING, high, y)
        case "pan_left":
            return _View(_PANNING, high, y), _View(_PANNING, low, y)
        case "pan_down":
            return _View(_PANNING, x, low), _View(_PANNING, x, high)
        case "pan_up":
            return _View(_PANNING, x, high), _View(_PANNING, x, low)
        case _:
            return far, far


def inside(centre: float, scale: float) -> float:
    """Return the centre nearest to this one from which a view does not leave the picture."""
    half = scale / MARGIN / 2
    return min(max(centre, half), 1 - half)


def eased(number: int, steps: int) -> float:
    """Return how far a move has come, 0-1; half of it is eased, so that it neither jerks nor ever stands still."""
    time = min(number / max(steps - 1, 1), 1.0)
    return time / 2 + time * time * (3 - 2 * time) / 2


def _between(start: _View, end: _View, along: float) -> _View:
    return _View(*(a + (b - a) * along for a, b in ((start.scale, end.scale), (start.x, end.x), (start.y, end.y))))


def _look(plane: Plane, view: _View, sheet: Sheet) -> None:
    """Fill a sheet with what `view` shows of a bordered plane."""
    _resample(plane, _corner(plane, view, sheet.plane.shape), view.scale, sheet)


def _corner(plane: Plane, view: _View, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return where a view of `shape` begins in a bordered plane, x and y in pixels."""
    height, width = shape
    inner_height, inner_width = (side - 2 * BORDER for side in plane.shape)
    left = BORDER + view.x * inner_width - view.scale * width / 2
    return left, BORDER + view.y * inner_height - view.scale * height / 2


def _way(plane: Plane, start: _View, end: _View) -> tuple[float, float]:
    """Return how far a pan passes a bordered plane, along x and y in pixels of the frame."""
    inner_height, inner_width = (side - 2 * BORDER for side in plane.shape)
    return abs(end.x - start.x) * inner_width / start.scale, abs(end.y - start.y) * inner_height / start.scale


def at_phases(
    plane: Plane, corner: tuple[float, float], scale: float, sheets: Sequence[Sheet], *, along_x: bool
) -> None:
    """Fill `PHASES` sheets with what is seen of a bordered plane from a corner on, a part of a pixel later each."""
    for phase, sheet in enumerate(sheets):
        on = phase / PHASES * scale
        _resample(plane, (corner[0] + on, corner[1]) if along_x else (corner[0], corner[1] + on), scale, sheet)


def _resample(plane: Plane, corner: tuple[float, float], scale: float, sheet: Sheet) -> None:
    """Fill a sheet with what lies right of and below a corner of a bordered plane, at `scale` pixels to one."""
    height, width = sheet.plane.shape
    across, down = (
        aim(at, side, room, scale) for at, side, room in zip(corner, (width, height), plane.shape[::-1], strict=True)
    )
    window = plane[down.start : down.start + down.read, across.start : across.start + across.read]
    left, top = sheet.left - across.skip, ABOVE - down.skip
    made = sheet.memory[top : top + down.made, left : left + across.made]
    cv2.resize(window, (across.made, down.made), dst=made, interpolation=cv2.INTER_LINEAR)


class Span(NamedTuple):
    """What is resized along an axis: `read` pixels from `start` on make `made`, of which the first `skip` are spare."""

    start: int
    read: int
    skip: int
    made: int


@lru_cache(maxsize=16)  # V is seen as U is
def aim(origin: float, side: int, room: int, scale: float) -> Span:
    """Return what to resize so that `side` pixels, `scale` apart, are seen from `origin` on; `room` is what there is.

    Both ends are missed by a few hundredths of a pixel; by a tenth, seldom, at scales near a simple fraction.
    """
    skip = _nearest(_REACH, origin, -scale)
    start, least = round(origin - skip * scale), skip + side
    more = max(1, min(_REACH, int((room - start) / scale) - least + 1))
    made = least + _nearest(more, least * scale, scale)
    return Span(start, min(round(made * scale), room - start), skip, made)


def _nearest(count: int, first: float, step: float) -> int:
    """Return the number of the first of `count` places that is nearly whole, or of that which is most nearly so."""
    best, least = 0, 1.0
    for number in range(count):
        place = first + number * step
        error = abs(place - round(place))
        if error < _GOOD_ENOUGH:
            return number
        if error < least:
            best, least = number, error
    return best
