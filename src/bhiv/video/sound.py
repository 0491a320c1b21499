"""The programme's sound: voices on the frame grid with what lies under them, brought to -14 LUFS, peaks below -1 dBTP.

Speech has peaks 18 dB above its loudness, so gain alone or ffmpeg's loudnorm can't reach -14 LUFS; a gentle compressor
before and a limiter of true peaks after the gain do. All is measured once, by the millisecond; the gain is then found
among these figures, because the limiter takes some of it back, and the sound is encoded once.
"""

import wave
from collections.abc import Iterable, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bhiv import ffmpeg, process
from bhiv.bucket.artifact import Artifact
from bhiv.cache import Step
from bhiv.plan import SAMPLE_RATE, Contract, Samples
from bhiv.video import dynamics
from bhiv.video.bed import LIFT, Ducking, Loop, Music, Noise, Recording
from bhiv.video.dynamics import Envelope, amplified
from bhiv.video.loudness import BLOCK, MARGIN, Curve, Wave, biquad, integrated, listen, pieces, spectrum

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
_STALL_SECONDS = 120
#: One quality all along, whose noise is masked at 99 of 100 moments, at half of what 256 kbit/s cost; the default coder
#: overshoots by up to 4.6 dB for moments, measured on 14 min of speech, and takes four times as long.
_ENCODER = ("-c:a", "aac", "-aac_coder", "fast", "-q:a", "2.5", "-aac_tns", "0", "-aac_pns", "0", "-aac_is", "0")

#: Voices alone are the same on both sides, so nothing else has to be tried.
_ONE_SIDED = ("-aac_ms", "1")


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


STEP = Step("sound", 5, "audio", Mastered)


class _Voices:
    """The voices of a programme, without rumble, evened out."""

    def __init__(self, programme: Path, length: int) -> None:
        raw, clean = Recording(programme, 1), programme.with_suffix(".clean")
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


def master(
    soundtrack: Soundtrack,
    narrations: Sequence[Path],
    folder: Path,
    *,
    music: Path | None = None,
    ambience: Sequence[Path] = (),
) -> Path:
    """Write the finished sound into `folder` as AAC, 48 kHz stereo, and return its path.

    The narrations' files are in the voicings' order, those of `ambience` in theirs. `music` is a WAV such as `decode`
    writes.

    Raises:
        ToolFailed, ToolTimedOut, DiskFull, Interrupted: there is no sound; what was written stays in `folder`.
    """
    starts = [voicing.start for voicing in soundtrack.voicings]
    write_programme(zip(starts, narrations, strict=True), soundtrack.length, folder / "programme.wav")
    mixed = mix(soundtrack, folder / "programme.wav", music, ambience)
    heard = listen(mixed)
    doubled = heard if isinstance(mixed, _Mix) else heard.doubled()
    gain = dynamics.find_gain(doubled, TARGET_LUFS, _CEILING_DB)
    if isinstance(mixed, _Mix) and not soundtrack.spoken:
        gain = min(gain, _MOST_RAISED_DB)
    _encode(mixed, dynamics.limit(heard.peaks, gain, _CEILING_DB), folder)
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


def mix(soundtrack: Soundtrack, programme: Path, music: Path | None, ambience: Sequence[Path]) -> "_Voices | _Mix":
    """Return all that is heard before mastering: one channel when there are voices only; `programme` holds those."""
    voices = _Voices(programme, soundtrack.length)
    under: list[Music | Noise] = [
        Noise(Recording(path), noise.start, noise.gain_db)
        for noise, path in zip(soundtrack.ambience, ambience, strict=True)
    ]
    if music is not None and soundtrack.bed is not None:
        under.append(_leveled(Recording(music), voices, soundtrack.bed.level_db))
    return _Mix(voices, Ducking(soundtrack.spoken), under) if under else voices


def _leveled(recording: Recording, voices: _Voices, level_db: float) -> Music:
    """Bring music to its level under the voices; music alone is as loud as it is."""
    own, said = integrated(listen(recording).energies), integrated(listen(voices).doubled().energies)
    gain = said + level_db - own if np.isfinite(own) and np.isfinite(said) else 0.0
    return Music(Loop(recording), gain, gain + LIFT, voices.length)


def _encode(mixed: "_Voices | _Mix", gains: Envelope, folder: Path) -> None:
    raw = ("-f", "f32le", "-ar", str(SAMPLE_RATE), "-ac", "2", "-i", "pipe:0")
    coding = _ENCODER if isinstance(mixed, _Mix) else (*_ENCODER, *_ONE_SIDED)
    command = ffmpeg.command(*raw, *coding, "-fflags", "+bitexact", "sound.m4a")
    with process.feed(command, stall_seconds=_STALL_SECONDS, cwd=folder) as write:
        for start, end in pieces(mixed.length):
            sound = amplified(mixed.read(start, end), gains[start // BLOCK : end // BLOCK + 1])
            both = np.broadcast_to(sound, (2, end - start))[:, : mixed.length - start]
            write(np.ascontiguousarray(both.T, "<f4").data.cast("B"))


@lru_cache(maxsize=4)
def _above_rumble(length: int) -> NDArray[np.complex64]:
    """Return the response of the high-pass for the `spectrum` of `length` samples with what is around them."""
    whole = length + 2 * MARGIN
    return (biquad(whole, *_RUMBLE) * whole).astype(np.complex64)
