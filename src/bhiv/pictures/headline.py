"""The headline layout: the scene's phrase beside a large icon, or below it on upright pictures."""

from bhiv.lettering import fit
from bhiv.pictures.backdrop import ripple, slide
from bhiv.pictures.brief import Brief
from bhiv.pictures.canvas import Box, Canvas
from bhiv.pictures.icons import icon
from bhiv.pictures.medallion import medallion
from bhiv.pictures.palette import Palette
from bhiv.pictures.typography import Placed, bar_above, write


def headline(brief: Brief, canvas: Canvas, palette: Palette) -> None:
    """Draw kicker, headline and icon; without an icon the headline takes the whole width."""
    slide(canvas, palette, brief.seed)
    unit, column = canvas.unit, _column(canvas, bool(brief.icon))
    kicker = fit(
        brief.kicker, "bold", 4.3 * unit, width=column.width, height=5 * unit, max_lines=1, language=brief.language
    )
    gap = unit * (6.5 if kicker.lines else 0)
    size = (11.5 if canvas.upright else 13.5) * unit
    text = fit(
        brief.headline, "bold", size, width=column.width, height=column.height - unit * 12, max_lines=5,
        language=brief.language,
    )  # fmt: skip
    whole = unit * 5 + kicker.height + gap + text.height
    top = column.top + (column.height - whole) / 2
    if brief.icon:
        _medal(canvas, palette, brief.icon)
    else:
        ripple(canvas, palette, brief.seed)
    bar_above(canvas, column, top, brief.headline, palette.accent)
    write(
        canvas,
        [
            Placed(kicker, column.left, top + unit * 5, column.width, palette.muted),
            Placed(text, column.left, top + unit * 5 + kicker.height + gap, column.width, palette.ink),
        ],
    )


def _column(canvas: Canvas, beside_icon: bool) -> Box:
    safe = canvas.safe
    if not beside_icon:
        return safe
    if canvas.upright:
        return Box(safe.left, canvas.height * 0.43, safe.right, safe.bottom)
    return Box(safe.left, safe.top, safe.left + safe.width * 0.60, safe.bottom)


def _medal(canvas: Canvas, palette: Palette, name: str) -> None:
    safe, unit = canvas.safe, canvas.unit
    if canvas.upright:
        x, y, radius = canvas.width / 2, canvas.height * 0.22, min(unit * 20, canvas.height * 0.105)
    else:
        radius = min(unit * 21, safe.width * 0.155)
        x, y = safe.right - radius * 1.15, safe.top + safe.height * 0.5
    medallion(canvas, palette, x, y, radius, icon(name, radius * 1.12))
