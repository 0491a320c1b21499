"""Lines of text: shaped, measured, wrapped and rastered with HarfBuzz alone.

Pillow's own complex layout turns itself off where libfribidi is missing and then draws Hindi wrong without a word.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf

import numpy as np
import uharfbuzz as hb  # type: ignore[import-untyped]
from numpy.typing import NDArray

from bhiv.bidi import script, visual_runs
from bhiv.fonts import FAMILY, Weight, face_of, family_runs, font_bytes, is_packaged, is_seen

#: FiraGO's font units to the em.
_UNITS = 1000
#: Height of FiraGO's capitals, as a share of the size.
CAPITALS = 0.69
#: How high its Devanagari, Thai and Arabic signs reach, as a share of the size.
_SIGNS = 0.95
#: Scripts that build above and below the line, where Latin's pitch would let lines touch.
_TALL = frozenset({"Deva", "Thai", "Arab"})
_BLANK = re.compile(r"[ \t\r\f\v\u200b]+")
_ELLIPSIS = "…"
#: From this weight on a font is bold.
_BOLD = 600
#: What makes a bold of a regular font, in ems.
_THICKER = 0.034
#: How far text may shrink before words are left out.
_LEAST = 0.4


@dataclass(frozen=True)
class Glyph:
    """One drawn form of a family; `x` and `y` from the line's origin in font units.

    `cluster` is the index of its first character.
    """

    gid: int
    x: int
    y: int
    cluster: int
    family: str = FAMILY


@dataclass(frozen=True)
class Line:
    """A shaped line; `advance` is its length in font units."""

    glyphs: tuple[Glyph, ...]
    advance: int


@dataclass(frozen=True)
class Mask:
    """A rastered line: 8-bit coverage, its first row on top.

    The mask's left edge lies `left` pixels right of the origin, its upper edge `top` pixels above the baseline. Text
    that draws nothing has a mask of no pixels.
    """

    alpha: NDArray[np.uint8]
    left: int
    top: int


@dataclass(frozen=True)
class Block:
    """Lines that fit a box: the font `size` and the distance `pitch` between baselines, in pixels."""

    lines: tuple[str, ...]
    weight: Weight
    size: float
    pitch: float
    language: str

    @property
    def rise(self) -> float:
        """From the first baseline to the top of its capitals, or of the signs above its letters."""
        return self.size * (_SIGNS if _is_tall("".join(self.lines)) else CAPITALS)

    @property
    def height(self) -> float:
        """From the top of the first line to the baseline of the last; 0 without lines."""
        return self.rise + self.pitch * (len(self.lines) - 1) if self.lines else 0.0

    @property
    def width(self) -> float:
        """Length of the longest line."""
        return max((measure(line, self.weight, self.size, self.language) for line in self.lines), default=0.0)


def measure(text: str, weight: Weight, size: float, language: str = "en") -> float:
    """Return how long `text` is on one line, in pixels; `size` is the em in pixels."""
    return shape(text, weight, language).advance * size / _UNITS


def pitch(text: str, size: float) -> float:
    """Return the distance between baselines that `text`'s scripts need, in pixels."""
    return size * (1.45 if _is_tall(text) else 1.18)


@lru_cache(maxsize=4096)
def shape(text: str, weight: Weight, language: str = "en") -> Line:
    """Choose and place the glyphs of one line, in the order they are seen from left to right."""
    glyphs: list[Glyph] = []
    pen = 0
    for start, part, backwards in visual_runs(text):
        pieces = list(family_runs(part))
        for offset, piece, family in reversed(pieces) if backwards else pieces:
            buffer = hb.Buffer()
            buffer.add_str(piece)
            buffer.guess_segment_properties()
            buffer.direction = "rtl" if backwards else "ltr"
            buffer.language = language
            font = _font(family, weight)
            hb.shape(font, buffer)
            unit = _UNITS / font.face.upem
            for info, position in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
                x, y = pen + round(position.x_offset * unit), round(position.y_offset * unit)
                glyphs.append(Glyph(info.codepoint, x, y, start + offset + info.cluster, family))
                pen += round(position.x_advance * unit)
    return Line(tuple(glyphs), pen)


