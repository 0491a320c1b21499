"""Narration: the sound of a scene, sentence by sentence, with the time of every word."""

import wave
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from bhiv.errors import PlanError
from bhiv.plan import SAMPLE_RATE, Samples
from bhiv.speech.espeak import synthesize_all
from bhiv.speech.lexicon import NO_WORDS, Lexicon
from bhiv.speech.pauses import split_pauses
from bhiv.speech.sentences import clause_cuts, closes_clause, ends_sentence, sentence_spans
from bhiv.speech.spoken import Token, spoken_tokens
from bhiv.speech.utterance import Utterance
from bhiv.speech.voices import Voice
from bhiv.speech.words import Spoken, SpokenBy, Word

_SENTENCE_GAP = Fraction("0.28")
#: Between the parts of a sentence that is too long for one breath.
_CLAUSE_GAP = Fraction("0.15")
#: A line of verse that runs on into the next, and one that ends with its sentence.
_LINE_GAP = Fraction("0.3")
_CLOSED_LINE_GAP = Fraction("0.45")


@dataclass(frozen=True)
class Sentence:
    """What is said in one breath: a sentence, or a part of one that is very long."""

    tokens: tuple[Token, ...]
    #: Silence after it in seconds, when another one follows at once.
    gap: Fraction
    #: Whether it goes on with the sentence before it.
    continues: bool = False

    @property
    def text(self) -> str:
        """What a voice is given to say."""
        return " ".join(token.spoken for token in self.tokens if token.spoken)


@dataclass
class _Track:
    """Sound and words so far, at one rate; the words' ends and starts are samples of it."""

    rate: int
    pieces: list[NDArray[np.int16]] = field(default_factory=list)
    words: list[tuple[str, int, int, int]] = field(default_factory=list)
    length: int = 0
    sentences: int = 0


def read_narration(
    text: str, language: str, longest: int | None = None, lexicon: Lexicon = NO_WORDS
) -> tuple[Sentence | Fraction, ...]:
    """Return a scene's narration as what is said and, in seconds, the pauses that it writes between, in order.

    What the user's `lexicon` says comes before all rules. A sentence of more than `longest` characters is parted at
    its clauses; None parts none.

    Raises:
        PlanError: a pause in the text has no length that is possible.
    """
    try:
        parts = list(_parts(text, language, lexicon))
    except ValueError as error:
        raise PlanError(f"a pause {error}", "narration") from None
    if longest is None:
        return tuple(parts)
    return tuple(
        breath for part in parts for breath in (_breaths(part, longest) if isinstance(part, Sentence) else (part,))
    )


def narrate(
    parts: Sequence[Sentence | Fraction], say: Callable[[Sentence], tuple[Voice, Utterance]], path: Path
) -> Spoken:
    """Speak a narration into `path`, a WAV file of 48 kHz, mono, 16 bit, and return when each word is heard.

    `say` tells who says a sentence, and how. `[pause 2s]` is exactly that much silence. Every word of the text, as
    white space parts it, comes once and in order, and lasts. Without words or pauses the file has no samples. The same
    utterances give the same bytes.

    Raises:
        ToolFailed, ToolTimedOut: espeak could not.
    """
    said = [(part, say(part) if isinstance(part, Sentence) else None) for part in parts]
    track = _laid_out([(part, heard and heard[1]) for part, heard in said])
    samples = _resampled(np.concatenate(track.pieces), track.rate) if track.pieces else np.zeros(0, np.int16)
    _write(path, samples)
    words = tuple(
        Word(text=shown, start=_scaled(start, track.rate), end=_scaled(end, track.rate), sentence=sentence)
        for shown, start, end, sentence in track.words
    )
    by = tuple(
        SpokenBy(engine=voice.engine, voice=voice.name, timing=utterance.timing)
        for voice, utterance in filter(None, (heard for _, heard in said))
    )
    return Spoken(samples=Samples(len(samples)), words=words, by=by)


