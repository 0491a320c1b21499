"""Desert: dunes with a lit and a shaded side under a large sun."""

import numpy as np

from bhiv.pictures.canvas import Canvas
from bhiv.pictures.palette import Colour, Palette, mix
from bhiv.pictures.ridges import Profile, profile, ridge
from bhiv.pictures.sky import clouds, disc, sky


def desert(canvas: Canvas, palette: Palette, random: np.random.Generator, low: bool) -> None:
    """Draw dunes from far to near, and a caravan on one of them; `low` leaves room above."""
    side = float(random.choice([-1, 1]))
    x = 0.5 + side * (0.0 if low else 0.20)
    horizon = 0.58
    sun = (x, horizon - (0.055 if low else 0.20))
    field = sky(canvas, palette, horizon, sun, low=low)
    clouds(canvas, field, palette, horizon, random, 0.04 if low else 0.22)
    canvas.cover(field)
    disc(canvas, palette, sun, 8.5 if low else 9.5)
    canvas.deepen(0.4)
    sand = mix(mix(palette.accent, palette.far, 0.40), palette.sky[2], 0.22)
    haze = mix(palette.sky[2], palette.far, 0.35)
    rows = ((0.572, 0.045, 3, 0.62), (0.630, 0.095, 2, 0.32), (0.715, 0.125, 1, 0.08))
    for number, (base, rise, peaks, far) in enumerate(rows):
        line, crests = _dune(canvas, random, base, rise, peaks, side)
        lit = mix(mix(sand, palette.far, 0.14 * number), haze, far)
        dark = mix(mix(palette.far, palette.near, 0.34 + 0.16 * number), haze, far * 0.7)
        ridge(canvas, line, lit, mix(lit, palette.far, 0.55), canvas.height * (rise + 0.06))
        for crest in crests:
            _shade(canvas, line, crest, base * canvas.height, dark, side)
        if number == 1:
            _caravan(canvas, line, mix(dark, palette.near, 0.8), 0.5 - side * 0.16)
    canvas.deepen(1)
    line, _ = _dune(canvas, random, 0.790, 0.045, 1, side)
    near = mix(palette.near, palette.far, 0.16)
    ridge(canvas, line, near, palette.near, canvas.height * 0.12)
    _rim(canvas, line, mix(sand, palette.sun, 0.3))


def _dune(
    canvas: Canvas, random: np.random.Generator, base: float, rise: float, peaks: int, side: float
) -> tuple[Profile, list[tuple[float, float]]]:
    """Return a line of dunes with sharp crests, and of each crest its share of the width and how far its lee reaches.

    The slope towards the sun is the long one.
    """
    at = np.linspace(0, 1, canvas.width)
    heights = 0.10 * profile(random, canvas.width, 1.2, 0.35, 3)
    crests = []
    for peak in range(peaks):
        top = (peak + random.uniform(0.32, 0.68)) / peaks
        tall, lee = random.uniform(0.8, 1.0), random.uniform(0.42, 0.55) / peaks
        wide = np.where((at - top) * side < 0, lee, random.uniform(0.75, 1.0) / peaks)
        slope = np.clip(1 - np.abs(at - top) / wide, 0, 1)
        heights = np.maximum(heights, tall * slope**1.45 + heights * (1 - slope) * 0.8)
        crests.append((top, lee))
    soft = np.convolve(np.pad(heights, 3, mode="edge"), np.ones(7) / 7, "valid")
    return canvas.height * (base - rise * soft), crests


def _shade(canvas: Canvas, line: Profile, crest: tuple[float, float], base: float, tint: Colour, side: float) -> None:
    """Darken the slope of a crest that is turned from the sun, between its outline and a winding edge."""
    width = canvas.width
    peak, end = int(crest[0] * (width - 1)), int(np.clip((crest[0] - side * crest[1]) * width, 0, width - 1))
    columns = np.arange(peak, end, 1 if end > peak else -1)
    if len(columns) < 8:
        return
    outline = np.stack([columns, line[columns] - 0.5], 1)
    tall = max(base - line[peak], 1.0)
    at = np.linspace(0, 1, 60)
    # From the crest down to the viewer: an S, as the wind draws it.
    reach = abs(end - peak)
    x = peak + side * reach * (0.30 * np.sin(at * 2.6) * at - 0.10 * at**3)
    edge = np.stack([x, line[peak] + tall * 1.45 * at], 1)
    foot = np.array([float(end), float(line[min(max(end, 0), width - 1)])])
    # The foot of the slope swings back from the outline's end to the edge's.
    swing = (
        (1 - at[:, None]) ** 2 * foot
        + 2 * (at * (1 - at))[:, None] * np.array([(foot[0] + x[-1]) / 2, edge[-1][1]])
        + (at**2)[:, None] * edge[-1]
    )
    canvas.polygon(np.concatenate([outline, swing, edge[::-1]]), tint, 0.82)


def _rim(canvas: Canvas, line: Profile, tint: Colour) -> None:
    """Lay the last light along the nearest crest."""
    x = np.arange(canvas.width)
    thick = canvas.unit * (0.28 + 0.22 * np.sin(x / canvas.width * 5))
    outline = np.concatenate([np.stack([x, line - 0.4], 1), np.stack([x, line + thick], 1)[::-1]])
    canvas.polygon(outline, tint, 0.45)


def _caravan(canvas: Canvas, line: Profile, tint: Colour, start: float) -> None:
    """Let three camels walk along a crest."""
    tall = canvas.unit * 3.7
    outlines = []
    for number in range(4):
        column = int(
            np.clip(
                (start + 0.042 * number * min(canvas.height / canvas.width * 1.78, 2)) * canvas.width,
                0,
                canvas.width - 1,
            )
        )
        outlines += [part * tall + (column, float(line[column]) + tall * 0.05) for part in _CAMEL]
    canvas.polygons(outlines, tint)


#: A camel that walks to the left, one high, its feet at 0: body with neck and head, then its legs.
_CAMEL = (
    np.array([
        [-0.62, -0.92], [-0.50, -0.98], [-0.44, -0.93], [-0.40, -0.80], [-0.34, -0.58], [-0.26, -0.52], [-0.18, -0.66],
        [-0.06, -0.86], [0.02, -0.90], [0.10, -0.84], [0.20, -0.66], [0.30, -0.62], [0.36, -0.52], [0.37, -0.34],
        [0.30, -0.36], [0.20, -0.32], [0.00, -0.30], [-0.18, -0.33], [-0.32, -0.38], [-0.42, -0.50], [-0.49, -0.72],
        [-0.52, -0.84], [-0.60, -0.85],
    ]),
    np.array([[-0.24, -0.36], [-0.25, 0.0], [-0.20, 0.0], [-0.16, -0.36]]),
    np.array([[-0.12, -0.36], [-0.06, 0.0], [-0.01, 0.0], [-0.04, -0.36]]),
    np.array([[0.18, -0.38], [0.14, -0.16], [0.17, 0.0], [0.22, 0.0], [0.20, -0.16], [0.28, -0.38]]),
    np.array([[0.27, -0.40], [0.29, -0.18], [0.34, 0.0], [0.39, 0.0], [0.35, -0.18], [0.36, -0.42]]),
)  # fmt: skip
