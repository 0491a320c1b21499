import pytest
from hypothesis import given
from hypothesis import strategies as st

from bhiv.speech.spoken import spoken_tokens

ENGLISH = [
    ("Dr. Rao", "Doctor Rao"),
    ("(Mr. Rao)", "(Mister Rao)"),
    ("Mrs. Iyer,", "Missus Iyer,"),
    ("Prof. Ada", "Professor Ada"),
    ("St. Mark", "Saint Mark"),
    ("on Hill St. today", "on Hill Street today"),
    ("fruit, e.g., mango", "fruit, for example, mango"),
    ("(i.e. now)", "(that is now)"),
    ("$5", "5 dollars"),
    ("$1.", "1 dollar."),
    ("£3.50!", "3 pounds 50 pence!"),
    ("€3.5", "3.5 euros"),
    ("$5.00", "5 dollars"),
    ("₹1,50,000", "150000 rupees"),
    ("₹ 500", "500 rupees"),
    ("$3.5 million.", "3.5 million dollars."),
    ("₹ 20 crore", "20 crore rupees"),
    ("1,50,000 people", "150000 people"),
    ("1,500 people", "1,500 people"),
    ("In 1776,", "In 17 76,"),
    ("1905", "19 oh 5"),
    ("1900", "19 hundred"),
    ("2000", "2000"),
    ("2005", "2005"),
    ("2024", "20 24"),
    ("2099", "20 99"),
    ("1099", "1099"),
    ("2100", "2100"),
    ("the 1990s", "the 19 nineties"),
    ("the 2000s", "the two thousands"),
    ("1945s", "1945s"),
    ("1939–1945", "19 39 to 19 45"),
    ("10–20 km", "10 to 20 kilometres"),
    ("10–20%", "10 to 20 percent"),
    ("1 km", "1 kilometre"),
    ("5km.", "5 kilometres."),
    ("1500 km", "1500 kilometres"),
    ("150 million km away", "150 million kilometres away"),
    ("300,000 km/s", "300,000 kilometres per second"),
    ("25°C", "25 degrees Celsius"),
    ("−5 °C", "−5 degrees Celsius"),
    ("100%", "100 percent"),
    ("the km sign", "the km sign"),
    ("“Hello,” he said", "“Hello,” he said"),
    ("— so … it", "— so … it"),
]

HINDI = [
    ("₹500 दिए", "500 रुपये दिए"),
    ("₹1", "1 रुपया"),
    ("₹5 करोड़।", "5 करोड़ रुपये।"),
    ("25°C", "25 डिग्री सेल्सियस"),
    ("5 km", "5 किलोमीटर"),
    ("10–20 किमी", "10 से 20 किलोमीटर"),
    ("50%", "50 प्रतिशत"),
    ("डॉ. शर्मा", "डॉक्टर शर्मा"),
    ("1947 में", "1947 में"),
]


@pytest.mark.parametrize(("shown", "said"), ENGLISH)
def test_english_is_said_as_people_say_it(shown: str, said: str) -> None:
    assert said == " ".join(token.spoken for token in spoken_tokens(shown, "en-US") if token.spoken)


@pytest.mark.parametrize(("shown", "said"), HINDI)
def test_hindi_is_said_as_people_say_it(shown: str, said: str) -> None:
    assert said == " ".join(token.spoken for token in spoken_tokens(shown, "hi") if token.spoken)


def test_a_sign_that_its_neighbour_says_is_silent() -> None:
    assert [(t.display, t.spoken) for t in spoken_tokens("₹ 500", "en")] == [("₹", ""), ("500", "500 rupees")]


def test_a_language_without_rules_is_said_as_written() -> None:
    assert [token.spoken for token in spoken_tokens("5 km", "fr")] == ["5", "km"]


@given(st.text(alphabet="aS1259.,–₹$%°Ckm s()t“”।लाख\n", max_size=40), st.sampled_from(["en", "hi", "fr"]))
def test_what_is_shown_never_changes(text: str, language: str) -> None:
    assert text.split() == [token.display for token in spoken_tokens(text, language)]
