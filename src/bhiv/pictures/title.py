"""The title layout: the script's title over its subject."""

from bhiv.lettering import Block, fit
from bhiv.pictures.brief import Brief
from bhiv.pictures.canvas import Box, Canvas
from bhiv.pictures.icons import icon
from bhiv.pictures.medallion import medallion
from bhiv.pictures.palette import Palette
from bhiv.pictures.scenery import scenery
from bhiv.pictures.typography import Placed, write


def title(brief: Brief, canvas: Canvas, palette: Palette) -> None:
    """Draw the title in the upper half under a short bar, or below a medallion with an icon when there is no motif."""
    scenery(brief, canvas, palette, low=True)
    if brief.motif:
        _over_scenery(brief, canvas, palette)
    else:
        _on_slide(brief, canvas, palette)


def _over_scenery(brief: Brief, canvas: Canvas, palette: Palette) -> None:
    safe, unit = canvas.safe, canvas.unit
    # The flower, the sun and the ridges begin at 0.4 of the height.
    block = _block(brief, canvas, canvas.height * 0.22, 12.5)
    top = canvas.height * 0.25 - block.height / 2
    write(canvas, [Placed(block, safe.left, top, safe.width, palette.ink, "center")])
    _bar(canvas, palette, top - unit * 4.4)


def _on_slide(brief: Brief, canvas: Canvas, palette: Palette) -> None:
    safe, unit = canvas.safe, canvas.unit
    radius = unit * (12.5 if brief.icon else 0)
    gap = unit * 8
    block = _block(brief, canvas, safe.height - 2 * radius - gap, 13.0)
    top = safe.top + (safe.height - (2 * radius + gap + block.height)) / 2
    if brief.icon:
        medallion(canvas, palette, canvas.width / 2, top + radius, radius, icon(brief.icon, radius * 1.15))
    write(canvas, [Placed(block, safe.left, top + 2 * radius + gap, safe.width, palette.ink, "center")])
    if not brief.icon:
        _bar(canvas, palette, top + gap - unit * 5.4)


def _block(brief: Brief, canvas: Canvas, height: float, size: float) -> Block:
    size *= canvas.unit * (0.86 if canvas.upright else 1)
    width = canvas.safe.width * (1 if canvas.upright else 0.94)
    return fit(brief.headline, "bold", size, width=width, height=height, max_lines=4, language=brief.language)


def _bar(canvas: Canvas, palette: Palette, y: float) -> None:
    half, thick = canvas.unit * 4.2, max(canvas.unit * 0.8, 1)
    middle = canvas.width / 2
    canvas.bar(Box(middle - half, y - thick, middle + half, y), palette.accent)
