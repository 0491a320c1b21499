"""Lettering as light and shade on planar YUV: how much of a picture stays, and what is added to that.

Letters, their dark edge and its soft shadow are mixed once, in 8 bits; a frame then costs one product and one sum for
each plane of the small box that they cover.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor

import cv2
import numpy as np
from numpy.typing import NDArray

from bhiv.video.typesetting import Piece
from bhiv.video.yuv import Plane, planes

Planes = tuple[Plane, Plane, Plane]
#: Red, green and blue, 0 to 255.
Colour = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)
GOLD: Colour = (255, 209, 82)
_DARK: Colour = (12, 14, 24)
#: In ems: width of the edge, and the shadow's blur and drop.
_EDGE, _BLUR, _DROP = 0.07, 0.085, 0.05
#: The least edge in pixels: thinner ones leave letters without contrast on a busy picture.
_LEAST_EDGE = 1.25
#: How dark the shadow is where it is densest.
_SHADE = 0.62


@dataclass(frozen=True)
class Box:
    """A part of a frame: whole pixels, all even, so that it is one of the half-size planes too."""

    left: int
    top: int
    right: int
    bottom: int

    def of(self, plane: Plane, by: int) -> Plane:
        """Return this part of a plane that is `by` times smaller than the frame, which is 1 or 2."""
        return plane[self.top // by : self.bottom // by, self.left // by : self.right // by]


@dataclass(frozen=True)
class Ink:
    """What is laid over a box of the frame: picture · `keeps` / 255 + `adds`."""

    box: Box
    #: For Y, and for both U and V.
    keeps: tuple[Plane, Plane]
    adds: Planes
    #: The same as `adds` with letters in the second colour; None when there is none.
    second: Planes | None

    def lay(self, y: Plane, u: Plane, v: Plane) -> None:
        """Lay it over a frame's planes, in place."""
        luma, chroma = self.keeps
        for plane, kept, added, by in zip((y, u, v), (luma, chroma, chroma), self.adds, (1, 2, 2), strict=True):
            part = self.box.of(plane, by)
            cv2.multiply(part, kept, dst=part, scale=1 / 255)
            cv2.add(part, added, dst=part)


def ink(pieces: Sequence[Piece], em: float, width: int, height: int, *, second: Colour | None = None) -> Ink | None:
    """Return white letters with edge and shadow for a frame of this size; None when nothing of them lies in it."""
    edge = max(_EDGE * em, _LEAST_EDGE)
    box = _box(pieces, ceil(edge + (3 * _BLUR + _DROP) * em) + 1, width, height)
    if box is None:
        return None
    letters = _letters(pieces, box)
    cover = _cover(letters, em, edge)
    letters_too, cover_too = _halved(letters), _halved(cover)
    keeps = (_inverse(cover), _inverse(cover_too))

    def coloured(colour: Colour) -> Planes:
        (y, u, v), (dark_y, dark_u, dark_v) = _yuv(colour), _yuv(_DARK)
        return (
            _mixed(letters, y, cover, dark_y),
            _mixed(letters_too, u, cover_too, dark_u),
            _mixed(letters_too, v, cover_too, dark_v),
        )

    return Ink(box, keeps, coloured(WHITE), None if second is None else coloured(second))


def _mixed(letters: Plane, bright: int, cover: Plane, dark: int) -> Plane:
    """Return the light of letters and of what is dark around them."""
    return cv2.addWeighted(letters, (bright - dark) / 255, cover, dark / 255, 0).astype(np.uint8, copy=False)


def _letters(pieces: Sequence[Piece], box: Box) -> Plane:
    letters = np.zeros((box.bottom - box.top, box.right - box.left), np.uint8)
    for piece in pieces:
        top, left = piece.y - box.top, piece.x - box.left
        cut_top, cut_left = max(-top, 0), max(-left, 0)
        target = letters[max(top, 0) : max(top + piece.mask.alpha.shape[0], 0), max(left, 0) :]
        source = piece.mask.alpha[cut_top:, cut_left:]
        target = target[:, : source.shape[1]]
        cv2.max(target, source[: target.shape[0], : target.shape[1]], dst=target)
    return letters


def _cover(letters: Plane, em: float, edge: float) -> Plane:
    """Return how much of the picture letters, edge and shadow hide together."""
    dark = _grown(letters, edge)
    small = _halved(dark)
    blurred = cv2.GaussianBlur(small, (0, 0), max(_BLUR * em / 2, 0.5))
    drop = np.array([[1, 0, 0], [0, 1, _DROP * em / 2]])
    shade = cv2.warpAffine(blurred, drop, (small.shape[1], small.shape[0]))
    shade = cv2.resize(shade, (dark.shape[1], dark.shape[0]), interpolation=cv2.INTER_LINEAR)
    through = cv2.multiply(cv2.bitwise_not(dark), cv2.convertScaleAbs(shade, alpha=_SHADE), scale=1 / 255)
    return cv2.max(cv2.add(dark, through), letters).astype(np.uint8, copy=False)


def _grown(letters: Plane, by: float) -> Plane:
    """Return letters that are `by` pixels thicker on every side, with a soft rim."""
    whole, part = floor(by), by - floor(by)
    # Half-covered pixels at a letter's rim would grow into an edge that is half there.
    firm = cv2.convertScaleAbs(letters, alpha=2)
    inner, outer = (cv2.dilate(firm, _disc(radius)) for radius in (whole, whole + 1))
    grown = cv2.addWeighted(inner, 1 - part, outer, part, 0)
    return cv2.max(cv2.GaussianBlur(grown, (3, 3), 0.6), inner).astype(np.uint8, copy=False)


@lru_cache(maxsize=64)
def _disc(radius: int) -> NDArray[np.uint8]:
    across = np.arange(-radius, radius + 1)
    return (across[:, None] ** 2 + across**2 <= (radius + 0.5) ** 2).astype(np.uint8)


def _box(pieces: Sequence[Piece], margin: int, width: int, height: int) -> Box | None:
    def outwards(side: Callable[[Piece], int], which: Callable[..., int], by: int, most: int) -> int:
        return min(max((which(map(side, pieces)) + by) // 2 * 2, 0), most)

    if not pieces:
        return None
    box = Box(
        outwards(lambda piece: piece.x, min, -margin, width),
        outwards(lambda piece: piece.y, min, -margin, height),
        outwards(lambda piece: piece.x + piece.mask.alpha.shape[1], max, margin + 1, width),
        outwards(lambda piece: piece.y + piece.mask.alpha.shape[0], max, margin + 1, height),
    )
    return box if box.right > box.left and box.bottom > box.top else None


@lru_cache(maxsize=16)
def _yuv(colour: Colour) -> tuple[int, int, int]:
    """Return a colour's BT.709 limited-range Y, U and V."""
    y, u, v = (int(plane[0, 0]) for plane in planes(np.full((2, 2, 3), colour, np.uint8)))
    return y, u, v


def _halved(plane: Plane) -> Plane:
    half = cv2.resize(plane, (plane.shape[1] // 2, plane.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return half.astype(np.uint8, copy=False)


def _inverse(plane: Plane) -> Plane:
    return cv2.bitwise_not(plane).astype(np.uint8, copy=False)
