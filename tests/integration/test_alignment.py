import numpy as np
import pytest

from benchmarks import alignment
from bhiv.plan import SAMPLE_RATE
from bhiv.speech.alignment import align
from bhiv.speech.espeak import synthesize
from bhiv.speech.narration import at_full_rate
from bhiv.speech.spoken import Token, spoken_tokens
from bhiv.speech.utterance import Utterance
from tests.conftest import need

#: What karaoke captions bear: a word is lit no more than so many milliseconds off, on average and for nine of ten.
MEAN, NINE_OF_TEN = 60, 120


@pytest.mark.parametrize("voice", alignment.VOICES)
def test_words_are_found_in_labelled_speech(voice: str) -> None:
    if not alignment.is_installed():
        need("festival, festvox-kallpc16k, festvox-us-slt-hts; WORD TIMES ARE NOT MEASURED")

    errors = alignment.milliseconds_off(alignment.speak(voice))

    assert len(errors) == 132
    assert errors.mean() <= MEAN
    assert np.percentile(errors, 90) <= NINE_OF_TEN


@pytest.mark.parametrize(
    ("text", "language", "reference", "other"),
    [
        ("तालाब में कमल खिला, और सूरज निकला।", "hi", "hi", "hi+m7"),
        ("It began in 1776, for the people — and it cost $3.5 million.", "en", "en-us", "en-gb-x-rp+f2"),
        ("Où est la fleur du village ?", "fr", "fr", "fr+f4"),
    ],
)
def test_words_are_found_in_another_voice_of_the_same_engine(
    text: str, language: str, reference: str, other: str
) -> None:
    tokens = spoken_tokens(text, language)
    heard = at_full_rate(synthesize(tokens, other))

    found = align(synthesize(tokens, reference), heard.samples, SAMPLE_RATE)

    assert found is not None
    off = [abs(start - true) / SAMPLE_RATE for (start, _), (true, _) in zip(found, heard.times, strict=True)]
    assert np.mean(off) < 0.04


def test_what_can_not_be_aligned_is_left_to_others() -> None:
    reference = synthesize([Token("One", "One")], "en-us")
    silence = np.zeros(SAMPLE_RATE, np.int16)
    noise = np.random.default_rng(1).integers(-9_000, 9_000, 400 * SAMPLE_RATE).astype(np.int16)
    long = Utterance(noise, SAMPLE_RATE, ((0, len(noise)),))

    assert align(reference, silence, SAMPLE_RATE) is None
    assert align(reference, silence[:100], SAMPLE_RATE) is None
    assert align(long, noise, SAMPLE_RATE) is None
