"""Under water: rays of light, the mud with a seed in it, and a stem on its way up."""

import cv2
import numpy as np
from numpy.typing import NDArray

from bhiv.pictures.canvas import Canvas, ellipse, ramp
from bhiv.pictures.palette import Colour, Palette, mix, scale
from bhiv.pictures.petals import flower
from bhiv.pictures.ridges import profile, ridge

#: How near the ground lies, see `Canvas.deepen`.
_NEAR = 0.4


def depths(canvas: Canvas, palette: Palette, motif: str, seed: int, low: bool) -> None:
    """Cover the canvas with a pond's inside: `seed`, `sprout` or `stem`; `low` keeps the upper half to text."""
    random = np.random.default_rng(seed)
    x = 0.5 if low or canvas.upright else 0.5 + float(random.choice([-0.13, 0.13]))
    _water(canvas, palette, x, random, 0.4 if low else 1.0)
    _dust(canvas, palette, random, 36)
    canvas.deepen(_NEAR)
    ground = _mud(canvas, palette, random)
    column = int(x * canvas.width)
    place = (x * canvas.width, float(ground[column]) + canvas.unit * 2.5)
    grow = {"seed": 0.0, "sprout": 0.16, "stem": 0.36 if low else 0.48}[motif] * canvas.height
    if motif == "stem":
        _stem(canvas, palette, place, grow, random)
    else:
        _sprout(canvas, palette, place, grow)
        _seed(canvas, palette, place)
    _dust(canvas, palette, random, 14)


def _water(canvas: Canvas, palette: Palette, x: float, random: np.random.Generator, bright: float) -> None:
    across, down = canvas.grid()
    top = scale(mix(mix(palette.mid, palette.sky[1], 0.7), palette.sky[2], 0.2), bright)
    stops = [
        (0.0, top),
        (0.22, scale(mix(palette.mid, palette.sky[1], 0.5), bright)),
        (0.62, palette.base),
        (1.0, palette.deep),
    ]
    field = np.repeat(ramp(down, stops), across.shape[1], axis=1)
    # Rays fan out from a source above the surface; their pattern is a line of noise over the angle.
    ratio = np.float32(canvas.width / canvas.height)
    angle = np.arctan2((across - np.float32(x)) * ratio, down + np.float32(0.35))
    beams = cv2.GaussianBlur(random.random((1, 240), dtype=np.float32), (0, 0), 2.6)
    beams = (beams - beams.min()) / np.float32(np.ptp(beams))
    index = np.clip((angle / np.float32(2.4) + np.float32(0.5)) * 239, 0, 239)
    rays = np.interp(index, np.arange(240), beams[0]).astype(np.float32) ** 2
    strength = rays * np.exp(-((angle / np.float32(0.55)) ** 2)) * np.clip(1 - down / np.float32(0.9), 0, 1) ** 1.2
    away = ((across - np.float32(x)) * ratio) ** 2 + down**2
    light = (strength * np.float32(0.42) + np.exp(-away / np.float32(0.10)) * np.float32(0.35)) * np.float32(bright)
    field += light[..., None] * np.asarray(mix(palette.sky[2], palette.sun, 0.4), np.float32)
    canvas.cover(field)


def _mud(canvas: Canvas, palette: Palette, random: np.random.Generator) -> NDArray[np.floating]:
    line: NDArray[np.floating] = np.zeros(canvas.width)
    for share, top in ((0.25, 0.60), (0.6, 0.635), (1.0, 0.67)):
        swell = profile(random, canvas.width, 1.8, 0.45)
        line = canvas.height * (top - 0.022 * swell)
        tint = mix(palette.mid, palette.near, 0.45 + 0.5 * share)
        _weeds(canvas, line, mix(palette.leaf, tint, 0.35 + 0.4 * share), random, 5)
        ridge(canvas, line, tint, scale(palette.near, 0.8), canvas.height * 0.16)
    return line


def _weeds(canvas: Canvas, line: NDArray[np.floating], tint: Colour, random: np.random.Generator, count: int) -> None:
    """Plant tufts of waving grass, away from the middle, where the story is."""
    for _ in range(count):
        aside = random.uniform(0.24, 0.52) * random.choice([-1, 1])
        x = (0.5 + aside) * canvas.width
        foot = float(line[int(np.clip(x, 0, canvas.width - 1))]) + canvas.unit
        blades = []
        for _ in range(6):
            tall, lean = canvas.height * random.uniform(0.06, 0.17), random.uniform(-0.35, 0.35)
            blades.append(_strand((x + random.normal() * canvas.unit * 1.6, foot), tall, lean, canvas.unit * 0.55, 0.0))
        canvas.polygons(blades, tint)


