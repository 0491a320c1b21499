"""Rain: a monsoon over hills and fields, with water standing in front."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bhiv.pictures.canvas import Canvas, Field, ellipse, ramp, smooth
from bhiv.pictures.palette import Colour, Palette, mix, scale
from bhiv.pictures.ridges import profile, range_of, ridge
from bhiv.pictures.sky import billows
from bhiv.pictures.water import mirror, rings


def rain(canvas: Canvas, palette: Palette, random: np.random.Generator, low: bool) -> None:
    """Draw clouds, hills in the mist, palms, falling rain and rings on the water; `low` leaves room above."""
    _clouds(canvas, palette, random, low)
    canvas.deepen(0.5)
    # Under clouds the distance is grey.
    grey = mix(palette.sky[0], palette.sky[1], 0.45)
    palette = replace(
        palette, far=mix(palette.far, grey, 0.55), sky=(*palette.sky[:2], mix(palette.sky[2], grey, 0.45))
    )
    range_of(canvas, palette, random, start=0.50, end=0.615, layers=4, rise=0.045, distances=(0.5, 0.5))
    _mist(canvas, palette, 0.60, 0.20)
    _streaks(canvas, palette, random, 150, 0.10, 0.62)
    field = canvas.height * (0.635 - 0.008 * profile(random, canvas.width, 1.4, 0.4))
    meadow = mix(mix(palette.leaf, palette.near, 0.35), palette.sky[1], 0.10)
    side = float(random.choice([0.2, 0.8]))
    tall = canvas.height * (0.20 if low else 0.36)
    dark, gust = mix(palette.near, palette.leaf, 0.25), -1.0
    for aside, share, lean in ((0.0, 1.0, -0.16), (0.085, 0.72, -0.10), (-0.075, 0.60, -0.2)):
        x = side * canvas.width + aside * canvas.unit * 140
        y = float(field[int(np.clip(x, 0, canvas.width - 1))]) + canvas.unit
        _palm(canvas, (x, y), tall * share, lean, mix(dark, palette.sky[1], 0.16 * (1 - share)), gust)
    ridge(canvas, field, meadow, mix(meadow, palette.near, 0.6), canvas.height * 0.06)
    mirror(canvas, palette, 0.665, random)
    canvas.deepen(1)
    _bank(canvas, palette, random)
    for _ in range(13):
        x, y = random.uniform(0.04, 0.96) * canvas.width, random.uniform(0.685, 0.775) * canvas.height
        size = canvas.unit * random.uniform(1.2, 3.2) * (0.5 + (y / canvas.height - 0.685) * 9)
        rings(canvas, mix(palette.sky[2], palette.sun, 0.3), x, y, size, 3)
    _streaks(canvas, palette, random, 110, 0.24, 0.76)


def _palm(canvas: Canvas, foot: tuple[float, float], tall: float, lean: float, tint: Colour, gust: float) -> None:
    """Draw a palm that the wind bends: `lean` is how far its crown stands aside, `gust` where its leaves blow."""
    at = np.linspace(0, 1, 24)
    middle = np.stack([foot[0] + lean * tall * at**1.7, foot[1] - tall * at], 1)
    half = (tall * (0.022 - 0.010 * at))[:, None] * (1.0, 0.0)
    crown = middle[-1]
    outlines = [np.concatenate([middle - half, (middle + half)[::-1]])]
    for turn in (-2.75, -2.3, -1.85, -1.4, -0.95, -0.5, -0.1, 0.25, -3.05):
        outlines += _frond(crown, tall * (0.46 + 0.05 * np.sin(turn * 7)), turn, gust)
    outlines += [
        ellipse(crown[0] + dx * tall, crown[1] + 0.02 * tall, tall * 0.022, tall * 0.026) for dx in (-0.02, 0.02)
    ]
    canvas.polygons(outlines, tint)


def _frond(crown: NDArray[np.floating], long: float, turn: float, gust: float) -> Iterator[NDArray[np.floating]]:
    """Yield a leaf's rib and leaflets: it starts towards `turn`, sinks by its weight and is blown aside."""
    at = np.linspace(0, 1, 15)
    x = crown[0] + long * (np.cos(turn) * at + gust * 0.30 * at**2)
    y = crown[1] + long * (np.sin(turn) * at + 0.62 * at**2.1)
    rib = np.stack([x, y], 1)
    thin = (long * 0.014 * (1 - at))[:, None] * (0.3, 1.0)
    yield np.concatenate([rib - thin, (rib + thin)[::-1]])
    along = np.gradient(rib, axis=0)
    along /= np.hypot(along[:, 0], along[:, 1])[:, None]
    for index in range(2, 15):
        size = long * 0.26 * np.sin(np.pi * (0.16 + 0.80 * at[index])) ** 0.8
        for side in (-1, 1):
            across = np.array([-along[index][1], along[index][0]]) * side
            tip = rib[index] + (along[index] * 0.75 + across * 0.55 + (gust * 0.12, 0.38)) * size
            yield np.stack([rib[index] - along[index] * long * 0.022, tip, rib[index] + along[index] * long * 0.030])


