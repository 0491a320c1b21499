"""The programme's sound: voices on the frame grid with what lies under them, brought to -14 LUFS, peaks below -1 dBTP.

Speech has peaks 18 dB above its loudness, so gain alone or ffmpeg's loudnorm can't reach -14 LUFS; a gentle compressor
before and a limiter of true peaks after the gain do. All is measured once, by the millisecond; the gain is then found
among these figures, because the limiter takes some of it back, and the sound is encoded once.

Voices with nothing under them are encoded one by one, and their packets laid behind each other: after an edit only what
is said anew is encoded. Their common gain is one of few, so that it is seldom another.
"""

import wave
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bhiv import ffmpeg
from bhiv.bucket.artifact import Artifact
from bhiv.cache import Step
from bhiv.plan import SAMPLE_RATE, Contract, Samples
from bhiv.video import aac, dynamics
from bhiv.video.bed import LIFT, Ducking, Loop, Music, Noise, Recording
from bhiv.video.dynamics import amplified
from bhiv.video.loudness import BLOCK, MARGIN, Curve, Heard, Wave, biquad, integrated, listen, pieces, spectrum

#: EBU R 128 integrated loudness, as players normalise to it.
TARGET_LUFS = -14.0
#: How far from the target a programme may be.
TOLERANCE_LU = 0.5

#: Leaves the AAC encoder room to overshoot and stay below -1 dBTP: 0.2 dB on speech and music.
_CEILING_DB = -1.5
#: Of a Butterworth high-pass at 70 Hz: rumble takes room and is not heard.
_RUMBLE = ((0.9935417403, -1.9870834806, 0.9935417403), (1.0, -1.9870417711, 0.9871251901))
#: A programme in which nobody speaks is not raised further, in dB: it may be meant to be quiet.
_MOST_RAISED_DB = 20.0
_BYTES_PER_SAMPLE = 2
_FULL_SCALE = np.float32(32_768)
_HIGHEST = np.float32(32_767 / 32_768)
#: Gains of voices alone are whole multiples of it.
_GAIN_STEP_DB = 0.25
#: In packets: silence behind a voice, in which its filters and its last packet die away.
_REST = 2


class Voicing(Contract):
    """A narration and its first sample in the programme."""

    narration: Artifact
    start: Samples


class Bed(Contract):
    """Music under the whole programme."""

    music: Artifact
    level_db: float = Field(description="Loudness under words against that of the voices, in LU.")


class Ambience(Contract):
    """The sound of a scene, such as that of its footage: 48 kHz, stereo, 16 bits."""

    sound: Artifact
    start: Samples = Field(description="First sample in the programme.")
    gain_db: float = Field(0.0, description="Where nobody speaks; under words it is lower.")


class Soundtrack(Contract):
    """Everything that decides the programme's sound."""

    voicings: tuple[Voicing, ...]
    length: Samples
    spoken: tuple[tuple[Samples, Samples], ...] = Field(
        (), description="When somebody speaks; empty where nothing lies under the voices."
    )
    bed: Bed | None = None
    ambience: tuple[Ambience, ...] = ()
    encoder: str = ffmpeg.VERSION


class Mastered(Contract):
    """The programme's sound, finished."""

    sound: Artifact


STEP = Step("sound", 6, "audio", Mastered)


