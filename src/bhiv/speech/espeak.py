"""espeak-ng: the speech engine that is always there, offline, with the exact time of nearly every word."""

import os
import struct
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from bhiv import process
from bhiv.speech.spoken import Token
from bhiv.speech.utterance import AUDIBLE, Utterance, last_audible, mute, spread, word_ends

_CHILD = Path(__file__).with_name("espeak_child.py")
#: Of each answer: rate, number of words, bytes of sound; then of each word: character, sample.
_HEADER, _WORD = struct.Struct("<iii"), struct.Struct("<ii")
#: By espeak's own count, which is low: 140 is heard as about 160 English words a minute, pauses included.
_WORDS_A_MINUTE = 140


def synthesize(tokens: Sequence[Token], voice: str, *, timeout_seconds: float = 60) -> Utterance:
    """Speak a sentence; the same tokens and voice give the same samples, every time.

    `voice` is a name from `bhiv.speech.voices`; espeak takes a wrong variant without a word. At least one token.

    Raises:
        ToolFailed, ToolTimedOut: espeak could not.
    """
    [utterance] = synthesize_all([tokens], voice, timeout_seconds=timeout_seconds)
    return utterance


def synthesize_all(
    sentences: Sequence[Sequence[Token]], voice: str, *, timeout_seconds: float = 60
) -> tuple[Utterance, ...]:
    """Speak sentences, each as `synthesize` does, for a third of its CPU; none, for no sentence.

    `timeout_seconds` are those of one sentence.

    Raises:
        ToolFailed, ToolTimedOut: espeak could not.
    """
    if not sentences:
        return ()
    texts = [" ".join(token.spoken for token in tokens if token.spoken) for tokens in sentences]
    together = [texts] if hasattr(os, "fork") else [[text] for text in texts]
    answers = (answer for group in together for answer in _ask(group, voice, timeout_seconds))
    return tuple(_heard(tokens, *answer) for tokens, answer in zip(sentences, answers, strict=True))


def _heard(
    tokens: Sequence[Token], rate: int, heard: Sequence[tuple[int, int]], samples: NDArray[np.int16]
) -> Utterance:
    bounds = [0, *accumulate(len(token.spoken) + 1 if token.spoken else 0 for token in tokens)]
    audible = np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE)
    if not audible.size:
        return mute(len(tokens), rate)
    first, last = int(audible[0]), int(audible[-1]) + 1
    samples = samples[first:last]
    known = _known(bounds, [(position, max(sample - first, 0)) for position, sample in heard], len(samples))
    starts = spread(_interpolated(known, tokens, samples, rate), len(samples), rate)
    return Utterance(samples, rate, word_ends(starts, samples, rate))


def _ask(
    texts: Sequence[str], voice: str, timeout_seconds: float
) -> Iterator[tuple[int, list[tuple[int, int]], NDArray[np.int16]]]:
    argv = [
        sys.executable,
        "-I",
        "-S",
        str(_CHILD),
        espeakng_loader.get_library_path(),
        espeakng_loader.get_data_path(),
        voice,
        str(_WORDS_A_MINUTE),
    ]
    asked = "\0".join(texts).encode()
    answers = memoryview(process.run(argv, timeout_seconds=timeout_seconds * len(texts), stdin=asked).stdout)
    while answers:
        rate, words, size = _HEADER.unpack_from(answers)
        events, answers = answers[_HEADER.size :], answers[_HEADER.size + words * _WORD.size + size :]
        sound = events[words * _WORD.size :][:size]
        yield rate, list(_WORD.iter_unpack(events[: words * _WORD.size])), np.frombuffer(sound, "<i2")


def _known(bounds: list[int], heard: list[tuple[int, int]], end: int) -> list[int | None]:
    """Return where each token starts as far as espeak said so, and `end`; the first always starts at 0.

    A number gives several events of which the later ones lie inside it, so the first one counts.
    """
    starts: list[int | None] = [0] + [None] * (len(bounds) - 2) + [end]
    latest = 0
    for position, sample in heard:
        index = bisect_right(bounds, position) - 1
        if 0 < index < len(starts) - 1 and starts[index] is None and latest < sample < end:
            starts[index] = latest = sample
    return starts


def _interpolated(known: list[int | None], tokens: Sequence[Token], samples: NDArray[np.int16], rate: int) -> list[int]:
    """Fill in the tokens that espeak merged into the one before (`for the`), each by its share of the letters."""
    letters = [max(sum(map(str.isalnum, token.spoken)), 1) for token in tokens]
    starts: list[int] = []
    anchors = [(index, sample) for index, sample in enumerate(known) if sample is not None]
    for (index, start), (following, limit) in pairwise(anchors):
        speaks = any(map(str.isalnum, tokens[following - 1].spoken))
        end = last_audible(samples, start, limit, rate) if speaks else limit
        shares = list(accumulate(letters[index:following], initial=0))
        starts += [start + (end - start) * share // shares[-1] for share in shares[:-1]]
    return starts
