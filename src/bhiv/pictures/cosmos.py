"""Space: stars, a nebula, and a planet in the light of a star outside the picture."""

import cv2
import numpy as np

from bhiv.pictures.canvas import Canvas, Field, smooth
from bhiv.pictures.palette import Colour, Palette, mix, scale
from bhiv.pictures.sky import billows, stars


def space(canvas: Canvas, palette: Palette, random: np.random.Generator, low: bool) -> None:
    """Draw a ringed planet at a side, or, where `low` leaves room above, a planet's limb across the lower half."""
    _nebula(canvas, palette, random, low)
    stars(canvas, random, 1.15, 260)
    canvas.deepen(1)
    if low:
        reach = max(canvas.width * 0.72, canvas.height * 0.6)
        _planet(canvas, palette, random, (0.5 * canvas.width, canvas.height * 0.53 + reach), reach, (0.10, 0.74, -0.62))
        return
    side = float(random.choice([0.30, 0.70]))
    radius = min(canvas.unit * 25, canvas.width * 0.27)
    place = (side * canvas.width, canvas.height * 0.40)
    tilt = float(random.choice([-0.30, 0.30]))
    _rings(canvas, palette, place, radius, tilt, behind=True)
    _planet(canvas, palette, random, place, radius)
    _rings(canvas, palette, place, radius, tilt, behind=False)
    # Above the rings, which in an upright picture reach across it.
    rows = (0.13, 0.20) if canvas.upright else (0.22, 0.34)
    moon = (canvas.width * (1 - side) + canvas.unit * random.uniform(-6, 6), canvas.height * random.uniform(*rows))
    _planet(canvas, palette, random, moon, canvas.unit * 4.6, plain=True)


def _nebula(canvas: Canvas, palette: Palette, random: np.random.Generator, low: bool) -> None:
    x, y = canvas.grid()
    rows, columns = y.shape[0], x.shape[1]
    deep = np.asarray(scale(palette.deep, 0.55), np.float32)
    field = np.broadcast_to(deep, (rows, columns, 3)).copy()
    tints = (palette.mid, mix(palette.sky[1], palette.mid, 0.3), mix(palette.accent, palette.mid, 0.55))
    slope = float(random.choice([-0.55, 0.55]))
    for tint, strength, offset in zip(tints, (0.85, 0.55, 0.30), (0.0, 0.07, -0.05), strict=True):
        cloud = billows(random, rows, columns, 4, 6)
        band = np.exp(
            -(((y - np.float32(0.36 + offset) + (x - np.float32(0.5)) * np.float32(slope)) / np.float32(0.24)) ** 2)
        )
        dense = smooth((cloud - np.float32(0.36)) * np.float32(2.0))
        share = dense * band * np.float32(strength * (0.35 if low else 0.8))
        field += share[..., None] * np.asarray(tint, np.float32)
    # Captions are read on the dark lower part.
    field *= (1 - np.float32(0.6) * smooth((y - np.float32(0.62)) / np.float32(0.3)))[..., None]
    canvas.cover(np.ascontiguousarray(field))


