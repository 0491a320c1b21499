"""Where the words of a caption lie in the frame, and when each of their parts is heard."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bhiv import lettering
from bhiv.bidi import visual_runs
from bhiv.lettering import Mask
from bhiv.plan import CaptionPosition, Samples
from bhiv.speech.words import Word

Line = tuple[Word, ...]

#: Of the em: from the middle of the capitals to the baseline, and from the baseline to the lowest descender.
_MIDDLE, _DESCENT = lettering.CAPITALS / 2, 0.265
#: Least distance between baselines, in ems: outlines must not touch.
_PITCH = 1.32
#: How far a long word may shrink before it is broken.
_LEAST = 0.6


@dataclass(frozen=True)
class Piece:
    """Part of a word that is read in one direction: its coverage, and where its upper left corner lies in the frame."""

    mask: Mask
    x: int
    y: int
    #: First sample that is heard of it, and the sample after the last.
    start: Samples
    end: Samples
    leftwards: bool


@dataclass(frozen=True)
class Room:
    """The part of a frame that captions may take, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def of(cls, width: int, height: int) -> "Room":
        """Return the room in a frame of this size."""
        if height > width:
            # Upright videos are watched under the buttons of an app: a fifth of the height below, an eighth beside.
            return cls(width * 0.12, height * 0.12, width * 0.88, height * 0.8)
        return cls(width * 0.08, height * 0.075, width * 0.92, height * 0.925)


def letter_size(width: int, height: int) -> float:
    """Return the em of captions in a frame of this size, in pixels."""
    return max(8.0, min(height * 0.0483, width * 0.0517))


def typeset(
    lines: Sequence[Line], size: float, room: Room, position: CaptionPosition, language: str, *, grown: float = 1.0
) -> tuple[tuple[Piece, ...], float]:
    """Return the parts of all words in their places, and the em that they are drawn with, in pixels.

    That is `size`, or less where they would leave the room; a word that would become too small is broken over lines.
    `grown` scales what was set about its middle, for words that come in growing.
    """
    fitting, em = _fitted(lines, size, room, language)
    texts = [" ".join(word.text for word in line) for line in fitting]
    distance = _pitch(texts, em)
    height = distance * (len(texts) - 1)
    last = {
        "top": room.top + em * _rise(texts) + height,
        "middle": (room.top + room.bottom + height) / 2 + em * _MIDDLE,
    }
    lowest = last.get(position, room.bottom - em * _DESCENT)
    centre = lowest - height / 2 - em * _MIDDLE
    pieces: list[Piece] = []
    for number, (line, text) in enumerate(zip(fitting, texts, strict=True)):
        baseline = lowest - distance * (len(texts) - 1 - number)
        baseline = centre + (baseline - centre) * grown
        left = (room.left + room.right - lettering.measure(text, "bold", em * grown, language)) / 2
        pieces += _pieces(line, text, em * grown, round(left), round(baseline), language)
    return tuple(pieces), em * grown


def _pitch(texts: Sequence[str], em: float) -> float:
    return max(_PITCH * em, lettering.pitch("".join(texts), em))


def _rise(texts: Sequence[str]) -> float:
    return lettering.Block((*texts,), "bold", 1, 1, "en").rise


def _fitted(lines: Sequence[Line], size: float, room: Room, language: str) -> tuple[list[Line], float]:
    wide, high = room.right - room.left, room.bottom - room.top
    fitting, em = list(lines), size
    if _widest(fitting, language) * size * _LEAST > wide:
        fitting = [part for line in lines for part in _broken(line, wide / (size * _LEAST), language)]
    em = min(em, wide / max(_widest(fitting, language), 1e-6))
    texts = [" ".join(word.text for word in line) for line in fitting]
    ems = _pitch(texts, 1) * (len(texts) - 1) + _rise(texts) + _DESCENT
    return fitting, min(em, high / ems)


def _widest(lines: Sequence[Line], language: str) -> float:
    return max(lettering.measure(" ".join(word.text for word in line), "bold", 1, language) for line in lines)


def _broken(line: Line, ems: float, language: str) -> Iterator[Line]:
    """Break a line so that none is longer than `ems`, within a word where that alone is longer."""
    taken: list[Word] = []
    for word in (part for whole in line for part in _cut(whole, ems, language)):
        joined = " ".join(one.text for one in (*taken, word))
        if taken and lettering.measure(joined, "bold", 1, language) > ems:
            yield tuple(taken)
            taken = []
        taken.append(word)
    if taken:
        yield tuple(taken)


def _cut(word: Word, ems: float, language: str) -> Iterator[Word]:
    """Cut a word that is longer than `ems` into even parts; each is heard for its share of the letters."""
    count = -(-lettering.measure(word.text, "bold", 1, language) // (ems * 0.95))
    places = lettering.clusters(word.text, "bold", language)
    parts = int(min(max(count, 1), max(len(places), 1)))
    if parts == 1:
        yield word
        return
    cuts = [*(places[len(places) * number // parts] for number in range(parts)), len(word.text)]
    for start, end in pairwise(cuts):
        times = {"start": _share(word, start, len(word.text)), "end": _share(word, end, len(word.text))}
        yield word.model_copy(update={"text": word.text[start:end], **times})


def _share(word: Word, part: int, whole: int) -> Samples:
    return Samples(word.start + (word.end - word.start) * part // whole)


def _pieces(line: Line, text: str, em: float, left: int, baseline: int, language: str) -> Iterator[Piece]:
    runs = sorted((start, start + len(part), backwards) for start, part, backwards in visual_runs(text))
    first = 0
    for word in line:
        last = first + len(word.text)
        parts = [
            (max(start, first), min(end, last), backwards)
            for start, end, backwards in runs
            if start < last and end > first
        ]
        masks = lettering.raster_parts(text, "bold", em, [(start, end) for start, end, _ in parts], language)
        whole, done = sum(mask.alpha.shape[1] for mask in masks), 0
        for mask, (_, _, backwards) in zip(masks, parts, strict=True):
            if mask.alpha.size:
                start, done = done, done + mask.alpha.shape[1]
                yield Piece(
                    mask,
                    left + mask.left,
                    baseline - mask.top,
                    _share(word, start, whole),
                    _share(word, done, whole),
                    backwards,
                )
        first = last + 1