def raster(text: str, weight: Weight, size: float, language: str = "en") -> Mask:
    """Draw one line at `size` pixels to the em."""
    placed = size / _UNITS
    pen = hb.RasterDraw()
    for glyph in shape(text, weight, language).glyphs:
        font = _font(glyph.family, weight)
        _draw(pen, font, glyph.gid, size / font.face.upem, glyph.x * placed, glyph.y * placed)
    return _mask(pen)


def raster_parts(
    text: str, weight: Weight, size: float, spans: Sequence[tuple[int, int]], language: str = "en"
) -> tuple[Mask, ...]:
    """Draw parts of one line, each by itself, where it lies in the line; a span is first character and end.

    A glyph of several characters, such as a ligature, belongs to the part with the first of them.
    """
    placed = size / _UNITS
    masks = []
    for start, end in spans:
        pen = hb.RasterDraw()
        for glyph in shape(text, weight, language).glyphs:
            if start <= glyph.cluster < end:
                font = _font(glyph.family, weight)
                _draw(pen, font, glyph.gid, size / font.face.upem, glyph.x * placed, glyph.y * placed)
        masks.append(_mask(pen))
    return tuple(masks)


def clusters(text: str, weight: Weight, language: str = "en") -> tuple[int, ...]:
    """Return the indices where a line may be cut, 0 first, so that no sign is torn from its letter; () for no text."""
    return tuple(sorted({glyph.cluster for glyph in shape(text, weight, language).glyphs}))


def raster_glyphs(font: hb.Font, glyphs: list[tuple[int, int, int]], size: float) -> Mask:
    """Draw glyphs (glyph id, x, y in font units) of any font at `size` pixels to the em."""
    scale = size / font.face.upem
    pen = hb.RasterDraw()
    for gid, x, y in glyphs:
        _draw(pen, font, gid, scale, x * scale, y * scale)
    return _mask(pen)


def _draw(pen: hb.RasterDraw, font: hb.Font, gid: int, scale: float, x: float, y: float) -> None:
    pen.transform = (scale, 0, 0, scale, x, y)
    pen.draw_glyph(font, gid)


def _mask(pen: hb.RasterDraw) -> Mask:
    image = pen.render()
    box = image.extents
    if not box.width or not box.height:
        return Mask(np.zeros((0, 0), np.uint8), 0, 0)
    rows = np.frombuffer(bytes(image.buffer), np.uint8).reshape(box.height, box.stride)
    # HarfBuzz counts rows from the bottom.
    return Mask(np.ascontiguousarray(rows[::-1, : box.width]), box.x_origin, box.y_origin + box.height)


def fit(
    text: str, weight: Weight, size: float, *, width: float, height: float, max_lines: int, language: str = "en"
) -> Block:
    """Break `text` into lines of even length that fit a box in pixels, at `size` or the next smaller one that fits.

    A newline in `text` stays a line's end. Blank text gives no lines. Text that does not even fit at 0.4 of `size`
    loses its end to an ellipsis.
    """
    smaller = size
    while smaller >= size * _LEAST:
        lines = wrap(text, weight, width / smaller, max_lines, language)
        distance = pitch(text, smaller)
        if lines is not None and distance * max(len(lines) - 1, 0) + smaller <= max(height, smaller):
            return Block(lines, weight, smaller, distance, language)
        smaller *= 0.95
    least = size * _LEAST
    rows = max(min(max_lines, int((height - least) / pitch(text, least)) + 1), 1)
    return Block(_shorten(text, weight, width / least, rows, language), weight, least, pitch(text, least), language)


