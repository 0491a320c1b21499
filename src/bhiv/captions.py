"""Words with times to cues, and cues to SRT and WebVTT.

Line length and reading rules follow the Netflix and BBC guides: at most two lines of 42 characters in landscape, fewer
in narrower frames, breaks after punctuation, 5/6 to 7 s a cue and two frames between two. Where speech leaves no time
to read, a cue lasts into the silence after it, or is shown with its neighbour.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from html import escape

from bhiv.plan import SAMPLE_RATE, Contract, Samples
from bhiv.speech.words import Word

#: Raise when the same words would give another caption file.
VERSION = 2

_LEAST = Samples(SAMPLE_RATE * 5 // 6)
_LONGEST = Samples(SAMPLE_RATE * 7)
#: How long a cue stays after its last word when nothing follows at once.
_LINGER = Samples(SAMPLE_RATE * 3 // 10)
_CLAUSE_ENDS = (",", ";", ":", "–", "—", ".", "!", "?", "।", "॥", "…")
#: The most characters a second that are read with ease, and the frames between two cues.
_READ, _GAP_FRAMES = 20, 2
#: A shorter pause between two cues would flicker; the first then lasts up to the gap.
_FLICKER = Samples(SAMPLE_RATE * 11 // 24)

_JOINER = "\u200d"
#: Signs that join two consonants of a script into one letter, by Unicode's rule GB9c.
_LINKERS = frozenset("\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d")
_SKINS = range(0x1F3FB, 0x1F400)
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)


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
    """Return how many letters a reader sees: Unicode's grapheme clusters.

    Vowel signs and accents ride on a letter, a Devanagari conjunct is one letter, and so is an emoji of many parts.
    """
    count, before, linked, flags = 0, "", False, 0
    for character in text:
        kind = unicodedata.category(character)
        if kind in {"Mn", "Mc", "Me", "Cf"}:
            linked = character in _LINKERS or (linked and kind != "Mc" and character != "\u200c")
        else:
            flags = flags + 1 if ord(character) in _FLAG_LETTERS else 0
            rides = (
                (linked and kind == "Lo")
                or (before == _JOINER and kind == "So")
                or ord(character) in _SKINS
                or (flags and flags % 2 == 0)
            )
            count, linked = count + (not rides), False
        before = character
    return count


def line_length(width: int, height: int) -> int:
    """Return the most characters in a line for a frame of this shape."""
    ratio = width / height
    return 42 if ratio > 1.4 else 30 if ratio > 0.8 else 22


def make_cues(
    words: Sequence[Word], longest_line: int, *, fps: int = 30, until: Samples | None = None
) -> tuple[Cue, ...]:
    """Return the cues of a narration, in order, never overlapping; none for no words.

    `fps` says how long two frames are, `until` when the last cue must end at the latest; None: whenever it is read.
    """
    gap = _GAP_FRAMES * SAMPLE_RATE // fps
    divided = [group for sentence in _sentences(words) for group in _divide(sentence, longest_line)]
    groups = _merged(divided, longest_line, gap, until)
    return tuple(
        Cue(start=group[0].start, end=_end(group, following, gap, until), lines=_lines(group, longest_line))
        for group, following in zip(groups, _followings(groups), strict=True)
    )


def shifted(cues: Iterable[Cue], by: int) -> tuple[Cue, ...]:
    """Return the cues `by` samples later."""
    return tuple(
        cue.model_copy(update={"start": Samples(cue.start + by), "end": Samples(cue.end + by)}) for cue in cues
    )


def to_srt(cues: Iterable[Cue]) -> str:
    """Return the cues as SubRip."""
    return "\n".join(f"{number}\n{_span(cue, ',')}\n{cue.text}\n" for number, cue in enumerate(cues, 1))


def to_vtt(cues: Iterable[Cue]) -> str:
    """Return the cues as WebVTT."""
    return "\n".join(["WEBVTT\n", *(f"{_span(cue, '.')}\n{escape(cue.text, quote=False)}\n" for cue in cues)])


def _followings(groups: Sequence[Sequence[Word]]) -> list[Samples | None]:
    """Return when the cue after each begins; None for the last."""
    return [*(group[0].start for group in groups[1:]), None] if groups else []


def _end(words: Sequence[Word], following: Samples | None, gap: int, until: Samples | None) -> Samples:
    start, last = words[0].start, words[-1].end
    reading = length(_joined(words)) * SAMPLE_RATE // _READ
    longest = max(start + _LONGEST, last)
    wanted = min(max(last + _LINGER, start + _LEAST, start + reading), longest)
    if following is None:
        return Samples(wanted if until is None else max(min(wanted, until), last))
    room = max(following - gap, (start + following + 1) // 2)
    return Samples(min(room, longest) if wanted > room - _FLICKER else wanted)


def _hurried(words: Sequence[Word], following: Samples | None, gap: int, until: Samples | None) -> bool:
    """Return whether a cue can't stay long enough to be read."""
    limit = until if following is None else following - gap
    if limit is None:
        return False
    time = min(limit - words[0].start, max(_LONGEST, words[-1].end - words[0].start))
    return time < _LEAST or length(_joined(words)) * SAMPLE_RATE > _READ * time


def _merged(groups: Sequence[list[Word]], longest_line: int, gap: int, until: Samples | None) -> list[list[Word]]:
    """Show cues that can't be read in their time with a neighbour, where both together can be and fit."""
    merged: list[list[Word]] = []
    for group, following in zip(groups, _followings(groups), strict=True):
        both = [*merged[-1], *group] if merged else []
        needed = both and (_hurried(merged[-1], group[0].start, gap, until) or _hurried(group, following, gap, until))
        if needed and _fits(both, longest_line) and not _hurried(both, following, gap, until):
            merged[-1] = both
        else:
            merged.append(group)
    return merged


def _sentences(words: Sequence[Word]) -> list[list[Word]]:
    sentences: dict[int, list[Word]] = {}
    for word in words:
        sentences.setdefault(word.sentence, []).append(word)
    return list(sentences.values())


def _divide(words: list[Word], longest_line: int) -> list[list[Word]]:
    """Split a sentence into cues that fit two lines, by halves, so that none is left with a single word."""
    if len(words) == 1 or _fits(words, longest_line):
        return [words]
    cut = _best_break(words)
    return _divide(words[:cut], longest_line) + _divide(words[cut:], longest_line)


def _fits(words: Sequence[Word], longest_line: int) -> bool:
    if length(_joined(words)) > 2 * longest_line - 4 or words[-1].end - words[0].start > _LONGEST:
        return False
    return len(_lines(words, longest_line)) <= 2


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


def _span(cue: Cue, point: str) -> str:
    return " --> ".join(_clock(at * 1000 // SAMPLE_RATE, point) for at in (cue.start, cue.end))


def _clock(milliseconds: int, point: str) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{thousandths:03}"
