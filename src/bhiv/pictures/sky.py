"""Skies: gradient, sun or moon with its glow, clouds as soft bands, and stars."""

import cv2
import numpy as np

from bhiv.pictures.canvas import Canvas, Field, ramp, smooth
from bhiv.pictures.palette import Colour, Palette, luminance, mix, scale


def sky(
    canvas: Canvas, palette: Palette, horizon: float, sun: tuple[float, float], glow: float = 1.0, *, low: bool = False
) -> Field:
    """Return a coarse field of the sky down to `horizon`, going on below it; places are shares of width and height.

    The light gathers round `sun`; `glow` is its strength. `low` keeps all that is bright close to the horizon.
    """
    x, y = canvas.grid()
    top, middle, pale = palette.sky
    high = [(0.0, _dark(top)), (0.70, _dark(mix(top, middle, 0.4))), (0.90, middle)]
    rise = high if low else [(0.0, top), (0.58, middle)]
    ground = ramp(y / np.float32(horizon), [*rise, (1.0, pale), (1.3, mix(pale, middle, 0.4))])
    field = np.repeat(ground, x.shape[1], axis=1)
    ratio = np.float32(canvas.width / canvas.height)
    away = ((x - np.float32(sun[0])) * ratio) ** 2 + (y - np.float32(sun[1])) ** 2
    reach, strength = (0.055, 0.35) if low else (0.17, 0.60)
    wide = np.exp(-np.sqrt(away) / np.float32(reach)) * np.float32(strength * glow)
    close = np.exp(-away / np.float32(0.006 if low else 0.016)) * np.float32(0.20 * glow)
    field += (wide + close)[..., None] * np.asarray(mix(palette.sun, pale, 0.85), np.float32)
    return field


def _dark(tint: Colour) -> Colour:
    """Return the colour, no lighter than white text allows."""
    return scale(tint, min(0.11 / luminance(tint), 1.0))


def disc(canvas: Canvas, palette: Palette, place: tuple[float, float], radius: float, opacity: float = 1.0) -> None:
    """Draw the sun or the moon; `radius` in the canvas's units."""
    x, y = place[0] * canvas.width, place[1] * canvas.height
    canvas.glow(x, y, radius * canvas.unit * 1.15, palette.sun, 0.20)
    canvas.disc(x, y, radius * canvas.unit, palette.sun, opacity)


def clouds(
    canvas: Canvas, field: Field, palette: Palette, horizon: float, random: np.random.Generator, strength: float = 0.38
) -> None:
    """Lay thin bands of lit cloud into a coarse sky."""
    _, y = canvas.grid()
    rows, columns = field.shape[:2]
    noise = np.zeros((rows, columns), np.float32)
    for octave in (3, 7, 15):
        coarse = random.random((octave * 3, octave), dtype=np.float32)
        noise += cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC) / np.float32(octave**0.5)
    noise = (noise - noise.min()) / np.float32(max(float(np.ptp(noise)), 1e-6))
    band = np.exp(-(((y - np.float32(horizon * 0.62)) / np.float32(0.16)) ** 2))
    share = smooth((noise - np.float32(0.52)) * np.float32(3.2)) * band * np.float32(strength)
    lit = np.asarray(mix(palette.sky[1], palette.sky[2], 0.6), np.float32)
    field += (lit - field) * share[..., None]


def billows(random: np.random.Generator, rows: int, columns: int, cells: int, octaves: int) -> Field:
    """Return soft noise, 0 to 1: clouds of `cells` to the width, and finer ones on them."""
    noise = np.zeros((rows, columns), np.float32)
    for octave in range(octaves):
        across = cells * 2**octave
        down = max(round(across * rows / columns), 2)
        coarse = random.random((down + 1, across + 1), dtype=np.float32)
        full = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)
        # Value noise shows its lattice unless each cell is softened.
        noise += cv2.GaussianBlur(full, (0, 0), max(columns / across * 0.32, 0.5)) * np.float32(0.58**octave)
    return np.asarray((noise - noise.min()) / np.float32(max(float(np.ptp(noise)), 1e-6)), np.float32)


def stars(canvas: Canvas, random: np.random.Generator, horizon: float, count: int) -> None:
    """Strew stars over the sky, fewer and fainter towards the horizon."""
    scale = max(canvas.unit / 12, 0.4)
    for _ in range(count):
        x, y = random.random() * canvas.width, random.random() ** 1.5 * horizon * canvas.height
        fade = 1 - y / (horizon * canvas.height)
        bright = random.random() ** 3
        canvas.disc(x, y, (0.8 + 1.6 * bright) * scale, (0.85, 0.9, 1.0), float((0.25 + 0.75 * bright) * fade))
        if bright > 0.8:
            canvas.glow(x, y, 7 * scale, (0.7, 0.8, 1.0), 0.25 * fade)
