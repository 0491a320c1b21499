"""The timeline layout: dates or steps along a line, in the order of the text."""

from bhiv.bidi import is_right_to_left
from bhiv.lettering import Block, fit
from bhiv.pictures.backdrop import slide
from bhiv.pictures.brief import Brief
from bhiv.pictures.canvas import Box, Canvas
from bhiv.pictures.palette import Palette, mix
from bhiv.pictures.typography import Align, Placed, bar_above, write


def milestones(brief: Brief, canvas: Canvas, palette: Palette) -> None:
    """Draw each milestone's date over its words, along a line; below each other on upright pictures."""
    slide(canvas, palette, brief.seed)
    texts = _down(brief, canvas, palette) if canvas.height > canvas.width * 1.2 else _along(brief, canvas, palette)
    write(canvas, texts)


def _backwards(brief: Brief) -> bool:
    return is_right_to_left(" ".join(item.text for item in brief.items))


def _head(brief: Brief, canvas: Canvas, size: float) -> Block:
    return fit(
        brief.headline, "bold", size * canvas.unit, width=canvas.safe.width, height=canvas.unit * 16, max_lines=2,
        language=brief.language,
    )  # fmt: skip


def _labels(brief: Brief, size: float, width: float) -> list[Block]:
    def labels(size: float) -> list[Block]:
        return [
            fit(item.label, "bold", size, width=width, height=size, max_lines=1, language=brief.language)
            for item in brief.items
        ]

    return labels(min(block.size for block in labels(size)))


def _words(brief: Brief, size: float, width: float, height: float, rows: int) -> list[Block]:
    def words(size: float) -> list[Block]:
        return [
            fit(item.text, "regular", size, width=width, height=height, max_lines=rows, language=brief.language)
            for item in brief.items
        ]

    return words(min(block.size for block in words(size)))


def _along(brief: Brief, canvas: Canvas, palette: Palette) -> list[Placed]:
    unit, safe, count = canvas.unit, canvas.safe, len(brief.items)
    head = _head(brief, canvas, 7.2)
    above = head.height + unit * 15 if head.lines else 0
    step = safe.width / count
    width = step - unit * 5
    dates = _labels(brief, unit * ((12.5 if count < 4 else 8.5) if head.lines else (15 if count < 4 else 10)), width)
    room = safe.height - above - dates[0].height - unit * 14
    words = _words(brief, unit * (6.2 if count < 4 else 4.8), width, room, 5)
    tallest = max(block.height for block in words)
    whole = above + dates[0].height + unit * 14 + tallest
    top = safe.top + max(safe.height - whole, 0) / 2
    texts = []
    if head.lines:
        bar_above(canvas, safe, top, brief.headline, palette.accent)
        texts.append(Placed(head, safe.left, top + unit * 4.6, safe.width, palette.ink))
    line = top + above + dates[0].height + unit * 7
    backwards = _backwards(brief)
    _rail(canvas, palette, Box(0, line, canvas.width, line), backwards)
    for index, (date, text) in enumerate(zip(dates, words, strict=True)):
        left = safe.left + step * index
        node = left + unit * 1.6
        if backwards:
            node = canvas.width - node
            left = canvas.width - left - width
        _node(canvas, palette, node, line, index == count - 1)
        texts.append(Placed(date, left, line - unit * 7 - date.height, width, palette.accent, _side(backwards)))
        texts.append(Placed(text, left, line + unit * 7, width, palette.ink, _side(backwards)))
    return texts


def _down(brief: Brief, canvas: Canvas, palette: Palette) -> list[Placed]:
    unit, safe, count = canvas.unit, canvas.safe, len(brief.items)
    head = _head(brief, canvas, 8.2)
    above = head.height + unit * 13 if head.lines else 0
    inset, gap = unit * 9, unit * 3.8
    width = safe.width - inset
    room = (safe.height - above) / count
    dates = _labels(brief, unit * min(11, room / unit * 0.34), width)
    spare = room - dates[0].height - gap * 2
    words = _words(brief, unit * 7, width, max(spare, unit * 6), 3)
    steps = [date.height + gap + text.height + gap * 2.4 for date, text in zip(dates, words, strict=True)]
    top = safe.top + max(safe.height - above - sum(steps) + gap * 2.4, 0) / 2
    texts = []
    if head.lines:
        bar_above(canvas, safe, top, brief.headline, palette.accent)
        texts.append(Placed(head, safe.left, top + unit * 4.6, safe.width, palette.ink))
    backwards = _backwards(brief)
    x = safe.right - unit * 1.6 if backwards else safe.left + unit * 1.6
    left = safe.left if backwards else safe.left + inset
    y = top + above
    thin = max(unit * 0.22, 0.6)
    last = y + sum(steps[:-1]) + dates[-1].height / 2
    canvas.bar(Box(x - thin, y + dates[0].height / 2, x + thin, last), mix(palette.accent, palette.mid, 0.3), 0.75)
    for index, (date, text, tall) in enumerate(zip(dates, words, steps, strict=True)):
        _node(canvas, palette, x, y + date.height / 2, index == count - 1)
        texts.append(Placed(date, left, y, width, palette.accent, _side(backwards)))
        texts.append(Placed(text, left, y + date.height + gap, width, palette.ink, _side(backwards)))
        y += tall
    return texts


def _rail(canvas: Canvas, palette: Palette, box: Box, backwards: bool) -> None:
    """Draw the line from rim to rim: faint before the first milestone, bright up to the last, faint again."""
    thin = max(canvas.unit * 0.22, 0.6)
    first, last = canvas.safe.left, canvas.safe.right
    canvas.bar(Box(box.left, box.top - thin, box.right, box.top + thin), palette.accent, 0.22)
    ends = (canvas.width - last, canvas.width - first) if backwards else (first, last)
    canvas.bar(Box(ends[0], box.top - thin * 1.3, ends[1], box.top + thin * 1.3), palette.accent, 0.55)


def _node(canvas: Canvas, palette: Palette, x: float, y: float, last: bool) -> None:
    radius = canvas.unit * 1.6
    canvas.glow(x, y, radius * (2.6 if last else 1.6), palette.accent, 0.45 if last else 0.2)
    canvas.disc(x, y, radius * 1.15, palette.accent)
    if not last:
        canvas.disc(x, y, radius * 0.62, palette.deep)


def _side(backwards: bool) -> Align:
    return "right" if backwards else "left"
