"""The lotus: a flower on still water, or what comes before it, below the surface."""

import cv2
import numpy as np

from bhiv.pictures.canvas import Canvas, Field
from bhiv.pictures.palette import WHITE, Palette, luminance, mix, scale
from bhiv.pictures.petals import Layer, flower
from bhiv.pictures.ridges import profile, ridge
from bhiv.pictures.sky import clouds, disc, sky
from bhiv.pictures.skyline import temple
from bhiv.pictures.water import glints, mirror, pad, rings

_OPENNESS = {"bud": 0.12, "half": 0.55, "bloom": 1.0}


def pond(canvas: Canvas, palette: Palette, motif: str, details: tuple[str, ...], seed: int, low: bool) -> None:
    """Cover the canvas with a pond and a lotus; `low` leaves the upper half to text."""
    random = np.random.default_rng(seed)
    x = 0.5 if low or canvas.upright else 0.5 + random.choice([-0.11, 0.11])
    horizon = 0.56 if low else 0.50
    _scenery(canvas, palette, horizon, x, details, random, low)
    radius = min(canvas.height * (0.215 if low else 0.27), canvas.width * (0.27 if low else 0.34))
    place = (x * canvas.width, (0.70 if low else 0.685) * canvas.height)
    canvas.deepen(0.7)
    rings(canvas, mix(palette.sky[2], palette.sun, 0.4), place[0], place[1] + radius * 0.10, radius * 1.2, 4)
    _leaves(canvas, palette, place, radius, random)
    if motif == "bud":
        place = (place[0], place[1] - radius * 0.42)
        _stalk(canvas, palette, place, radius * 0.42)
    _blossom(canvas, palette, flower(radius, _OPENNESS[motif], seed), place, radius * (0.84 if motif == "bud" else 0))
    _sparks(canvas, palette, place, radius, random)


def _blossom(canvas: Canvas, palette: Palette, bloom: Layer, place: tuple[float, float], lift: float) -> None:
    """Put a flower into the sky's light, and its reflection `lift` pixels below it."""
    radius = bloom.light.shape[1] / 2.5
    low = palette.sky[2]
    ambient = scale(mix(WHITE, scale(low, 1 / max(low)), 0.30), 0.72 + 0.28 * min(luminance(low) * 2.5, 1.0))
    tinted = Layer(bloom.light * np.asarray(ambient, np.float32), bloom.cover, bloom.x, bloom.y)
    _reflect(canvas, tinted, (place[0], place[1] + lift))
    canvas.glow(place[0], place[1] - radius * 0.6, radius * 0.7, mix(low, palette.sun, 0.3), 0.25)
    canvas.blend(tinted.cover, place[0] - tinted.x, place[1] - tinted.y, tinted.light)
    canvas.glow(place[0], place[1] - radius * 0.8, radius * 0.40, palette.sun, 0.12)


def _stalk(canvas: Canvas, palette: Palette, place: tuple[float, float], long: float) -> None:
    """Draw the stalk of a bud `long` pixels above the water, and its mirror image."""
    thick = long * 0.107
    body = np.array([[-0.8, -0.1], [0.8, -0.1], [1.0, 1.0], [-1.0, 1.0]]) * (thick, long)
    canvas.polygon(body * (1, -1) + place + (0, long * 2), mix(palette.leaf, palette.deep, 0.5), 0.45)
    canvas.polygon(body + place, mix(palette.leaf, palette.sky[2], 0.12))
    canvas.polygon(body * (0.35, 1) + place - (thick * 0.5, 0), mix(palette.leaf, palette.sky[2], 0.35), 0.6)


def _scenery(
    canvas: Canvas,
    palette: Palette,
    horizon: float,
    x: float,
    details: tuple[str, ...],
    random: np.random.Generator,
    low: bool,
) -> None:
    field = sky(canvas, palette, horizon, (x, horizon - 0.04), 0.9, low=low)
    clouds(canvas, field, palette, horizon, random, 0.06 if low else 0.38)
    canvas.cover(field)
    disc(canvas, palette, (x, horizon - (0.04 if low else 0.075)), 11 if low else 14)
    shore = horizon * canvas.height
    far = mix(palette.far, palette.sky[2], 0.35)
    hills = profile(random, canvas.width, 2.2, 0.45)
    ridge(canvas, shore - canvas.height * (0.045 + 0.022 * hills), far, mix(far, palette.sky[2], 0.5), shore * 0.1)
    if "temple" in details:
        side = 0.23 if x > 0.45 else 0.77
        temple(
            canvas, side * canvas.width, shore, canvas.unit * (16 if low else 22), mix(palette.far, palette.near, 0.42)
        )
    bank = mix(palette.far, palette.near, 0.5)
    trees = profile(random, canvas.width, 9.0, 0.62)
    ridge(canvas, shore - canvas.height * (0.014 + 0.009 * trees), bank, mix(bank, palette.sky[2], 0.3), shore * 0.05)
    mirror(canvas, palette, horizon, random)
    glints(canvas, mix(palette.sky[2], palette.sun, 0.6), x, horizon + 0.01, random)


def _leaves(
    canvas: Canvas, palette: Palette, place: tuple[float, float], radius: float, random: np.random.Generator
) -> None:
    spots = [
        (-2.9, -0.42, 0.34),
        (2.7, -0.5, 0.3),
        (-1.9, -0.12, 0.55),
        (2.0, -0.16, 0.6),
        (-1.15, 0.16, 0.74),
        (1.1, 0.2, 0.8),
    ]
    for across, down, size in spots:
        x = place[0] + radius * (across + random.uniform(-0.12, 0.12))
        y = place[1] + radius * (down + random.uniform(-0.03, 0.03))
        pad(canvas, palette, x, y, radius * size, random.uniform(-0.5, 0.5) + (0 if across > 0 else np.pi))


def _reflect(canvas: Canvas, layer: Layer, place: tuple[float, float]) -> None:
    """Mirror the flower in the water below it: shorter, wavering and fading."""
    root = round(layer.y + 0.12 * layer.cover.shape[0])
    # Half the size: it is blurred by the water anyway.
    columns, rows = layer.cover.shape[1] // 2, max(root // 3, 1)
    down = (np.arange(rows, dtype=np.float32) / np.float32(rows))[:, None]
    sway = np.sin(down * 46) * np.float32(columns * 0.009) * down
    across = np.arange(columns, dtype=np.float32)[None, :] + sway
    line = np.repeat(down * rows, columns, axis=1).astype(np.float32)

    def mirrored(part: Field) -> Field:
        small = cv2.resize(np.ascontiguousarray(part[:root][::-1]), (columns, rows), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.remap(small, across.astype(np.float32), line, cv2.INTER_LINEAR), np.float32)

    full = (columns * 2, int(rows * 2.1))
    cover = np.asarray(cv2.resize(mirrored(layer.cover) * 0.62 * (1 - down) ** 1.6, full), np.float32)
    light = np.asarray(cv2.resize(mirrored(layer.light) * 0.8, full), np.float32)
    canvas.blend(cover, place[0] - layer.x, place[1] + layer.cover.shape[0] * 0.035, light)


def _sparks(
    canvas: Canvas, palette: Palette, place: tuple[float, float], radius: float, random: np.random.Generator
) -> None:
    for _ in range(26):
        x = place[0] + random.normal() * radius * 1.7
        y = place[1] - radius * random.uniform(0.1, 1.7)
        size = canvas.unit * random.uniform(0.08, 0.26)
        canvas.glow(x, y, size * 3.2, palette.accent, 0.35)
        canvas.disc(x, y, max(size, 0.5), palette.sun, 0.75)
