"""The canvas: a picture while it is drawn, in linear light, so that glows, fog and edges mix as light does.

What is soft is computed at an eighth of the size and enlarged; only edges are computed at full size.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from bhiv.pictures.palette import GAMMA, Colour

Field = NDArray[np.float32]

#: Soft things are computed at this fraction of the size.
COARSE = 8
#: Standard deviation of the grain, of 255; less, and x264 makes bands out of gradients.
_GRAIN = 2.5
_TILE = 512
#: No light at all has no logarithm.
_DARKEST = 1e-9
#: Rows that are developed at once; a whole number of them makes a tile.
_BAND = 32
#: Pixels that are blended at once: a whole picture is 33 MB, and each step would fetch it anew.
_BAND_PIXELS = 1 << 15
#: Bits of a fraction in OpenCV's integer coordinates.
_SHIFT = 4


class Box(NamedTuple):
    """A rectangle in pixels; right and bottom lie outside of it."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Its length from left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Its length from top to bottom."""
        return self.bottom - self.top


class Depth(NamedTuple):
    """What lies at one distance: linear light, height x width x 3, and how much of what is behind it covers, 0 to 1.

    The light has its cover in it already: over a background it gives `light + (1 - cover) * background`.
    """

    light: Field
    cover: Field
    #: From 0, as far as the sky, to 1; the nearer, the faster a camera passes it.
    near: float = 0.0


