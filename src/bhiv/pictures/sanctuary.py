"""A temple on the water: towers before the sun, steps, and lamps that float."""

import numpy as np

from bhiv.pictures.canvas import Box, Canvas
from bhiv.pictures.palette import Colour, Palette, mix
from bhiv.pictures.ridges import profile, ridge
from bhiv.pictures.sky import clouds, disc, sky
from bhiv.pictures.skyline import temple
from bhiv.pictures.water import glints, mirror

_SHORE = 0.60


def shrine(canvas: Canvas, palette: Palette, random: np.random.Generator, low: bool) -> None:
    """Draw a temple with its stairs down to the water; `low` leaves room above."""
    side = 0.5 if low or canvas.upright else float(random.choice([0.36, 0.64]))
    sun = (side + (0.0 if low else 0.02), _SHORE - (0.10 if low else 0.21))
    field = sky(canvas, palette, _SHORE, sun, 0.9, low=low)
    clouds(canvas, field, palette, _SHORE, random, 0.05 if low else 0.34)
    canvas.cover(field)
    disc(canvas, palette, sun, 9 if low else 14)
    canvas.deepen(0.5)
    shore = _SHORE * canvas.height
    hills = profile(random, canvas.width, 2.0, 0.45)
    far = mix(palette.far, palette.sky[2], 0.35)
    ridge(canvas, shore - canvas.height * (0.035 + 0.02 * hills), far, mix(far, palette.sky[2], 0.5), shore * 0.1)
    x = side * canvas.width
    tall = min(canvas.height * (0.235 if low else 0.40), canvas.width * 0.46)
    back, front = mix(palette.far, palette.near, 0.45), mix(palette.far, palette.near, 0.80)
    temple(canvas, x + tall * 0.95, shore, tall * 0.42, back)
    temple(canvas, x - tall * 1.25, shore, tall * 0.34, back)
    plinth = tall * 0.07
    temple(canvas, x, shore - plinth, tall - plinth, front)
    _stairs(canvas, palette, x, shore, tall, front)
    _windows(canvas, palette, x, shore - plinth, tall - plinth)
    mirror(canvas, palette, _SHORE, random)
    canvas.deepen(0)
    glints(canvas, mix(palette.sky[2], palette.sun, 0.6), side, _SHORE + 0.012, random, 0.075)
    canvas.deepen(1)
    _floating(canvas, palette, random)
    if not low:
        canvas.deepen(0.7)
        _birds(canvas, random, mix(palette.far, palette.near, 0.6), 1 - side)


def _stairs(canvas: Canvas, palette: Palette, x: float, shore: float, tall: float, tint: Colour) -> None:
    steps = 4
    high = tall * 0.07 / steps
    for step in range(steps):
        half = tall * (0.92 + 0.09 * step)
        y = shore - tall * 0.07 + high * step
        box = Box(x - half * 0.86, y, x + half, y + high + 1)
        shade = mix(tint, palette.sky[2], 0.05 + 0.05 * (step % 2))
        canvas.polygon(
            np.array([[box.left, box.top], [box.right, box.top], [box.right, box.bottom], [box.left, box.bottom]]),
            shade,
        )


def _windows(canvas: Canvas, palette: Palette, x: float, ground: float, tall: float) -> None:
    """Light the doors of the towers from inside."""
    warm = mix(palette.accent, palette.sun, 0.3)
    for aside, size in ((0.0, 1.0), (-0.36, 0.62), (0.33, 0.56), (0.62, 0.36)):
        door = np.array(
            [
                [-0.035, 0.0],
                [-0.035, -0.085],
                [-0.02, -0.115],
                [0.0, -0.13],
                [0.02, -0.115],
                [0.035, -0.085],
                [0.035, 0.0],
            ]
        )
        outline = door * tall * size + (x + aside * tall, ground - tall * 0.062)
        canvas.glow(x + aside * tall, ground - tall * 0.10, tall * 0.05 * size, warm, 0.6)
        canvas.polygon(outline, warm, 0.9)


def _floating(canvas: Canvas, palette: Palette, random: np.random.Generator) -> None:
    """Set small lamps on the water, the nearer the larger."""
    for _ in range(22):
        down = random.random() ** 1.3
        x, y = random.random() * canvas.width, canvas.height * (_SHORE + 0.02 + 0.145 * down)
        size = canvas.unit * (0.20 + 0.55 * down)
        canvas.glow(x, y, size * 4.2, palette.accent, 0.42)
        canvas.glow(x, y + size * 2.2, size * 1.6, palette.accent, 0.35, flat=1.8)
        canvas.disc(x, y, max(size, 0.6), mix(palette.accent, palette.sun, 0.6))


def _birds(canvas: Canvas, random: np.random.Generator, tint: Colour, side: float) -> None:
    wing = np.array(
        [[-1.0, -0.30], [-0.5, -0.42], [0.0, 0.0], [0.5, -0.42], [1.0, -0.30], [0.5, -0.30], [0.0, 0.14], [-0.5, -0.30]]
    )
    flock = []
    for _ in range(6):
        size = canvas.unit * random.uniform(0.8, 1.5)
        spot = (canvas.width * (side + random.uniform(-0.10, 0.10)), canvas.height * random.uniform(0.16, 0.30))
        flock.append(wing * size + spot)
    canvas.polygons(flock, tint, 0.85)
