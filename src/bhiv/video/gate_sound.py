"""What the gate hears: the loudness of a finished video, and whether its words are heard when they should be."""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from math import isfinite, log10
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bhiv import ffmpeg, process
from bhiv.cache import Step
from bhiv.errors import GateRejected
from bhiv.plan import SAMPLE_RATE, Contract, Samples
from bhiv.video import bed, sound
from bhiv.video.loudness import gated, power

_TRUE_PEAK_LIMIT = -1.0
_TIMEOUT_SECONDS = 1200
#: Enough to tell sound from silence, at a sixth of the data.
_RATE = 8_000
#: Levels are those of so many milliseconds each.
_STEP_MS = 20
_STEP = _RATE * _STEP_MS // 1000
#: A mastered programme's words are 30 dB louder.
_SILENT_DBFS = -55.0
_QUIETEST, _LOUDEST = -60.0, -20.0
#: So long a silence is no pause between two syllables.
_LONGEST_SILENCE_MS = 600
#: Word times of a voice that gives none are found by comparison; this is well above their error.
_MOST_SHIFT_MS = 200
_SOUGHT_MS = 1_000
#: How much better words and sound must fit when shifted, of at most 1.
_CLEARLY_BETTER = 0.1
#: Silence around a part, in ms: each window of 400 ms that hears something of it.
_AROUND_MS = 400
_AROUND_BYTES = _AROUND_MS * _RATE // 1000 * 2
_METER = "ebur128=peak=true:framelog=quiet"
_MOMENTARY, _PEAK = "lavfi.r128.M", "lavfi.r128.true_peaks_ch0"
_LEVELS = ("-f", "s16le", "-ac", "1", "-ar", str(_RATE))
#: What a level of silence is said to be, in dBFS.
_QUIETEST_HEARD = -100.0
#: Words with less between them are one stretch of speech.
_JOINED = Samples(SAMPLE_RATE // 4)


class Stretch(Contract):
    """Where words are heard without a pause, on the programme's time."""

    start: Samples
    end: Samples


class Heard(Contract):
    """The sound of a file."""

    #: None for silence.
    loudness_lufs: float | None
    true_peak_dbtp: float | None
    #: A byte for each `_STEP_MS`, in half decibels below full scale, in Base64: hours are a record of some 100 kB.
    packed: str

    @property
    def levels(self) -> NDArray[np.float32]:
        """Level of each `_STEP_MS` in dBFS (root of the mean square)."""
        return _unpacked(self.packed)


class Part(Contract):
    """The sound of a part of a file, with silence before and after it."""

    #: None for silence.
    true_peak_dbtp: float | None
    #: As those of the whole.
    packed: str
    #: Loudness of 400 ms in LUFS, every 100 ms: what EBU R 128 makes the whole's loudness of.
    momentary: tuple[float, ...]


#: Finds what was heard by the packets that it was heard of, in whatever file they lie.
STEP = Step("heard", 1, "audio", Heard)


def stretches(words: Iterable[bed.Span]) -> tuple[Stretch, ...]:
    """Join the times of words, in order, to stretches of speech."""
    return tuple(Stretch(start=start, end=end) for start, end in bed.spans(words, _JOINED) if end > start)


def listen(path: Path) -> Heard:
    """Decode all sound, once.

    Raises:
        GateRejected: some of it can't be decoded.
    """
    levels = _Levels()
    whole = ("-i", str(path), "-map", "0:a:0", "-af", _METER, *_LEVELS, "-")
    told = _decoded(ffmpeg.command("-v", "level+info", *whole), None, levels.take)
    loudness = ffmpeg.parse_loudness(told)
    peak = loudness.true_peak
    return Heard(
        loudness_lufs=loudness.integrated if isfinite(loudness.integrated) else None,
        true_peak_dbtp=peak if peak is not None and isfinite(peak) else None,
        packed=_packed(levels),
    )


def listen_to_parts(paths: Sequence[Path], folder: Path) -> list[Part]:
    """Decode all sound of what are parts of a longer one, each once and as if it lay in silence.

    They are the same on both sides, so what both are together is heard: half the work for the peaks. One process hears
    all, at least one; what it notes down of each stays in `folder`.

    Raises:
        GateRejected: some of it can't be decoded.
    """
    both = f"pan=mono|c0=.5*c0+.5*c1,adelay={_AROUND_MS},apad=pad_dur={_AROUND_MS}ms,{_METER}:dualmono=true:metadata=1"
    numbers = range(len(paths))
    inputs = [("-i", str(path)) for path in paths]
    meters = [f"{both},ametadata=print:file={number}.told" for number in numbers]
    outputs = [("-map", f"{at}:a:0", "-af", meter, *_LEVELS, f"{at}.levels") for at, meter in enumerate(meters)]
    _decoded(ffmpeg.command("-v", "level+info", *chain.from_iterable((*inputs, *outputs))), folder)
    return [_part(folder / f"{number}.told", folder / f"{number}.levels") for number in numbers]


def _part(told: Path, samples: Path) -> Part:
    """Return what was noted down of a part."""
    levels, text = _Levels(), told.read_text(encoding="utf-8")
    levels.take(samples.read_bytes()[_AROUND_BYTES:-_AROUND_BYTES])
    momentary = (float(found) for found in re.findall(rf"{_MOMENTARY}=(\S+)", text))
    peak = max((float(found) for found in re.findall(rf"{_PEAK}=(\S+)", text)), default=0.0)
    return Part(
        true_peak_dbtp=20 * log10(peak) if peak else None,
        packed=_packed(levels),
        momentary=tuple(filter(isfinite, momentary)),
    )


def together(parts: Iterable[tuple[int, Part]], length: Samples) -> Heard:
    """Return what is heard of parts that lie in silence, each with the sample that its first one is."""
    parts = list(parts)
    levels = np.full(length * 1000 // SAMPLE_RATE // _STEP_MS, _QUIETEST_HEARD, np.float32)
    for first, part in parts:
        start, own = round(first * 1000 / SAMPLE_RATE / _STEP_MS), _unpacked(part.packed)
        levels[max(start, 0) : start + len(own)] = own[max(-start, 0) :][: len(levels) - max(start, 0)]
    peaks = [part.true_peak_dbtp for _, part in parts if part.true_peak_dbtp is not None]
    loudness = gated(np.array([power(lufs) for _, part in parts for lufs in part.momentary]))
    return Heard(
        loudness_lufs=round(loudness, 1) if isfinite(loudness) else None,
        true_peak_dbtp=round(max(peaks), 1) if peaks else None,
        packed=_pack(levels),
    )


def _decoded(command: list[str], folder: Path | None, take: Callable[[bytes], object] | None = None) -> str:
    """Run what decodes sound, and return all that ffmpeg said."""
    told = process.run(command, timeout_seconds=_TIMEOUT_SECONDS, cwd=folder, take=take).stderr
    if errors := [line for line in told.splitlines() if "[error]" in line or "[fatal]" in line]:
        raise GateRejected(f"the sound is damaged, {len(errors)} errors instead of 0: {errors[0]}")
    return told


def _packed(heard: "_Levels") -> str:
    return _pack(10 * np.log10(heard.powers() + np.float32(1e-10)))


def _pack(levels: NDArray[np.float32]) -> str:
    return b64encode(np.rint(levels * -2).clip(0, 255).astype(np.uint8).data).decode()


def _unpacked(packed: str) -> NDArray[np.float32]:
    return np.frombuffer(b64decode(packed), np.uint8).astype(np.float32) * np.float32(-0.5)


def key(packets: str) -> str:
    """Return the name of what was heard of the packets with this digest."""
    return STEP.key(packets, ffmpeg.VERSION)


class _Levels:
    """How loud each step of a sound is, measured as its samples come: hours of them are never together."""

    def __init__(self) -> None:
        self._begun, self._powers = b"", [np.zeros(0, np.float32)]

    def take(self, piece: bytes) -> None:
        """Measure the steps of 16-bit samples that end in a piece."""
        heard = self._begun + piece
        whole = len(heard) // (_STEP * 2) * (_STEP * 2)
        steps = np.frombuffer(heard, "<i2", whole // 2).reshape(-1, _STEP).astype(np.float32) / 32_768
        self._powers.append(np.mean(steps * steps, axis=1))
        self._begun = heard[whole:]

    def powers(self) -> NDArray[np.float32]:
        """Return the mean squares of all whole steps."""
        return np.concatenate(self._powers)


def check_loudness(heard: Heard) -> None:
    """Refuse a programme that is too quiet, too loud, or has peaks that a player would cut off."""
    if heard.loudness_lufs is None or not abs(heard.loudness_lufs - sound.TARGET_LUFS) <= sound.TOLERANCE_LU:
        found = "silence" if heard.loudness_lufs is None else f"{heard.loudness_lufs} LUFS"
        raise GateRejected(f"the sound has {found} instead of {sound.TARGET_LUFS} LUFS")
    if heard.true_peak_dbtp is None or heard.true_peak_dbtp > _TRUE_PEAK_LIMIT:
        raise GateRejected(f"the sound peaks at {heard.true_peak_dbtp} dBTP, above {_TRUE_PEAK_LIMIT}")


def check_speech(levels: NDArray[np.float32], speech: Sequence[Stretch]) -> None:
    """Refuse silence where words should be heard, and sound that comes earlier or later than its words."""
    for stretch in speech:
        start, end = (at * 1000 // SAMPLE_RATE // _STEP_MS for at in (stretch.start, stretch.end))
        longest, at = _longest_silence(levels[start:end], end - start)
        if longest and longest * _STEP_MS >= min(_LONGEST_SILENCE_MS, (end - start) * _STEP_MS):
            missing, since = (steps * _STEP_MS / 1000 for steps in (longest, start + at))
            wanted, begin = (samples / SAMPLE_RATE for samples in (stretch.end - stretch.start, stretch.start))
            raise GateRejected(
                f"nothing is heard for {missing:.2f} s from {since:.2f} s, where there should be {wanted:.2f} s of "
                f"speech from {begin:.2f} s"
            )
    late = _lateness_ms(levels, speech)
    if abs(late) > _MOST_SHIFT_MS:
        raise GateRejected(f"the speech is heard {late / 1000:+.2f} s from its words instead of within 0.20 s")


def _longest_silence(levels: NDArray[np.float32], wanted: int) -> tuple[int, int]:
    """Return the length of the longest silence and where it begins; what is missing at the end is silent."""
    silent = np.ones(wanted + 2, np.int8)
    silent[1 : 1 + len(levels)] = levels < _SILENT_DBFS
    silent[0] = silent[-1] = 0
    edges = np.flatnonzero(np.diff(silent))
    if not len(edges):
        return 0, 0
    lengths = edges[1::2] - edges[::2]
    longest = int(lengths.argmax())
    return int(lengths[longest]), int(edges[2 * longest])


def _lateness_ms(levels: NDArray[np.float32], speech: Sequence[Stretch]) -> int:
    """Return by how much the sound follows the words it should fit; 0 where no other shift fits clearly better."""
    wanted = np.zeros(len(levels), np.float32)
    for stretch in speech:
        start, end = (at * 1000 // SAMPLE_RATE // _STEP_MS for at in (stretch.start, stretch.end))
        wanted[start:end] = 1
    if not 0 < wanted.mean() < 1:
        return 0
    heard = np.clip(levels, _QUIETEST, _LOUDEST)
    reach = _SOUGHT_MS // _STEP_MS
    shifts = range(-reach, reach + 1)
    fits = [_likeness(wanted, np.roll(heard, -shift)) for shift in shifts]
    best = int(np.argmax(fits))
    return shifts[best] * _STEP_MS if fits[best] > fits[reach] + _CLEARLY_BETTER else 0


def _likeness(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    spread = float(first.std() * second.std())
    return float(((first - first.mean()) * (second - second.mean())).mean()) / spread if spread else 0.0
