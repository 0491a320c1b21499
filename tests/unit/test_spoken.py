from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bhiv.errors import InputRefused
from bhiv.speech.lexicon import NO_WORDS, Lexicon, read_lexicon
from bhiv.speech.spoken import spoken_tokens

TABLES = Path(__file__).parent.parent / "tables"


def rows(name: str) -> list[tuple[str, str]]:
    lines = (TABLES / name).read_text("utf-8").splitlines()[1:]
    return [(shown, said) for shown, _, said in (line.partition(" => ") for line in lines)]


def said(shown: str, language: str, lexicon: Lexicon = NO_WORDS) -> str:
    return " ".join(token.spoken for token in spoken_tokens(shown, language, lexicon) if token.spoken)


ENGLISH, HINDI = rows("spoken_english.txt"), rows("spoken_hindi.txt")


def test_the_tables_are_long_enough() -> None:
    assert min(len(dict(ENGLISH)), len(dict(HINDI))) >= 150


@pytest.mark.parametrize(("shown", "spoken"), ENGLISH)
def test_english_is_said_as_people_say_it(shown: str, spoken: str) -> None:
    assert said(shown, "en-US") == spoken


@pytest.mark.parametrize(("shown", "spoken"), HINDI)
def test_hindi_is_said_as_people_say_it(shown: str, spoken: str) -> None:
    assert said(shown, "hi") == spoken


def test_days_come_before_months_but_in_america() -> None:
    assert said("3/4/2024", "en-US") == "March fourth twenty twenty four"
    assert said("3/4/2024", "en-IN") == "April third twenty twenty four"


def test_a_sign_that_its_neighbour_says_is_silent() -> None:
    assert [(t.display, t.spoken) for t in spoken_tokens("₹ 500", "en")] == [("₹", ""), ("500", "five hundred rupees")]


def test_a_language_without_rules_is_said_as_written() -> None:
    assert [token.spoken for token in spoken_tokens("5 km", "fr")] == ["5", "km"]


@given(st.text(alphabet="aSVXI1259.,–-₹$%°Ckm s()t“”।लाख:/#½½@+\n", max_size=40), st.sampled_from(["en", "hi", "fr"]))
def test_what_is_shown_never_changes(text: str, language: str) -> None:
    assert text.split() == [token.display for token in spoken_tokens(text, language)]


def test_the_users_own_words_come_first() -> None:
    own = Lexicon({"en": {"Rao": "rah oh", "New Delhi": "new dilly", "5": "fiver"}, "*": {"BHIV": "beehive"}})

    assert said("“Rao” saw New Delhi, 5 times; bhiv!", "en", own) == "“rah oh” saw new dilly fiver times; beehive!"
    assert said("Rao BHIV", "fr", own) == "Rao beehive"


def test_a_lexicon_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "lexicon.toml"
    file.write_text('[en]\nGIF = "jif"\n[hi]\n"रॉय" = "रॉय्"\n', "utf-8")

    lexicon = read_lexicon(file)

    assert said("a GIF", "en-GB", lexicon) == "a jif"
    assert said("रॉय GIF", "hi", lexicon) == "रॉय् GIF"


@pytest.mark.parametrize(
    "text", ["[en", "en = 5", "[en]\na = 5", '[en]\n" " = "x"', "\xff", '[en]\n"a b c d e f g h i" = "long"']
)
def test_a_lexicon_that_is_none_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "lexicon.toml"
    file.write_bytes(text.encode("latin-1"))

    with pytest.raises(InputRefused, match=r"lexicon\.toml"):
        read_lexicon(file)


def test_two_identical_words_may_stand_for_different_ones() -> None:
    assert said("5 pm, I am at 5 PM", "en") == "five p m, I am at five p m"
