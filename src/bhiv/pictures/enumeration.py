"""The list layout: what a sentence enumerates, each thing on a card of its own with its icon."""

from collections.abc import Sequence

from bhiv.bidi import is_right_to_left
from bhiv.lettering import Block, fit
from bhiv.pictures.backdrop import slide
from bhiv.pictures.brief import Brief, Item
from bhiv.pictures.canvas import Box, Canvas
from bhiv.pictures.icons import icon
from bhiv.pictures.palette import Palette, mix
from bhiv.pictures.typography import Placed, bar_above, write

#: More cards than this stand in rows of two.
_ABREAST = 4


def enumeration(brief: Brief, canvas: Canvas, palette: Palette) -> None:
    """Draw the words before the list above, and a card for every thing, in reading order."""
    slide(canvas, palette, brief.seed)
    head, kicker = _head(brief, canvas), _kicker(brief, canvas)
    unit, safe = canvas.unit, canvas.safe
    over = kicker.height + unit * 4 if kicker.lines else 0
    above = over + head.height + unit * 11 if head.lines else 0
    boxes = _boxes(canvas, len(brief.items), above, 36 if _has_icons(brief) else 27)
    if _is_backwards(brief):
        boxes = [Box(canvas.width - box.right, box.top, canvas.width - box.left, box.bottom) for box in boxes]
    texts = []
    if head.lines:
        top = boxes[0].top - above
        bar_above(canvas, safe, top, brief.headline, palette.accent)
        texts.append(Placed(kicker, safe.left, top + unit * 4.2, safe.width, palette.accent))
        texts.append(Placed(head, safe.left, top + unit * 4.6 + over, safe.width, palette.ink))
    texts += (_cards if _has_icons(brief) else _plain_cards)(brief, canvas, palette, boxes)
    write(canvas, texts)


def _is_backwards(brief: Brief) -> bool:
    return is_right_to_left(" ".join(item.text for item in brief.items))


def _head(brief: Brief, canvas: Canvas) -> Block:
    size = canvas.unit * (8.2 if canvas.upright else 7.6)
    rows = 3 if canvas.upright else 2
    return fit(
        brief.headline, "bold", size, width=canvas.safe.width, height=canvas.unit * 11 * rows / 2, max_lines=rows,
        language=brief.language,
    )  # fmt: skip


def _kicker(brief: Brief, canvas: Canvas) -> Block:
    size = canvas.unit * 4.2
    return fit(brief.kicker, "bold", size, width=canvas.safe.width, height=size, max_lines=1, language=brief.language)


