"""Layers: a picture's parts as planes, which laid over each other are the picture that the camera sees otherwise.

Light adds up before the gamma curve, planes are mixed after it. So a layer keeps what it adds to those behind it on
the curve, and lets as much of them through as a small change behind it would be seen: unmoved, they are the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np

from bhiv.errors import ObjectDamaged
from bhiv.pictures.canvas import Depth, Field, developed
from bhiv.pictures.palette import GAMMA
from bhiv.video.yuv import Plane, planes

#: Raise it when the same depths would give other bytes.
VERSION = 1
#: Linear light, or a share, that cannot be seen even on black.
_UNSEEN = 2e-6
_SUM = np.ones((1, 3), np.float32)
_LUMINANCE = np.array([[0.2126, 0.7152, 0.0722]], np.float32)


@dataclass(frozen=True)
class Layer:
    """What lies at one distance: it turns each pixel `p` behind it into `light + p · through / 255`."""

    #: From 0, as far as the sky, to 1.
    near: float
    #: Where its planes begin in the picture's luma, both even. What is beyond them is as their rim.
    left: int
    top: int
    #: Y, U and V.
    light: tuple[Plane, Plane, Plane]
    #: Of luma and of chroma; None where nothing lies behind it.
    through: tuple[Plane, Plane] | None


def layers_of(depths: Sequence[Depth]) -> tuple[Layer, ...]:
    """Return the layers of a picture's depths, the farthest, which covers everything, first.

    Where all lies at one distance there are none: then the picture does as well.
    """
    if len({depth.near for depth in depths}) < 2:
        return ()
    light = depths[0].light.copy()
    farthest = planes(developed(light))
    layers, behind = [Layer(depths[0].near, 0, 0, farthest, None)], [plane.copy() for plane in farthest]
    layers += [_laid_over(light, behind, depth, box) for depth in depths[1:] if (box := _bounds(depth))]
    return tuple(layers)


def save(layers: Sequence[Layer], path: Path) -> None:
    """Write layers without loss and, for grain does not compress, as they are: the same bytes every time."""
    arrays: dict[str, Plane] = {}
    for number, layer in enumerate(layers):
        arrays |= {f"{number}.{name}": plane for name, plane in zip("yuv", layer.light, strict=True)}
        if layer.through:
            arrays[f"{number}.through"], arrays[f"{number}.through_chroma"] = layer.through
    places = np.array([(layer.near, layer.left, layer.top) for layer in layers], np.float64)
    np.savez(path, places=places, **arrays)  # type: ignore[arg-type]  # its stubs take any name for `allow_pickle`


def load(path: Path) -> tuple[Layer, ...]:
    """Return the layers that `save` wrote.

    Raises:
        ObjectDamaged: the file holds none.
    """
    try:
        with path.open("rb") as stream, np.load(stream) as file:
            return tuple(
                Layer(
                    float(near), int(left), int(top),
                    (file[f"{number}.y"], file[f"{number}.u"], file[f"{number}.v"]),
                    (file[f"{number}.through"], file[f"{number}.through_chroma"]) if number else None,
                )
                for number, (near, left, top) in enumerate(file["places"])
            )  # fmt: skip
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise ObjectDamaged(f"{path} can't be read as a picture's layers; delete it and run again") from error


def _bounds(depth: Depth) -> tuple[int, int, int, int] | None:
    """Return left, top, right and bottom, all even, of what a depth changes; None when it changes nothing."""
    seen = cv2.add(cv2.transform(depth.light, _SUM), depth.cover)
    rows = np.flatnonzero(cv2.reduce(seen, 1, cv2.REDUCE_MAX) > _UNSEEN)
    columns = np.flatnonzero(cv2.reduce(seen, 0, cv2.REDUCE_MAX) > _UNSEEN)
    if not rows.size:
        return None
    height, width = seen.shape
    # Two pixels of margin, so that nothing changes at the rim, which the camera repeats.
    left, top = (max(int(first) - 2, 0) // 2 * 2 for first in (columns[0], rows[0]))
    right, bottom = min(int(columns[-1]) + 4, width) // 2 * 2, min(int(rows[-1]) + 4, height) // 2 * 2
    return left, top, right, bottom


def _laid_over(light: Field, behind: list[Plane], depth: Depth, box: tuple[int, int, int, int]) -> Layer:
    """Return a depth as a layer, and turn the light and the planes behind it into what is seen with it."""
    left, top, right, bottom = box
    here = (slice(top, bottom), slice(left, right))
    half = (slice(top // 2, bottom // 2), slice(left // 2, right // 2))
    share = _share(light[here], depth.light[here], depth.cover[here])
    after = planes(developed(light[here], left, top))
    before = [plane[place].copy() for plane, place in zip(behind, (here, half, half), strict=True)]
    small = np.asarray(cv2.resize(share, after[1].shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
    luma, chroma = _at_most(share, before[:1], after[:1]), _at_most(small, before[1:], after[1:])
    added = [
        cv2.subtract(seen, cv2.multiply(was, through, scale=1 / 255))
        for seen, was, through in zip(after, before, (luma, chroma, chroma), strict=True)
    ]
    for plane, place, seen in zip(behind, (here, half, half), after, strict=True):
        plane[place] = seen
    return Layer(depth.near, left, top, tuple(added), (luma, chroma))  # type: ignore[arg-type]


def _share(light: Field, added: Field, cover: Field) -> Field:
    """Lay a depth over light, and return how much of a small change behind it is seen on the gamma curve, 0 to 1."""
    share = np.zeros_like(cover)
    # Below a ridge most rows are the ridge's alone.
    open_ = np.flatnonzero(cover.min(axis=1) < 1)
    rows = slice(0, int(open_[-1]) + 1 if open_.size else 0)
    light[rows.stop :] = added[rows.stop :]
    if not open_.size:
        return share
    behind, uncovered = light[rows], 1 - cover[rows]
    old = cv2.transform(behind, _LUMINANCE)
    light[rows] = cv2.add(cv2.multiply(behind, cv2.merge([uncovered] * 3)), added[rows])
    new = cv2.transform(light[rows], _LUMINANCE)
    # The derivative of (added + uncovered · behind) ** (1 / gamma), by behind ** (1 / gamma).
    ratio = (old + np.float32(_UNSEEN)) / (new + np.float32(_UNSEEN))
    share[rows] = cv2.multiply(uncovered, cv2.pow(ratio, (GAMMA - 1) / GAMMA))
    return share


def _at_most(share: Field, before: Sequence[Plane], after: Sequence[Plane]) -> Plane:
    """Return what is let through, 0-255: no more than is seen in the end, for a layer can't take light away."""
    most = share * np.float32(255)
    for was, seen in zip(before, after, strict=True):
        most = np.minimum(most, cv2.divide(seen, was, scale=255, dtype=cv2.CV_32F))
    # Whole numbers below it: what is rounded up could be more than is seen.
    return np.asarray(np.minimum(most, 255) + np.float32(1e-3)).astype(np.uint8)
