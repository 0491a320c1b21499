"""Land: ridges behind each other in haze, and trees on them."""

import numpy as np
from numpy.typing import NDArray

from bhiv.pictures.canvas import Canvas, quantile, repeated, smooth
from bhiv.pictures.palette import Colour, Palette, mix

Profile = NDArray[np.floating]


def profile(random: np.random.Generator, width: int, waves: float, roughness: float, octaves: int = 7) -> Profile:
    """Return heights, about -1 to 1, across a width in pixels: value noise, its octaves falling by `roughness`."""
    at = np.linspace(0, 1, width)
    heights = np.zeros(width)
    for octave in range(octaves):
        frequency = waves * 2**octave
        knots = random.uniform(-1, 1, int(frequency) + 3)
        place = at * frequency
        index, rest = place.astype(int), place % 1
        rest = rest * rest * (3 - 2 * rest)
        heights += (knots[index] * (1 - rest) + knots[index + 1] * rest) * roughness**octave
    return heights


def ridge(canvas: Canvas, line: Profile, top: Colour, foot: Colour, depth: float) -> None:
    """Fill the land under a line of y per column, from `top` at the line to `foot`, its haze, `depth` pixels lower."""
    first = int(max(np.floor(line.min()), 0))
    if first >= canvas.height:
        return
    rows = np.arange(first, canvas.height, dtype=np.float32)
    share = smooth((rows - first) / np.float32(max(depth, 1)))[:, None]
    shades = np.asarray(top, np.float32) * (1 - share) + np.asarray(foot, np.float32) * share
    solid = int(np.clip(np.ceil(line.max()) + 1, first, canvas.height))
    edge = np.arange(first, solid, dtype=np.float32)[:, None] + np.float32(1) - line.astype(np.float32)[None, :]
    above, below = np.split(shades[:, None], [solid - first])
    if solid > first:
        canvas.blend(np.clip(edge, 0, 1).astype(np.float32), 0, first, repeated(above, canvas.width))
    canvas.replace(solid, below)


def range_of(
    canvas: Canvas,
    palette: Palette,
    random: np.random.Generator,
    *,
    start: float,
    end: float,
    layers: int,
    rise: float,
    distances: tuple[float, float] = (0.35, 1.0),
) -> Profile:
    """Draw ridges from far to near between two shares of the height, each darker; return the nearest one's line.

    `distances` are those of the farther and of the nearer half, see `Canvas.deepen`.
    """
    line = np.zeros(canvas.width)
    for layer in range(layers):
        canvas.deepen(distances[layer >= (layers + 1) // 2])
        near = layer / max(layers - 1, 1)
        waves = 1.3 + 1.2 * near + random.uniform(0, 0.5)
        shape = profile(random, canvas.width, waves * max(canvas.width / canvas.height, 0.7), 0.46 - 0.05 * near)
        base = canvas.height * (start + (end - start) * near**1.1)
        line = base - canvas.height * rise * (1 - 0.45 * near) * shape
        top = mix(palette.far, palette.near, near**0.8)
        haze = mix(top, palette.sky[2], 0.42 * (1 - near) ** 1.1)
        ridge(canvas, line, top, haze, canvas.height * 0.20)
    return line


def conifers(
    canvas: Canvas, line: Profile, tint: Colour, random: np.random.Generator, *, tall: float, crowd: float
) -> None:
    """Plant firs `tall` pixels high along a line, on a share of it, `crowd`; none where it lies below the canvas."""
    grove = profile(random, canvas.width, 3.0, 0.5, 4)
    limit = quantile(grove, 1 - crowd)
    outlines: list[NDArray[np.floating]] = []
    x = 0.0
    while x < canvas.width:
        column = min(int(x), canvas.width - 1)
        if grove[column] > limit and line[column] < canvas.height:
            edge = min((grove[column] - limit) * 2.5, 1.0)
            outlines += _fir(x, line[column] + tall * 0.1, tall * random.uniform(0.45, 1.0) * (0.45 + 0.55 * edge))
        x += tall * random.uniform(0.07, 0.2)
    canvas.polygons(outlines, tint)


def _fir(x: float, y: float, tall: float) -> list[NDArray[np.floating]]:
    tiers = []
    for tier in range(5):
        down, half = tier / 5, tall * 0.17 * (0.28 + tier / 5)
        peak, hem = y - tall * (1 - down * 0.8), y - tall * (0.64 - down * 0.8)
        tiers.append(np.array([[x, peak], [x - half, hem], [x, hem - tall * 0.03], [x + half, hem]]))
    return tiers