def _strand(foot: tuple[float, float], tall: float, lean: float, thick: float, keep: float) -> NDArray[np.floating]:
    """Return a curved strand's outline; `keep` is how much of its thickness its tip has."""
    at = np.linspace(0, 1, 24)
    middle = np.stack([foot[0] + lean * tall * at**1.8 + np.sin(at * 5) * tall * 0.03, foot[1] - tall * at], 1)
    half = (thick * (1 - (1 - keep) * at))[:, None] * (1.0, 0.0)
    return np.concatenate([middle - half, (middle + half)[::-1]])


def _seed(canvas: Canvas, palette: Palette, place: tuple[float, float]) -> None:
    size = canvas.unit * 3.1
    canvas.glow(place[0], place[1], size * 3.2, palette.accent, 0.55)
    canvas.glow(place[0], place[1], size * 1.5, palette.sun, 0.45)
    brown = mix(palette.accent, palette.near, 0.82)
    canvas.polygon(ellipse(place[0], place[1], size * 0.78, size), brown)
    canvas.polygon(
        ellipse(place[0] - size * 0.2, place[1] - size * 0.22, size * 0.42, size * 0.6), palette.accent, 0.30
    )
    canvas.polygon(ellipse(place[0] - size * 0.3, place[1] - size * 0.4, size * 0.15, size * 0.24), palette.sun, 0.75)


def _sprout(canvas: Canvas, palette: Palette, place: tuple[float, float], tall: float) -> None:
    if tall <= 0:
        return
    green = mix(scale(palette.leaf, 1.5), palette.accent, 0.22)
    canvas.glow(place[0], place[1] - tall, canvas.unit * 7, green, 0.4)
    canvas.polygon(_strand(place, tall, 0.10, canvas.unit * 0.75, 0.7), green)
    tip = (place[0] + 0.10 * tall, place[1] - tall)
    for side in (-1, 1):
        canvas.polygon(_leaf(tip, canvas.unit * 7.0, side), green if side < 0 else mix(green, palette.sun, 0.22))


def _leaf(root: tuple[float, float], long: float, side: int) -> NDArray[np.floating]:
    at = np.linspace(0, 1, 20)
    middle = np.stack([side * at * long, -long * 0.75 * np.sin(at * 1.5)], 1)
    half = np.stack([np.zeros(20), long * 0.24 * np.sin(np.pi * at**0.8)], 1)
    return np.concatenate([middle - half, (middle + half)[::-1]]) + root


def _stem(
    canvas: Canvas, palette: Palette, place: tuple[float, float], tall: float, random: np.random.Generator
) -> None:
    green = mix(scale(palette.leaf, 1.3), palette.accent, 0.16)
    for aside, share in ((-0.16, 0.62), (0.14, 0.45)):  # young leaves, still rolled up
        foot = (place[0] + aside * tall * 0.3, place[1] + canvas.unit)
        canvas.polygon(_strand(foot, tall * share, aside * 2.4, canvas.unit * 0.55, 0.7), mix(green, palette.mid, 0.45))
        tip = (foot[0] + aside * 2.4 * tall * share, foot[1] - tall * share)
        canvas.polygon(_leaf(tip, canvas.unit * 8, 1 if aside > 0 else -1), mix(green, palette.mid, 0.30))
    stem = _strand((place[0], place[1] + canvas.unit), tall, 0.06, canvas.unit * 0.95, 0.85)
    canvas.polygon(stem, green)
    canvas.polygon(stem - (canvas.unit * 0.2, 0), mix(green, palette.sun, 0.3), 0.25)
    tip = (place[0] + 0.06 * tall + np.sin(5) * tall * 0.03, place[1] + canvas.unit - tall)
    # The beams are so bright that its light shows only where they leave room: the two must not move apart.
    canvas.deepen(0)
    canvas.glow(tip[0], tip[1] - canvas.unit * 6, canvas.unit * 12, mix(palette.sky[2], palette.sun, 0.4), 0.45)
    canvas.deepen(_NEAR)
    bud = flower(canvas.unit * 15, 0.06, int(random.integers(1 << 30)))
    canvas.blend(bud.cover, tip[0] - bud.x, tip[1] - bud.y + canvas.unit * 0.4, bud.light)


def _dust(canvas: Canvas, palette: Palette, random: np.random.Generator, count: int) -> None:
    """Let motes drift in the light, sharp ones small and blurred ones large."""
    for _ in range(count):
        x, y = random.random() * canvas.width, random.random() ** 0.8 * 0.70 * canvas.height
        size = canvas.unit * random.uniform(0.10, 0.35)
        tint = mix(palette.sky[2], palette.sun, 0.5)
        canvas.glow(x, y, size * 3, tint, 0.18)
        canvas.disc(x, y, max(size * 0.6, 0.5), tint, random.uniform(0.2, 0.6))
