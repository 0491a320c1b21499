"""Dynamics: gains that follow a sound, known ahead for each millisecond, so that nothing has to be guessed.

Envelopes fall and rise by so many decibels a millisecond, which a running maximum finds for all moments at once. Gains
stand at the edges of the blocks and are drawn straight between them: a gain that is low enough at both edges of a
block is low enough within.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from bhiv.video.loudness import BLOCK, Heard, Values, Wave, integrated, segments

Gains = NDArray[np.float32]

#: Speech is pressed by 3 to 1 from so far below its own level, in dB, softly.
_THRESHOLD, _RATIO, _KNEE = -5.0, 3.0, 6.0
#: In dB a millisecond.
_PRESS_ATTACK, _PRESS_RELEASE = 3.0, 0.15
_LIMIT_ATTACK, _LIMIT_RELEASE = 2.0, 0.15
#: What lies so far below the loudest moment is no speech, in dB.
_QUIET = -25.0
_SILENCE = 1e-6
#: Blocks that are looked at at once, and what is heard around them: no envelope reaches farther.
_SEGMENT, _REACH = 60_000, 1_000
_CLOSE_ENOUGH_LU = 0.01
_MOST_ROUNDS = 12
#: A programme that is further from its loudness can't be brought to it by more gain: it is clicks.
_MOST_LIMITED_DB = 24.0


class Envelope:
    """Gains at the edges of a sound's blocks, worked out where they are asked for, a segment at a time."""

    def __init__(self, levels: Values, gains: Callable[[NDArray[np.float32]], Gains]) -> None:
        self._length = len(levels) + 1
        # Two, because what is heard around a piece may lie in another.
        self._segment = lru_cache(maxsize=2)(partial(_worked_out, levels, gains))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice, /) -> Gains:
        start, end, _ = part.indices(self._length)
        found = [np.ones(0, np.float32)]
        for number in range(start // _SEGMENT, -(-end // _SEGMENT)):
            first = number * _SEGMENT
            found.append(self._segment(number)[max(start - first, 0) : end - first])
        return np.concatenate(found)


def _worked_out(levels: Values, gains: Callable[[NDArray[np.float32]], Gains], number: int) -> Gains:
    start = number * _SEGMENT
    first = max(start - _REACH, 0)
    # The edge where two segments meet is the later one's; both say the same.
    return gains(levels[first : start + _SEGMENT + _REACH])[start - first :][:_SEGMENT]


def press(levels: Values) -> Envelope:
    """Return the gains that even speech out, of its root mean squares by millisecond."""
    loudest = max((float(part.max()) for part in segments(levels)), default=0.0)
    if not loudest:
        return Envelope(levels, lambda levels: np.ones(len(levels) + 1, np.float32))
    spoken = (part[part > loudest * 10 ** (_QUIET / 20)] for part in segments(levels))
    sums = np.sum([(np.square(part, dtype=np.float64).sum(), len(part)) for part in spoken], axis=0)
    threshold = 10 * np.log10(sums[0] / sums[1]) + _THRESHOLD

    def gains(levels: NDArray[np.float32]) -> Gains:
        envelope = -_sloped(-_decibels(levels), _PRESS_ATTACK, _PRESS_RELEASE)
        over = np.clip(envelope - threshold + _KNEE / 2, 0, _KNEE) ** 2 / (2 * _KNEE)
        over += np.maximum(envelope - threshold - _KNEE / 2, 0)
        return _at_edges(-over * (1 - 1 / _RATIO))

    return Envelope(levels, gains)


def limit(peaks: Values, gain_db: float, ceiling_db: float) -> Envelope:
    """Return the gains, `gain_db` included, under which no peak is above the ceiling."""

    def gains(peaks: NDArray[np.float32]) -> Gains:
        room = np.minimum(ceiling_db - gain_db - _decibels(peaks), 0)
        return _at_edges(_sloped(room, _LIMIT_ATTACK, _LIMIT_RELEASE) + gain_db)

    return Envelope(peaks, gains)


def find_gain(heard: Heard, target_lufs: float, ceiling_db: float) -> float:
    """Return the gain in dB that brings a sound to the target, limited; 0 for silence."""
    loudness = integrated(heard.energies)
    if np.isinf(loudness):
        return 0.0
    first = gain = target_lufs - loudness
    for _ in range(_MOST_ROUNDS):
        missing = target_lufs - integrated(Limited(heard.energies, limit(heard.peaks, gain, ceiling_db)))
        if abs(missing) <= _CLOSE_ENOUGH_LU:
            break
        # The limiter takes some of it back, and the more the louder it is.
        gain = min(gain + 1.5 * missing, first + _MOST_LIMITED_DB)
    return float(gain)


@dataclass(frozen=True)
class Limited:
    """The energies of a sound by millisecond after the gains."""

    energies: Values
    gains: Envelope

    def __len__(self) -> int:
        return len(self.energies)

    def __getitem__(self, part: slice, /) -> NDArray[np.float32]:
        start, end, _ = part.indices(len(self))
        gains = self.gains[start : end + 1]
        before, after = gains[:-1], gains[1:]
        squares = (before * before + before * after + after * after) / np.float32(3)
        return np.asarray(self.energies[part] * squares)


def amplified(sound: Wave, gains: Gains) -> Wave:
    """Return a sound of whole blocks after the gains at their edges."""
    steps = (gains[1:] - gains[:-1])[:, None] * (np.arange(BLOCK, dtype=np.float32) / np.float32(BLOCK))
    return np.asarray(sound.reshape(len(sound), -1, BLOCK) * (gains[:-1, None] + steps)).reshape(sound.shape)


def _sloped(room: NDArray[np.float64], attack: float, release: float) -> NDArray[np.float64]:
    """Return what is nowhere above `room`, falls before its lows and rises after them, in dB a block."""
    at = np.arange(len(room))
    risen = np.minimum.accumulate(room - release * at) + release * at
    ahead = attack * at
    return np.asarray(np.minimum.accumulate((risen + ahead)[::-1])[::-1] - ahead)


def _at_edges(decibels: NDArray[np.float64]) -> Gains:
    edges = np.concatenate([decibels[:1], np.minimum(decibels[1:], decibels[:-1]), decibels[-1:]])
    return (10 ** (edges / 20)).astype(np.float32)


def _decibels(levels: NDArray[np.float32]) -> NDArray[np.float64]:
    return 20 * np.log10(np.maximum(levels.astype(np.float64), _SILENCE))
