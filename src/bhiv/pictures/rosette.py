"""Rosettes: petals round a middle, as on a rangoli or a marigold seen from above."""

import numpy as np
from numpy.typing import NDArray

from bhiv.pictures.canvas import Canvas, ellipse, smooth
from bhiv.pictures.palette import Palette, mix, scale
from bhiv.pictures.ridges import profile, ridge

#: Rings of petals from the outermost: reach and root in radii, how many, breadth, light.
_RINGS = (
    (1.0, 0.52, 24, 0.085, 0.30),
    (0.84, 0.40, 16, 0.115, 0.52),
    (0.64, 0.26, 16, 0.085, 0.74),
    (0.46, 0.14, 8, 0.12, 0.95),
)


def blossom(canvas: Canvas, palette: Palette, seed: int, low: bool) -> None:
    """Cover the canvas with a great flower that rises over a dark ground; `low` leaves the upper half to text."""
    random = np.random.default_rng(seed)
    _glowing(canvas, palette, 0.74 if low else 0.60)
    x, y = canvas.width / 2, canvas.height * (0.80 if low else 0.715)
    radius = min(canvas.height * (0.40 if low else 0.52), canvas.width * 0.44)
    turn = float(random.uniform(0, 1))
    warm = mix(palette.sky[2], palette.accent, 0.5)
    canvas.glow(x, y, radius * 0.85, warm, 0.30 if low else 0.5)
    canvas.deepen(0.4)
    for ring, (reach, root, count, breadth, lit) in enumerate(_RINGS):
        angles = (np.arange(count) + (0.5 if ring % 2 else 0.0)) * 2 * np.pi / count - np.pi / 2
        outer = mix(scale(mix(palette.mid, palette.sky[1], 0.35), 1.15), warm, lit**1.5)
        _petals(canvas, palette, (x, y), radius, angles, (reach, root, breadth), (outer, lit))
    canvas.glow(x, y, radius * 0.16, palette.sun, 0.7)
    canvas.disc(x, y, radius * 0.13, mix(palette.accent, palette.sun, 0.4))
    for angle in np.arange(13) * 2 * np.pi / 13 + turn:
        canvas.disc(
            x + np.cos(angle) * radius * 0.095, y + np.sin(angle) * radius * 0.095, radius * 0.016, palette.mid, 0.8
        )
    canvas.deepen(1)
    ground = canvas.height * (0.775 - 0.010 * profile(random, canvas.width, 1.6, 0.4))
    ridge(canvas, ground, mix(palette.near, palette.base, 0.35), palette.near, canvas.height * 0.2)
    _drifting(canvas, palette, random, warm, 0.40 if low else 0.06)


def _glowing(canvas: Canvas, palette: Palette, centre: float) -> None:
    x, y = canvas.grid()
    ratio = np.float32(canvas.width / canvas.height)
    away = np.sqrt(((x - np.float32(0.5)) * ratio) ** 2 + (y - np.float32(centre)) ** 2)
    share = smooth(1 - away / np.float32(0.95))[..., None]
    deep, light = np.asarray(palette.deep, np.float32), np.asarray(mix(palette.base, palette.mid, 0.45), np.float32)
    canvas.cover((deep + (light - deep) * share).astype(np.float32))


def _petals(
    canvas: Canvas,
    palette: Palette,
    place: tuple[float, float],
    radius: float,
    angles: NDArray[np.floating],
    form: tuple[float, float, float],
    look: tuple[tuple[float, float, float], float],
) -> None:
    reach, root, breadth = form
    tint, lit = look
    shade = mix(tint, scale(palette.mid, 0.8), 0.55)
    for angle in angles:
        whole = petal(place, float(angle), root * radius, reach * radius, breadth * radius)
        canvas.polygon(whole + np.array([0, radius * 0.012]), palette.deep, 0.35)
        canvas.polygon(whole, tint)
        inner = petal(place, float(angle), root * radius, (reach - 0.05) * radius, breadth * radius * 0.74)
        canvas.polygon(inner, shade, 0.55)
        vein = petal(place, float(angle), root * radius, (reach - 0.10) * radius, breadth * radius * 0.20)
        canvas.polygon(vein, mix(tint, palette.sun, 0.35 * lit), 0.7)


def petal(place: tuple[float, float], angle: float, root: float, reach: float, half: float) -> NDArray[np.floating]:
    """Return a pointed petal's outline, turned round a place; lengths in pixels from there."""
    at = np.linspace(0, 1, 22)
    swell = np.power(at, 0.75) * np.power(1 - at, 0.62)
    swell = swell / swell.max() * half
    along = root + (reach - root) * at
    x = np.concatenate([along, along[::-1]])
    y = np.concatenate([swell, -swell[::-1]])
    turned = np.stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)], 1)
    return np.asarray(turned + np.array(place))


def rosette_lines(
    canvas: Canvas, tint: tuple[float, float, float], x: float, y: float, radius: float, opacity: float
) -> None:
    """Draw a rosette as fine lines, as texture behind text."""
    thin = max(canvas.unit * 0.16, 0.5)
    for reach, root, count, breadth, _ in ((1.0, 0.62, 24, 0.10, 0), (0.80, 0.40, 16, 0.14, 0)):
        for angle in np.arange(count) * 2 * np.pi / count:
            outer = petal((x, y), float(angle), root * radius, reach * radius, breadth * radius)
            inner = petal(
                (x, y), float(angle), root * radius + thin, reach * radius - thin * 2, breadth * radius - thin
            )
            canvas.polygon(np.concatenate([outer, outer[:1], inner[:1], inner[::-1]]), tint, opacity)
    for reach in (1.06, 0.36):
        outer, inner = (
            ellipse(x, y, reach * radius, reach * radius),
            ellipse(x, y, reach * radius - thin, reach * radius - thin),
        )
        canvas.polygon(np.concatenate([outer, outer[:1], inner[:1], inner[::-1]]), tint, opacity)


def _drifting(
    canvas: Canvas, palette: Palette, random: np.random.Generator, tint: tuple[float, float, float], top: float
) -> None:
    """Let loose petals and sparks float in the air."""
    for _ in range(18):
        x, y = canvas.width * random.random(), canvas.height * random.uniform(top, 0.74)
        size = canvas.unit * random.uniform(0.5, 1.5)
        canvas.polygon(petal((x, y), random.uniform(0, 6.3), 0, size * 2, size * 0.55), tint, random.uniform(0.25, 0.7))
        canvas.glow(canvas.width * random.random(), y, size, palette.accent, 0.14)
