"""Parallax: a pan past a picture's layers, each at its own speed.

The nearest crosses the whole margin, the sky two fifths or more; in the middle of the move all stand as drawn.
Each layer keeps within the picture, so there is no rim. Like the camera's own pan, a frame copies what was resized
before, at twelve positions within a pixel; only where something shows through is a layer multiplied and added.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from bhiv.plan import Camera, Focus, Quality
from bhiv.video.camera import BORDER, CLOSE, PHASES, Source, Still, at_phases, eased, inside, run_on
from bhiv.video.layers import Layer
from bhiv.video.yuv import BESIDE, YUV, Buffer, Plane, Sheet, stride_of

#: The speed of what is at no distance less than the sky, of the nearest layer's.
_FAR = 0.4
#: A row that no picture has.
_NEVER = 1 << 30
_PANS = frozenset({"pan_left", "pan_right", "pan_up", "pan_down"})
#: Only beside the slowest encoder is its cost small.
_QUALITIES = frozenset({"high"})


def suits(quality: Quality, move: Camera) -> bool:
    """Return whether a move is worth a picture's layers."""
    return quality in _QUALITIES and move in _PANS


def open_pan(layers: Sequence[Layer], still: Still, width: int, height: int, fps: int) -> Source:
    """Return the shot of a picture's layers for frames of this size; the farthest covers all of the picture."""
    return _Parallax(layers, still, width, height, fps)


@dataclass(frozen=True)
class _Way:
    """How a layer passes, in pixels of a plane: from where at the move's beginning, and how far."""

    begin: float
    length: float

    def at(self, gone: float) -> tuple[int, int]:
        """Return the whole pixel and the phase after a share of the way."""
        return divmod(round((self.begin + gone * self.length) * PHASES), PHASES)


@dataclass(frozen=True)
class _Strips:
    """What a pan passes of a layer in a plane, at each phase; places are in the picture at the camera's scale."""

    left: int
    top: int
    light: list[Plane]
    #: Of the rows before `solid`; None for the farthest layer.
    through: list[Plane] | None
    #: The row from which on nothing shows through, down to the picture's end.
    solid: int

    def lay(self, target: Plane, phase: int, x: int, y: int, hidden: int) -> None:
        """Lay the layer over a frame whose corner is at x and y; rows of the frame from `hidden` on are not seen."""
        light = self.light[phase]
        rows, columns = light.shape
        left, top = self.left - x, self.top - y
        first, last = max(left, 0), min(left + columns, target.shape[1])
        upper, lower = max(top, 0), min(top + rows, hidden)
        if first >= last or upper >= lower:
            return
        across = slice(first - left, last - left)
        solid = min(max(self.solid - y, upper), lower)
        if self.through is not None and solid > upper:
            seen, down = target[upper:solid, first:last], slice(upper - top, solid - top)
            cv2.multiply(seen, self.through[phase][down, across], dst=seen, scale=1 / 255)
            cv2.add(seen, light[down, across], dst=seen)
        if solid < lower:
            np.copyto(target[solid:lower, first:last], light[solid - top : lower - top, across])