def embedded(voice: Voice, parts: Sequence[Sentence | Fraction]) -> Callable[[Sentence], tuple[Voice, Utterance]]:
    """Have the embedded voice say every sentence of `parts`, and return what tells how it said each.

    Raises:
        ToolFailed, ToolTimedOut: espeak could not.
    """
    sentences = [part for part in parts if isinstance(part, Sentence)]
    spoken = synthesize_all([sentence.tokens for sentence in sentences], voice.name)
    heard = {id(sentence): utterance for sentence, utterance in zip(sentences, spoken, strict=True)}
    return lambda sentence: (voice, heard[id(sentence)])


def _parts(text: str, language: str, lexicon: Lexicon) -> Iterator[Sentence | Fraction]:
    for part in split_pauses(text):
        if isinstance(part, Fraction):
            yield part
            continue
        spans = list(sentence_spans(part))
        followers = [start for start, _ in spans[1:]] + [len(part)]
        for (start, end), follower in zip(spans, followers, strict=True):
            gap = _gap(part[start:end], part[end:follower])
            yield Sentence(spoken_tokens(part[start:end], language, lexicon), gap)


def _breaths(sentence: Sentence, longest: int) -> Iterator[Sentence]:
    tokens = sentence.tokens
    sizes, closes = [len(token.spoken) for token in tokens], [closes_clause(token.display) for token in tokens]
    bounds = [0, *clause_cuts(sizes, closes, longest), len(tokens)]
    for start, end in pairwise(bounds):
        yield Sentence(tokens[start:end], sentence.gap if end == len(tokens) else _CLAUSE_GAP, continues=start > 0)


def _gap(sentence: str, between: str) -> Fraction:
    if "\n" not in between:
        return _SENTENCE_GAP
    return _CLOSED_LINE_GAP if ends_sentence(sentence) else _LINE_GAP


def _laid_out(spoken: list[tuple[Sentence | Fraction, Utterance | None]]) -> _Track:
    rates = {utterance.rate for _, utterance in spoken if utterance}
    track = _Track(rates.pop() if len(rates) == 1 else SAMPLE_RATE)
    gap: Fraction | None = None
    for part, utterance in spoken:
        if isinstance(part, Fraction):
            _add_silence(track, part)
            gap = None
        elif utterance is not None:
            if gap is not None:
                _add_silence(track, gap)
            _add_sentence(track, part, utterance if utterance.rate == track.rate else at_full_rate(utterance))
            gap = part.gap
    return track


def _add_silence(track: _Track, seconds: Fraction) -> None:
    length = round(seconds * track.rate)
    track.pieces.append(np.zeros(length, np.int16))
    track.length += length


def _add_sentence(track: _Track, sentence: Sentence, utterance: Utterance) -> None:
    track.sentences += not sentence.continues
    for token, (start, end) in zip(sentence.tokens, utterance.times, strict=True):
        track.words.append((token.display, track.length + start, track.length + end, track.sentences - 1))
    track.pieces.append(utterance.samples)
    track.length += len(utterance.samples)


def at_full_rate(utterance: Utterance) -> Utterance:
    """Return the utterance at 48 kHz."""
    samples = _resampled(utterance.samples, utterance.rate)
    times: list[tuple[int, int]] = [
        (_scaled(start, utterance.rate), _scaled(end, utterance.rate)) for start, end in utterance.times
    ]
    # The length was rounded up.
    times[-1] = (times[-1][0], len(samples))
    return replace(utterance, samples=samples, rate=SAMPLE_RATE, times=tuple(times))


def _scaled(sample: int, rate: int) -> Samples:
    return Samples(sample * SAMPLE_RATE // rate)


def _resampled(samples: NDArray[np.int16], rate: int) -> NDArray[np.int16]:
    """Return the sound at 48 kHz, exactly as long as before, rounded up to a sample."""
    if rate == SAMPLE_RATE:
        return samples
    # In floating point: to 16 bits soxr would add noise, in pauses too.
    sound = soxr.resample(samples.astype(np.float32), rate, SAMPLE_RATE)
    resampled = np.zeros(-(-len(samples) * SAMPLE_RATE // rate), np.int16)
    resampled[: len(sound)] = np.rint(sound).clip(-32_768, 32_767)
    return resampled


def _write(path: Path, samples: NDArray[np.int16]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.astype("<i2").tobytes())
