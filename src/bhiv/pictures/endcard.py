"""The end card: a last word, and room for credits below it."""

from bhiv.lettering import Block, fit
from bhiv.pictures.backdrop import slide
from bhiv.pictures.brief import Brief
from bhiv.pictures.canvas import Box, Canvas
from bhiv.pictures.palette import Palette, mix
from bhiv.pictures.rosette import rosette_lines
from bhiv.pictures.typography import Placed, write

#: More have no room.
MOST_CREDITS = 12
#: More credits than this stand in two columns, where there is room beside each other.
_ROWS = 4


def endcard(brief: Brief, canvas: Canvas, palette: Palette) -> None:
    """Draw the last word in the middle of a faint rosette; credits, at most twelve lines, stand below a fine line."""
    slide(canvas, palette, brief.seed)
    unit, safe, middle = canvas.unit, canvas.safe, canvas.width / 2
    credits_ = _credits(brief, canvas)
    size = unit * (15 if not credits_ else 12)
    text = fit(brief.headline, "bold", size, width=safe.width, height=unit * 30, max_lines=2, language=brief.language)
    rows = max((len(column) for column in credits_), default=0)
    pitch = unit * 6.6
    below = unit * 15 + pitch * (rows - 1) + unit * 4 if rows else 0
    top = safe.top + (safe.height - text.height - below) / 2
    # Round the word, and so large that the rim cuts it: a wheel that is seen whole would be a logo.
    rosette_lines(
        canvas, mix(palette.mid, palette.accent, 0.5), middle, top + (text.height + below) / 2, unit * 40, 0.13
    )
    canvas.glow(middle, top + (text.height + below) / 2, unit * 20, palette.mid, 0.30)
    texts = [Placed(text, safe.left, top, safe.width, palette.ink, "center")]
    y = top + text.height + unit * 8
    if rows:
        _line(canvas, palette, y)
        y += unit * 7
    wide = safe.width / max(len(credits_), 1)
    for number, column in enumerate(credits_):
        for row, block in enumerate(column):
            texts.append(Placed(block, safe.left + wide * number, y + pitch * row, wide, palette.muted, "center"))
    if not rows:
        _line(canvas, palette, y)
    write(canvas, texts)


def _credits(brief: Brief, canvas: Canvas) -> list[list[Block]]:
    lines = [item.text for item in brief.items][:MOST_CREDITS]
    if not lines:
        return []
    columns = 2 if len(lines) > _ROWS and not canvas.upright else 1
    share = -(-len(lines) // columns)
    wide = canvas.safe.width / columns - canvas.unit * (4 if columns > 1 else 0)

    def fitted(line: str, size: float) -> Block:
        return fit(line, "regular", size, width=wide, height=size * 1.1, max_lines=1, language=brief.language)

    size = min(fitted(line, canvas.unit * 4.4).size for line in lines)
    blocks = [fitted(line, size) for line in lines]
    return [blocks[start : start + share] for start in range(0, len(blocks), share)]


def _line(canvas: Canvas, palette: Palette, y: float) -> None:
    unit, middle, thin = canvas.unit, canvas.width / 2, max(canvas.unit * 0.16, 0.5)
    canvas.bar(Box(middle - unit * 9, y - thin, middle + unit * 9, y + thin), palette.accent, 0.85)
    canvas.disc(middle, y, max(unit * 0.8, 1), palette.accent)
