"""The number layout: a sentence set around its number, which is as large as it can be."""

from bhiv.lettering import Block, fit, measure
from bhiv.pictures.backdrop import slide
from bhiv.pictures.brief import Brief
from bhiv.pictures.canvas import Canvas
from bhiv.pictures.icons import icon
from bhiv.pictures.palette import Palette
from bhiv.pictures.reading import Figure
from bhiv.pictures.typography import Placed, bar_above, write

#: Size of a unit's letters, of its number's.
_UNIT = 0.30
_GAP = 0.13


def number(brief: Brief, canvas: Canvas, palette: Palette) -> None:
    """Draw the sentence's beginning small, its number large, and its end in between."""
    slide(canvas, palette, brief.seed)
    safe, unit = canvas.safe, canvas.unit
    _watermark(canvas, palette, brief.icon)
    lead = _small(canvas, brief, brief.lead, 5.4)
    follow = _small(canvas, brief, brief.follow, 6.6)
    rows = [(figure,) for figure in brief.figures] if canvas.upright else [brief.figures]
    room = (
        safe.height - lead.height - follow.height - unit * (8 + (8 if lead.lines else 0) + (9 if follow.lines else 0))
    )
    size = min([unit * 34, room / (0.69 + 0.95 * (len(rows) - 1)), *(_largest(row, brief, safe.width) for row in rows)])
    pitch = size * 0.95
    figures_height = size * 0.69 + pitch * (len(rows) - 1)
    whole = unit * 5 + lead.height + (unit * 8 if lead.lines else 0) + figures_height
    whole += unit * 9 + follow.height if follow.lines else 0
    top = safe.top + (safe.height - whole) / 2
    bar_above(canvas, safe, top, brief.lead or brief.follow, palette.accent)
    top += unit * 5
    texts = [Placed(lead, safe.left, top, safe.width, palette.muted)]
    top += lead.height + (unit * 8 if lead.lines else 0)
    for index, row in enumerate(rows):
        texts += _row(brief, palette, row, size, safe.left, top + pitch * index)
    texts.append(Placed(follow, safe.left, top + figures_height + unit * 9, safe.width, palette.ink))
    write(canvas, texts)


def _row(brief: Brief, palette: Palette, row: tuple[Figure, ...], size: float, x: float, top: float) -> list[Placed]:
    texts = []
    for figure in row:
        value = _line(figure.value, size, brief.language)
        texts.append(Placed(value, x, top, value.width, palette.ink))
        x += value.width + size * _GAP
        unit = _line(figure.unit, size * _UNIT, brief.language)
        # On the number's baseline.
        texts.append(Placed(unit, x, top + value.height - unit.height, unit.width, palette.accent))
        x += unit.width + size * _GAP * 1.8
    return texts


def _line(text: str, size: float, language: str) -> Block:
    return Block((text,) if text else (), "bold", size, size, language)


def _largest(row: tuple[Figure, ...], brief: Brief, width: float) -> float:
    ems = sum(
        measure(f.value, "bold", 1, brief.language) + _GAP + measure(f.unit, "bold", _UNIT, brief.language) for f in row
    )
    return width / (ems + _GAP * 1.8 * (len(row) - 1))


def _small(canvas: Canvas, brief: Brief, text: str, size: float) -> Block:
    safe, unit = canvas.safe, canvas.unit
    return fit(
        text, "regular", size * unit, width=safe.width * (1 if canvas.upright else 0.85), height=unit * 17, max_lines=2,
        language=brief.language,
    )  # fmt: skip


def _watermark(canvas: Canvas, palette: Palette, name: str) -> None:
    if not name:
        return
    size = canvas.unit * 70
    drawn = icon(name, size)
    tint = palette.accent
    faint = (drawn.alpha * 0.03).astype(drawn.alpha.dtype)
    height, width = faint.shape
    x, y = canvas.safe.right - canvas.safe.width * 0.16, canvas.safe.top + canvas.safe.height * 0.48
    canvas.blend(faint, x - width / 2, y - height / 2, tint)
