"""Alignment: when the words of a sentence are heard, found by comparing it with the embedded voice's own reading.

Both sounds become mel-frequency cepstra every 10 ms; dynamic time warping (Sakoe and Chiba, 1978) finds which moments
belong together. Needs nothing but numpy.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bhiv.speech.utterance import Utterance

Floats = NDArray[np.float64]

_HOP_SECONDS = 0.01
_WINDOW_SECONDS = 0.025
#: What both sounds have: the embedded voice's sample rate ends at 11 kHz, and speech needs no more.
_LOWEST_HZ, _HIGHEST_HZ = 80, 7_000
_MEL_BANDS = 26
_CEPSTRA = 12
_PRE_EMPHASIS = 0.97
#: Loudness tells pauses from words, the change of the cepstra tells where a sound begins.
_ENERGY_WEIGHT, _DELTA_WEIGHT = 2.0, 0.7
#: A minute against a minute would take 36 million cells of 8 bytes; sentences are short.
_MOST_CELLS = 20_000_000


def align(reference: Utterance, samples: NDArray[np.int16], rate: int) -> list[tuple[int, int]] | None:
    """Return when each of the reference's tokens is heard in another reading of the same words, as samples of it.

    Both begin and end with the sentence, without silence around it. None when one of them is too long, or has too
    little sound to compare.
    """
    hop = round(_HOP_SECONDS * rate)
    if len(reference.samples) / (_HOP_SECONDS * reference.rate) * (len(samples) / hop) > _MOST_CELLS:
        return None
    known, heard = _features(reference.samples, reference.rate), _features(samples, rate)
    if min(len(known), len(heard)) < 3:
        return None
    path = _warp(_distances(known, heard))
    # The middle of all the moments that belong to one moment of the reference.
    partners = np.bincount(path[:, 0], path[:, 1]) / np.bincount(path[:, 0])

    def found(sample: int) -> int:
        if sample <= 0:
            return 0
        if sample >= len(reference.samples):
            return len(samples)
        moment = sample / (reference.rate * _HOP_SECONDS)
        return min(round(float(np.interp(moment, np.arange(len(partners)), partners)) * hop), len(samples))

    return [(found(start), found(end)) for start, end in reference.times]


def _features(samples: NDArray[np.int16], rate: int) -> Floats:
    """Return a row every 10 ms: cepstra, loudness and the cepstra's change, each around 0 with a spread of about 1."""
    sound = samples.astype(np.float64)
    loudest = float(np.abs(sound).max(initial=0))
    if not loudest:
        return np.zeros((0, 0))
    sound = np.append(sound[0], sound[1:] - _PRE_EMPHASIS * sound[:-1]) / loudest
    window, hop = round(_WINDOW_SECONDS * rate), round(_HOP_SECONDS * rate)
    sound = np.pad(sound, window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(sound, window)[::hop] * np.hamming(window)
    size = 1 << (window - 1).bit_length()
    power = np.abs(np.fft.rfft(frames, size)) ** 2 / window
    floor = 1e-9
    cepstra = _normal(np.log(power @ _mel_bands(rate, size) + floor) @ _cosines())
    energy = _normal(np.log(power.sum(axis=1) + floor))[:, None]
    change = np.gradient(cepstra, axis=0) if len(cepstra) > 1 else np.zeros_like(cepstra)
    return np.hstack([cepstra, _ENERGY_WEIGHT * energy, _DELTA_WEIGHT * change / (change.std(axis=0) + 1e-6)])


def _normal(values: Floats) -> Floats:
    return np.asarray((values - values.mean(axis=0)) / (values.std(axis=0) + 1e-6), np.float64)


def _mel_bands(rate: int, size: int) -> Floats:
    """Return the weight of every frequency of a spectrum in every band: triangles of equal width in mel."""

    def mel(hertz: float) -> float:
        return float(2595 * np.log10(1 + hertz / 700))

    edges = 700 * (10 ** (np.linspace(mel(_LOWEST_HZ), mel(_HIGHEST_HZ), _MEL_BANDS + 2) / 2595) - 1)
    hertz = np.arange(size // 2 + 1)[:, None] * rate / size
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling))


def _cosines() -> Floats:
    """Return the discrete cosine transform of the bands, without its first row, which is the loudness."""
    bands, order = np.arange(_MEL_BANDS)[:, None] + 0.5, np.arange(1, _CEPSTRA + 1)
    return np.asarray(np.cos(np.pi * bands * order / _MEL_BANDS) * np.sqrt(2 / _MEL_BANDS), np.float64)


def _distances(one: Floats, other: Floats) -> Floats:
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)), np.float64)


def _warp(cost: Floats) -> NDArray[np.intp]:
    """Return the cheapest path from the first to the last pair of moments, as rows of pairs."""
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0
    for row in range(rows):
        before = np.minimum(total[row, 1:], total[row, :-1]) + cost[row]
        # A step along the row adds what lies between, so the best start of each is a running minimum.
        summed = np.cumsum(cost[row])
        total[row + 1, 1:] = np.minimum.accumulate(before - summed) + summed
    return _path_back(total)


def _path_back(total: Floats) -> NDArray[np.intp]:
    row, column = total.shape[0] - 1, total.shape[1] - 1
    path: list[Sequence[int]] = []
    while row and column:
        path.append((row - 1, column - 1))
        both, up, left = total[row - 1, column - 1], total[row - 1, column], total[row, column - 1]
        if both <= up and both <= left:
            row, column = row - 1, column - 1
        elif up <= left:
            row -= 1
        else:
            column -= 1
    return np.array(path[::-1], np.intp)