def _boxes(canvas: Canvas, count: int, above: float, tallest: float) -> list[Box]:
    """Return the cards from left to right and from top to bottom, the whole with the head in the middle."""
    safe, gap = canvas.safe, canvas.unit * 3
    columns = 1 if canvas.upright else count if count <= _ABREAST else (count + 1) // 2
    rows = -(-count // columns)
    most = canvas.unit * ((23 if canvas.upright else 19) if rows > 1 else tallest)
    tall = min((safe.height - above - gap * (rows - 1)) / rows, most)
    top = safe.top + above + (safe.height - above - tall * rows - gap * (rows - 1)) / 2
    boxes = []
    for index in range(count):
        row, column = divmod(index, columns)
        # The last row may be shorter; its cards are as broad as the row is.
        abreast = min(columns, count - row * columns)
        wide = (safe.width - gap * (abreast - 1)) / abreast
        left = safe.left + column * (wide + gap)
        boxes.append(Box(left, top + row * (tall + gap), left + wide, top + row * (tall + gap) + tall))
    return boxes


def _has_icons(brief: Brief) -> bool:
    """Return whether any card has an icon; a sign on none of them is better than the same dot on all."""
    return any(item.icon for item in brief.items)


def _plain_cards(brief: Brief, canvas: Canvas, palette: Palette, boxes: Sequence[Box]) -> list[Placed]:
    """Draw cards that hold only their words, large, under a short bar."""
    unit = canvas.unit

    def label(item: Item, box: Box, size: float) -> Block:
        return fit(
            item.text, "bold", size, width=box.width - unit * 5, height=box.height - unit * 7, max_lines=3,
            language=brief.language,
        )  # fmt: skip

    pairs = list(zip(brief.items, boxes, strict=True))
    size = min(label(item, box, unit * 7.4).size for item, box in pairs)
    texts = []
    for item, box in pairs:
        canvas.panel(box, mix(palette.base, palette.mid, 0.75), mix(palette.deep, palette.base, 0.7), 0.80)
        block, middle = label(item, box, size), (box.left + box.right) / 2
        top = box.top + (box.height - block.height) / 2 + unit
        y = max(box.top + unit * 1.6, top - unit * 4.4)
        canvas.bar(Box(middle - unit * 3, y, middle + unit * 3, y + max(unit * 0.6, 1)), palette.accent)
        texts.append(Placed(block, box.left, top, box.width, palette.ink, "center"))
    return texts


def _cards(brief: Brief, canvas: Canvas, palette: Palette, boxes: Sequence[Box]) -> list[Placed]:
    beside = boxes[0].height < boxes[0].width * 0.62
    backwards = _is_backwards(brief)
    size = min(_label(brief, canvas, item, box, beside).size for item, box in zip(brief.items, boxes, strict=True))
    texts = []
    for item, box in zip(brief.items, boxes, strict=True):
        canvas.panel(box, mix(palette.base, palette.mid, 0.75), mix(palette.deep, palette.base, 0.7), 0.80)
        label = _label(brief, canvas, item, box, beside, size)
        radius = _radius(canvas, box, beside)
        if beside:
            inset = (box.height - 2 * radius) / 2 + radius
            x = box.right - inset if backwards else box.left + inset
            _badge(canvas, palette, x, (box.top + box.bottom) / 2, radius, item)
            left = box.left + canvas.unit * 3 if backwards else x + radius + canvas.unit * 3
            top = (box.top + box.bottom - label.height) / 2
            texts.append(Placed(label, left, top, _room(canvas, box, radius), palette.ink))
        else:
            whole = 2 * radius + canvas.unit * 4.5 + label.height
            top = (box.top + box.bottom - whole) / 2
            _badge(canvas, palette, (box.left + box.right) / 2, top + radius, radius, item)
            label_top = top + 2 * radius + canvas.unit * 4.5
            texts.append(Placed(label, box.left, label_top, box.width, palette.ink, "center"))
    return texts


def _radius(canvas: Canvas, box: Box, beside: bool) -> float:
    return min(box.height * 0.33, canvas.unit * 7) if beside else min(canvas.unit * 8.5, box.width * 0.28)


def _room(canvas: Canvas, box: Box, radius: float) -> float:
    return box.width - box.height / 2 - radius - canvas.unit * 6


def _label(brief: Brief, canvas: Canvas, item: Item, box: Box, beside: bool, size: float | None = None) -> Block:
    unit, radius = canvas.unit, _radius(canvas, box, beside)
    width = _room(canvas, box, radius) if beside else box.width - unit * 4
    height = box.height - unit * 3 if beside else box.height - 2 * radius - unit * 9
    return fit(
        item.text, "bold", size or unit * (6.4 if beside else 5.8), width=width, height=height,
        max_lines=2 if beside else 3, language=brief.language,
    )  # fmt: skip


def _badge(canvas: Canvas, palette: Palette, x: float, y: float, radius: float, item: Item) -> None:
    canvas.glow(x, y, radius * 0.9, palette.accent, 0.10)
    canvas.disc(x, y, radius, palette.accent)
    canvas.disc(x, y + radius * 0.05, radius * 0.94, mix(palette.accent, palette.mid, 0.22), 0.55)
    if item.icon:
        drawn = icon(item.icon, radius * 1.22)
        height, width = drawn.alpha.shape
        canvas.blend(drawn.alpha, x - width / 2, y - height / 2, palette.deep)
    else:
        canvas.disc(x, y, radius * 0.26, palette.deep)
