"""Recordings: what a speech engine answers, looked at before it is believed, and brought to one form and level."""

import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bhiv import ffmpeg, process
from bhiv.errors import SpeechError, ToolFailed
from bhiv.plan import SAMPLE_RATE, Contract

#: First bytes of a file, and what ffmpeg calls its format. No other is read: an answer is a stranger's file.
_FORMATS = ((b"RIFF", "wav"), (b"ID3", "mp3"), (b"OggS", "ogg"), (b"fLaC", "flac"))
_DECODE_SECONDS = 60
#: The longest that is read of an answer.
_LONGEST_SECONDS = 300
_FRAME = SAMPLE_RATE // 100
#: Below this, of full scale, nothing was said.
_SILENT = 10 ** (-50 / 20)
#: What lies so far below the loudest moment is no speech.
_QUIET = 10 ** (-38 / 20)
#: Level of what is said, root mean square, that the embedded voice has by itself within half a decibel (English,
#: Hindi); all other voices are brought to it.
LEVEL = 3_500.0
_HIGHEST_PEAK = 31_000
#: Letters a second: whoever is faster has left some out, who is slower says something else. Scripts whose letters are
#: syllables or words have fewer.
_FASTEST, _SLOWEST = 26.0, 3.5
_FASTEST_SYLLABLES, _SLOWEST_SYLLABLES = 13.0, 1.2
_SYLLABIC = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "YI ", "BOPOMOFO")
#: What a digit may take at most, in letters: 7 is two of them, 1,000,000 a few.
_LETTERS_OF_A_DIGIT = 9
_SPARE_SECONDS = 3.0


class Mark(Contract):
    """A word or letter that an engine names, and when it is heard, in samples of 48 kHz from the recording's start."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Recording:
    """What an engine says of one text: a sound file, and what it knows of its times."""

    sound: bytes
    marks: tuple[Mark, ...] = ()


def mark(text: str, start_seconds: float, end_seconds: float) -> Mark:
    """Return a mark; raises ValueError where the times are none."""
    if not (0 <= start_seconds <= end_seconds <= _LONGEST_SECONDS):  # false for NaN too
        raise ValueError(f"{text!r} can't be heard from {start_seconds} s to {end_seconds} s")
    return Mark(text=text, start=round(start_seconds * SAMPLE_RATE), end=round(end_seconds * SAMPLE_RATE))


def listen(recording: Recording, text: str, name: str) -> NDArray[np.int16]:
    """Return the recording's sound at 48 kHz, mono, when it can be one of `text`; `name` is who said it, for messages.

    Raises:
        SpeechError: it is no sound, silence, or much too short or too long for the text.
    """
    samples = _decoded(recording.sound, name)
    # Without figures: one sentence like the other is told once, with a count.
    if _loudest(samples) < _SILENT * 32_768:
        raise SpeechError(f"{name} answered silence")
    least, most = plausible_seconds(text)
    spoken = len(trimmed(samples)[0]) / SAMPLE_RATE
    if not least <= spoken <= most:
        how = "short" if spoken < least else "long"
        raise SpeechError(f"{name} answered speech that is too {how} for its text")
    return samples


def plausible_seconds(text: str) -> tuple[float, float]:
    """Return the shortest and the longest time in which a text can be said."""
    letters = [letter for letter in text if unicodedata.category(letter)[0] in "LMN"]
    syllables = sum(unicodedata.name(letter, "").startswith(_SYLLABIC) for letter in letters)
    digits = sum(letter.isdigit() for letter in letters)
    plain = len(letters) - syllables
    least = plain / _FASTEST + syllables / _FASTEST_SYLLABLES
    most = (plain + digits * _LETTERS_OF_A_DIGIT) / _SLOWEST + syllables / _SLOWEST_SYLLABLES
    # One letter more or less is no matter: a word such as "Oh" has no least.
    return max(least - 0.15, 0.03), most + _SPARE_SECONDS


def trimmed(samples: NDArray[np.int16]) -> tuple[NDArray[np.int16], int]:
    """Return the sound without the silence around it, and how many samples were taken from its beginning."""
    levels = _levels(samples)
    heard = np.flatnonzero(levels > max(float(levels.max()) * _QUIET, _SILENT * 32_768 / 4)) if levels.size else levels
    if not heard.size:
        return samples, 0
    first, last = int(heard[0]) * _FRAME, (int(heard[-1]) + 1) * _FRAME
    return samples[first:last], first


def levelled(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Bring what is said to the level that all voices have here; peaks stay whole."""
    level = speech_level(samples)
    peak = float(np.abs(samples.astype(np.int32)).max(initial=0))
    if not level or not peak:
        return samples
    return np.round(samples * min(LEVEL / level, _HIGHEST_PEAK / peak)).astype(np.int16)


def speech_level(samples: NDArray[np.int16]) -> float:
    """Return the root mean square of the moments in which something is said, pauses left out; 0 for silence."""
    levels = _levels(samples)
    spoken = levels[levels > levels.max(initial=0) * 10 ** (-25 / 20)]
    return float(np.sqrt(np.mean(spoken**2))) if spoken.size else 0.0


def _levels(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    whole = len(samples) // _FRAME * _FRAME
    frames = samples[:whole].astype(np.float64).reshape(-1, _FRAME)
    return np.asarray(np.sqrt((frames**2).mean(axis=1)), np.float64) if whole else np.zeros(0)


def _loudest(samples: NDArray[np.int16]) -> float:
    return float(_levels(samples).max(initial=0))


def _decoded(sound: bytes, name: str) -> NDArray[np.int16]:
    known = _format(sound)
    if known is None:
        raise SpeechError(f"{name} answered no sound that can be read: {_beginning(sound)}")
    if known == "wav" and _is_cut(sound):
        raise SpeechError(f"{name} answered a sound that breaks off")
    command = ffmpeg.command(
        *("-protocol_whitelist", "pipe", "-f", known, "-i", "pipe:0", "-map", "0:a:0", "-t", str(_LONGEST_SECONDS)),
        *("-ac", "1", "-ar", str(SAMPLE_RATE), "-f", "s16le", "pipe:1"),
    )
    try:
        return np.frombuffer(process.run(command, timeout_seconds=_DECODE_SECONDS, stdin=sound).stdout, "<i2")
    except ToolFailed as error:
        raise SpeechError(f"{name} answered a sound that can't be read: {error}") from error


def _format(sound: bytes) -> str | None:
    for first, known in _FORMATS:
        if sound.startswith(first):
            return known
    # MPEG audio without a tag: eleven bits that mark a frame.
    return "mp3" if len(sound) > 1 and sound[0] == 0xFF and sound[1] & 0xE0 == 0xE0 else None


def _is_cut(sound: bytes) -> bool:
    """Whether a WAV file announces more than there is; who writes it while he speaks announces nothing or all ones."""
    at = sound.find(b"data", 12)
    announced = int.from_bytes(sound[at + 4 : at + 8], "little")
    return at > 0 and announced < 0x7FFF_0000 and announced > len(sound) - at - 8


def _beginning(sound: bytes) -> str:
    words = " ".join(sound[:200].decode(errors="replace").split())[:60]
    return f"it begins with {words!r}" if words else "it is empty"
