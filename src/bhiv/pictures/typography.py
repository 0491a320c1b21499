"""Text on a picture: placed, shadowed, and always light enough against what is behind it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from bhiv.bidi import is_right_to_left
from bhiv.lettering import Block, Mask, measure, raster
from bhiv.pictures.canvas import COARSE, Box, Canvas, quantile, smooth
from bhiv.pictures.palette import Colour, luminance

Align = Literal["start", "center", "left", "right"]

#: WCAG asks for 4.5; the rest is room for grain, shadows' edges and the encoder.
_CONTRAST = 5.5
_WEIGHTS = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Placed:
    """A block in a column, its first line's top at `top`; `start` is the side where the text's script begins."""

    block: Block
    left: float
    top: float
    width: float
    ink: Colour
    align: Align = "start"

    @property
    def bottom(self) -> float:
        """The last baseline's y."""
        return self.top + self.block.height

    def lines(self) -> Iterator[tuple[str, float, float]]:
        """Yield each line with its left end's x and its baseline's y."""
        baseline = self.top + self.block.rise
        for line in self.block.lines:
            yield line, self._start(line), baseline
            baseline += self.block.pitch

    def box(self) -> Box:
        """Return what the ink fills, accents and descenders included."""
        size, starts = self.block.size, [start for _, start, _ in self.lines()]
        ends = [start + self._length(line) for line, start, _ in self.lines()]
        return Box(min(starts), self.top - size * 0.25, max(ends), self.bottom + size * 0.3)

    def _start(self, line: str) -> float:
        if self.align == "center":
            return self.left + (self.width - self._length(line)) / 2
        at_right = self.align == "right" or (self.align == "start" and is_right_to_left(line))
        return self.left + self.width - self._length(line) if at_right else self.left

    def _length(self, line: str) -> float:
        return measure(line, self.block.weight, self.block.size, self.block.language)


def write(canvas: Canvas, texts: Sequence[Placed]) -> None:
    """Write blocks of text, after what is behind them was darkened as far as it must be; empty ones are left out."""
    seen = [text for text in texts if text.block.lines]
    # With the sky: words stay in the frame longest there, and apart from what passes below them.
    canvas.deepen(0)
    for text in seen:  # all of them first: dimming must not reach ink
        _darken_behind(canvas, text.box(), text.ink)
    for text in seen:
        _ink(canvas, text)
        canvas.inscribed.append((text.box(), text.ink))


def bar_above(canvas: Canvas, column: Box, y: float, text: str, tint: Colour) -> None:
    """Draw a short bar on the side of the column where `text` begins."""
    unit = canvas.unit
    left = column.right - unit * 9 if is_right_to_left(text) else column.left
    canvas.bar(Box(left, y, left + unit * 9, y + max(unit * 0.9, 1)), tint)


def _ink(canvas: Canvas, text: Placed) -> None:
    block = text.block
    for line, start, baseline in text.lines():
        mask = raster(line, block.weight, block.size, block.language)
        _shadow(canvas, mask, start, baseline, block.size)
        canvas.blend(mask.alpha, round(start) + mask.left, round(baseline) - mask.top, text.ink)


def _darken_behind(canvas: Canvas, box: Box, ink: Colour) -> None:
    """Dim the canvas at the height of `box` until light ink has its contrast on what is bright inside."""
    rows, columns = slice(max(int(box.top), 0), int(box.bottom)), slice(max(int(box.left), 0), int(box.right))
    behind = canvas.light[rows, columns][::3, ::3] @ _WEIGHTS
    # A star behind a letter is no reason to darken the night.
    brightest = quantile(behind, 0.99) if behind.size else 0.0
    allowed = (luminance(ink) + 0.05) / _CONTRAST - 0.05
    if brightest <= allowed:
        return
    # From side to side: a dark cloud around a line looks like a mistake, a darker sky does not. Some coarse cells of
    # slack, so that enlarging does not brighten the rim of the box.
    _, y = canvas.grid()
    down = y * canvas.height
    below, above = down - box.bottom - 2 * COARSE, (box.top - down - 2 * COARSE) * np.float32(0.4)
    near = 1 - smooth(np.maximum(np.maximum(below, above), 0) / np.float32(canvas.unit * 7))
    near = np.repeat(near, max(canvas.width // COARSE, 2), axis=1)
    canvas.dim((1 - near * np.float32(1 - allowed / brightest)).astype(np.float32))


def _shadow(canvas: Canvas, mask: Mask, place: float, baseline: float, size: float) -> None:
    height, width = mask.alpha.shape
    pad = int(size * 0.35) + 4
    if min(height, width) < 8:
        return
    framed = cv2.copyMakeBorder(mask.alpha, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    full = (framed.shape[1], framed.shape[0])
    small = cv2.resize(framed, (max(full[0] // 4, 1), max(full[1] // 4, 1)), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), max(size * 0.022, 0.6))
    soft = cv2.resize(blurred, full).astype(np.float32) * np.float32(0.45 / 255)
    drop = size * 0.035
    canvas.blend(soft, round(place) + mask.left - pad, round(baseline) - mask.top - pad + drop, (0.0, 0.0, 0.0))
