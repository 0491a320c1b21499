"""Words with times to cues, and cues to ASS for burning in, SRT and WebVTT.

Line length and reading rules follow the Netflix and BBC guides: at most two lines of 42 characters in landscape, fewer
in narrower frames, breaks after punctuation, a cue at least 5/6 s long where the next one leaves room.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise

import pysubs2

from bhiv import fonts
from bhiv.plan import SAMPLE_RATE, Captions, Contract, Samples
from bhiv.speech.words import Word

#: Raise when the same words would give another caption file.
VERSION = 1

_LEAST = Samples(SAMPLE_RATE * 5 // 6)
_LONGEST = Samples(SAMPLE_RATE * 7)
#: How long a cue stays after its last word when nothing follows at once.
_LINGER = Samples(SAMPLE_RATE * 3 // 10)
_CLAUSE_ENDS = (",", ";", ":", "–", "—", ".", "!", "?", "।", "॥", "…")

_UNSUNG = pysubs2.Color(255, 255, 255)
_SUNG = pysubs2.Color(255, 209, 82)
_EDGE = pysubs2.Color(12, 14, 24)
_SHADE = pysubs2.Color(0, 0, 0, 110)


class Cue(Contract):
    """What is shown at once: one or two lines of words, in samples of the sound they belong to."""

    start: Samples
    end: Samples
    lines: tuple[tuple[Word, ...], ...]

    @property
    def text(self) -> str:
        """The lines as plain text."""
        return "\n".join(" ".join(word.text for word in line) for line in self.lines)


def length(text: str) -> int:
    """Return how many characters a reader sees: vowel signs, accents and joiners ride on another."""
    return sum(unicodedata.category(character) not in {"Mn", "Mc", "Me", "Cf"} for character in text)


def line_length(width: int, height: int) -> int:
    """Return the most characters in a line for a frame of this shape."""
    ratio = width / height
    return 42 if ratio > 1.4 else 30 if ratio > 0.8 else 22


def make_cues(words: Sequence[Word], longest_line: int) -> tuple[Cue, ...]:
    """Return the cues of a narration, in order, never overlapping; none for no words."""
    groups = [group for sentence in _sentences(words) for group in _divide(sentence, longest_line)]
    starts = [group[0].start for group in groups] + [Samples(groups[-1][-1].end + _LONGEST)] if groups else []
    cues = []
    for group, (start, following) in zip(groups, pairwise(starts), strict=True):
        wanted = max(group[-1].end + _LINGER, start + _LEAST)
        cues.append(Cue(start=start, end=Samples(min(wanted, following)), lines=_lines(group, longest_line)))
    return tuple(cues)


def shifted(cues: Iterable[Cue], by: int) -> tuple[Cue, ...]:
    """Return the cues `by` samples later."""
    return tuple(
        cue.model_copy(update={"start": Samples(cue.start + by), "end": Samples(cue.end + by)}) for cue in cues
    )


def to_ass(cues: Sequence[Cue], *, style: Captions, width: int, height: int, offset: Samples) -> str:
    """Return an ASS file that burns the cues into frames of this size, `offset` samples later; "" for `off`.

    Each line is an event of its own at a fixed place, because the line pitch that libass takes from the font lets two
    Devanagari lines touch.
    """
    if style == "off":
        return ""
    size = _font_size(width, height)
    file = pysubs2.SSAFile()
    file.info |= {"PlayResX": str(width), "PlayResY": str(height), "YCbCr Matrix": "TV.709", "WrapStyle": "2"}
    file.styles["Default"] = _style(size, _SUNG if style == "karaoke" else _UNSUNG)
    for cue in cues:
        for number, line in enumerate(cue.lines):
            y = height - _bottom(width, height) - round((len(cue.lines) - 1 - number) * size * 1.12)
            text = _karaoke(cue, line) if style == "karaoke" else _escape(" ".join(word.text for word in line))
            file.append(_event(cue, offset, rf"{{\an2\pos({width // 2},{y})}}{text}"))
    return file.to_string("ass")


def to_srt(cues: Iterable[Cue]) -> str:
    """Return the cues as SubRip."""
    return "\n".join(f"{number}\n{_span(cue, ',')}\n{cue.text}\n" for number, cue in enumerate(cues, 1))


def to_vtt(cues: Iterable[Cue]) -> str:
    """Return the cues as WebVTT."""
    return "\n".join(["WEBVTT\n", *(f"{_span(cue, '.')}\n{escape(cue.text, quote=False)}\n" for cue in cues)])


def _sentences(words: Sequence[Word]) -> list[list[Word]]:
    sentences: dict[int, list[Word]] = {}
    for word in words:
        sentences.setdefault(word.sentence, []).append(word)
    return list(sentences.values())


def _divide(words: list[Word], longest_line: int) -> list[list[Word]]:
    """Split a sentence into cues that fit two lines, by halves, so that none is left with a single word."""
    fits = length(_joined(words)) <= 2 * longest_line - 4 and words[-1].end - words[0].start <= _LONGEST
    if len(words) == 1 or (fits and len(_lines(words, longest_line)) <= 2):
        return [words]
    cut = _best_break(words)
    return _divide(words[:cut], longest_line) + _divide(words[cut:], longest_line)


def _lines(words: Sequence[Word], longest_line: int) -> tuple[tuple[Word, ...], ...]:
    if len(words) == 1 or length(_joined(words)) <= longest_line:
        return (tuple(words),)
    cut = _best_break(words)
    return _lines(words[:cut], longest_line) + _lines(words[cut:], longest_line)


def _best_break(words: Sequence[Word]) -> int:
    """Return where to break: near the middle, rather after punctuation than elsewhere."""
    total = length(_joined(words))

    def badness(cut: int) -> float:
        off = abs(length(_joined(words[:cut])) - total / 2) / total
        return off - (0.15 if words[cut - 1].text.endswith(_CLAUSE_ENDS) else 0)

    return min(range(1, len(words)), key=badness)


def _joined(words: Iterable[Word]) -> str:
    return " ".join(word.text for word in words)


def _font_size(width: int, height: int) -> int:
    return max(10, round(min(height * 0.058, width * 0.062)))


def _bottom(width: int, height: int) -> int:
    # Upright videos are watched under the buttons of an app, which cover about a fifth of the height.
    return round(height * (0.075 if width >= height else 0.2))


def _style(size: int, colour: pysubs2.Color) -> pysubs2.SSAStyle:
    return pysubs2.SSAStyle(
        fontname=fonts.FAMILY,
        fontsize=size,
        bold=True,
        primarycolor=colour,
        secondarycolor=_UNSUNG,
        outlinecolor=_EDGE,
        backcolor=_SHADE,
        outline=size * 0.065,
        shadow=size * 0.035,
    )


def _karaoke(cue: Cue, line: Sequence[Word]) -> str:
    """Return a line whose words fill with colour as they are heard; ASS counts in hundredths, so they are summed."""
    parts, now = [], 0
    for number, word in enumerate(line):
        begins, ends = (_hundredths(at - cue.start) for at in (word.start, word.end))
        if begins > now:
            parts.append(rf"{{\k{begins - now}}}")
        space = " " if number + 1 < len(line) else ""
        parts.append(rf"{{\kf{ends - max(begins, now)}}}{_escape(word.text)}{space}")
        now = ends
    return "".join(parts)


def _hundredths(samples: int) -> int:
    return round(samples * 100 / SAMPLE_RATE)


def _event(cue: Cue, offset: int, text: str) -> pysubs2.SSAEvent:
    start, end = ((at + offset) * 1000 // SAMPLE_RATE for at in (cue.start, cue.end))
    return pysubs2.SSAEvent(start=start, end=end, text=text)


def _span(cue: Cue, point: str) -> str:
    return " --> ".join(_clock(at * 1000 // SAMPLE_RATE, point) for at in (cue.start, cue.end))


def _clock(milliseconds: int, point: str) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{thousandths:03}"


def _escape(text: str) -> str:
    """Return text that ASS shows as it is: braces would open an override, a backslash start an escape."""
    parts = []
    for _, part, family in fonts.family_runs(text):
        shown = part.replace("\\", "\\\u2060").replace("{", r"\{").replace("}", r"\}")
        # libass is told which family draws what: by itself it takes whatever it finds first.
        parts.append(shown if family == fonts.FAMILY else rf"{{\fn{family}}}{shown}{{\fn}}")
    return "".join(parts)