def wrap(text: str, weight: Weight, ems: float, max_lines: int, language: str = "en") -> tuple[str, ...] | None:
    """Break `text` into the fewest lines no longer than `ems`, as even as they can be; None when that can't be done."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        words = [word for word in _BLANK.split(paragraph) if word]
        space = measure(" ", weight, 1, language)
        # With the space that follows, which is wider after some scripts than after others.
        lengths = [min(ems, measure(f"{word} ", weight, 1, language) - space) for word in words]
        if any(measure(word, weight, 1, language) > ems for word in words):
            return None
        lines += [" ".join(words[start:end]) for start, end in _even(lengths, space, ems)]
    return tuple(lines) if len(lines) <= max_lines else None


def _even(lengths: list[float], space: float, most: float) -> list[tuple[int, int]]:
    """Return the words of each line, start and end: the fewest lines, and of those the ones nearest to one length."""
    count, room = 0, 0.0
    for length in lengths:
        room -= length + space
        if room < 0 or not count:
            count, room = count + 1, most - length
    if not count:
        return []
    target = (sum(lengths) + space * (len(lengths) - count)) / count
    # Per line: the least unevenness up to each word, and where that line starts.
    cost = [0.0] + [inf] * len(lengths)
    starts: list[list[int]] = []
    for _ in range(count):
        cost, start = _one_more(cost, lengths, space, most, target)
        starts.append(start)
    spans: list[tuple[int, int]] = []
    end = len(lengths)
    for start in reversed(starts):
        spans.append((start[end], end))
        end = start[end]
    return spans[::-1]


def _one_more(
    before: list[float], lengths: list[float], space: float, most: float, target: float
) -> tuple[list[float], list[int]]:
    cost, start = [inf] * len(before), [0] * len(before)
    for end in range(1, len(before)):
        long = -space
        for first in range(end - 1, -1, -1):
            long += space + lengths[first]
            if long > most + 1e-6:  # the lines counted above must stay possible
                break
            uneven = before[first] + (long - target) ** 2
            if uneven < cost[end]:
                cost[end], start[end] = uneven, first
    return cost, start


def _shorten(text: str, weight: Weight, ems: float, max_lines: int, language: str) -> tuple[str, ...]:
    words = " ".join(_BLANK.split(text.replace("\n", " "))).split(" ")
    for count in range(len(words) - 1, 0, -1):
        lines = wrap(" ".join(words[:count]).rstrip(" ,;:.–—") + _ELLIPSIS, weight, ems, max_lines, language)
        if lines is not None:
            return lines
    return (_cut(words[0], weight, ems, language),)


def _cut(word: str, weight: Weight, ems: float, language: str) -> str:
    # Only before a cluster, so that no vowel sign is torn from its letter.
    for start in reversed(clusters(word, weight, language)[1:]):
        if measure(word[:start] + _ELLIPSIS, weight, 1, language) <= ems:
            return word[:start] + _ELLIPSIS
    return word[:1] if word else ""


def _is_tall(text: str) -> bool:
    if not _TALL.isdisjoint(map(script, text)):
        return True
    # Most scripts that FiraGO lacks build above and below the line.
    return any(is_seen(character) and not is_packaged(character) for character in set(text))


def _font(family: str, weight: Weight) -> hb.Font:
    face = face_of(family, weight)
    return (
        _packaged(weight)
        if face is None
        else _system(str(face.path), face.index, weight == "bold" and face.weight < _BOLD)
    )


@lru_cache(maxsize=2)
def _packaged(weight: Weight) -> hb.Font:
    return hb.Font(hb.Face(hb.Blob(font_bytes(weight))))


@lru_cache(maxsize=32)
def _system(path: str, index: int, thicker: bool) -> hb.Font:
    font = hb.Font(hb.Face(hb.Blob.from_file_path(path), index))
    if thicker:
        font.synthetic_bold = (_THICKER, _THICKER, False)
    return font
