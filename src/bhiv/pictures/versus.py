"""The comparison layout: two sides with a seam between them."""

import numpy as np
from numpy.typing import NDArray

from bhiv.bidi import is_right_to_left
from bhiv.lettering import Block, fit, raster
from bhiv.pictures.backdrop import slide
from bhiv.pictures.brief import Brief, Item
from bhiv.pictures.canvas import Box, Canvas
from bhiv.pictures.icons import icon
from bhiv.pictures.medallion import medallion
from bhiv.pictures.palette import Palette, scale
from bhiv.pictures.typography import Placed, write


def versus(brief: Brief, canvas: Canvas, palette: Palette) -> None:
    """Draw the first side and the second in their own light, and on the seam the word or arrow between them."""
    slide(canvas, palette, brief.seed)
    backwards = is_right_to_left("".join(item.text for item in brief.items))
    areas = _areas(canvas)
    if backwards and not _is_tall(canvas):
        areas = areas[::-1]
    _second_light(canvas, palette, backwards)
    heading = fit(
        brief.headline, "bold", canvas.unit * 4.6, width=canvas.safe.width, height=canvas.unit * 6, max_lines=1,
        language=brief.language,
    )  # fmt: skip
    texts = [Placed(heading, canvas.safe.left, canvas.height * 0.10, canvas.safe.width, palette.muted, "center")]
    size = min(_text(brief, canvas, item, area).size for item, area in zip(brief.items, areas, strict=True))
    blocks = [_text(brief, canvas, item, area, size) for item, area in zip(brief.items, areas, strict=True)]
    tallest = max(block.height for block in blocks)
    for item, area, block in zip(brief.items, areas, blocks, strict=True):
        texts.append(_side(canvas, palette, item, area, block, tallest))
    write(canvas, texts)
    _joint(brief, canvas, palette, backwards)


def _is_tall(canvas: Canvas) -> bool:
    """Return whether the sides lie above each other; two columns still fit into a square."""
    return canvas.height > canvas.width * 1.2


def _areas(canvas: Canvas) -> tuple[Box, Box]:
    safe, unit = canvas.safe, canvas.unit
    if _is_tall(canvas):
        seam = _seam(canvas)
        above = Box(safe.left, canvas.height * 0.09, safe.right, seam - unit * 12)
        return above, Box(safe.left, seam + unit * 13, safe.right, canvas.height * 0.74)
    middle = canvas.width / 2
    return (
        Box(safe.left - unit * 2, safe.top, middle - unit * 12, safe.bottom),
        Box(middle + unit * 12, safe.top, safe.right + unit * 2, safe.bottom),
    )


def _seam(canvas: Canvas) -> float:
    return canvas.height * 0.435


def _second_light(canvas: Canvas, palette: Palette, backwards: bool) -> None:
    """Light the second side up to a slanting seam."""
    width, height, unit = canvas.width, canvas.height, canvas.unit
    if _is_tall(canvas):
        seam = _seam(canvas)
        corners = [[0, seam + unit * 5], [width, seam - unit * 5], [width, height], [0, height]]
        line = [[0, seam + unit * 5], [width, seam - unit * 5]]
    else:
        lean = -unit * 7 if backwards else unit * 7
        line = [[width / 2 + lean, 0], [width / 2 - lean, height]]
        far = 0 if backwards else width
        corners = [line[0], [far, 0], [far, height], line[1]]
    outline: NDArray[np.floating] = np.array(corners, float)
    canvas.polygon(outline, palette.mid, 0.80)
    # Its lower part goes back into the dark, where captions are read.
    _, y = canvas.grid()
    fall = 1 - np.float32(0.55) * np.clip((y - np.float32(0.45)) / np.float32(0.5), 0, 1)
    canvas.dim(np.repeat(fall, max(canvas.width // 8, 2), axis=1).astype(np.float32))
    ends = np.array(line, float)
    across = np.array([ends[1][1] - ends[0][1], ends[0][0] - ends[1][0]])
    across *= max(unit * 0.13, 0.5) / np.hypot(*across)
    canvas.polygon(
        np.array([ends[0] - across, ends[0] + across, ends[1] + across, ends[1] - across]), palette.accent, 0.55
    )


def _text(brief: Brief, canvas: Canvas, item: Item, area: Box, size: float | None = None) -> Block:
    long = len(item.text) > 18
    wanted = canvas.unit * ((7.6 if long else 10) if not _is_tall(canvas) else (8.4 if long else 11))
    room = area.height - (2 * _radius(canvas, area) + _gap(canvas, area) if item.icon else 0)
    return fit(item.text, "bold", size or wanted, width=area.width, height=room, max_lines=4, language=brief.language)


def _radius(canvas: Canvas, area: Box) -> float:
    return min(canvas.unit * (9 if _is_tall(canvas) else 10.5), area.height * 0.21)


def _gap(canvas: Canvas, area: Box) -> float:
    """Return the room between icon and text: past the medallion's outermost ring."""
    return _radius(canvas, area) * 0.8 + canvas.unit * 3.5


def _side(canvas: Canvas, palette: Palette, item: Item, area: Box, text: Block, tallest: float) -> Placed:
    """Place a side's icon and text; both sides' icons stand at one height, whatever their texts' lengths are."""
    radius = _radius(canvas, area)
    above = 2 * radius + _gap(canvas, area) if item.icon else 0
    top = area.top + (area.height - above - tallest) / 2
    if item.icon:
        medallion(canvas, palette, (area.left + area.right) / 2, top + radius, radius, icon(item.icon, radius * 1.15))
    else:
        top += (tallest - text.height) / 2
    return Placed(text, area.left, top + above, area.width, palette.ink, "center")


def _joint(brief: Brief, canvas: Canvas, palette: Palette, backwards: bool) -> None:
    """Draw the disc on the seam with the text's own word, or an arrow where one thing comes of the other."""
    unit, x = canvas.unit, canvas.width / 2
    # Where the seam crosses the middle of the two areas.
    y = _seam(canvas) if _is_tall(canvas) else (canvas.safe.top + canvas.safe.bottom) / 2
    if not _is_tall(canvas):
        lean = -unit * 7 if backwards else unit * 7
        x += lean * (1 - 2 * y / canvas.height)
    radius = unit * 6.4
    canvas.glow(x, y, radius * 1.1, palette.deep, 0.2)
    canvas.disc(x, y + unit * 0.7, radius * 1.06, (0.0, 0.0, 0.0), 0.25)
    canvas.disc(x, y, radius, palette.accent)
    if brief.follow:
        size = unit * 4.2
        drawn = raster(brief.follow, "bold", size, brief.language)
        while drawn.alpha.shape[1] > radius * 1.7:
            size *= 0.92
            drawn = raster(brief.follow, "bold", size, brief.language)
    else:
        name = "arrow-down" if _is_tall(canvas) else "arrow-left" if backwards else "arrow-right"
        drawn = icon(name, radius * 1.25)
    height, width = drawn.alpha.shape
    canvas.blend(drawn.alpha, x - width / 2, y - height / 2, scale(palette.deep, 0.8))
