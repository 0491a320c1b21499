import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bhiv.captions import Cue, length, line_length, make_cues, shifted, to_srt, to_vtt
from bhiv.plan import SAMPLE_RATE, Samples
from bhiv.speech.words import Word


def spoken(text: str, seconds_per_word: float = 0.4) -> list[Word]:
    """Words spoken evenly with a short gap after each; a full stop ends a sentence."""
    words, step, sentence = [], int(SAMPLE_RATE * seconds_per_word), 0
    for number, token in enumerate(text.split()):
        start = Samples(number * step)
        words.append(Word(text=token, start=start, end=Samples(start + step * 9 // 10), sentence=sentence))
        sentence += token.endswith((".", "।"))
    return words


LONG = "Light from the Sun takes eight minutes to reach us, and by then the star has already moved on, quite unseen."


def test_every_word_is_shown_once_in_order() -> None:
    words = spoken(LONG)

    cues = make_cues(words, 42)

    assert [word for cue in cues for line in cue.lines for word in line] == words


@pytest.mark.parametrize("longest", [22, 30, 42])
def test_a_cue_has_two_lines_that_fit(longest: int) -> None:
    cues = make_cues(spoken(LONG), longest)

    lines = [line for cue in cues for line in cue.text.split("\n")]
    assert all(len(cue.lines) <= 2 for cue in cues)
    assert all(length(line) <= longest for line in lines)


def test_a_cue_never_spans_two_sentences() -> None:
    cues = make_cues(spoken("One is here. Two is there."), 42)

    assert [cue.text for cue in cues] == ["One is here.", "Two is there."]


def test_a_line_rather_ends_after_a_comma() -> None:
    cues = make_cues(spoken("When the rain had stopped, every leaf held a lamp."), 42)

    assert cues[0].text == "When the rain had stopped,\nevery leaf held a lamp."


@given(st.lists(st.text("abcdefghij,", min_size=1, max_size=14), min_size=1, max_size=60), st.floats(0.05, 2))
def test_cues_never_overlap(tokens: list[str], seconds: float) -> None:
    cues = make_cues(spoken(" ".join(tokens), seconds), 42)

    assert all(cue.start < cue.end for cue in cues)
    assert all(cue.end <= following.start for cue, following in itertools.pairwise(cues))


def test_a_lonely_short_word_stays_long_enough_to_read() -> None:
    [cue] = make_cues(spoken("Yes.", 0.1), 42)

    assert cue.end - cue.start >= SAMPLE_RATE * 5 // 6


def test_no_words_make_no_cues() -> None:
    assert make_cues([], 42) == ()
    assert to_srt([]) == ""


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("कमल", 3),
        ("हिन्दी", 2),
        ("क्षत्रिय", 3),
        ("क्\u200cष", 2),
        ("क्\u200dष", 1),
        ("தமிழ்", 3),
        ("cafe\u0301", 4),
        ("👩\u200d👩\u200d👧", 1),
        ("👍🏽", 1),
        ("🇮🇳🇩🇪", 2),
        ("❤\ufe0f!", 2),
        ("", 0),
    ],
)
def test_letters_are_counted_as_they_are_seen(text: str, seen: int) -> None:
    assert length(text) == seen


def between(cues: Sequence[Cue]) -> list[int]:
    return [following.start - cue.end for cue, following in itertools.pairwise(cues)]


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_two_frames_lie_between_cues_that_follow_each_other(fps: int) -> None:
    cues = make_cues(spoken(LONG), 22, fps=fps)

    assert len(cues) > 2
    assert set(between(cues)) == {2 * SAMPLE_RATE // fps}


def test_a_cue_that_was_spoken_fast_stays_into_the_silence_after_it() -> None:
    fast = spoken("Extraordinarily complicated considerations.", 0.2)
    later = Word(text="Calm.", start=Samples(240_000), end=Samples(280_000), sentence=1)

    first = make_cues([*fast, later], 42)[0]

    assert (first.end - first.start) * 20 >= length(first.text) * SAMPLE_RATE
    assert first.end > fast[-1].end + SAMPLE_RATE // 2


def test_a_cue_too_short_to_read_is_shown_with_its_neighbour() -> None:
    cues = make_cues(spoken("No. The seed slept on in the mud."), 42)

    assert [cue.text for cue in cues] == ["No. The seed slept on in the mud."]


def test_the_last_cue_ends_with_its_scene() -> None:
    words = spoken("Extraordinarily fast.", 0.1)

    [cue] = make_cues(words, 42, until=Samples(words[-1].end + 10_000))

    assert cue.end == words[-1].end + 10_000


def test_no_cue_lasts_longer_than_seven_seconds() -> None:
    cues = make_cues(spoken(LONG, 1.3), 42)

    assert max(cue.end - cue.start for cue in cues) <= 7 * SAMPLE_RATE


def test_srt_and_vtt_count_hours() -> None:
    cues = shifted(make_cues(spoken("A < B & C."), 42), SAMPLE_RATE * 3661)

    assert "01:01:01,000 --> " in to_srt(cues)
    assert to_vtt(cues).startswith("WEBVTT\n\n01:01:01.000 --> ")
    assert "A &lt; B &amp; C." in to_vtt(cues)


def test_upright_frames_have_shorter_lines() -> None:
    assert line_length(1920, 1080) > line_length(1080, 1080) > line_length(1080, 1920)