class _Parallax:
    """A pan past layers."""

    def __init__(self, layers: Sequence[Layer], still: Still, width: int, height: int, fps: int) -> None:
        self.stride = stride_of(width)
        self._steps = still.frames + run_on(fps)
        self._backwards = still.move in ("pan_left", "pan_up")
        self._luma = _Grid(layers, still, (width, height), chroma=False)
        self._chroma = _Grid(layers, still, (width // 2, height // 2), chroma=True)

    def expose(self, number: int, buffer: Buffer) -> YUV:
        frame = buffer.frame
        gone = eased(number, self._steps)
        gone = 1 - gone if self._backwards else gone
        self._luma.fill((frame.y,), gone)
        self._chroma.fill((frame.u, frame.v), gone)
        return frame


class _Grid:
    """The planes of one resolution: Y, or U and V."""

    def __init__(self, layers: Sequence[Layer], still: Still, size: tuple[int, int], *, chroma: bool) -> None:
        self._size, self._chroma, self._along = size, chroma, 0 if still.move in ("pan_left", "pan_right") else 1
        picture = layers[0].light[1 if chroma else 0].shape[::-1]
        # A pixel less: the nearest phase may lie behind.
        room = picture[self._along] / CLOSE - size[self._along] - 1
        nearest = max(layer.near for layer in layers)
        speeds = [1 - (1 - _FAR) * (nearest - layer.near) for layer in layers]
        self._ways = [_Way(room * (1 - speed) / 2, room * speed) for speed in speeds]
        across, focus = 1 - self._along, still.focus or Focus()
        #: Where the frame begins on the axis along which nothing moves.
        self._beside = inside((focus.x, focus.y)[across], CLOSE) * picture[across] / CLOSE - size[across] / 2
        self._strips: list[list[_Strips]] = [[] for _ in layers]
        # The nearest first: what they hide need not be kept.
        for number in reversed(range(len(layers))):
            self._strips[number] = self._cut(layers[number], number)

    def fill(self, targets: Sequence[Plane], gone: float) -> None:
        """Fill the planes with what is seen after a share of the way, counted from the left or the top."""
        places, hidden, ends = [way.at(gone) for way in self._ways], self._size[1], []
        for (at, _), strips in zip(reversed(places), reversed(self._strips), strict=True):
            ends.append(hidden)
            hidden = min([hidden, *(strip.solid - at * self._along for strip in strips)])
        for (at, phase), strips, end in zip(places, self._strips, reversed(ends), strict=True):
            x, y = (at, 0) if self._along == 0 else (0, at)
            for strip, target in zip(strips, targets, strict=False):  # a layer that never comes into view has none
                strip.lay(target, phase, x, y, end)

    def _cut(self, layer: Layer, number: int) -> list[_Strips]:
        """Return the strips of each plane of a layer, none when the camera does not pass it."""
        planes = layer.light[1:] if self._chroma else layer.light[:1]
        begins = [layer.left, layer.top] if not self._chroma else [layer.left // 2, layer.top // 2]
        way, firsts, lasts, whole = self._ways[number], [0, 0], [0, 0], True
        for axis in (0, 1):
            offset = 0.0 if axis == self._along else self._beside
            passed = (int(way.begin), int(way.begin + way.length) + 2) if axis == self._along else (0, 0)
            first = int(np.floor(begins[axis] / CLOSE - offset)) - 1
            last = int(np.ceil((begins[axis] + planes[0].shape[1 - axis]) / CLOSE - offset)) + 1
            end = passed[1] + self._size[axis]
            firsts[axis], lasts[axis] = max(first, passed[0]), min(last, end)
            whole = whole and lasts[axis] == end and (axis == 1 or firsts[axis] == passed[0])
        lasts[1] = min(lasts[1], self._shown_until(number))
        if firsts[0] >= lasts[0] or firsts[1] >= lasts[1]:
            return []
        shape = (lasts[1] - firsts[1], lasts[0] - firsts[0])
        corner = [
            BORDER + (firsts[axis] + (0.0 if axis == self._along else self._beside)) * CLOSE - begins[axis]
            for axis in (0, 1)
        ]

        def cut(plane: Plane) -> list[Plane]:
            bordered = np.pad(plane, BORDER, mode="edge")
            sheets = [Sheet.empty(shape[1], shape[0], stride_of(shape[1]), BESIDE) for _ in range(PHASES)]
            at_phases(bordered, (corner[0], corner[1]), CLOSE, sheets, along_x=self._along == 0)
            return [sheet.plane for sheet in sheets]

        if layer.through is None:
            return [_Strips(firsts[0], firsts[1], cut(plane), None, -_NEVER) for plane in planes]
        through = cut(layer.through[1 if self._chroma else 0])
        seen = np.flatnonzero(np.max([strip.max(axis=1) for strip in through], axis=0))
        rows = (int(seen[-1]) + 1 if seen.size else 0) if whole else shape[0]
        solid = firsts[1] + rows if whole else _NEVER
        through = [strip[:rows].copy() for strip in through]
        return [_Strips(firsts[0], firsts[1], cut(plane), through, solid) for plane in planes]

    def _shown_until(self, number: int) -> int:
        """Return the row from which on nearer layers hide this one all the time."""
        own, until = self._ways[number], _NEVER
        for nearer in range(number + 1, len(self._ways)):
            for strips in self._strips[nearer][:1]:
                other = self._ways[nearer]
                ahead = max(own.begin + gone * own.length - other.begin - gone * other.length for gone in (0, 1))
                until = min(until, int(strips.solid + ahead * self._along) + 3)
        return until
