import itertools
import re
from collections.abc import Sequence

import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bhiv.captions import length, line_length, make_cues, shifted, to_ass, to_srt, to_vtt
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


def test_devanagari_signs_do_not_count_as_characters() -> None:
    assert length("हिन्दी") == 3
    assert length("कमल") == 3


def karaoke_hundredths(line: str) -> int:
    return sum(int(part) for part in re.findall(r"\\kf?(\d+)", line))


def test_karaoke_keeps_step_with_the_words() -> None:
    words: Sequence[Word] = spoken(LONG, 0.337)
    cues = make_cues(words, 42)

    file = pysubs2.SSAFile.from_string(to_ass(cues, style="karaoke", width=1920, height=1080, offset=Samples(0)))

    lines = [line for cue in cues for line in cue.lines]
    starts = [cue.start for cue in cues for _ in cue.lines]
    for event, line, start in zip(file, lines, starts, strict=True):
        assert abs(karaoke_hundredths(event.text) - (line[-1].end - start) / SAMPLE_RATE * 100) <= 1


def test_the_offset_moves_every_cue() -> None:
    cues = make_cues(spoken("Hello there."), 42)

    file = pysubs2.SSAFile.from_string(
        to_ass(cues, style="phrase", width=1920, height=1080, offset=Samples(SAMPLE_RATE))
    )

    assert file[0].start == 1000
    assert r"\k" not in file[0].text


def test_captions_that_are_off_make_no_file() -> None:
    assert to_ass(make_cues(spoken("Hi."), 42), style="off", width=640, height=360, offset=Samples(0)) == ""


def test_braces_and_backslashes_are_shown_not_obeyed() -> None:
    [cue] = make_cues(spoken(r"a{\b1}b\Nc"), 42)

    text = to_ass([cue], style="phrase", width=640, height=360, offset=Samples(0)).splitlines()[-1]

    assert r"\{" in text
    assert r"{\b1}" not in text.split("}", 1)[1]
    assert to_srt([cue]).splitlines()[2] == r"a{\b1}b\Nc"


def test_srt_and_vtt_count_hours() -> None:
    cues = shifted(make_cues(spoken("A < B & C."), 42), SAMPLE_RATE * 3661)

    assert "01:01:01,000 --> " in to_srt(cues)
    assert to_vtt(cues).startswith("WEBVTT\n\n01:01:01.000 --> ")
    assert "A &lt; B &amp; C." in to_vtt(cues)


def test_upright_frames_have_shorter_lines() -> None:
    assert line_length(1920, 1080) > line_length(1080, 1080) > line_length(1080, 1920)
