"""Dynamics: gains that follow a sound, known ahead for each millisecond, so that nothing has to be guessed.

Envelopes fall and rise by so many decibels a millisecond, which a running maximum finds for all moments at once. Gains
stand at the edges of the blocks and are drawn straight between them: a gain that is low enough at both edges of a
block is low enough within.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bhiv.video.loudness import BLOCK, Heard, Wave, integrated

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


def press(levels: NDArray[np.float32]) -> Gains:
    """Return the gains that even speech out, of its root mean squares by millisecond."""
    loudest = float(levels.max(initial=0))
    spoken = levels[levels > loudest * 10 ** (_QUIET / 20)]
    if not loudest:
        return np.ones(len(levels) + 1, np.float32)
    threshold = 10 * np.log10(np.mean(np.square(spoken, dtype=np.float64))) + _THRESHOLD

    def gains(levels: NDArray[np.float32]) -> Gains:
        envelope = -_sloped(-_decibels(levels), _PRESS_ATTACK, _PRESS_RELEASE)
        over = np.clip(envelope - threshold + _KNEE / 2, 0, _KNEE) ** 2 / (2 * _KNEE)
        over += np.maximum(envelope - threshold - _KNEE / 2, 0)
        return _at_edges(-over * (1 - 1 / _RATIO))

    return _by_segments(gains, levels)


def limit(peaks: NDArray[np.float32], gain_db: float, ceiling_db: float) -> Gains:
    """Return the gains, `gain_db` included, under which no peak is above the ceiling."""

    def gains(peaks: NDArray[np.float32]) -> Gains:
        room = np.minimum(ceiling_db - gain_db - _decibels(peaks), 0)
        return _at_edges(_sloped(room, _LIMIT_ATTACK, _LIMIT_RELEASE) + gain_db)

    return _by_segments(gains, peaks)


def find_gain(heard: Heard, target_lufs: float, ceiling_db: float) -> float:
    """Return the gain in dB that brings a sound to the target, limited; 0 for silence."""
    loudness = integrated(heard.energies)
    if np.isinf(loudness):
        return 0.0
    first = gain = target_lufs - loudness
    for _ in range(_MOST_ROUNDS):
        missing = target_lufs - integrated(limited(heard.energies, limit(heard.peaks, gain, ceiling_db)))
        if abs(missing) <= _CLOSE_ENOUGH_LU:
            break
        # The limiter takes some of it back, and the more the louder it is.
        gain = min(gain + 1.5 * missing, first + _MOST_LIMITED_DB)
    return float(gain)


def limited(energies: NDArray[np.float32], gains: Gains) -> NDArray[np.float32]:
    """Return the energies by millisecond after the gains."""
    before, after = gains[:-1], gains[1:]
    return np.asarray(energies * (before * before + before * after + after * after) / np.float32(3))


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


def _by_segments(gains: Callable[[NDArray[np.float32]], Gains], levels: NDArray[np.float32]) -> Gains:
    """Find the gains of hours without all in memory at once in its exact form."""
    found = np.ones(len(levels) + 1, np.float32)
    for start in range(0, len(levels), _SEGMENT):
        end, first = min(start + _SEGMENT, len(levels)), max(start - _REACH, 0)
        # The edge where two segments meet is the later one's; both say the same.
        found[start : end + 1] = gains(levels[first : end + _REACH])[start - first : end + 1 - first]
    return found
