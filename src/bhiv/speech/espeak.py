"""espeak-ng: the speech engine that is always there, offline, with the exact time of nearly every word."""

import json
import sys
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from bhiv import process
from bhiv.speech.spoken import Token

_CHILD = Path(__file__).with_name("espeak_child.py")
#: By espeak's own count, which is low: 140 is heard as about 160 English words a minute, pauses included.
_WORDS_A_MINUTE = 140
#: Below this, of 32,767, a sample is silence; espeak's own pauses are zeros.
_AUDIBLE = 32
#: A stop consonant is silent for up to this long; a longer silence at a word's end is a pause.
_STOP_SECONDS = 0.045
#: A word that could not be heard is shown for this long at least, where there is room.
_SHORTEST_SECONDS = 0.02
#: How long words that have no sound at all are shown, each.
_MUTE_SECONDS = 0.1


@dataclass(frozen=True)
class Utterance:
    """The sound of one sentence, without silence around it, and when each of its tokens is heard."""

    samples: NDArray[np.int16]
    #: In Hz.
    rate: int
    #: First sample of each token and the sample after its last; in order, never empty, never overlapping.
    times: tuple[tuple[int, int], ...]


def synthesize(tokens: Sequence[Token], voice: str, *, timeout_seconds: float = 60) -> Utterance:
    """Speak a sentence; the same tokens and voice give the same samples, every time.

    `voice` is a name from `bhiv.speech.voices`; espeak takes a wrong variant without a word. At least one token.

    Raises:
        ToolFailed, ToolTimedOut: espeak could not.
    """
    bounds = [0, *accumulate(len(token.spoken) + 1 if token.spoken else 0 for token in tokens)]
    text = " ".join(token.spoken for token in tokens if token.spoken)
    rate, heard, samples = _ask(text, voice, timeout_seconds)
    audible = np.flatnonzero(np.abs(samples.astype(np.int32)) > _AUDIBLE)
    if not audible.size:
        samples = np.zeros(round(len(tokens) * _MUTE_SECONDS * rate), np.int16)
        return Utterance(samples, rate, _times(_spread([0] * len(tokens), len(samples), rate), samples, rate))
    first, last = int(audible[0]), int(audible[-1]) + 1
    samples = samples[first:last]
    known = _known(bounds, [(position, max(sample - first, 0)) for position, sample in heard], len(samples))
    starts = _spread(_interpolated(known, tokens, samples, rate), len(samples), rate)
    return Utterance(samples, rate, _times(starts, samples, rate))


def _ask(text: str, voice: str, timeout_seconds: float) -> tuple[int, list[tuple[int, int]], NDArray[np.int16]]:
    argv = [
        sys.executable,
        "-I",
        "-S",
        str(_CHILD),
        espeakng_loader.get_library_path(),
        espeakng_loader.get_data_path(),
    ]
    asked = {"text": text, "voice": voice, "words_a_minute": _WORDS_A_MINUTE}
    finished = process.run(argv, timeout_seconds=timeout_seconds, stdin=json.dumps(asked).encode())
    header, _, sound = finished.stdout.partition(b"\n")
    answer = json.loads(header)
    return answer["rate"], [(position, sample) for position, sample in answer["words"]], np.frombuffer(sound, "<i2")


def _known(bounds: list[int], heard: list[tuple[int, int]], end: int) -> list[int | None]:
    """Return where each token starts as far as espeak said so, and `end`; the first always starts at 0.

    A number gives several events of which the later ones lie inside it, so the first one counts.
    """
    starts: list[int | None] = [0] + [None] * (len(bounds) - 2) + [end]
    latest = 0
    for position, sample in heard:
        index = bisect_right(bounds, position) - 1
        if 0 < index < len(starts) - 1 and starts[index] is None and latest < sample < end:
            starts[index] = latest = sample
    return starts


def _interpolated(known: list[int | None], tokens: Sequence[Token], samples: NDArray[np.int16], rate: int) -> list[int]:
    """Fill in the tokens that espeak merged into the one before (`for the`), each by its share of the letters."""
    letters = [max(sum(map(str.isalnum, token.spoken)), 1) for token in tokens]
    starts: list[int] = []
    anchors = [(index, sample) for index, sample in enumerate(known) if sample is not None]
    for (index, start), (following, limit) in pairwise(anchors):
        speaks = any(map(str.isalnum, tokens[following - 1].spoken))
        end = _last_audible(samples, start, limit, rate) if speaks else limit
        shares = list(accumulate(letters[index:following], initial=0))
        starts += [start + (end - start) * share // shares[-1] for share in shares[:-1]]
    return starts


def _spread(starts: list[int], end: int, rate: int) -> list[int]:
    """Move starts that lie too close together apart, within what room there is."""
    least = min(int(_SHORTEST_SECONDS * rate), end // len(starts))
    moved: list[int] = []
    for index, start in enumerate(starts):
        after = moved[-1] + least if moved else 0
        moved.append(min(max(start, after), end - least * (len(starts) - index)))
    return moved


def _times(starts: list[int], samples: NDArray[np.int16], rate: int) -> tuple[tuple[int, int], ...]:
    return tuple(
        (start, _last_audible(samples, start, limit, rate)) for start, limit in pairwise([*starts, len(samples)])
    )


def _last_audible(samples: NDArray[np.int16], start: int, limit: int, rate: int) -> int:
    """Return where the sound from `start` ends: before the pause that runs up to `limit`, else `limit`.

    espeak's own END events come only after the pause.
    """
    audible = np.flatnonzero(np.abs(samples[start:limit].astype(np.int32)) > _AUDIBLE)
    if not audible.size:
        return limit
    end = start + int(audible[-1]) + 1
    return end if limit - end > _STOP_SECONDS * rate else limit
