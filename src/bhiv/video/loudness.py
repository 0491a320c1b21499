"""Loudness after ITU-R BS.1770-4 and EBU R 128, and true peaks, of sound that is looked at piece by piece.

Filters are applied as their frequency response: a piece is transformed with what is heard before and after it, which
takes what wraps around. A minute of sound costs a few hundredths of a second.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bhiv.plan import SAMPLE_RATE

Wave = NDArray[np.float32]

#: In samples: all that changes over time is known for each millisecond.
BLOCK = SAMPLE_RATE // 1000
#: Samples that are looked at at once, and how many are heard around them. The sum is quick to transform.
PIECE = 2 * SAMPLE_RATE
MARGIN = SAMPLE_RATE // 20
#: In blocks: EBU R 128 gates 400 ms, every 100 ms.
_HOP = 100
_HOPS = 4
_ABSOLUTE_GATE, _RELATIVE_GATE = -70.0, -10.0
#: BS.1770-4, tables 1 and 2: the head, then a high-pass; numerator and denominator of each, at 48 kHz.
_HEAD = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
_HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
#: Where between two samples peaks are looked for: four times the rate.
_BETWEEN = (0.25, 0.5, 0.75)


class Sound(Protocol):
    """What can be heard in pieces."""

    #: In samples.
    length: int

    def read(self, start: int, end: int) -> Wave:
        """Return channels x samples, full scale at 1; silence before the beginning and after the end."""


@dataclass(frozen=True)
class Heard:
    """What every millisecond of a sound is like; the last one may reach beyond the end."""

    #: Sum of the squares of the K-weighted samples, over the channels.
    energies: NDArray[np.float32]
    #: Highest true peak of any channel, full scale at 1.
    peaks: NDArray[np.float32]

    def doubled(self) -> "Heard":
        """Return what one channel is when both of a stereo sound are like it."""
        return Heard(self.energies * np.float32(2), self.peaks)


def pieces(length: int) -> Iterator[tuple[int, int]]:
    """Return first sample and end of each piece; the last is filled up to a whole block."""
    for start in range(0, length, PIECE):
        yield start, min(start + PIECE, -(-length // BLOCK) * BLOCK)


def listen(sound: Sound) -> Heard:
    """Hear a whole sound, in pieces."""
    energies, peaks = [np.zeros(0, np.float32)], [np.zeros(0, np.float32)]
    for start, end in pieces(sound.length):
        around = sound.read(start - MARGIN, end + MARGIN)
        spectrum = np.fft.rfft(around)
        inside = slice(MARGIN, MARGIN + end - start)
        weighted = np.fft.irfft(spectrum * k_weighting(around.shape[1]), around.shape[1])[:, inside]
        energies.append(np.square(weighted, dtype=np.float32).reshape(len(around), -1, BLOCK).sum((0, 2)))
        highest = _highest(around[:, inside])
        for turn in _turns(around.shape[1]):
            between = np.asarray(np.fft.irfft(spectrum * turn, around.shape[1]), np.float32)
            highest = np.maximum(highest, _highest(between[:, inside]))
        peaks.append(highest)
    return Heard(np.concatenate(energies), np.concatenate(peaks))


def integrated(energies: NDArray[np.float32]) -> float:
    """Return the integrated loudness in LUFS of energies by millisecond; minus infinity for silence.

    Sounds of less than 400 ms have none.
    """
    whole = len(energies) // _HOP * _HOP
    hops = energies[:whole].reshape(-1, _HOP).sum(axis=1, dtype=np.float64)
    sums = np.concatenate([[0.0], np.cumsum(hops)])
    powers = np.maximum(sums[_HOPS:] - sums[:-_HOPS], 0) / (_HOPS * _HOP * BLOCK)
    gated = powers[powers > _power(_ABSOLUTE_GATE)]
    if not gated.size:
        return -np.inf
    gated = gated[gated > gated.mean() * 10 ** (_RELATIVE_GATE / 10)]
    return float(10 * np.log10(gated.mean()) - 0.691)


def highest_peak(heard: Heard) -> float:
    """Return the highest true peak in dBTP; minus infinity for silence."""
    highest = float(heard.peaks.max(initial=0))
    return float(20 * np.log10(highest)) if highest else -np.inf


@lru_cache(maxsize=4)
def k_weighting(length: int) -> NDArray[np.complex64]:
    """Return the response of the K-weighting at the frequencies of a transform of `length` samples."""
    return (biquad(length, *_HEAD) * biquad(length, *_HIGH_PASS)).astype(np.complex64)


def biquad(
    length: int, numerator: tuple[float, float, float], denominator: tuple[float, float, float]
) -> NDArray[np.complex128]:
    """Return the response of a filter of the second order, likewise."""
    back = np.exp(-2j * np.pi * np.fft.rfftfreq(length))
    over, under = (b0 + b1 * back + b2 * back**2 for b0, b1, b2 in (numerator, denominator))
    return np.asarray(over / under)


@lru_cache(maxsize=4)
def _turns(length: int) -> tuple[NDArray[np.complex64], ...]:
    return tuple(np.exp(2j * np.pi * np.fft.rfftfreq(length) * part).astype(np.complex64) for part in _BETWEEN)


def _highest(sound: Wave) -> NDArray[np.float32]:
    blocks = sound.reshape(len(sound), -1, BLOCK)
    return np.asarray(np.maximum(blocks.max((0, 2)), -blocks.min((0, 2))))


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))
