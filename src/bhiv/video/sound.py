"""The programme's sound: narrations laid on the frame grid, brought to -14 LUFS with true peaks below -1 dBTP.

Speech has peaks 18 dB above its loudness, so gain alone or ffmpeg's loudnorm can't reach -14 LUFS; a gentle compressor
before and a limiter at four times the sample rate after the gain do. The gain is found by measuring, because the
limiter takes some of it back.
"""

import math
import wave
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from bhiv import ffmpeg, process
from bhiv.bucket.artifact import Artifact
from bhiv.cache import Step
from bhiv.plan import SAMPLE_RATE, Contract, Samples

#: EBU R 128 integrated loudness, as players normalise to it.
TARGET_LUFS = -14.0
#: How far from the target a programme may be.
TOLERANCE_LU = 0.5

_CLOSE_ENOUGH_LU = 0.1
_MOST_ROUNDS = 6
#: Linear limit: -1.6 dBFS leaves the AAC encoder room to overshoot and stay below -1 dBTP.
_LIMIT = 10 ** (-1.6 / 20)
_SHAPE = "highpass=f=70,acompressor=threshold=-24dB:ratio=3:attack=3:release=60"
_LIMITER = f"alimiter=limit={_LIMIT:.4f}:level=false:attack=2:release=40"
_MEASURE = "ebur128=framelog=quiet"
_BYTES_PER_SAMPLE = 2
_START_SECONDS = 120
#: The default coder overshoots by up to 4.6 dB for moments, measured on 14 min of speech, and takes twice the time.
_ENCODER = ("-c:a", "aac", "-aac_coder", "fast", "-b:a", "256k")


class Voicing(Contract):
    """A narration and its first sample in the programme."""

    narration: Artifact
    start: Samples


class Soundtrack(Contract):
    """Everything that decides the programme's sound."""

    voicings: tuple[Voicing, ...]
    length: Samples
    encoder: str = ffmpeg.VERSION


class Mastered(Contract):
    """The programme's sound, finished."""

    sound: Artifact


STEP = Step("sound", 2, "audio", Mastered)


def master(soundtrack: Soundtrack, narrations: Sequence[Path], folder: Path) -> Path:
    """Write the finished sound into `folder` as AAC, 48 kHz stereo, and return its path.

    The narrations' files are in the voicings' order.

    Raises:
        ToolFailed, ToolTimedOut, DiskFull, Interrupted: there is no sound; what was written stays in `folder`.
    """
    deadline = _START_SECONDS + soundtrack.length / SAMPLE_RATE
    starts = [voicing.start for voicing in soundtrack.voicings]
    write_programme(zip(starts, narrations, strict=True), soundtrack.length, folder / "programme.wav")
    chain = _mastering(find_gain(folder / "programme.wav", deadline))
    shape = ("-ar", str(SAMPLE_RATE), "-ac", "2", "-fflags", "+bitexact")
    command = ffmpeg.command("-i", "programme.wav", "-af", chain, *_ENCODER, *shape, "sound.m4a")
    process.run(command, timeout_seconds=deadline, cwd=folder)
    return folder / "sound.m4a"


def write_programme(narrations: Iterable[tuple[Samples, Path]], length: Samples, target: Path) -> None:
    """Write a mono 16-bit WAV of exactly `length` samples with each narration at its start, silence between.

    Narrations come in order and don't overlap. Only one is in memory at a time.
    """
    with closing(wave.open(str(target), "wb")) as programme:
        programme.setnchannels(1)
        programme.setsampwidth(_BYTES_PER_SAMPLE)
        programme.setframerate(SAMPLE_RATE)
        written = 0
        for start, path in narrations:
            with closing(wave.open(str(path), "rb")) as narration:
                sound = narration.readframes(narration.getnframes())
            programme.writeframesraw(bytes((start - written) * _BYTES_PER_SAMPLE) + sound)
            written = start + len(sound) // _BYTES_PER_SAMPLE
        programme.writeframesraw(bytes((length - written) * _BYTES_PER_SAMPLE))


def find_gain(programme: Path, timeout_seconds: float) -> float:
    """Return the gain in dB that brings the programme to the target; 0 for silence."""
    gain = 0.0
    for _ in range(_MOST_ROUNDS):
        chain = f"{_SHAPE},volume={gain:.2f}dB,{_LIMITER},{_MEASURE}"
        command = ffmpeg.command("-i", programme.name, "-af", chain, "-f", "null", "-")
        heard = ffmpeg.parse_loudness(
            process.run(command, timeout_seconds=timeout_seconds, cwd=programme.parent).stderr
        ).integrated
        if math.isinf(heard) or heard <= -70:
            return 0.0
        if abs(TARGET_LUFS - heard) <= _CLOSE_ENOUGH_LU:
            break
        gain += TARGET_LUFS - heard
    return gain


def _mastering(gain: float) -> str:
    """Return the filter chain of the delivered sound."""
    return f"{_SHAPE},volume={gain:.2f}dB,aresample=192000,{_LIMITER},aresample={SAMPLE_RATE}"
