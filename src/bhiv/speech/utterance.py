"""Utterance: the sound of one sentence, with the time of every word."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bhiv.speech.words import Timing

#: Below this, of 32,767, a sample is silence; espeak's own pauses are zeros.
AUDIBLE = 32
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
    timing: Timing = "exact"


def mute(count: int, rate: int) -> Utterance:
    """Return silence for tokens that nobody can say, such as dashes."""
    samples = np.zeros(round(count * _MUTE_SECONDS * rate), np.int16)
    return Utterance(samples, rate, word_ends(spread([0] * count, len(samples), rate), samples, rate))


def spread(starts: Sequence[int], end: int, rate: int) -> list[int]:
    """Move starts that lie too close together apart, within what room there is."""
    least = min(int(_SHORTEST_SECONDS * rate), end // len(starts))
    moved: list[int] = []
    for index, start in enumerate(starts):
        after = moved[-1] + least if moved else 0
        moved.append(min(max(start, after), end - least * (len(starts) - index)))
    return moved


def word_ends(starts: list[int], samples: NDArray[np.int16], rate: int) -> tuple[tuple[int, int], ...]:
    """Give every start its end: where the next word starts, or before the pause that comes first."""
    return tuple(
        (start, last_audible(samples, start, limit, rate)) for start, limit in pairwise([*starts, len(samples)])
    )


def last_audible(samples: NDArray[np.int16], start: int, limit: int, rate: int) -> int:
    """Return where the sound from `start` ends: before the pause that runs up to `limit`, else `limit`.

    espeak's own END events come only after the pause.
    """
    audible = np.flatnonzero(np.abs(samples[start:limit].astype(np.int32)) > AUDIBLE)
    if not audible.size:
        return limit
    end = start + int(audible[-1]) + 1
    return end if limit - end > _STOP_SECONDS * rate else limit
