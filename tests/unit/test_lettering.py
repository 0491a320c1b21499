import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bhiv.bidi import is_right_to_left, visual_runs
from bhiv.lettering import CAPITALS, fit, measure, pitch, raster, shape, wrap


def test_a_hindi_conjunct_is_one_cluster_and_one_form() -> None:
    assert [glyph.cluster for glyph in shape("क्ष", "bold", "hi").glyphs] == [0]


def test_a_shaped_conjunct_differs_from_its_letters_side_by_side() -> None:
    letters = {glyph.gid for letter in "कष" for glyph in shape(letter, "bold", "hi").glyphs}

    assert letters.isdisjoint(glyph.gid for glyph in shape("क्ष", "bold", "hi").glyphs)
    assert measure("क्ष", "bold", 100) < measure("क", "bold", 100) + measure("ष", "bold", 100)


def test_the_i_sign_stands_before_its_letter() -> None:
    sign, letter = shape("कि", "regular", "hi").glyphs

    assert [letter.gid] == [glyph.gid for glyph in shape("क", "regular", "hi").glyphs]
    assert sign.x < letter.x


def test_a_reph_goes_to_the_end_of_its_syllable_in_a_line_with_latin_words() -> None:
    alone = shape("ऊर्जा", "bold", "hi").glyphs
    mixed = shape("Solar ऊर्जा", "bold", "hi").glyphs

    assert [glyph.gid for glyph in alone] == [glyph.gid for glyph in mixed][-len(alone) :]


def test_hebrew_runs_from_right_to_left_and_its_numbers_do_not() -> None:
    clusters = [glyph.cluster for glyph in shape("שלום 123", "bold", "he").glyphs]

    assert clusters == [5, 6, 7, 4, 3, 2, 1, 0]


def test_brackets_around_arabic_are_mirrored() -> None:
    ends = [shape("(سلام)", "bold", "ar").glyphs[index].gid for index in (0, -1)]

    assert [shape(bracket, "bold").glyphs[0].gid for bracket in "()"] == ends


def test_an_arabic_word_in_an_english_line_turns_round_alone() -> None:
    runs = visual_runs("ab سلام cd")

    assert [(part.strip(), backwards) for _, part, backwards in runs if part.strip()] == [
        ("ab", False),
        ("سلام", True),
        ("cd", False),
    ]
    assert not is_right_to_left("ab سلام")
    assert is_right_to_left("«سلام» ab")


@given(st.text(alphabet="ab 1-(,%שع9क्ि", max_size=20))
def test_every_character_is_in_exactly_one_run(text: str) -> None:
    runs = visual_runs(text)

    assert sorted(range(len(text))) == sorted(start + at for start, part, _ in runs for at in range(len(part)))


def test_width_grows_with_size() -> None:
    assert 2 * measure("lotus कमल", "bold", 40) == pytest.approx(measure("lotus कमल", "bold", 80))
    assert measure("", "bold", 40) == 0


def test_a_mask_says_where_its_baseline_is() -> None:
    mask = raster("H", "bold", 200)

    assert pytest.approx(mask.top, abs=2) == CAPITALS * 200
    assert mask.alpha.shape[0] == pytest.approx(mask.top, abs=2)  # an H ends on the baseline
    assert mask.alpha.max() == 255
    assert mask.left > 0


def test_a_descender_reaches_below_the_baseline_and_the_first_row_is_the_top() -> None:
    mask = raster("p", "bold", 200)

    assert mask.alpha.shape[0] > mask.top + 20
    assert np.count_nonzero(mask.alpha[: mask.top // 2]) > np.count_nonzero(mask.alpha[-mask.top // 4 :])


def test_blank_text_has_a_mask_of_no_pixels() -> None:
    assert raster("   ", "bold", 80).alpha.shape == (0, 0)


def test_lines_are_even_and_no_word_is_left_alone() -> None:
    assert wrap("How Sunlight Reaches the Earth", "bold", 7.2, 3) == ("How Sunlight", "Reaches", "the Earth")


def test_a_newline_ends_a_line() -> None:
    assert wrap("one\ntwo three", "bold", 50, 2) == ("one", "two three")


def test_a_space_that_must_not_break_does_not() -> None:
    lines = wrap("about 5\u00a0km away", "bold", 5, 4)

    assert lines is not None
    assert any("5\u00a0km" in line for line in lines)


@example(["a", "c", "ab", "cक", "aaaabcक", "aaaaककल", "aaaabbcक"], 18.4375)  # a space is wider after Devanagari
@example(["a", "aabbccegम"], 4.875)  # a word that fits only without the space after it
@given(st.lists(st.text(alphabet="abcdefgकमलि", min_size=1, max_size=9), max_size=14), st.floats(4, 30))
def test_wrapping_keeps_every_word_in_its_place_and_no_line_is_too_long(words: list[str], ems: float) -> None:
    lines = wrap(" ".join(words), "regular", ems, 99)

    assert lines is None or words == " ".join(lines).split()
    assert lines is None or all(measure(line, "regular", 1) <= ems + 0.05 for line in lines)


def test_text_that_does_not_fit_is_made_smaller_and_stays_whole() -> None:
    text = "In a quiet pond behind an old temple, a lotus seed slept in the mud."
    block = fit(text, "bold", 120, width=900, height=300, max_lines=3)

    assert text == " ".join(block.lines)
    assert block.size < 120
    assert block.width <= 900 * 1.001
    assert block.height <= 300


def test_only_text_that_fits_at_no_size_loses_its_end() -> None:
    block = fit("word " * 90, "bold", 90, width=500, height=200, max_lines=2)

    assert len(block.lines) == 2
    assert block.lines[-1].endswith("word…")
    assert block.width <= 500


def test_a_single_word_is_cut_between_clusters() -> None:
    block = fit("क्षि" * 60, "bold", 90, width=400, height=200, max_lines=1, language="hi")

    assert block.lines[0].endswith("क्षि…")
    assert block.width <= 400


def test_blank_text_gives_no_lines() -> None:
    block = fit("  ", "bold", 90, width=400, height=200, max_lines=2)

    assert block.lines == ()
    assert (block.width, block.height) == (0, 0)


def test_devanagari_gets_more_room_between_lines_than_latin() -> None:
    assert pitch("कमल", 100) >= 1.15 * pitch("lotus", 100)
