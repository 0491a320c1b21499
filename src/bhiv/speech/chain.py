"""Chain: who says a sentence, one engine after the other, each sentence kept by itself.

What an engine said is kept under a key of the engine, its voice, the language and the text, so that neither a retry nor
an edit beside it asks, or pays, for it again. Another engine's reading has another key.
"""

import io
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bhiv.bucket import Artifact, Bucket
from bhiv.cache import Step, recall
from bhiv.errors import SpeechError
from bhiv.plan import SAMPLE_RATE, Contract
from bhiv.settings import Settings
from bhiv.speech.engine import EMBEDDED, Engine
from bhiv.speech.engines import open_engine
from bhiv.speech.espeak import synthesize
from bhiv.speech.narration import Sentence, at_full_rate
from bhiv.speech.recordings import Mark, levelled, listen, trimmed
from bhiv.speech.spoken import Token
from bhiv.speech.utterance import Utterance, mute
from bhiv.speech.voices import Voice, espeak_voice
from bhiv.speech.word_times import timed

#: In characters: about 20 s of speech, which every engine takes in one request and which is aligned in no time.
LONGEST = 300


class Said(Contract):
    """A sentence as an engine said it, at 48 kHz, with the silence around it."""

    sound: Artifact
    marks: tuple[Mark, ...]


SENTENCE = Step("sentence", 1, "audio", Said)


@dataclass(frozen=True)
class Speaker:
    """A voice, with its engine."""

    voice: Voice
    #: None for the embedded one.
    engine: Engine | None
    #: Part of the key of what it says.
    identity: str


@dataclass(frozen=True)
class Take:
    """A sentence that was said, or will be by the embedded voice, which needs nobody."""

    speaker: Speaker
    said: Said | None = None


@dataclass(frozen=True)
class Chain:
    """Who speaks a language, in order, and where what they said is kept."""

    bucket: Bucket
    language: str
    speakers: tuple[Speaker, ...]

    def take(self, sentence: Sentence) -> tuple[Take, tuple[str, ...]]:
        """Have the first who can say a sentence, and tell why the ones before could not.

        Raises:
            SpeechError: nobody could.
        """
        troubles: list[str] = []
        for speaker in self.speakers:
            if speaker.engine is None or not _has_words(sentence.tokens):
                return Take(speaker), _told(troubles, speaker)
            try:
                return Take(speaker, self._said(sentence.text, speaker, speaker.engine)), _told(troubles, speaker)
            except SpeechError as error:
                troubles.append(str(error))
        raise SpeechError(f"nobody speaks {self.language!r} just now: {'; '.join(troubles)}")

    def utterance(self, sentence: Sentence, take: Take) -> Utterance:
        """Return a take's sound, levelled, with the time of every word."""
        tokens, voice = sentence.tokens, take.speaker.voice
        if take.said is None:
            if not _has_words(tokens):
                return mute(len(tokens), SAMPLE_RATE)
            spoken = at_full_rate(synthesize(tokens, voice.name))
            return replace(spoken, samples=levelled(spoken.samples))
        whole = _read(self.bucket.fetch(take.said.sound).read_bytes())
        samples, cut = trimmed(whole)
        marks = [mark.model_copy(update={"start": mark.start - cut, "end": mark.end - cut}) for mark in take.said.marks]
        return timed(tokens, levelled(samples), marks, self._reference())

    def _said(self, text: str, speaker: Speaker, engine: Engine) -> Said:
        key = SENTENCE.key(speaker.identity, speaker.voice.name, self.language, text)

        def make() -> Said:
            recording = engine.record(text, speaker.voice.name, self.language)
            samples = listen(recording, text, f"the voice of {engine.name}")
            sound = self.bucket.put_bytes(f"{key}.wav", _written(samples), "audio/wav")
            return Said(sound=sound, marks=recording.marks)

        return recall(self.bucket, SENTENCE, key, make).result

    def _reference(self) -> Callable[[Sequence[Token]], Utterance] | None:
        embedded = espeak_voice(self.language)
        return (lambda tokens: synthesize(tokens, embedded.name)) if embedded else None


def open_chain(bucket: Bucket, voices: Sequence[Voice], language: str, settings: Settings, embedded: str) -> Chain:
    """Return the chain of the voices that were chosen; `embedded` is the version of the embedded engine.

    Raises:
        VoiceError: an engine lacks something.
    """
    speakers = []
    for voice in voices:
        engine = None if voice.engine == EMBEDDED else open_engine(voice.engine, settings)
        speakers.append(Speaker(voice, engine, engine.identity if engine else embedded))
    return Chain(bucket, language, tuple(speakers))


def _has_words(tokens: Sequence[Token]) -> bool:
    return any(letter.isalnum() for token in tokens for letter in token.spoken)


def _told(troubles: Sequence[str], speaker: Speaker) -> tuple[str, ...]:
    return tuple(f"{trouble}; {speaker.voice.engine} spoke in its place" for trouble in troubles)


def _written(samples: NDArray[np.int16]) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLE_RATE)
        sound.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def _read(sound: bytes) -> NDArray[np.int16]:
    with wave.open(io.BytesIO(sound)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")
