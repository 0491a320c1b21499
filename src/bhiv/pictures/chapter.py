"""The chapter layout: a heading inside the video, over the edge of the place that the chapter is about."""

import numpy as np

from bhiv.bidi import is_right_to_left
from bhiv.lettering import Block, fit
from bhiv.pictures.backdrop import slide
from bhiv.pictures.brief import Brief
from bhiv.pictures.canvas import Box, Canvas, smooth
from bhiv.pictures.icons import icon
from bhiv.pictures.palette import Palette, mix
from bhiv.pictures.scenery import scenery
from bhiv.pictures.typography import Placed, write


def chapter(brief: Brief, canvas: Canvas, palette: Palette) -> None:
    """Draw the heading beside a fine upright line, on the side where its script begins, and the place on the other."""
    backwards = is_right_to_left(brief.headline)
    if brief.motif:
        scenery(brief, canvas, palette, low=canvas.upright)
        _turn(canvas, backwards)
        canvas.deepen(0)  # what follows belongs to the words
        _veil(canvas, palette, backwards)
    else:
        slide(canvas, palette, brief.seed)
        _emblem(canvas, palette, brief.icon, backwards)
    column = _column(canvas, backwards)
    unit = canvas.unit
    kicker = _fitted(brief, brief.kicker, 4.2 * unit, column, 1)
    size = (12.0 if canvas.upright else 12.5) * unit
    text = fit(
        brief.headline, "bold", size, width=column.width, height=column.height * 0.72, max_lines=4,
        language=brief.language,
    )  # fmt: skip
    gap = unit * 6 if kicker.lines else 0
    whole = kicker.height + gap + text.height
    top = column.top + (column.height - whole) / 2
    _rule(canvas, palette, column, top, whole, backwards)
    write(
        canvas,
        [
            Placed(kicker, column.left, top, column.width, palette.accent, "right" if backwards else "left"),
            Placed(text, column.left, top + kicker.height + gap, column.width, palette.ink),
        ],
    )


def _fitted(brief: Brief, text: str, size: float, column: Box, rows: int) -> Block:
    return fit(text, "bold", size, width=column.width, height=size * 1.2, max_lines=rows, language=brief.language)


def _column(canvas: Canvas, backwards: bool) -> Box:
    safe, inset = canvas.safe, canvas.unit * 5
    bottom = canvas.height * (0.40 if canvas.upright else 0.72)
    top = canvas.height * (0.11 if canvas.upright else 0.12)
    share = 1.0 if canvas.upright else 0.58
    if backwards:
        return Box(safe.right - safe.width * share, top, safe.right - inset, bottom)
    return Box(safe.left + inset, top, safe.left + safe.width * share, bottom)


def _rule(canvas: Canvas, palette: Palette, column: Box, top: float, tall: float, backwards: bool) -> None:
    unit = canvas.unit
    x = column.right + unit * 4.5 if backwards else column.left - unit * 4.5
    canvas.bar(Box(x - unit * 0.4, top - unit * 0.5, x + unit * 0.4, top + tall + unit * 1.5), palette.accent)


def _turn(canvas: Canvas, backwards: bool) -> None:
    """Mirror the place where its light lies on the heading's side."""
    sky = canvas.light[: int(canvas.height * 0.6) : 8, ::8]
    half = sky.shape[1] // 2
    light_left = float(sky[:, :half].max(axis=2).mean()) > float(sky[:, half:].max(axis=2).mean())
    if light_left != backwards:
        canvas.mirror()


def _veil(canvas: Canvas, palette: Palette, backwards: bool) -> None:
    """Let the place sink into the palette's dark where the heading stands."""
    x, y = canvas.grid()
    if canvas.upright:
        along = np.repeat(y, x.shape[1], axis=1)
        share = 1 - smooth((along - np.float32(0.26)) / np.float32(0.24))
    else:
        along = np.repeat(1 - x if backwards else x, y.shape[0], axis=0)
        share = 1 - smooth((along - np.float32(0.30)) / np.float32(0.42))
    dark = np.asarray(mix(palette.deep, palette.base, 0.45), np.float32)
    full = canvas.enlarge((share * np.float32(0.93)).astype(np.float32))
    canvas.blend(full, 0, 0, (float(dark[0]), float(dark[1]), float(dark[2])))


def _emblem(canvas: Canvas, palette: Palette, name: str, backwards: bool) -> None:
    """Draw rings round a large icon that the rim cuts."""
    unit = canvas.unit
    x = canvas.width * (0.5 if canvas.upright else 0.14 if backwards else 0.86)
    y = canvas.height * (0.60 if canvas.upright else 0.40)
    tint = mix(palette.mid, palette.accent, 0.55)
    canvas.glow(x, y, unit * 24, palette.mid, 0.35)
    for ring in range(4):
        canvas.ring(x, y, unit * (25 + 8 * ring), max(unit * 0.2, 0.6), tint, 0.24 * (1 - ring / 4.6))
    canvas.disc(x, y, unit * 22, mix(palette.base, palette.mid, 0.8), 0.55)
    if name:
        drawn = icon(name, unit * 27)
        height, width = drawn.alpha.shape
        canvas.blend((drawn.alpha * 0.85).astype(drawn.alpha.dtype), x - width / 2, y - height / 2, palette.accent)
