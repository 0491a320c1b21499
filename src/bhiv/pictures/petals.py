"""A lotus flower out of shaded petals, seen from the side, as a layer with its own coverage."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from bhiv.pictures.canvas import Field, ramp, smooth
from bhiv.pictures.palette import colour

#: A petal from root to tip, for the far side that faces us and the near side that turns its back.
_INNER = ((0.0, "#c98a9e"), (0.25, "#f3b3c6"), (0.6, "#fbc6d6"), (0.85, "#ec7fae"), (1.0, "#c23a86"))
_OUTER = ((0.0, "#e9dcb4"), (0.22, "#fbe3e2"), (0.6, "#fcd3e0"), (0.86, "#f397bd"), (1.0, "#d24a93"))
#: Steps along and across a petal's texture.
_STEPS = 256
_ACROSS = 128
#: Pairs of petals from the farthest to the nearest: degrees from upright, length, half breadth, light, whether it
#: turns its back to us, and how far its root comes forward.
_ROWS = (
    (62, 1.10, 0.19, 0.60, False, -0.03),
    (42, 1.13, 0.20, 0.62, False, -0.03),
    (21, 1.16, 0.20, 0.64, False, -0.03),
    (0, 1.18, 0.20, 0.66, False, -0.03),
    (52, 1.08, 0.20, 0.80, False, 0.0),
    (31, 1.10, 0.205, 0.82, False, 0.0),
    (10, 1.10, 0.205, 0.84, False, 0.0),
    (24, 0.98, 0.22, 0.95, True, 0.02),
    (0, 0.98, 0.22, 0.97, True, 0.02),
    (78, 1.04, 0.20, 0.86, True, 0.0),
    (58, 0.99, 0.21, 0.92, True, 0.02),
    (40, 0.90, 0.235, 1.0, True, 0.04),
    (15, 0.84, 0.24, 1.02, True, 0.05),
    (86, 0.90, 0.175, 0.96, True, 0.02),
    (64, 0.78, 0.21, 1.06, True, 0.05),
    (34, 0.66, 0.22, 1.1, True, 0.07),
    (0, 0.60, 0.23, 1.16, True, 0.08),
)


@dataclass(frozen=True)
class Petal:
    """A petal's form; lengths in radii of the flower.

    `angle` is from upright, in radians, right positive; `bend` moves the tip aside; `lit` is its share of the light.
    """

    angle: float
    length: float
    breadth: float
    bend: float
    x: float
    y: float
    lit: float
    outer: bool


@dataclass(frozen=True)
class Layer:
    """A drawn thing: linear light, coverage 0.0-1.0 of the same size, and the pixel that stands on its place."""

    light: Field
    cover: Field
    x: float
    y: float


def flower(radius: float, openness: float, seed: int) -> Layer:
    """Draw a lotus of this radius in pixels; `openness` goes from 0, a bud, to 1, full bloom."""
    width, height = int(radius * 2.5) + 4, int(radius * 1.62) + 4
    layer = Layer(
        np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32), width / 2, radius * 1.26
    )
    for petal in _arranged(openness, seed):
        _draw(layer, petal, radius)
    return layer


def _arranged(openness: float, seed: int) -> Iterator[Petal]:
    """Yield the petals from the farthest to the nearest."""
    random = np.random.default_rng(seed)
    spread = 0.30 + 0.70 * openness
    for degrees, length, breadth, lit, outer, root in _ROWS:
        if openness < 0.5 and not outer:
            continue  # a bud hides its inside
        for tilt in sorted({degrees, -degrees}):
            angle = float(np.deg2rad(tilt * spread + random.uniform(-1.5, 1.5)))
            aside = float(np.sin(angle))
            long = length + (1.05 - length - 0.34 * degrees / 90) * (1 - openness) ** 2
            # Wide open, tips curl up; in a bud they close over the middle.
            bend = -aside * ((0.20 if outer else 0.06) * openness + 0.75 * (1 - openness) ** 2)
            yield Petal(
                angle, long * random.uniform(0.98, 1.02), breadth, bend, aside * 0.1, root * openness, lit, outer
            )


def _draw(layer: Layer, petal: Petal, radius: float) -> None:
    x0, y0 = layer.x + petal.x * radius, layer.y + petal.y * radius
    up = np.array([np.sin(petal.angle), -np.cos(petal.angle)], np.float32)
    side = np.array([up[1] * -1, up[0]], np.float32)
    length, half = petal.length * radius, petal.breadth * radius
    window = _window(layer, (x0, y0), up * length + side * petal.bend * radius, half * 1.35)
    px = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :] + np.float32(0.5 - x0)
    py = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None] + np.float32(0.5 - y0)
    along = px * (up[0] * _STEPS / np.float32(length)) + py * (up[1] * _STEPS / np.float32(length))
    aside = px * side[0] + py * side[1] - along * along * np.float32(petal.bend * radius / _STEPS**2)
    edge = cv2.LUT(np.clip(along, 0, _STEPS - 1).astype(np.uint8), _outline() * np.float32(half))
    mask = np.clip(edge - np.abs(aside), 0, 1)
    # Across a petal, -1 to 1 becomes a column of its texture.
    column = (aside / np.maximum(edge, 1) + 1) * np.float32((_ACROSS - 1) / 2)
    texture = _texture(petal.outer, petal.angle > 0)
    light = cv2.remap(texture, column, along, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    _lay(layer, window, mask, light * np.float32(petal.lit), radius)


def _window(layer: Layer, root: tuple[float, float], tip: Field, margin: float) -> tuple[slice, slice]:
    height, width = layer.cover.shape
    xs, ys = (root[0], root[0] + float(tip[0])), (root[1], root[1] + float(tip[1]))
    left, right = int(max(min(xs) - margin, 0)), int(min(max(xs) + margin, width))
    top, bottom = int(max(min(ys) - margin, 0)), int(min(max(ys) + margin, height))
    return slice(top, bottom), slice(left, right)


def _lay(layer: Layer, window: tuple[slice, slice], mask: Field, light: Field, radius: float) -> None:
    """Put a petal over the layer; what was there before lies in its shadow."""
    small = cv2.resize(mask, (mask.shape[1] // 8 + 1, mask.shape[0] // 8 + 1), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), max(radius * 0.0045, 0.5))
    shadow = 1 - cv2.resize(soft, mask.shape[::-1]) * np.float32(0.6)
    below = cv2.multiply(layer.light[window], cv2.merge([shadow] * 3))
    change = cv2.multiply(cv2.subtract(light, below), cv2.merge([mask] * 3))
    layer.light[window] = cv2.add(below, change)
    layer.cover[window] = np.maximum(layer.cover[window], mask)


@lru_cache(maxsize=4)
def _texture(outer: bool, right: bool) -> Field:
    """Return a petal's light, root to tip x side to side: round, dark at the root, with veins and a bright rim."""
    along = np.linspace(0, 1, _STEPS, dtype=np.float32)[:, None]
    across = np.linspace(-1, 1, _ACROSS, dtype=np.float32)[None, :]
    body = 1 - 0.34 * across**2 + (-0.12 if right else 0.12) * across
    root = 0.34 + 0.66 * smooth(along * (2.4 if outer else 1.5))
    vein = 1 - 0.13 * np.cos(across * 14) ** 6 * (1 - across**2)
    rim = smooth((np.abs(across) - 0.86) * 7) * along * 0.22
    stops = [(at, colour(code)) for at, code in (_OUTER if outer else _INNER)]
    light = ramp(along, stops) * (body * root * vein)[..., None] + rim[..., None] * np.array([1.0, 0.8, 0.86])
    return np.asarray(light, np.float32)


@lru_cache(maxsize=1)
def _outline() -> Field:
    """Return a petal's half breadth, 1 at the widest, from root to tip: rounded below, drawn out to a point."""
    at = np.linspace(0, 1, _STEPS, dtype=np.float32)
    form = np.power(at, 0.66) * np.power(1 - at, 0.92) * (1 + 0.75 * at)
    return np.asarray(form / form.max(), np.float32)