class _Voices:
    """Voices without rumble, evened out; `clean` is a file that they are kept in."""

    def __init__(self, spoken: Path, length: int, clean: Path) -> None:
        raw = Recording(spoken, 1)
        self.length, levels = length, Curve()
        # Kept, because it is read several times, and on the disk, because it may be hours.
        with clean.open("wb") as file:
            for start, end in pieces(length):
                around = raw.read(start - MARGIN, end + MARGIN)
                filtered = np.fft.irfft(spectrum(around) * _above_rumble(end - start), around.shape[1])
                voices = np.clip(filtered[0, MARGIN:-MARGIN], -1, _HIGHEST).reshape(-1, BLOCK)
                file.write(np.rint(voices * _FULL_SCALE).astype("<i2").reshape(-1)[: length - start].data)
                levels.add(np.sqrt(np.einsum("ij,ij->i", voices, voices) / BLOCK))
        self._clean = Recording(clean, 1, length)
        self._gains = dynamics.press(levels)

    def read(self, start: int, end: int) -> Wave:
        """Return the voices, one channel, between two samples, whole blocks apart."""
        gains = np.ones((end - start) // BLOCK + 1, np.float32)
        first, last = max(start // BLOCK, 0), min(end // BLOCK + 1, len(self._gains))
        gains[first - start // BLOCK : last - start // BLOCK] = self._gains[first:last]
        return amplified(self._clean.read(start, end), gains)


class _Mix:
    """The voices in the middle with what lies under them, stereo."""

    def __init__(self, voices: _Voices, ducking: Ducking, under: Sequence[Music | Noise]) -> None:
        self.length = voices.length
        self._voices, self._ducking, self._under = voices, ducking, under

    def read(self, start: int, end: int) -> Wave:
        mixed = np.repeat(self._voices.read(start, end), 2, axis=0)
        for sound in self._under:
            mixed += sound.under(self._ducking, start, end)
        return mixed


@dataclass(frozen=True)
class Dialogue:
    """Voices with nothing under them, and what each of them is like, one channel of it, before the gain they share."""

    voices: Sequence["_Voices"]
    heard: Sequence[slice]
    gain_db: float
    #: By the millisecond, of all.
    peaks: Curve


def hear(starts: Sequence[Samples], narrations: Sequence[Path], length: Samples, folder: Path) -> Dialogue:
    """Listen to voices, in order, each evened out by itself, and find the gain that brings all to the loudness."""
    energies, peaks, heard = Curve(), Curve(), list[slice]()
    voices = [_alone(path, folder / f"{number}.clean") for number, path in enumerate(narrations)]

    def pause(until: Samples) -> None:
        silence = np.zeros(max(until // BLOCK - len(peaks), 0), np.float32)
        energies.add(silence)
        peaks.add(silence)

    for start, voice in zip(starts, voices, strict=True):
        own = listen(voice)
        pause(start)
        heard.append(slice(len(peaks), len(peaks) + len(own.peaks)))
        energies.add(own.energies[:])
        peaks.add(own.peaks[:])
    pause(length)
    gain = dynamics.find_gain(Heard(energies, peaks).doubled(), TARGET_LUFS, _CEILING_DB)
    return Dialogue(voices, heard, round(gain / _GAIN_STEP_DB) * _GAIN_STEP_DB, peaks)


def encode_voices(dialogue: Dialogue, numbers: Sequence[int], folder: Path) -> list[Path]:
    """Write the voices with these numbers, mastered, into `folder` as packets of AAC (ADTS), and return their paths.

    Raises:
        ToolFailed, ToolTimedOut, DiskFull, Interrupted: there is no sound; what was written stays in `folder`.
    """
    gains = [dynamics.limit(dialogue.peaks[dialogue.heard[at]], dialogue.gain_db, _CEILING_DB) for at in numbers]
    return aac.encode_each([(dialogue.voices[at], own) for at, own in zip(numbers, gains, strict=True)], folder)


def packet_at(start: Samples) -> int:
    """Return the packet with which a voice begins that is to be heard from `start`: at most 11 ms from there."""
    return round(start / aac.PACKET)


def _alone(narration: Path, clean: Path) -> "_Voices":
    """Return a narration, evened out, with silence behind it up to whole packets."""
    packets = -(-Recording(narration, 1).length // aac.PACKET) + _REST
    return _Voices(narration, packets * aac.PACKET, clean)


def master(
    soundtrack: Soundtrack,
    narrations: Sequence[Path],
    folder: Path,
    *,
    music: Path | None = None,
    ambience: Sequence[Path] = (),
) -> Path:
    """Write the finished sound, all of it at once, into `folder` as AAC, 48 kHz stereo, and return its path.

    The narrations' files are in the voicings' order, those of `ambience` in theirs. `music` is a WAV such as `decode`
    writes.

    Raises:
        ToolFailed, ToolTimedOut, DiskFull, Interrupted: there is no sound; what was written stays in `folder`.
    """
    starts = [voicing.start for voicing in soundtrack.voicings]
    write_programme(zip(starts, narrations, strict=True), soundtrack.length, folder / "programme.wav")
    mixed = mix(soundtrack, folder / "programme.wav", music, ambience)
    heard = listen(mixed)
    gain = dynamics.find_gain(heard, TARGET_LUFS, _CEILING_DB)
    if not soundtrack.spoken:
        gain = min(gain, _MOST_RAISED_DB)
    aac.encode(mixed, dynamics.limit(heard.peaks, gain, _CEILING_DB), folder / "sound.m4a")
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


def mix(soundtrack: Soundtrack, programme: Path, music: Path | None, ambience: Sequence[Path]) -> "_Mix":
    """Return all that is heard before mastering; `programme` holds the voices."""
    voices = _Voices(programme, soundtrack.length, programme.with_suffix(".clean"))
    under: list[Music | Noise] = [
        Noise(Recording(path), noise.start, noise.gain_db)
        for noise, path in zip(soundtrack.ambience, ambience, strict=True)
    ]
    if music is not None and soundtrack.bed is not None:
        under.append(_leveled(Recording(music), voices, soundtrack.bed.level_db))
    return _Mix(voices, Ducking(soundtrack.spoken), under)


def _leveled(recording: Recording, voices: _Voices, level_db: float) -> Music:
    """Bring music to its level under the voices; music alone is as loud as it is."""
    own, said = integrated(listen(recording).energies), integrated(listen(voices).doubled().energies)
    gain = said + level_db - own if np.isfinite(own) and np.isfinite(said) else 0.0
    return Music(Loop(recording), gain, gain + LIFT, voices.length)


@lru_cache(maxsize=4)
def _above_rumble(length: int) -> NDArray[np.complex64]:
    """Return the response of the high-pass for the `spectrum` of `length` samples with what is around them."""
    whole = length + 2 * MARGIN
    return (biquad(whole, *_RUMBLE) * whole).astype(np.complex64)
