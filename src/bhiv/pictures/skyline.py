"""Buildings against the sky: a temple on a far shore, a city at night."""

import numpy as np

from bhiv.pictures.canvas import Canvas
from bhiv.pictures.palette import Colour, Palette, mix

#: Right half of a north Indian temple tower from its top to the ground: half breadth and height, of a height of 1.
_TOWER = (
    (0.0, 1.0), (0.012, 0.97), (0.012, 0.945), (0.03, 0.93), (0.03, 0.915), (0.012, 0.90), (0.075, 0.885),
    (0.09, 0.865), (0.075, 0.845), (0.06, 0.835), (0.085, 0.76), (0.115, 0.66), (0.142, 0.54), (0.162, 0.42),
    (0.172, 0.32), (0.20, 0.315), (0.20, 0.285), (0.18, 0.28), (0.18, 0.09), (0.23, 0.085), (0.23, 0.0),
)  # fmt: skip


def temple(canvas: Canvas, x: float, ground: float, tall: float, tint: Colour) -> None:
    """Draw a temple's silhouette: one high tower, two low ones and a hall, standing on `ground`."""
    half = np.array(_TOWER)
    outline = np.concatenate([half, half[::-1] * (-1, 1)])
    towers = ((0.0, 1.0), (-0.36, 0.62), (0.33, 0.56), (0.62, 0.36))
    parts = [outline * (tall * size, -tall * size) + (x + aside * tall, ground) for aside, size in towers]
    parts.append(np.array([[-0.72, 0], [-0.72, 0.06], [0.86, 0.06], [0.86, 0]]) * (tall, -tall) + (x, ground))
    canvas.polygons(parts, tint)
    canvas.polygon(np.array([[0, 0.98], [0.0, 1.09], [0.085, 1.055], [0.0, 1.03]]) * (tall, -tall) + (x, ground), tint)


def city(canvas: Canvas, palette: Palette, ground: float, random: np.random.Generator, rise: float) -> None:
    """Draw three rows of towers from far to near, with lit windows in the nearest, standing on `ground` in pixels.

    `rise` scales their heights.
    """
    for row, (share, height) in enumerate(((0.12, 0.46 * rise), (0.48, 0.34 * rise), (0.92, 0.20 * rise))):
        tint = mix(palette.far, palette.near, share)
        x = -canvas.unit * 4
        while x < canvas.width:
            wide = canvas.unit * random.uniform(3.5, 9.5)
            tall = canvas.height * height * random.uniform(0.45, 1.0) ** 1.2
            _tower(canvas, x, ground, wide, tall, tint)
            if row:
                _windows(canvas, palette, x, ground, wide, tall, random, 0.16 * row)
            x += wide * random.uniform(0.96, 1.2)


def _tower(canvas: Canvas, x: float, ground: float, wide: float, tall: float, tint: Colour) -> None:
    top = ground - tall
    canvas.polygon(np.array([[x, top], [x + wide, top], [x + wide, ground + 1], [x, ground + 1]]), tint)
    if tall > wide * 3:
        step, roof = wide * 0.24, top - wide * 0.28
        canvas.polygon(
            np.array([[x + step, top], [x + step, roof], [x + wide - step, roof], [x + wide - step, top]]), tint
        )
        mast = np.array([[x + wide * 0.49, roof], [x + wide * 0.5, roof - wide], [x + wide * 0.53, roof]])
        canvas.polygon(mast, tint)


def _windows(
    canvas: Canvas,
    palette: Palette,
    x: float,
    ground: float,
    wide: float,
    tall: float,
    random: np.random.Generator,
    lit: float,
) -> None:
    pane = max(canvas.unit * 0.5, 1.0)
    shape = np.array([[0, 0], [1, 0], [1, 1.3], [0, 1.3]]) * pane
    places = [
        np.array([left, top])
        for left in np.arange(x + pane * 1.4, x + wide - pane * 2, pane * 2.0)
        for top in np.arange(ground - tall + pane * 2, ground, pane * 2.4)
    ]
    panes = [shape + place for place in places if random.random() < lit]
    canvas.polygons(panes, mix(palette.accent, palette.far, 0.35), 0.75)
