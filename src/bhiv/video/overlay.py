"""The overlay: captions drawn into a frame's planes, by the frame's number.

What a cue looks like is worked out once, when its first frame comes; a frame then costs a product and a sum over the
caption's box, and karaoke changes only the columns that were sung since the frame before.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from pydantic import Field

from bhiv import fonts
from bhiv.captions import Cue
from bhiv.plan import SAMPLE_RATE, CaptionPosition, Captions, Contract, Samples
from bhiv.video.ink import GOLD, Box, Ink, ink
from bhiv.video.typesetting import Line, Piece, Room, letter_size, typeset
from bhiv.video.yuv import Plane

#: Raise when the same layer would give other pixels.
VERSION = 1

#: The sizes through which a word pops up, of its last one, and how long that takes.
_GROWTH = (0.7, 0.86, 0.96, 1.03, 1.02, 1.0)
_GROWING = Samples(SAMPLE_RATE // 10)
#: How much larger a word is that is alone in the frame.
_ALONE = 1.6


class CaptionLayer(Contract):
    """Everything that decides what is burned in, beside the frames' size and rate."""

    version: int = VERSION
    style: Literal["karaoke", "phrase", "pop"]
    position: CaptionPosition = "auto"
    language: str = "en"
    offset: Samples = Field(description="When the cues' time begins, from the first frame.")
    cues: tuple[Cue, ...]
    fonts: str = Field(description="What fonts beside FiraGO the cues are set in; empty for none.")


def make_layer(
    cues: tuple[Cue, ...], style: Captions, *, position: CaptionPosition, language: str, offset: Samples
) -> CaptionLayer | None:
    """Return what burns these cues in; None for no cues and for `off`."""
    if style == "off" or not cues:
        return None
    lettered = fonts.identity("".join(cue.text for cue in cues))
    return CaptionLayer(style=style, position=position, language=language, offset=offset, cues=cues, fonts=lettered)


@dataclass(frozen=True)
class _Showing:
    """What is seen at once, and when, in samples from the first frame."""

    start: Samples
    end: Samples
    lines: tuple[Line, ...]


class Overlay:
    """Draws a layer into frames of one size and rate; no thread but one at a time may use it."""

    def __init__(self, layer: CaptionLayer, width: int, height: int, fps: int) -> None:
        self._layer, self._size, self._fps = layer, (width, height), fps
        self._showings = _showings(layer)
        self._starts = [showing.start * fps for showing in self._showings]
        self._drawn: dict[tuple[int, int], _Drawn] = {}

    def burn(self, number: int, y: Plane, u: Plane, v: Plane) -> None:
        """Draw what is seen in frame `number`, which shows time number / fps, into its planes, in place.

        `y` has the layer's width and height, `u` and `v` half of each. Frames may come in any order, in theirs they
        cost the least.
        """
        if drawn := self._seen(number):
            drawn.sing(number * SAMPLE_RATE - self._layer.offset * self._fps, self._fps)
            drawn.lay(y, u, v)

    def box(self, number: int) -> Box | None:
        """Return the part of frame `number` that is drawn into; None for none."""
        drawn = self._seen(number)
        return drawn.box if drawn else None

    def _seen(self, number: int) -> "_Drawn | None":
        now = number * SAMPLE_RATE  # as all times here, in parts of a sample: a sample has `fps` of them
        index = bisect_right(self._starts, now) - 1
        if index < 0 or now >= self._showings[index].end * self._fps:
            return None
        return self._draw(index, self._stage(now - self._starts[index]))

    def _stage(self, since: int) -> int:
        last = len(_GROWTH) - 1
        return min(since * last // (_GROWING * self._fps), last) if self._layer.style == "pop" else last

    def _draw(self, index: int, stage: int) -> "_Drawn":
        found = self._drawn.get((index, stage))
        if found is None:
            if len(self._drawn) > 1:
                del self._drawn[next(iter(self._drawn))]
            found = self._drawn[index, stage] = self._set(self._showings[index].lines, _GROWTH[stage])
        return found

    def _set(self, lines: Sequence[Line], grown: float) -> "_Drawn":
        width, height = self._size
        style = self._layer.style
        size = letter_size(width, height) * (_ALONE if style == "pop" else 1)
        room = Room.of(width, height)
        pieces, em = typeset(lines, size, room, self._layer.position, self._layer.language, grown=grown)
        return _Drawn(pieces, ink(pieces, em, width, height, second=GOLD if style == "karaoke" else None))


class _Drawn:
    """A caption as it looks now: how far each of its pieces is sung."""

    def __init__(self, pieces: Sequence[Piece], looks: Ink | None) -> None:
        self._looks = looks
        self._pieces = pieces if looks is not None and looks.second is not None else ()
        self._unsung = tuple(plane.copy() for plane in looks.adds) if looks is not None and self._pieces else ()
        self._sung = [0] * len(self._pieces)

    @property
    def box(self) -> Box | None:
        """Where it lies; None for nowhere."""
        return self._looks.box if self._looks else None

    def lay(self, y: Plane, u: Plane, v: Plane) -> None:
        if self._looks is not None:
            self._looks.lay(y, u, v)

    def sing(self, now: int, fps: int) -> None:
        """Colour the pieces as far as they are heard at `now`, in parts of a sample from the narration's start."""
        for number, piece in enumerate(self._pieces):
            width = piece.mask.alpha.shape[1]
            heard = (now - piece.start * fps) * width // max((piece.end - piece.start) * fps, 1)
            sung = width if now >= piece.end * fps else min(max(heard, 0), width)
            if sung != self._sung[number]:
                before, self._sung[number] = self._sung[number], sung
                self._colour(piece, min(before, sung), max(before, sung), gold=sung > before)

    def _colour(self, piece: Piece, first: int, last: int, *, gold: bool) -> None:
        looks = self._looks
        assert looks is not None
        assert looks.second is not None
        box, (height, width) = looks.box, piece.mask.alpha.shape
        if piece.leftwards:
            first, last = width - last, width - first
        left, right = (max(piece.x + column - box.left, 0) // 2 * 2 for column in (first, last + (last == width)))
        top, bottom = max(piece.y - box.top, 0) // 2 * 2, max(piece.y + height - box.top, 0) + 1
        for half, (shown, one) in enumerate(zip(looks.adds, looks.second if gold else self._unsung, strict=True)):
            by = 2 if half else 1
            part = slice(top // by, -(-bottom // by)), slice(left // by, right // by)
            shown[part] = one[part]


def _showings(layer: CaptionLayer) -> list[_Showing]:
    if layer.style == "pop":
        return list(_words_alone(layer))
    return [
        _Showing(Samples(cue.start + layer.offset), Samples(cue.end + layer.offset), cue.lines) for cue in layer.cues
    ]


def _words_alone(layer: CaptionLayer) -> Iterator[_Showing]:
    for cue in layer.cues:
        words = [word for line in cue.lines for word in line]
        bounds = [cue.start, *(word.start for word in words[1:]), cue.end]
        for word, (start, end) in zip(words, pairwise(bounds), strict=True):
            yield _Showing(Samples(start + layer.offset), Samples(end + layer.offset), ((word,),))
