"""Word times: when each word of a sentence is heard, by the best way that gives a sane answer."""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from bhiv.plan import SAMPLE_RATE
from bhiv.speech.alignment import align
from bhiv.speech.recordings import Mark
from bhiv.speech.spoken import Token
from bhiv.speech.utterance import Utterance, mute, spread
from bhiv.speech.words import Timing

#: Part of the key of every narration whose words are timed here; raise it when their times, or levels, would change.
VERSION = "word times 1"

#: A word is shown for this long at least. Few are said in less (`a`, `the`); times with many such words are wrong.
_SHORTEST = round(0.04 * SAMPLE_RATE)
#: An engine's own times count when it names this share of the words; the others lie between their neighbours.
_NAMED_SHARE = 0.7
#: MP3 delays its sound by up to so much, which an engine's times may leave out. The first word begins with the sound.
_CODEC_DELAY = round(0.12 * SAMPLE_RATE)

_Times = list[tuple[int, int]]


def timed(
    tokens: Sequence[Token],
    samples: NDArray[np.int16],
    marks: Sequence[Mark],
    reference: Callable[[Sequence[Token]], Utterance] | None,
) -> Utterance:
    """Return a sentence's sound, of 48 kHz and without silence around it, with the time of every token.

    The first token starts with the sound and the last ends with it. `marks` are the engine's own times, in samples of
    the sound, none when it gives none; `reference` is the embedded voice, None where it does not speak the language.
    """
    voiced = [index for index, token in enumerate(tokens) if _letters(token.spoken)]
    if not voiced:
        return mute(len(tokens), SAMPLE_RATE)
    said, length = [tokens[index] for index in voiced], len(samples)
    timing, times = next(
        (timing, times) for timing, times in _proposals(said, samples, marks, reference) if _is_sane(times, length)
    )
    spans = dict(zip(voiced, times, strict=True))
    return Utterance(samples, SAMPLE_RATE, _with_the_mute(len(tokens), spans, length), timing)


def _proposals(
    said: Sequence[Token],
    samples: NDArray[np.int16],
    marks: Sequence[Mark],
    reference: Callable[[Sequence[Token]], Utterance] | None,
) -> Iterator[tuple[Timing, _Times]]:
    length = len(samples)
    if marks and (own := _named(said, marks, length)):
        yield "engine", _eased(own, length)
    if reference is not None:
        known = reference(said)
        if found := align(known, samples, SAMPLE_RATE):
            yield "aligned", _eased(found, length)
        scale = length / len(known.samples)
        yield "scaled", [(round(start * scale), round(end * scale)) for start, end in known.times]
    yield "letters", _by_letters(said, 0, length)
    # So short for its words that any times will do, as long as every word has one.
    yield "letters", [(length * index // len(said), length * (index + 1) // len(said)) for index in range(len(said))]


def _eased(times: _Times, length: int) -> _Times:
    """Give the words that are too short for the eye some time of their neighbours', when they are few."""
    short = sum(end - start < _SHORTEST for start, end in times)
    if not 0 < short <= max(1, len(times) // 4):
        return times
    eased: _Times = []
    for index, (start, end) in enumerate(times):
        begin = max(start, eased[-1][1] if eased else 0)
        # Room for those that follow.
        begin = min(begin, length - _SHORTEST * (len(times) - index))
        eased.append((begin, max(end, begin + _SHORTEST)))
    return [
        (start, min(end, limit))
        for (start, end), limit in zip(eased, [*(s for s, _ in eased[1:]), length], strict=True)
    ]


def _is_sane(times: _Times, length: int) -> bool:
    least = min(_SHORTEST, length // (2 * len(times)))
    moments = [moment for span in times for moment in span]
    return (
        moments == sorted(moments)
        and moments[0] >= 0
        and moments[-1] <= length
        and all(end - start >= least for start, end in times)
    )


def _with_the_mute(count: int, voiced: dict[int, tuple[int, int]], length: int) -> tuple[tuple[int, int], ...]:
    """Give the tokens without a sound, such as dashes, a moment after the word before them."""
    after, starts = 0, []
    for index in range(count):
        starts.append(voiced[index][0] if index in voiced else after)
        after = voiced[index][1] if index in voiced else after
    starts = spread([0, *starts[1:]], length, SAMPLE_RATE)
    limits = [*starts[1:], length]
    ends = [min(max(voiced.get(index, (0, length))[1], starts[index] + 1), limit) for index, limit in enumerate(limits)]
    return tuple(zip(starts, [*ends[:-1], length], strict=True))


def _by_letters(said: Sequence[Token], start: int, end: int) -> _Times:
    shares = list(accumulate((len(_letters(token.spoken)) + 1 for token in said), initial=0))
    edges = [start + (end - start) * share // shares[-1] for share in shares]
    return list(pairwise(edges))


def _named(said: Sequence[Token], marks: Sequence[Mark], length: int) -> _Times | None:
    """Return the engine's own times; None when what it names are other words.

    Engines name letters or words, without punctuation and as they have read them, so the letters are matched.
    """
    heard = [(letter, start, end) for mark in marks for letter, start, end in _letter_times(mark)]
    owners = [index for index, token in enumerate(said) for _ in _letters(token.spoken)]
    text = "".join(_letters(token.spoken) for token in said)
    spans: dict[int, tuple[int, int]] = {}
    matcher = SequenceMatcher(None, text, "".join(letter for letter, _, _ in heard), autojunk=False)
    for block in matcher.get_matching_blocks():
        for offset in range(block.size):
            owner, (_, start, end) = owners[block.a + offset], heard[block.b + offset]
            first, last = spans.get(owner, (start, end))
            spans[owner] = (min(first, start), max(last, end))
    if len(spans) < _NAMED_SHARE * len(said):
        return None
    first = min(start for start, _ in spans.values())
    late = first if abs(first) < _CODEC_DELAY and 0 in spans else 0
    starts = {owner: max(start - late, 0) for owner, (start, _) in spans.items()}
    limits = dict(zip(sorted(starts), [*sorted(starts.values())[1:], length], strict=True))
    return _between(
        said, {owner: (starts[owner], min(spans[owner][1] - late, limits[owner])) for owner in starts}, length
    )


def _between(said: Sequence[Token], spans: dict[int, tuple[int, int]], length: int) -> _Times:
    """Fill in the words that were not named, each by its share of the letters of its gap."""
    anchors = [-1, *sorted(spans), len(said)]
    times: _Times = []
    for before, after in pairwise(anchors):
        start = spans[before][1] if before >= 0 else 0
        end = spans[after][0] if after < len(said) else length
        times += _by_letters(said[before + 1 : after], start, end) if after - before > 1 else []
        times += [spans[after]] if after < len(said) else []
    return times


def _letter_times(mark: Mark) -> Iterator[tuple[str, int, int]]:
    letters = _letters(mark.text)
    for index, letter in enumerate(letters):
        width = mark.end - mark.start
        yield letter, mark.start + width * index // len(letters), mark.start + width * (index + 1) // len(letters)


def _letters(text: str) -> str:
    """Return what is said of a text: letters, their marks, and digits, in small letters."""
    small = unicodedata.normalize("NFC", text.casefold())
    return "".join(letter for letter in small if unicodedata.category(letter)[0] in "LMN")