def _planet(
    canvas: Canvas,
    palette: Palette,
    random: np.random.Generator,
    place: tuple[float, float],
    radius: float,
    lamp: tuple[float, float, float] = (0.62, 0.58, 0.42),
    *,
    plain: bool = False,
) -> None:
    """Draw what the canvas shows of a globe lit from `lamp` (left, above, before it); a plain one has no air."""
    x, y = place
    if not plain:
        _air(canvas, palette, place, radius, lamp)
    left, top = max(int(x - radius), 0), max(int(y - radius), 0)
    right, bottom = min(int(x + radius) + 1, canvas.width), min(int(y + radius) + 1, canvas.height)
    if right - left < 2 or bottom - top < 2:
        return
    # A globe is soft inside: half the size is enough, its edge comes from the mask.
    columns, rows = max((right - left) // 2, 2), max((bottom - top) // 2, 2)
    across = (np.linspace(left, right, columns, dtype=np.float32)[None, :] - np.float32(x)) / np.float32(radius)
    down = (np.linspace(top, bottom, rows, dtype=np.float32)[:, None] - np.float32(y)) / np.float32(radius)
    toward = np.sqrt(np.clip(1 - across**2 - down**2, 0, 1))
    lit = np.clip(-across * np.float32(lamp[0]) - down * np.float32(lamp[1]) + toward * np.float32(lamp[2]), 0, 1)
    surface = _surface(palette, random, across, down, plain)
    far = lamp[2] < 0
    light = surface * ((lit**1.9 * np.float32(0.75) if far else lit**0.8) + np.float32(0.012))[..., None]
    if not plain:
        edge = (1 - toward) ** (5 if far else 3) * lit
        light += edge[..., None] * np.asarray(palette.sky[2], np.float32) * np.float32(1.6 if far else 0.9)
    full = cv2.resize(light.astype(np.float32), (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    mask = np.zeros((bottom - top, right - left), np.uint8)
    turn = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    outline = np.stack([x - left + radius * np.cos(turn), y - top + radius * np.sin(turn)], 1)
    cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    canvas.blend(mask, left, top, np.asarray(full, np.float32))


def _air(
    canvas: Canvas, palette: Palette, place: tuple[float, float], radius: float, lamp: tuple[float, float, float]
) -> None:
    """Let the air round a globe shine on its lit side, thinner the higher it is."""
    x, y = canvas.grid()
    across, down = (
        x * np.float32(canvas.width) - np.float32(place[0]),
        y * np.float32(canvas.height) - np.float32(place[1]),
    )
    away = np.sqrt(across**2 + down**2)
    above = np.maximum(away - np.float32(radius), 0)
    side = np.clip(
        (-across * np.float32(lamp[0]) - down * np.float32(lamp[1])) / np.maximum(away, 1) + np.float32(0.25), 0, 1
    )
    thick = np.float32(canvas.unit * (2.0 if lamp[2] > 0 else 3.6))
    light = (np.exp(-above / thick) * np.float32(0.55) + np.exp(-above / (thick * 4)) * np.float32(0.16)) * side
    tint = np.asarray(mix(palette.sky[1], palette.sky[2], 0.45), np.float32)
    canvas.add(canvas.enlarge((light[..., None] * tint).astype(np.float32)), 0, 0)


def _surface(palette: Palette, random: np.random.Generator, across: Field, down: Field, plain: bool) -> Field:
    if plain:
        stone = mix(palette.muted, palette.far, 0.5)
        return np.asarray(
            np.broadcast_to(np.asarray(stone, np.float32), (down.shape[0], across.shape[1], 3)), np.float32
        )
    wave = np.sin(across * np.float32(2.4) + np.float32(random.uniform(0, 6))) * np.float32(0.05)
    latitude = (down * np.float32(0.94) + across * np.float32(0.30) + wave + 1) / 2
    knots = random.random(26).astype(np.float32)
    knots = np.convolve(np.pad(knots, 1, mode="edge"), np.array([0.25, 0.5, 0.25]), "valid")
    band = np.interp(np.clip(latitude, 0, 1) * 25, np.arange(26), knots).astype(np.float32)
    band = (band - knots.min()) / np.float32(max(float(np.ptp(knots)), 1e-6))
    first, second = (
        np.asarray(mix(palette.far, palette.sky[1], 0.4), np.float32),
        np.asarray(mix(palette.sky[2], palette.accent, 0.35), np.float32),
    )
    return np.asarray(first + (second - first) * band[..., None], np.float32)


def _rings(
    canvas: Canvas, palette: Palette, place: tuple[float, float], radius: float, tilt: float, *, behind: bool
) -> None:
    """Draw the half of the rings that lies behind the planet, or the half before it."""
    tint: Colour = mix(palette.muted, palette.accent, 0.35)
    turn = np.linspace(np.pi, 2 * np.pi, 90) if behind else np.linspace(0, np.pi, 90)
    spin = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    for inner, outer, opacity in ((1.30, 1.46, 0.22), (1.48, 1.72, 0.42), (1.76, 1.84, 0.20), (1.86, 2.00, 0.30)):
        far = np.stack([np.cos(turn), np.sin(turn) * 0.24], 1) * (radius * outer)
        near = np.stack([np.cos(turn), np.sin(turn) * 0.24], 1) * (radius * inner)
        outline = np.concatenate([far, near[::-1]]) @ spin + np.array(place)
        canvas.polygon(outline, scale(tint, 0.55 if behind else 0.85), opacity)
