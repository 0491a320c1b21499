"""Backdrops of slides: soft fields of a palette's dark colours."""

import numpy as np

from bhiv.pictures.canvas import Canvas
from bhiv.pictures.palette import Palette, mix


def slide(canvas: Canvas, palette: Palette, seed: int) -> None:
    """Cover the canvas with drifting fields of colour, darker towards the rim and calm where captions go."""
    random = np.random.default_rng(seed)
    x, y = canvas.grid()
    across = x * np.float32(canvas.width / canvas.height)
    light = np.broadcast_to(np.asarray(palette.base, np.float32), (y.shape[0], x.shape[1], 3)).copy()
    spots = [palette.mid, palette.deep, mix(palette.base, palette.mid, 0.5), palette.deep]
    # The bright field keeps to a side, so that the eye goes through the text and not around it.
    side = 1 if random.random() < 0.5 else 0
    centres = [(0.92 if side else 0.12, -0.05), (0.1 if side else 0.9, 0.25), (0.75 if side else 0.3, 0.5), (0.5, 1.1)]
    for colour, (cx, cy), reach in zip(spots, centres, (0.55, 0.6, 0.5, 0.55), strict=True):
        cx, cy = cx + random.uniform(-0.08, 0.08), cy + random.uniform(-0.08, 0.08)
        away = (across - np.float32(cx * canvas.width / canvas.height)) ** 2 + (y - np.float32(cy)) ** 2
        share = np.exp(-away / np.float32(reach**2))[..., None] * np.float32(0.85)
        light += (np.asarray(colour, np.float32) - light) * share
    light *= (1 - 0.45 * ((x - 0.5) ** 2 + (y - 0.45) ** 2))[..., None].astype(np.float32)
    canvas.cover(light.astype(np.float32))


def ripple(canvas: Canvas, palette: Palette, seed: int) -> None:
    """Draw faint rings around a corner, as texture for a slide that has only text."""
    random = np.random.default_rng(seed + 1)
    x, y = canvas.width * random.uniform(0.86, 0.97), canvas.height * random.uniform(0.06, 0.3)
    tint = mix(palette.mid, palette.accent, 0.6)
    for ring in range(5):
        canvas.ring(x, y, canvas.unit * (16 + 11 * ring), max(canvas.unit * 0.2, 0.6), tint, 0.20 * (1 - ring / 6))
    canvas.glow(x, y, canvas.unit * 16, palette.mid, 0.25)
