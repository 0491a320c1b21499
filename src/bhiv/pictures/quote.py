"""The quote layout: somebody's words, a line of verse, or one sentence alone."""

from bhiv.lettering import Block, fit, raster
from bhiv.pictures.backdrop import ripple, slide
from bhiv.pictures.brief import Brief
from bhiv.pictures.canvas import Box, Canvas
from bhiv.pictures.palette import Palette
from bhiv.pictures.typography import Placed, write


def quote(brief: Brief, canvas: Canvas, palette: Palette) -> None:
    """Draw the words large; a quotation gets its mark and its source, verse and sentences stand in the middle."""
    slide(canvas, palette, brief.seed)
    ripple(canvas, palette, brief.seed)
    if brief.quoted:
        _marked(brief, canvas, palette)
    else:
        _centred(brief, canvas, palette)


def _marked(brief: Brief, canvas: Canvas, palette: Palette) -> None:
    safe, unit = canvas.safe, canvas.unit
    mark = raster("“", "bold", unit * 44)
    source = _source(brief, canvas)
    below = source.height + unit * 9 if source.lines else 0
    above = mark.alpha.shape[0] + unit * 6
    size = unit * (12 if len(brief.quote) > 40 else 15)
    text = fit(
        brief.quote, "bold", size, width=safe.width * (1 if canvas.upright else 0.92),
        height=safe.height - above - below, max_lines=6, language=brief.language,
    )  # fmt: skip
    top = safe.top + (safe.height - above - text.height - below) / 2
    canvas.blend(mark.alpha, round(safe.left), round(top), palette.accent)
    texts = [Placed(text, safe.left, top + above, safe.width, palette.ink)]
    if source.lines:
        y = top + above + text.height + unit * 9
        middle, thin = y + source.height - unit * 1.5, max(unit * 0.18, 0.5)
        canvas.bar(Box(safe.left, middle - thin, safe.left + unit * 6, middle + thin), palette.accent)
        texts.append(Placed(source, safe.left + unit * 8.5, y, safe.width - unit * 8.5, palette.muted))
    write(canvas, texts)


def _centred(brief: Brief, canvas: Canvas, palette: Palette) -> None:
    safe, unit = canvas.safe, canvas.unit
    verses = brief.quote.count("\n") + 1
    text = fit(
        brief.quote, "bold", unit * 11, width=safe.width * (1 if canvas.upright else 0.9),
        height=safe.height - unit * 16, max_lines=verses if verses > 1 else 6, language=brief.language,
    )  # fmt: skip
    top = safe.top + (safe.height - text.height) / 2
    _ornament(canvas, palette, top - unit * 8)
    _ornament(canvas, palette, top + text.height + unit * 8.5)
    write(canvas, [Placed(text, safe.left, top, safe.width, palette.ink, "center")])


def _ornament(canvas: Canvas, palette: Palette, y: float) -> None:
    """Draw a dot between two fine lines."""
    unit, middle = canvas.unit, canvas.width / 2
    thin = max(unit * 0.14, 0.5)
    canvas.disc(middle, y, max(unit * 0.75, 1), palette.accent)
    for side in (-1, 1):
        near, far = middle + side * unit * 2.4, middle + side * unit * 13
        canvas.bar(Box(min(near, far), y - thin, max(near, far), y + thin), palette.accent, 0.7)


def _source(brief: Brief, canvas: Canvas) -> Block:
    unit = canvas.unit
    return fit(
        brief.source, "regular", unit * 4.6, width=canvas.safe.width - unit * 8.5, height=unit * 6, max_lines=1,
        language=brief.language,
    )  # fmt: skip
