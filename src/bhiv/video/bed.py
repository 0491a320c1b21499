"""What lies under the voices: music that goes round and sounds of the scenes, both stepping back while somebody speaks.

Who speaks when is known from the words, so the music is down before the first of them and needs no detector.
"""

import wave
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bhiv.plan import SAMPLE_RATE, Samples
from bhiv.video.dynamics import Gains, amplified
from bhiv.video.loudness import BLOCK, Wave

#: From the first word that is said at a stretch to the end of the last, in samples of the programme.
Span = tuple[Samples, Samples]

#: Shorter pauses are no rest: music that came up in them would be restless.
PAUSE = Samples(SAMPLE_RATE * 12 // 10)
#: How much louder than under the voice it is where nobody speaks, in dB.
LIFT = 8.0
#: Seconds before the first word in which it goes down, and after the last in which it comes up.
_DOWN, _UP = (0.4, 0.1), (0.2, 0.7)
_FADE_IN, _FADE_OUT = SAMPLE_RATE // 2, 3 * SAMPLE_RATE
#: In samples: how long the end of the music is heard with its beginning.
_CROSSFADE = 2 * SAMPLE_RATE
_FULL_SCALE = np.float32(32_768)


def spans(words: Iterable[Span], pause: Samples = PAUSE) -> tuple[Span, ...]:
    """Join words, in order, to the stretches between which there are pauses of that length."""
    joined: list[Span] = []
    for start, end in words:
        if joined and start - joined[-1][1] < pause:
            joined[-1] = (joined[-1][0], Samples(max(end, joined[-1][1])))
        else:
            joined.append((start, end))
    return tuple(joined)


class Ducking:
    """How far what lies under the voices comes up, by time."""

    def __init__(self, spoken: Sequence[Span]) -> None:
        times, heights = [-np.inf], [1.0]
        for start, end in spoken:
            times += [start - _DOWN[0] * SAMPLE_RATE, start - _DOWN[1] * SAMPLE_RATE]
            times += [end + _UP[0] * SAMPLE_RATE, end + _UP[1] * SAMPLE_RATE]
            heights += [1.0, 0.0, 0.0, 1.0]
        self._times, self._heights = np.array(times), np.array(heights)

    def gains(self, start: int, end: int, low_db: float, high_db: float) -> Gains:
        """Return the gains at the edges of whole blocks: `low_db` under words, `high_db` in pauses, gently between."""
        edges = np.arange(start, end + 1, BLOCK)
        height = (1 - np.cos(np.pi * np.interp(edges, self._times, self._heights))) / 2
        return np.asarray(10 ** ((low_db + (high_db - low_db) * height) / 20), np.float32)


class Recording:
    """A sound file of 16 bits, read from the disk as it is needed: not mapped, so that hours take no memory."""

    def __init__(self, path: Path, channels: int = 2, length: int | None = None) -> None:
        """Open a WAV of 48 kHz that ends with its samples; with a `length`, bare samples."""
        if length is None:
            with closing(wave.open(str(path), "rb")) as file:
                length = file.getnframes()
        self._path, self._channels, self.length = path, channels, length
        self._begin = path.stat().st_size - length * channels * 2

    def read(self, start: int, end: int) -> Wave:
        """Return channels x samples between two samples, silence around them."""
        found = np.zeros((self._channels, end - start), np.float32)
        first, last = max(start, 0), min(end, self.length)
        if first < last:
            count, offset = (last - first) * self._channels, self._begin + first * self._channels * 2
            samples = np.fromfile(self._path, "<i2", count, offset=offset).reshape(-1, self._channels)
            found[:, first - start : last - start] = samples.T / _FULL_SCALE
        return found


class Loop:
    """A recording as sound without an end, each round beginning under the end of the one before."""

    def __init__(self, recording: Recording) -> None:
        self._recording, self._crossfade = recording, min(_CROSSFADE, recording.length // 4)
        self._period = recording.length - self._crossfade

    def read(self, start: int, end: int) -> Wave:
        """Return the sound between two samples; silence before the first."""
        found = np.zeros((2, end - start), np.float32)
        for turn in range(max(start - self._crossfade, 0) // self._period, max(end - 1, 0) // self._period + 1):
            began = turn * self._period
            first, last = max(start, began), min(end, began + self._recording.length)
            if first < last:
                faded = self._recording.read(first - began, last - began) * self._fades(
                    first - began, last - began, turn
                )
                found[:, first - start : last - start] += faded
        return found

    def _fades(self, start: int, end: int, turn: int) -> Wave:
        """Return the gains of a round: those of its end and of the next one's beginning have one power together."""
        played = np.arange(start, end, dtype=np.float32) + np.float32(0.5)
        into = np.clip(played / max(self._crossfade, 1), 0, 1) if turn else np.ones_like(played)
        out = np.clip((self._recording.length - played) / max(self._crossfade, 1), 0, 1)
        return np.asarray(np.sin(into * (np.pi / 2)) * np.sin(out * (np.pi / 2)), np.float32)


@dataclass(frozen=True)
class Music:
    """Music under a whole programme."""

    loop: Loop
    #: Under words, and in pauses.
    low_db: float
    high_db: float
    #: Of the programme.
    length: int

    def under(self, ducking: Ducking, start: int, end: int) -> Wave:
        """Return what is heard of it between two samples, whole blocks apart."""
        sound = amplified(self.loop.read(start, end), ducking.gains(start, end, self.low_db, self.high_db))
        return np.asarray(sound * self._fades(start, end))

    def _fades(self, start: int, end: int) -> Wave:
        at = np.arange(start, end)
        fade_in, fade_out = min(_FADE_IN, self.length // 8), min(_FADE_OUT, self.length // 4)
        near = np.minimum(at / max(fade_in, 1), (self.length - 1 - at) / max(fade_out, 1))
        return np.asarray((1 - np.cos(np.pi * np.clip(near, 0, 1))) / 2, np.float32)


@dataclass(frozen=True)
class Noise:
    """The sound of a scene, such as that of its footage."""

    recording: Recording
    #: First sample in the programme.
    start: int
    #: In pauses; under words it steps back as music does.
    gain_db: float

    def under(self, ducking: Ducking, start: int, end: int) -> Wave:
        """Return what is heard of it between two samples, whole blocks apart."""
        if end <= self.start or start >= self.start + self.recording.length:
            return np.zeros((2, end - start), np.float32)
        found = self.recording.read(start - self.start, end - self.start)
        return amplified(found, ducking.gains(start, end, self.gain_db - LIFT, self.gain_db))
