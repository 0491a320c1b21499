"""The lamp: clay lamps lit in the dark, and marigold petals round them."""

import numpy as np
from numpy.typing import NDArray

from bhiv.pictures.canvas import Canvas, ellipse, smooth
from bhiv.pictures.palette import Colour, Palette, colour, mix, scale
from bhiv.pictures.rosette import petal

_CLAY = colour("#b4552f")
_FIRE = (colour("#ff8a1c"), colour("#ffc34a"), colour("#fff3cf"))
#: The flame's half breadth and height, from its foot to its tip.
_FLAME = ((0.0, 0.0), (0.16, 0.03), (0.235, 0.14), (0.25, 0.27), (0.21, 0.44), (0.14, 0.62), (0.07, 0.80), (0.0, 1.0))


def lamps(canvas: Canvas, palette: Palette, seed: int, low: bool) -> None:
    """Cover the canvas with a lit lamp on a dark floor, others out of focus behind it; `low` leaves room above."""
    random = np.random.default_rng(seed)
    side = 0.5 if low or canvas.upright else 0.5 + float(random.choice([-0.14, 0.14]))
    floor = 0.60
    _room(canvas, palette, side, floor, 0.45 if low else 1.0)
    _blurred(canvas, random, side, floor, low)
    canvas.deepen(0.5)
    size = min(canvas.height * (0.17 if low else 0.225), canvas.width * 0.26)
    place = (side * canvas.width, canvas.height * (0.735 if low else 0.725))
    _scattered(canvas, palette, random, place, size)
    _diya(canvas, palette, place, size, 1.0)
    _embers(canvas, random, place, size)


def _room(canvas: Canvas, palette: Palette, x0: float, floor: float, bright: float) -> None:
    x, y = canvas.grid()
    ratio = np.float32(canvas.width / canvas.height)
    warm = np.asarray(mix(_FIRE[0], palette.mid, 0.45), np.float32)
    wall = np.asarray(mix(palette.deep, palette.base, 0.6), np.float32)
    away = ((x - np.float32(x0)) * ratio) ** 2 + ((y - np.float32(0.52)) * np.float32(1.15)) ** 2
    light = np.exp(-np.sqrt(away) / np.float32(0.17)) * np.float32(0.42 * bright)
    field = wall * (1 - np.float32(0.55) * np.abs(y - np.float32(0.45)))[..., None] + light[..., None] * warm
    ground = smooth((y - np.float32(floor)) / np.float32(0.05))
    pool = ((x - np.float32(x0)) * ratio / np.float32(0.62)) ** 2 + ((y - np.float32(0.74)) / np.float32(0.115)) ** 2
    lit = np.asarray(mix(palette.near, palette.deep, 0.4), np.float32) * np.float32(0.9)
    lit = lit + np.exp(-pool)[..., None] * np.asarray(mix(_FIRE[0], palette.base, 0.25), np.float32) * np.float32(0.42)
    field = field + (lit - field) * ground[..., None]
    canvas.cover(np.ascontiguousarray(field.astype(np.float32)))


def _blurred(canvas: Canvas, random: np.random.Generator, side: float, floor: float, low: bool) -> None:
    """Draw lamps far behind as discs of light, smaller the farther they stand."""
    unit = canvas.unit
    for row, (y, size, count) in enumerate(
        ((floor - 0.012, 1.5, 15), (floor + 0.022, 2.4, 9), (floor + 0.065, 3.6, 6))
    ):
        for number in range(count):
            x = (number + 0.5 + random.uniform(-0.2, 0.2)) / count
            if abs(x - side) < 0.10 + 0.03 * row:
                continue
            place = (x * canvas.width, (y + random.uniform(-0.006, 0.006)) * canvas.height)
            radius = unit * size * random.uniform(0.8, 1.15)
            canvas.glow(place[0], place[1], radius * 2.2, _FIRE[0], 0.30)
            canvas.disc(place[0], place[1], radius, mix(_FIRE[0], _FIRE[1], random.random()), 0.30)
            canvas.ring(place[0], place[1], radius, radius * 0.12, _FIRE[1], 0.20)
    for _ in range(0 if low else 16):
        x, y = random.random() * canvas.width, random.uniform(0.04, 0.5) * canvas.height
        canvas.disc(
            x, y, unit * random.uniform(1.0, 4.2), mix(_FIRE[0], _FIRE[1], random.random()), random.uniform(0.03, 0.10)
        )


def _scattered(
    canvas: Canvas, palette: Palette, random: np.random.Generator, place: tuple[float, float], size: float
) -> None:
    """Strew marigold petals on the floor, flat as they are seen there."""
    for _ in range(70):
        away, turn = size * random.uniform(0.75, 2.3), random.uniform(0, 2 * np.pi)
        spot = np.array([place[0] + np.cos(turn) * away, place[1] + np.sin(turn) * away * 0.20])
        if spot[1] > canvas.height * 0.79:
            continue
        outline = petal((0.0, 0.0), random.uniform(0, 6.3), 0, size * 0.13, size * 0.045) * (1, 0.42) + spot
        near = float(np.exp(-away / (size * 1.9)))
        tint = mix(mix(_FIRE[0], _FIRE[1], random.random()), palette.deep, 0.75 - 0.65 * near)
        canvas.polygon(outline + np.array([0, size * 0.010]), (0.0, 0.0, 0.0), 0.35)
        canvas.polygon(outline, tint)