class Canvas:
    """Height x width x 3 of linear light, with the marks that say where text was written.

    A layered one also keeps what was drawn at each distance apart, for a camera that moves past it; that takes
    as much memory again for each.
    """

    def __init__(self, width: int, height: int, *, layered: bool = False) -> None:
        self.width = width
        self.height = height
        self._depths: list[Depth] = []
        self._near = 0.0
        self._cover = np.zeros((height, width), np.float32) if layered else None
        self._behind = np.zeros((height, width, 3), np.float32) if layered else None
        self.light: Field = np.zeros((height, width, 3), np.float32)
        #: Where text was written and in which colour.
        self.inscribed: list[tuple[Box, Colour]] = []

    @property
    def unit(self) -> float:
        """A hundredth of the shorter side, in pixels; what lengths are told in, so that every size looks alike."""
        return min(self.width, self.height) / 100

    @property
    def upright(self) -> bool:
        """Whether it is no wider than high, so that things go below instead of beside each other."""
        return self.height > self.width * 0.95

    @property
    def safe(self) -> Box:
        """Where text may stand: the camera crops the rim, captions take the bottom."""
        return Box(self.width * 0.12, self.height * 0.13, self.width * 0.88, self.height * 0.68)

    def grid(self) -> tuple[Field, Field]:
        """Return x (1 x n) and y (m x 1), 0 to 1, of the centres of a coarse field's cells."""
        columns, rows = max(self.width // COARSE, 2), max(self.height // COARSE, 2)
        x = ((np.arange(columns) + 0.5) / columns).astype(np.float32)
        y = ((np.arange(rows) + 0.5) / rows).astype(np.float32)
        return x[None, :], y[:, None]

    def deepen(self, near: float) -> None:
        """Say how near what comes lies, from 0, as far as the sky, to 1; costs nothing unless the canvas is layered.

        It covers what was drawn before, however near it is: a sun's path on the water lies before it and moves with
        the sun. What has light or words of its own in common should lie at one distance.
        """
        if near != self._near:
            self._part()
            self._near = near

    def _part(self) -> None:
        if self._cover is None or self._behind is None:
            return
        changed = np.flatnonzero((self.light != self._behind).any(axis=(1, 2)))
        if not changed.size:
            return
        rows = slice(changed[0], changed[-1] + 1)
        through = cv2.merge([1 - self._cover[rows]] * 3)
        light = np.zeros_like(self.light)
        light[rows] = np.maximum(cv2.subtract(self.light[rows], cv2.multiply(through, self._behind[rows])), 0)
        self._depths.append(Depth(light, self._cover, self._near))
        self._behind[rows], self._cover = self.light[rows], np.zeros_like(self._cover)

    def depths(self) -> tuple[Depth, ...]:
        """Return what was drawn, the farthest first; only a layered canvas has any."""
        self._part()
        return tuple(self._depths)

    def replace(self, top: int, field: Field) -> None:
        """Put a picture over everything from a row on; it is as wide as the canvas, or a pixel, which is repeated."""
        if top < self.height:
            repeated(field, self.width, self.light[top:])
        if self._cover is not None:
            self._cover[top:] = 1

    def mirror(self) -> None:
        """Turn everything round from left to right."""
        self.light = np.asarray(cv2.flip(self.light, 1), np.float32)
        if self._cover is not None and self._behind is not None:
            self._cover, self._behind = self._cover[:, ::-1].copy(), self._behind[:, ::-1].copy()
            self._depths = [
                Depth(one.light[:, ::-1].copy(), one.cover[:, ::-1].copy(), one.near) for one in self._depths
            ]

    def _covered(self, here: tuple[slice, slice], share: Field) -> None:
        if self._cover is not None:
            self._cover[here] = 1 - (1 - self._cover[here]) * (1 - share)

    def enlarge(self, field: Field) -> Field:
        """Return a coarse field at full size."""
        return _resized(field, self.width, self.height)

    def cover(self, field: Field) -> None:
        """Put a coarse field of colours over everything."""
        cv2.resize(field, (self.width, self.height), dst=self.light, interpolation=cv2.INTER_LINEAR)
        if self._cover is not None:
            self._cover[:] = 1

    def dim(self, field: Field) -> None:
        """Multiply the light by a coarse field of factors."""
        factor = self.enlarge(field)
        cv2.multiply(self.light, cv2.merge([factor] * 3), dst=self.light)
        self._covered((slice(None), slice(None)), 1 - factor)

    def blend(self, mask: NDArray[np.uint8] | Field, left: float, top: float, tint: Colour | Field) -> None:
        """Lay a colour, or a picture of the mask's size, over the canvas where the mask (0-255 or 0.0-1.0) says so.

        What lies outside the canvas is left out.
        """
        window = self._window(round(left), round(top), mask.shape)
        if window is None:
            return
        here, there = window
        region, part = self.light[here], mask[there]
        over = tint[there] if isinstance(tint, np.ndarray) else None
        step = max(_BAND_PIXELS // part.shape[1], 1)
        for rows in (slice(first, first + step) for first in range(0, len(part), step)):
            seen, share = region[rows], _share(part[rows])
            # OpenCV takes a scalar; its stubs know none.
            change = cv2.subtract(seen, cast(Field, (*tint, 0.0)) if over is None else over[rows])
            cv2.multiply(change, cv2.merge([share] * 3), dst=change)
            cv2.subtract(seen, change, dst=seen)
        if self._cover is not None:
            self._covered(here, _share(part))

    def add(self, field: Field, left: float, top: float) -> None:
        """Add light: height x width x 3 at a place in pixels."""
        window = self._window(round(left), round(top), field.shape)
        if window is not None:
            here, there = window
            self.light[here] += field[there]

    def polygon(self, points: NDArray[np.floating], tint: Colour, opacity: float = 1.0) -> None:
        """Fill an outline given as n x 2 pixels, with smooth edges."""
        self.polygons([points], tint, opacity)

    def polygons(self, outlines: Sequence[NDArray[np.floating]], tint: Colour, opacity: float = 1.0) -> None:
        """Fill several outlines in one colour; where they overlap nothing is added."""
        if not outlines:
            return
        corners = np.concatenate(outlines)
        left, top = np.maximum(np.floor(corners.min(0)) - 2, 0)
        right, bottom = np.minimum(np.ceil(corners.max(0)) + 2, (self.width, self.height))
        if right <= left or bottom <= top:
            return
        mask = np.zeros((int(bottom - top), int(right - left)), np.uint8)
        shifted = [np.rint((one - (left, top)) * (1 << _SHIFT)).astype(np.int32) for one in outlines]
        for one in shifted:  # one at a time: together, OpenCV leaves a hole where two overlap
            cv2.fillPoly(mask, [one], round(255 * opacity), cv2.LINE_AA, _SHIFT)
        self.blend(mask, left, top, tint)

    def disc(self, x: float, y: float, radius: float, tint: Colour, opacity: float = 1.0) -> None:
        """Fill a circle."""
        self.polygon(ellipse(x, y, radius, radius), tint, opacity)

    def ring(self, x: float, y: float, radius: float, thickness: float, tint: Colour, opacity: float) -> None:
        """Draw a circle's line."""
        outer, inner = ellipse(x, y, radius, radius), ellipse(x, y, radius - thickness, radius - thickness)
        # A bridge there and back makes one outline of two circles.
        self.polygon(np.concatenate([outer, outer[:1], inner[:1], inner[::-1]]), tint, opacity)

    def bar(self, box: Box, tint: Colour, opacity: float = 1.0) -> None:
        """Fill a rectangle with round ends."""
        self.polygon(rounded(box, min(box.width, box.height) / 2), tint, opacity)

    def panel(self, box: Box, top: Colour, bottom: Colour, opacity: float) -> None:
        """Lay a sheet with round corners, a soft shadow below it and light on its upper edge."""
        unit, radius = self.unit, self.unit * 2.6
        for grow, dark in ((1.8, 0.05), (1.2, 0.06), (0.6, 0.07)):
            spread = unit * grow
            outer = Box(box.left - spread, box.top, box.right + spread, box.bottom + spread * 1.6)
            self.polygon(rounded(outer, radius + spread), (0.0, 0.0, 0.0), dark)
        left, upper = math.floor(box.left), math.floor(box.top)
        rows, columns = math.ceil(box.bottom) - upper, math.ceil(box.right) - left
        mask = np.zeros((max(rows, 1), max(columns, 1)), np.uint8)
        outline = np.rint((rounded(box, radius) - (left, upper)) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(mask, [outline], round(255 * opacity), cv2.LINE_AA, _SHIFT)
        down = smooth(np.linspace(0, 1, mask.shape[0]))[:, None, None]
        shades = np.asarray(top, np.float32) * (1 - down) + np.asarray(bottom, np.float32) * down
        self.blend(mask, left, upper, np.ascontiguousarray(np.broadcast_to(shades, (*mask.shape, 3))))
        edge = Box(box.left + radius, box.top, box.right - radius, box.top + max(unit * 0.16, 0.6))
        self.bar(edge, (1.0, 1.0, 1.0), 0.16)

    def glow(self, x: float, y: float, radius: float, tint: Colour, strength: float, flat: float = 1.0) -> None:
        """Add soft light around a point, gone at about three radii; `flat` below 1 presses it to an ellipse."""
        reach = radius * 3.2
        size = max(int(reach * 2 / COARSE), 4)
        axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
        away = (axis[None, :] ** 2 + axis[:, None] ** 2) * np.float32(3.2**2)
        fall = np.maximum(np.exp(-away * 0.9) - np.float32(np.exp(-9.2)), 0) * np.float32(strength)
        full = max(int(reach * 2), 4)
        field = fall[..., None] * np.asarray(tint, np.float32)
        self.add(_resized(field, full, max(int(full * flat), 4)), x - reach, y - reach * flat)

    def developed(self) -> NDArray[np.uint8]:
        """Return the picture as 8-bit RGB, with grain."""
        return developed(self.light)

    def _window(
        self, left: int, top: int, shape: tuple[int, ...]
    ) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
        right, bottom = min(left + shape[1], self.width), min(top + shape[0], self.height)
        x, y = max(left, 0), max(top, 0)
        if right <= x or bottom <= y:
            return None
        here = (slice(y, bottom), slice(x, right))
        return here, (slice(y - top, bottom - top), slice(x - left, right - left))


def developed(light: Field, left: int = 0, top: int = 0) -> NDArray[np.uint8]:
    """Return linear light as an 8-bit RGB picture, with the grain that a place in a larger one has."""
    height, width = light.shape[:2]
    # One tile over and over: nobody sees the period in noise this faint.
    noise = np.take(np.roll(_grain(), (-top, -left), (0, 1)), np.arange(width), axis=1, mode="wrap")
    picture = np.empty((height, width, 3), np.uint8)
    # A band at a time stays in the processor's cache: a whole picture is 33 MB, and each step would fetch it anew.
    for first in range(0, height, _BAND):
        rows = slice(first, min(first + _BAND, height))
        curve = np.clip(light[rows], _DARKEST, 1.0)
        # A power, at a quarter of what `cv2.pow` takes. OpenCV takes a scalar; its stubs know none.
        cv2.log(curve, dst=curve)
        cv2.exp(cv2.multiply(curve, cast(Field, 1 / GAMMA), dst=curve), dst=curve)
        grain = noise[first % _TILE :][: rows.stop - first]
        cv2.addWeighted(curve, 255.0, cv2.merge([grain] * 3), 1.0, 0.0, dst=picture[rows], dtype=cv2.CV_8U)
    return picture


def ellipse(x: float, y: float, across: float, down: float) -> NDArray[np.floating]:
    """Return the outline of an ellipse with these half axes as 96 x 2 pixels."""
    turn = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    return np.stack([x + across * np.cos(turn), y + down * np.sin(turn)], 1)


def rounded(box: Box, radius: float) -> NDArray[np.floating]:
    """Return the outline of a rectangle with round corners as 48 x 2 pixels."""
    radius = min(radius, box.width / 2, box.height / 2)
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x = np.where(np.cos(turn) >= 0, box.right - radius, box.left + radius) + radius * np.cos(turn)
    y = np.where(np.sin(turn) >= 0, box.bottom - radius, box.top + radius) + radius * np.sin(turn)
    return np.stack([x, y], 1)


def ramp(at: Field, stops: Sequence[tuple[float, Colour]]) -> Field:
    """Return the colours of a gradient at places; the stops' places rise."""
    places = [place for place, _ in stops]
    channels = [np.interp(at, places, [colour[channel] for _, colour in stops]) for channel in range(3)]
    return np.stack(channels, -1).astype(np.float32)


def smooth(at: NDArray[np.floating]) -> Field:
    """Return 0 up to 0, 1 from 1, and a curve without corners between."""
    t = np.clip(at, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def quantile(values: NDArray[np.floating], share: float) -> float:
    """Return what a share of the values, one at least, lies below: `np.quantile`, which imports 60 ms of numpy.ma."""
    flat, at = values.ravel(), (values.size - 1) * share
    low = int(at)
    high, part, real = min(low + 1, flat.size - 1), at - low, flat.dtype.type
    below, above = np.partition(flat, (low, high))[[low, high]]
    # From the nearer side, as numpy does, so that the last bit is the same.
    between = above - (above - below) * real(1 - part) if part >= 0.5 else below + (above - below) * real(part)
    return float(between)


def repeated(field: Field, width: int, target: Field | None = None) -> Field:
    """Return a field of one column so many times side by side, in `target` where one of that shape is given."""
    return np.asarray(cv2.resize(field, (width, len(field)), dst=target, interpolation=cv2.INTER_NEAREST), np.float32)


def _share(mask: NDArray[np.uint8] | Field) -> Field:
    return np.asarray(mask.astype(np.float32) / np.float32(255) if mask.dtype == np.uint8 else mask, np.float32)


def _resized(field: Field, width: int, height: int) -> Field:
    return np.asarray(cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


@lru_cache(maxsize=1)
def _grain() -> Field:
    noise = np.random.default_rng(20).standard_normal((_TILE, _TILE), dtype=np.float32)
    return noise * np.float32(_GRAIN)
