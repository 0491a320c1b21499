"""Still water: it mirrors what is above it, breaks light into glints, and carries rings and leaves."""

import cv2
import numpy as np

from bhiv.pictures.canvas import Canvas, ellipse, smooth
from bhiv.pictures.palette import Colour, Palette, mix, scale


def mirror(canvas: Canvas, palette: Palette, horizon: float, random: np.random.Generator) -> None:
    """Turn everything below `horizon`, a share of the height, into water that mirrors the picture above it."""
    y0 = round(horizon * canvas.height)
    depth = canvas.height - y0
    # Coarse rows are enough: the mirror is blurred along the line of sight anyway.
    rows, columns = max(depth // 4, 2), max(canvas.width // 4, 2)
    above = np.ascontiguousarray(canvas.light[max(y0 - depth, 0) : y0][::-1])
    small = cv2.resize(above, (columns, rows), interpolation=cv2.INTER_AREA)
    peak = np.maximum(small.max(axis=2, keepdims=True), 0.5)
    # The sun itself would be a second disc; its image is the path of glints.
    small = cv2.GaussianBlur(
        small * np.minimum(1, 0.5 / peak).astype(np.float32),
        (0, 0),
        sigmaX=max(columns * 0.004, 0.5),
        sigmaY=max(rows * 0.035, 0.8),
    )
    down = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    fade = (np.float32(0.80) - np.float32(0.62) * smooth(down * np.float32(1.3)))[..., None]
    deep = np.asarray(mix(palette.deep, palette.base, 0.5), np.float32)
    light = small * fade + deep * (np.float32(0.8) * (1 - fade))
    light *= (1 + _ripples(rows, columns, random) * (np.float32(0.22) * (1 - down)))[..., None]
    full = cv2.resize(light, (canvas.width, depth), interpolation=cv2.INTER_LINEAR)
    canvas.replace(y0, np.asarray(full, np.float32))


def glints(
    canvas: Canvas, tint: Colour, x: float, horizon: float, random: np.random.Generator, spread: float = 0.1
) -> None:
    """Lay a path of light on the water under x, a share of the width, thinning out before the captions begin."""
    y0, y1 = horizon * canvas.height, 0.86 * canvas.height
    for _ in range(110):
        down = float(random.random() ** 1.4)
        y = y0 + (y1 - y0) * down
        wide = canvas.width * spread * (0.35 + 0.9 * down)
        cx = x * canvas.width + random.normal() * wide * 0.5
        across = canvas.width * (0.004 + 0.024 * random.random()) * (0.5 + down)
        thin = max(canvas.unit * (0.05 + 0.12 * down), 0.3)
        canvas.polygon(ellipse(cx, y, across, thin), tint, float((1 - down) ** 1.3 * 0.5 * random.uniform(0.3, 1)))


def rings(canvas: Canvas, tint: Colour, x: float, y: float, radius: float, count: int) -> None:
    """Draw rings that widen round a place in pixels; `radius` is the first one's."""
    for ring in range(count):
        across = radius * (1 + 0.42 * ring)
        _loop(canvas, x, y, across, across * 0.20, max(canvas.unit * 0.10, 0.5), tint, 0.22 * (1 - ring / count))


def pad(canvas: Canvas, palette: Palette, x: float, y: float, radius: float, notch: float) -> None:
    """Float a lily pad at a place in pixels, its notch turned to `notch` radians."""
    turn = np.linspace(0.22, 2 * np.pi - 0.22, 72) + notch
    circle = np.concatenate([np.zeros((1, 2)), np.stack([np.cos(turn), np.sin(turn)], 1)]) * (radius, radius * 0.26)
    place = np.array([x, y])
    dark, light = scale(palette.leaf, 0.5), mix(palette.leaf, palette.sky[2], 0.10)
    canvas.polygon(circle * 1.03 + place + (0, radius * 0.055), scale(palette.deep, 0.5), 0.75)
    canvas.polygon(circle + place, mix(palette.leaf, palette.sky[2], 0.30))
    canvas.polygon(circle * 0.985 + place + (0, radius * 0.012), dark)
    canvas.polygon(circle * (0.93, 0.90) + place - (0, radius * 0.010), mix(dark, light, 0.45))
    canvas.polygon(circle * (0.80, 0.74) + place - (0, radius * 0.022), mix(dark, light, 0.62), 0.55)
    for vein in np.linspace(0.55, 2 * np.pi - 0.55, 11) + notch:
        tip = np.array([np.cos(vein), np.sin(vein) * 0.26]) * radius * 0.9
        across = np.array([-np.sin(vein), np.cos(vein) * 0.26]) * radius * 0.010
        canvas.polygon(np.stack([place - across, place + tip, place + across]), light, 0.35)


def _ripples(rows: int, columns: int, random: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return noise, about -1 to 1, long across and finer towards the horizon."""
    noise = random.standard_normal((rows, max(columns // 24, 2)), dtype=np.float32)
    for row in range(1, rows):
        keep = np.float32(0.75 * row / rows)
        noise[row] = noise[row] * (1 - keep) + noise[row - 1] * keep
    return np.asarray(cv2.resize(noise, (columns, rows), interpolation=cv2.INTER_CUBIC), np.float32)


def _loop(
    canvas: Canvas, x: float, y: float, across: float, down: float, thick: float, tint: Colour, opacity: float
) -> None:
    outer, inner = ellipse(x, y, across, down), ellipse(x, y, across - thick * 2.2, down - thick)
    canvas.polygon(np.concatenate([outer, outer[:1], inner[:1], inner[::-1]]), tint, opacity)