def _clouds(canvas: Canvas, palette: Palette, random: np.random.Generator, low: bool) -> None:
    x, y = canvas.grid()
    heavy = mix(scale(mix(palette.sky[0], palette.near, 0.35), 0.8), (0.05, 0.06, 0.08), 0.35)
    pale = mix(palette.sky[2], palette.sky[1], 0.45)
    stops: list[tuple[float, Colour]] = [
        (0.0, heavy),
        (0.45, mix(heavy, palette.sky[1], 0.35)),
        (0.62, mix(pale, palette.sky[1], 0.2)),
    ]
    if low:
        stops = [
            (0.0, scale(heavy, 0.75)),
            (0.40, scale(mix(heavy, palette.sky[1], 0.2), 0.9)),
            (0.62, mix(pale, palette.sky[1], 0.5)),
        ]
    field = np.repeat(ramp(y, stops), x.shape[1], axis=1)
    rows, columns = field.shape[:2]
    billow = billows(random, rows, columns, 4, 5)
    # Cloud bottoms are dark and hang lower where the noise is high.
    hang = smooth((billow * np.float32(0.50) + np.float32(0.16) - y) / np.float32(0.13))
    lit = smooth((billow - np.float32(0.50)) * np.float32(2.6)) * smooth((np.float32(0.48) - y) / np.float32(0.3))
    _toward(field, hang * np.float32(0.72), scale(heavy, 0.50))
    _toward(field, lit * np.float32(0.10 if low else 0.30), pale)
    canvas.cover(np.ascontiguousarray(field))


def _toward(field: Field, share: Field, tint: Colour) -> None:
    field += (np.asarray(tint, np.float32) - field) * share[..., None]


def _mist(canvas: Canvas, palette: Palette, centre: float, strength: float) -> None:
    _, y = canvas.grid()
    share = np.exp(-(((y - np.float32(centre)) / np.float32(0.05)) ** 2)) * np.float32(strength)
    full = canvas.enlarge(np.repeat(share, max(canvas.width // 8, 2), axis=1).astype(np.float32))
    canvas.blend(full, 0, 0, mix(palette.sky[2], palette.sky[1], 0.4))


def _streaks(
    canvas: Canvas, palette: Palette, random: np.random.Generator, count: int, opacity: float, bottom: float
) -> None:
    """Draw falling drops as slanting lines; nearer ones, the longer and the brighter they are."""
    tint = mix(palette.sky[2], palette.sun, 0.4)
    thin = max(canvas.unit * (0.07 + opacity * 0.25), 0.35)
    drops = []
    for _ in range(count):
        long = canvas.unit * random.uniform(3.5, 9) * (0.6 + opacity * 2.2)
        x, y = random.uniform(-0.05, 1.08) * canvas.width, random.uniform(0.0, bottom) * canvas.height
        tip = min(y + long, bottom * canvas.height)
        lean = (tip - y) * 0.20
        drops.append(np.array([[x, y], [x + thin * 0.6, y], [x - lean + thin, tip], [x - lean - thin, tip]]))
    for share in range(3):
        canvas.polygons(drops[share::3], tint, opacity * (0.55 + 0.3 * share))


def _bank(canvas: Canvas, palette: Palette, random: np.random.Generator) -> None:
    """Draw the near bank, with grass, below the water."""
    line = canvas.height * (0.795 - 0.012 * profile(random, canvas.width, 1.5, 0.45))
    blades = []
    x = 0.0
    while x < canvas.width:
        foot = float(line[min(int(x), canvas.width - 1)]) + canvas.unit * 0.4
        tall, lean = canvas.unit * random.uniform(0.8, 2.6), canvas.unit * random.uniform(-0.9, 0.3)
        blades.append(
            np.array([[x - canvas.unit * 0.12, foot], [x + lean, foot - tall], [x + canvas.unit * 0.12, foot]])
        )
        x += canvas.unit * random.uniform(0.25, 1.3)
    tint = mix(palette.near, palette.leaf, 0.18)
    canvas.polygons(blades, tint)
    ridge(canvas, line, tint, palette.near, canvas.height * 0.12)