def _diya(canvas: Canvas, palette: Palette, place: tuple[float, float], size: float, opacity: float) -> None:
    """Draw a clay lamp `size` pixels in half breadth; its flame is as tall as it is broad."""
    x, y = place
    dark = mix(scale(_CLAY, 0.20), palette.deep, 0.35)
    for grow in (1.0, 0.82, 0.66):
        canvas.polygon(ellipse(x, y + size * 0.005, size * 0.86 * grow, size * 0.115 * grow), (0.0, 0.0, 0.0), 0.26)
    at = np.linspace(0, np.pi, 40)
    bowl = np.stack(
        [x + np.cos(at) * size * (0.62 + 0.38 * np.cos(at) ** 2), y - size * 0.52 + np.sin(at) * size * 0.54], 1
    )
    canvas.polygon(bowl, mix(dark, _CLAY, 0.38), opacity)
    for band, lit in ((0.92, 0.55), (0.80, 0.72), (0.62, 0.92)):  # light from the flame runs down its belly
        inner = np.stack(
            [
                x + np.cos(at) * size * (0.62 + 0.38 * np.cos(at) ** 2) * band,
                y - size * 0.52 + np.sin(at) * size * 0.54 * (band - 0.10),
            ],
            1,
        )
        canvas.polygon(inner, mix(dark, _CLAY, lit), 0.5)
    rim = (x, y - size * 0.52)
    canvas.polygon(ellipse(*rim, size, size * 0.205), mix(_CLAY, _FIRE[0], 0.35))
    canvas.polygon(ellipse(rim[0], rim[1] + size * 0.012, size * 0.90, size * 0.165), mix(dark, _CLAY, 0.45))
    canvas.polygon(ellipse(rim[0], rim[1] + size * 0.045, size * 0.80, size * 0.120), mix(_FIRE[0], _CLAY, 0.45))
    canvas.polygon(ellipse(rim[0] - size * 0.1, rim[1] + size * 0.055, size * 0.46, size * 0.060), _FIRE[1], 0.55)
    _dots(canvas, (x, y), size)
    _flame(canvas, (rim[0], rim[1] + size * 0.05), size * 1.18)


def _dots(canvas: Canvas, place: tuple[float, float], size: float) -> None:
    """Paint the row of dots that potters put below the rim."""
    for turn in np.linspace(0.45, np.pi - 0.45, 9):
        x = place[0] + np.cos(turn) * size * 0.80
        y = place[1] - size * 0.40 + np.sin(turn) * size * 0.20
        canvas.polygon(ellipse(float(x), float(y), size * 0.030, size * 0.034), mix(_FIRE[1], _FIRE[2], 0.4), 0.8)


def _flame(canvas: Canvas, foot: tuple[float, float], tall: float) -> None:
    x, y = foot
    canvas.glow(x, y - tall * 0.45, tall * 0.95, _FIRE[0], 0.50)
    canvas.glow(x, y - tall * 0.38, tall * 0.42, _FIRE[1], 0.55)
    for grow, tint, opacity in ((1.0, _FIRE[0], 0.85), (0.80, _FIRE[1], 0.95), (0.52, _FIRE[2], 1.0)):
        outline = _teardrop(tall * grow) + np.array([x, y - tall * 0.02])
        canvas.polygon(outline, tint, opacity)
    wick = np.array([[-0.012, 0.0], [-0.008, -0.13], [0.008, -0.13], [0.012, 0.0]]) * tall + (x, y)
    canvas.polygon(wick, (0.02, 0.01, 0.01), 0.8)


def _teardrop(tall: float) -> NDArray[np.floating]:
    points = np.array(_FLAME)
    at = np.linspace(0, 1, 40)
    place = np.linspace(0, 1, len(points))
    half, high = np.interp(at, place, points[:, 0]), np.interp(at, place, points[:, 1])
    half = np.convolve(np.pad(half, 3, mode="reflect", reflect_type="odd"), np.ones(7) / 7, "valid")
    sway = 0.05 * high**2
    right = np.stack([half + sway, -high], 1)
    left = np.stack([-half + sway, -high], 1)
    return np.asarray(np.concatenate([right, left[::-1]]) * tall)


def _embers(canvas: Canvas, random: np.random.Generator, place: tuple[float, float], size: float) -> None:
    tints: tuple[Colour, ...] = (_FIRE[1], _FIRE[2])
    for _ in range(16):
        x = place[0] + random.normal() * size * 0.9
        y = place[1] - size * random.uniform(0.9, 2.3)
        radius = canvas.unit * random.uniform(0.08, 0.22)
        canvas.glow(x, y, radius * 4, _FIRE[0], 0.3)
        canvas.disc(x, y, max(radius, 0.5), tints[int(random.integers(2))], 0.7)
