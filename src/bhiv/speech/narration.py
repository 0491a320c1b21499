"""Narration: the sound of a scene, sentence by sentence, with the time of every word."""

import wave
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bhiv import ffmpeg, process
from bhiv.errors import PlanError
from bhiv.plan import SAMPLE_RATE, Samples
from bhiv.speech.espeak import Utterance, synthesize
from bhiv.speech.pauses import split_pauses
from bhiv.speech.sentences import ends_sentence, sentence_spans
from bhiv.speech.spoken import Token, spoken_tokens
from bhiv.speech.voices import Voice
from bhiv.speech.words import Spoken, Word

_SENTENCE_GAP = Fraction("0.28")
#: A line of verse that runs on into the next, and one that ends with its sentence.
_LINE_GAP = Fraction("0.3")
_CLOSED_LINE_GAP = Fraction("0.45")
_RESAMPLE_TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class _Sentence:
    tokens: tuple[Token, ...]
    #: Silence after it in seconds, when another sentence follows at once.
    gap: Fraction


@dataclass
class _Track:
    """Sound and words so far, at the engine's rate; the words' ends and starts are samples of it."""

    rate: int
    pieces: list[NDArray[np.int16]] = field(default_factory=list)
    words: list[tuple[str, int, int, int]] = field(default_factory=list)
    length: int = 0
    sentences: int = 0


def narrate(text: str, language: str, voice: Voice, path: Path) -> Spoken:
    """Speak a scene's narration into `path`, a WAV file of 48 kHz, mono, 16 bit, and return when each word is heard.

    `[pause 2s]` is exactly that much silence. Every word of the text, as white space parts it, comes once and in
    order, and lasts. Without words or pauses the file has no samples. The same input gives the same bytes.

    Raises:
        PlanError: a pause in the text has no length that is possible.
        ToolFailed, ToolTimedOut: espeak or ffmpeg could not.
    """
    try:
        parts = list(_parts(text, language))
    except ValueError as error:
        raise PlanError(f"a pause {error}", "narration") from None
    track = _spoken(parts, voice)
    samples = _resampled(np.concatenate(track.pieces), track.rate) if track.pieces else np.zeros(0, np.int16)
    _write(path, samples)
    words = tuple(
        Word(text=shown, start=_scaled(start, track.rate), end=_scaled(end, track.rate), sentence=sentence)
        for shown, start, end, sentence in track.words
    )
    return Spoken(samples=Samples(len(samples)), words=words, engine=voice.engine, voice=voice.name)


def _parts(text: str, language: str) -> Iterator[_Sentence | Fraction]:
    for part in split_pauses(text):
        if isinstance(part, Fraction):
            yield part
            continue
        spans = list(sentence_spans(part))
        followers = [start for start, _ in spans[1:]] + [len(part)]
        for (start, end), follower in zip(spans, followers, strict=True):
            gap = _gap(part[start:end], part[end:follower])
            yield _Sentence(spoken_tokens(part[start:end], language), gap)


def _gap(sentence: str, between: str) -> Fraction:
    if "\n" not in between:
        return _SENTENCE_GAP
    return _CLOSED_LINE_GAP if ends_sentence(sentence) else _LINE_GAP


def _spoken(parts: list[_Sentence | Fraction], voice: Voice) -> _Track:
    spoken = [(part, synthesize(part.tokens, voice.name) if isinstance(part, _Sentence) else None) for part in parts]
    track = _Track(next((utterance.rate for _, utterance in spoken if utterance), SAMPLE_RATE))
    gap: Fraction | None = None
    for part, utterance in spoken:
        if isinstance(part, Fraction):
            _add_silence(track, part)
            gap = None
        elif utterance is not None:
            if gap is not None:
                _add_silence(track, gap)
            _add_sentence(track, part, utterance)
            gap = part.gap
    return track


def _add_silence(track: _Track, seconds: Fraction) -> None:
    length = round(seconds * track.rate)
    track.pieces.append(np.zeros(length, np.int16))
    track.length += length


def _add_sentence(track: _Track, sentence: _Sentence, utterance: Utterance) -> None:
    for token, (start, end) in zip(sentence.tokens, utterance.times, strict=True):
        track.words.append((token.display, track.length + start, track.length + end, track.sentences))
    track.pieces.append(utterance.samples)
    track.length += len(utterance.samples)
    track.sentences += 1


def _scaled(sample: int, rate: int) -> Samples:
    return Samples(sample * SAMPLE_RATE // rate)


def _resampled(samples: NDArray[np.int16], rate: int) -> NDArray[np.int16]:
    """Return the sound at 48 kHz, exactly as long as before, rounded up to a sample."""
    length = -(-len(samples) * SAMPLE_RATE // rate)
    command = ffmpeg.command(
        *("-f", "s16le", "-ar", str(rate), "-ac", "1", "-i", "pipe:0"),
        *("-af", f"aresample={SAMPLE_RATE},apad=whole_len={length},atrim=end_sample={length}", "-f", "s16le", "pipe:1"),
    )
    data = samples.astype("<i2").tobytes()
    return np.frombuffer(process.run(command, timeout_seconds=_RESAMPLE_TIMEOUT_SECONDS, stdin=data).stdout, "<i2")


def _write(path: Path, samples: NDArray[np.int16]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.astype("<i2").tobytes())
