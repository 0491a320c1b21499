"""The place layout: a landscape or a lotus, with the scene's title in its sky when it has one."""

from bhiv.lettering import fit
from bhiv.pictures.brief import Brief
from bhiv.pictures.canvas import Canvas
from bhiv.pictures.palette import Palette
from bhiv.pictures.scenery import scenery
from bhiv.pictures.typography import Placed, write


def place(brief: Brief, canvas: Canvas, palette: Palette) -> None:
    """Draw the motif; a headline stands above it in the middle."""
    scenery(brief, canvas, palette, low=bool(brief.headline))
    safe = canvas.safe
    size = (8.2 if canvas.upright else 9.0) * canvas.unit
    block = fit(
        brief.headline,
        "bold",
        size,
        width=safe.width,
        height=canvas.height * 0.20,
        max_lines=3,
        language=brief.language,
    )
    write(
        canvas, [Placed(block, safe.left, canvas.height * 0.235 - block.height / 2, safe.width, palette.ink, "center")]
    )
