"""Loudness after ITU-R BS.1770-4 and EBU R 128, and true peaks, of sound that is looked at piece by piece.

Filters are applied as their frequency response: a piece is transformed with what is heard before and after it, which
takes what wraps around. A minute of sound costs a few hundredths of a second. What is found out about each millisecond
lies on the disk, so that hours take no more memory than a minute.
"""

import os
import tempfile
import weakref
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
PIECE = SAMPLE_RATE
MARGIN = SAMPLE_RATE // 20
#: In blocks: EBU R 128 gates 400 ms, every 100 ms.
_HOP = 100
_HOPS = 4
#: In blocks, whole hops: values that are looked at at once.
_SEGMENT = 60_000
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


class Values(Protocol):
    """A value for each millisecond, of which parts can be had; an array is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> NDArray[np.float32]: ...


class Curve:
    """Values that are added at the end and read anywhere; they lie on the disk."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with the last who reads it
        weakref.finalize(self, self._file.close)
        self._length = 0

    def add(self, values: NDArray[np.float32]) -> None:
        """Write some more values at the end."""
        self._file.write(np.ascontiguousarray(values, np.float32).data)
        self._length += len(values)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice, /) -> NDArray[np.float32]:
        start, end, _ = part.indices(self._length)
        return np.frombuffer(os.pread(self._file.fileno(), max(end - start, 0) * 4, start * 4), np.float32)


@dataclass(frozen=True)
class _Doubled:
    values: Values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, part: slice, /) -> NDArray[np.float32]:
        return self.values[part] * np.float32(2)


@dataclass(frozen=True)
class Heard:
    """What every millisecond of a sound is like; the last one may reach beyond the end."""

    #: Sum of the squares of the K-weighted samples, over the channels.
    energies: Values
    #: Highest true peak of any channel, full scale at 1.
    peaks: Values

    def doubled(self) -> "Heard":
        """Return what one channel is when both of a stereo sound are like it."""
        return Heard(_Doubled(self.energies), self.peaks)


def pieces(length: int) -> Iterator[tuple[int, int]]:
    """Return first sample and end of each piece; the last is filled up to a whole block."""
    for start in range(0, length, PIECE):
        yield start, min(start + PIECE, -(-length // BLOCK) * BLOCK)


def listen(sound: Sound) -> Heard:
    """Hear a whole sound, in pieces."""
    heard = Heard(energies := Curve(), peaks := Curve())
    for start, end in pieces(sound.length):
        around = sound.read(start - MARGIN, end + MARGIN)
        length, inside = around.shape[1], slice(MARGIN, MARGIN + end - start)
        transformed = spectrum(around)
        weighted = np.fft.irfft(transformed * k_weighting(length), length)[:, inside].reshape(-1, BLOCK)
        energies.add(np.einsum("ij,ij->i", weighted, weighted).reshape(len(around), -1).sum(axis=0))
        highest = np.abs(around[:, inside]).max(axis=0)
        for turn in _turns(length):
            between = np.fft.irfft(transformed * turn, length)[:, inside]
            np.maximum(highest, np.abs(between).max(axis=0), out=highest)
        peaks.add(np.maximum.reduceat(highest, np.arange(0, len(highest), BLOCK)))
    return heard


def segments(values: Values) -> Iterator[NDArray[np.float32]]:
    """Return all values, a minute's at a time."""
    for start in range(0, len(values), _SEGMENT):
        yield values[start : start + _SEGMENT]


def integrated(energies: Values) -> float:
    """Return the integrated loudness in LUFS of energies by millisecond; minus infinity for silence.

    Sounds of less than 400 ms have none.
    """
    hops = [
        part[: len(part) // _HOP * _HOP].reshape(-1, _HOP).sum(axis=1, dtype=np.float64) for part in segments(energies)
    ]
    sums = np.cumsum(np.concatenate([[0.0], *hops]))
    return gated(np.maximum(sums[_HOPS:] - sums[:-_HOPS], 0) / (_HOPS * _HOP * BLOCK))


def gated(powers: NDArray[np.float64]) -> float:
    """Return the integrated loudness in LUFS of mean squares of 400 ms, every 100 ms; minus infinity for silence."""
    loud = powers[powers > power(_ABSOLUTE_GATE)]
    if not loud.size:
        return -np.inf
    loud = loud[loud > loud.mean() * 10 ** (_RELATIVE_GATE / 10)]
    return float(10 * np.log10(loud.mean()) - 0.691)


def highest_peak(heard: Heard) -> float:
    """Return the highest true peak in dBTP; minus infinity for silence."""
    highest = max((float(part.max()) for part in segments(heard.peaks)), default=0.0)
    return float(20 * np.log10(highest)) if highest else -np.inf


def spectrum(sound: Wave) -> NDArray[np.complex64]:
    """Return a sound's transform divided by its length: numpy takes three times as long for one that is not divided."""
    return np.asarray(np.fft.rfft(sound, norm="forward"), np.complex64)


@lru_cache(maxsize=4)
def k_weighting(length: int) -> NDArray[np.complex64]:
    """Return the response of the K-weighting for a `spectrum` of `length` samples."""
    return (biquad(length, *_HEAD) * biquad(length, *_HIGH_PASS) * length).astype(np.complex64)


def biquad(
    length: int, numerator: tuple[float, float, float], denominator: tuple[float, float, float]
) -> NDArray[np.complex128]:
    """Return the response of a filter of the second order at the frequencies of a transform of `length` samples."""
    back = np.exp(-2j * np.pi * np.fft.rfftfreq(length))
    over, under = (b0 + b1 * back + b2 * back**2 for b0, b1, b2 in (numerator, denominator))
    return np.asarray(over / under)


@lru_cache(maxsize=4)
def _turns(length: int) -> tuple[NDArray[np.complex64], ...]:
    return tuple(
        (np.exp(2j * np.pi * np.fft.rfftfreq(length) * part) * length).astype(np.complex64) for part in _BETWEEN
    )


def power(lufs: float) -> float:
    """Return the mean square of a loudness in LUFS."""
    return float(10 ** ((lufs + 0.691) / 10))
