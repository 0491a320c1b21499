"""espeak-ng: the speech engine that is always there, offline, with the exact time of nearly every word."""

import json
import sys
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from bhiv import process
from bhiv.speech.spoken import Token
from bhiv.speech.utterance import AUDIBLE, Utterance, last_audible, mute, spread, word_ends

_CHILD = Path(__file__).with_name("espeak_child.py")
#: By espeak's own count, which is low: 140 is heard as about 160 English words a minute, pauses included.
_WORDS_A_MINUTE = 140


def synthesize(tokens: Sequence[Token], voice: str, *, timeout_seconds: float = 60) -> Utterance:
    """Speak a sentence; the same tokens and voice give the same samples, every time.

    `voice` is a name from `bhiv.speech.voices`; espeak takes a wrong variant without a word. At least one token.

    Raises:
        ToolFailed, ToolTimedOut: espeak could not.
    """
    bounds = [0, *accumulate(len(token.spoken) + 1 if token.spoken else 0 for token in tokens)]
    text = " ".join(token.spoken for token in tokens if token.spoken)
    rate, heard, samples = _ask(text, voice, timeout_seconds)
    audible = np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE)
    if not audible.size:
        return mute(len(tokens), rate)
    first, last = int(audible[0]), int(audible[-1]) + 1
    samples = samples[first:last]
    known = _known(bounds, [(position, max(sample - first, 0)) for position, sample in heard], len(samples))
    starts = spread(_interpolated(known, tokens, samples, rate), len(samples), rate)
    return Utterance(samples, rate, word_ends(starts, samples, rate))


def _ask(text: str, voice: str, timeout_seconds: float) -> tuple[int, list[tuple[int, int]], NDArray[np.int16]]:
    argv = [
        sys.executable,
        "-I",
        "-S",
        str(_CHILD),
        espeakng_loader.get_library_path(),
        espeakng_loader.get_data_path(),
    ]
    asked = {"text": text, "voice": voice, "words_a_minute": _WORDS_A_MINUTE}
    finished = process.run(argv, timeout_seconds=timeout_seconds, stdin=json.dumps(asked).encode())
    header, _, sound = finished.stdout.partition(b"\n")
    answer = json.loads(header)
    return answer["rate"], [(position, sample) for position, sample in answer["words"]], np.frombuffer(sound, "<i2")


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
