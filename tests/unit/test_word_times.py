from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bhiv.plan import SAMPLE_RATE
from bhiv.speech.recordings import Mark, levelled, mark, plausible_seconds, speech_level, trimmed
from bhiv.speech.sentences import clause_cuts
from bhiv.speech.spoken import Token
from bhiv.speech.utterance import Utterance
from bhiv.speech.word_times import timed

SECOND = SAMPLE_RATE


def tokens(text: str) -> list[Token]:
    return [Token(word, word) for word in text.split()]


def buzz(seconds: float, loudness: float = 3_000) -> NDArray[np.int16]:
    time = np.arange(round(seconds * SECOND)) / SECOND
    return (np.sin(2 * np.pi * 140 * time) * loudness).astype(np.int16)


def check(utterance: Utterance, count: int) -> None:
    moments = [moment for span in utterance.times for moment in span]
    assert len(utterance.times) == count
    assert moments == sorted(moments)
    assert (0, len(utterance.samples)) == (moments[0], moments[-1])
    assert all(start < end for start, end in utterance.times)


def test_an_engines_own_times_are_taken_though_it_names_words_otherwise() -> None:
    marks = [mark("the", 0.0, 0.2), mark("Sun", 0.2, 0.6), mark("rose", 0.7, 1.0)]

    heard = timed(tokens("“The sun, rose.”"), buzz(1), marks, None)

    assert heard.timing == "engine"
    assert [round(start / SECOND, 2) for start, _ in heard.times] == [0.0, 0.2, 0.7]


def test_a_word_that_an_engine_does_not_name_lies_between_its_neighbours() -> None:
    marks = [mark("It", 0, 0.2), mark("began", 0.2, 0.6), mark("in", 0.6, 0.8), mark("May", 1.8, 2.0)]

    heard = timed(tokens("It began in 1776 May"), buzz(2), marks, None)

    assert heard.timing == "engine"
    assert [round(moment / SECOND, 2) for moment in heard.times[3]] == [0.8, 1.8]


def test_times_of_other_words_are_not_believed() -> None:
    marks = [mark("qqq", 0, 0.5), mark("xxx", 0.5, 1)]

    assert timed(tokens("The sun rose."), buzz(1), marks, None).timing == "letters"


def test_times_that_stand_still_are_not_believed() -> None:
    marks = [mark(word, 0.5, 0.5) for word in ("The", "sun", "rose")]

    assert timed(tokens("The sun rose."), buzz(1), marks, None).timing == "letters"


def test_a_sound_that_can_not_be_aligned_gets_the_embedded_voices_times_scaled() -> None:
    def reference(said: Sequence[Token]) -> Utterance:
        third = len(silence) // 3
        return Utterance(silence, SECOND, ((0, third), (third, 2 * third), (2 * third, len(silence))))

    silence = np.zeros(SECOND, np.int16)

    heard = timed(tokens("The sun rose."), buzz(2), (), reference)

    assert heard.timing == "scaled"
    assert [round(start / SECOND, 2) for start, _ in heard.times] == [0.0, 0.67, 1.33]


def test_times_count_from_the_first_word_whatever_the_codec_has_put_before_it() -> None:
    marks = [mark("The", 0.05, 0.25), mark("sun", 0.25, 0.65), mark("rose", 0.75, 1.05)]

    assert [start for start, _ in timed(tokens("The sun rose."), buzz(1), marks, None).times][:2] == [0, SECOND // 5]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "the", "water", "—", "…", "1776", "“", "कमल"]), min_size=1, max_size=12),
    st.floats(0.03, 4),
    st.lists(st.tuples(st.sampled_from(["a", "the", "water", "1776"]), st.floats(0, 4), st.floats(0, 4)), max_size=12),
)
def test_every_word_has_a_time_whatever_an_engine_says(
    words: list[str], seconds: float, said: list[tuple[str, float, float]]
) -> None:
    marks = [Mark(text=text, start=round(start * SECOND), end=round(end * SECOND)) for text, start, end in said]

    check(timed(tokens(" ".join(words)), buzz(seconds), marks, None), len(words))


@pytest.mark.parametrize("times", [(-1, 2), (2, 1), (float("nan"), 1), (0, float("inf")), (0, 1e9)])
def test_a_mark_without_a_sensible_time_is_none(times: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="can't be heard"):
        mark("word", *times)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Yes.", 0.3),
        ("The sun was warm.", 1.2),
        ("It began in 1776, with 3,141,592 people.", 7.0),
        ("तालाब में कमल खिला, और सूरज निकला।", 3.0),
        ("池の水は茶色だった。", 1.8),
        ("", 0.1),
    ],
)
def test_what_people_say_is_plausible(text: str, seconds: float) -> None:
    least, most = plausible_seconds(text)

    assert least <= seconds <= most


def test_a_page_in_a_moment_and_a_word_in_a_minute_are_not() -> None:
    assert plausible_seconds("word " * 200)[0] > 1.7
    assert plausible_seconds("word")[1] < 60


def test_silence_is_cut_off_and_speech_is_not() -> None:
    sound = np.concatenate([np.zeros(SECOND // 2, np.int16), buzz(1), np.zeros(SECOND // 4, np.int16)])

    samples, cut = trimmed(sound)

    assert (len(samples), cut) == (SECOND, SECOND // 2)


def test_quiet_and_loud_are_brought_to_one_level() -> None:
    quiet, loud = levelled(buzz(1, 300)), levelled(buzz(1, 30_000))

    assert speech_level(quiet) == pytest.approx(speech_level(loud), rel=0.01)
    assert levelled(np.zeros(100, np.int16)).any() == np.False_


@pytest.mark.parametrize(
    ("words", "longest", "parts"),
    [
        ("one two three", 100, ["one two three"]),
        ("one two, three four", 12, ["one two,", "three four"]),
        ("one two three four", 12, ["one two", "three four"]),
        ("one, two three four", 14, ["one, two three", "four"]),
        ("a verylongwordindeed b", 5, ["a", "verylongwordindeed", "b"]),
    ],
)
def test_a_long_sentence_is_parted_where_one_breathes(words: str, longest: int, parts: list[str]) -> None:
    split = words.split()
    cuts = [0, *clause_cuts([len(word) for word in split], [word.endswith(",") for word in split], longest), len(split)]

    assert parts == [" ".join(split[start:end]) for start, end in pairwise(cuts)]
