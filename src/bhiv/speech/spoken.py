"""Spoken form: what a voice is given to say for each word as it is shown.

Only what espeak says badly and a few rules mend: titles, money, units, ranges and years. A full normaliser would take
the place of `_LANGUAGES` and keep `Token`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Token:
    """One word as it is shown, and the words said for it."""

    display: str
    #: Several words, or none where a neighbour says it all, such as the sign in `₹ 500`.
    spoken: str


@dataclass(frozen=True)
class _Currency:
    one: str
    many: str
    #: The hundredth part; None where nobody says it.
    cent: str | None = None


@dataclass(frozen=True)
class _Language:
    """What one language says for signs that espeak does not read."""

    abbreviations: dict[str, str]
    currencies: dict[str, _Currency]
    #: Number words that come between an amount and its currency.
    scales: frozenset[str]
    #: For one, and for any other number.
    units: dict[str, tuple[str, str]]
    #: Stands between the ends of a range.
    to: str
    #: Says a whole number that may be a year.
    year: Callable[[str], str] = str


@dataclass(frozen=True)
class _Place:
    """A word without the marks around it, between its neighbours."""

    before: str
    core: str
    after: str


_OPENERS = "\"'“‘«([{¿¡"
_CLOSERS = "\"'”’»)]},;:!?…।॥"
_NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?")
_AMOUNT = re.compile(r"([₹$£€])(\d[\d,]*)(?:\.(\d+))?")
_MEASURE = re.compile(r"([-−]?\d[\d,]*(?:\.\d+)?)(\D+)")
_RANGE = re.compile(r"(\D?\d[\d,.]*)–(\D?\d[\d,.]*\D*)")
_YEAR = re.compile(r"(1[1-9]|20)(\d)(\d)(s?)")
_LAKHS = re.compile(r"\d{1,2}(?:,\d\d)+,\d{3}(?:\.\d+)?")
_DECADES = ["hundreds", "tens", "twenties", "thirties", "forties"]
_DECADES += ["fifties", "sixties", "seventies", "eighties", "nineties"]


def spoken_tokens(text: str, language: str) -> tuple[Token, ...]:
    """Return the words of a sentence in order, each with what is to be said for it.

    A language without rules here is said as written.
    """
    words = text.split()
    rules = _LANGUAGES.get(language.split("-")[0].lower())
    if rules is None:
        return tuple(Token(word, word) for word in words)
    return tuple(_tokens(words, rules))


def _tokens(words: list[str], rules: _Language) -> Iterator[Token]:
    cores = _cores(words, rules)
    for index, word in enumerate(words):
        start = len(word) - len(word.lstrip(_OPENERS))
        end = max(len(word.rstrip(_CLOSERS)), start)
        said = _abbreviation(word[start:end], cores[index + 2], rules)
        if said is None:
            end = max(len(word.rstrip(_CLOSERS + ".")), start)
            said = _say(_Place(*cores[index : index + 3]), rules)
        yield Token(word, word[:start] + said + word[end:] if said or start == end else "")


def _cores(words: list[str], rules: _Language) -> list[str]:
    """Return the words without the marks around them, between two empty ones; an amount has its currency's sign."""
    cores = ["", *(_bare(word) for word in words), ""]
    for index in range(2, len(cores)):
        if cores[index - 1] in rules.currencies and _NUMBER.fullmatch(cores[index]):
            cores[index] = cores[index - 1] + cores[index]
    return cores


def _bare(word: str) -> str:
    return word.lstrip(_OPENERS).rstrip(_CLOSERS + ".")


def _abbreviation(core: str, after: str, rules: _Language) -> str | None:
    if core == "St." and not after[:1].isupper():
        return "Street"
    return rules.abbreviations.get(core) or rules.abbreviations.get(core.lower())


def _say(place: _Place, rules: _Language) -> str:
    """Return what to say for a word; the word itself where no rule fits, nothing where a neighbour says it."""
    for rule in (_money, _unit, _range, _number):
        said = rule(place, rules)
        if said is not None:
            return said
    return place.core


def _money(place: _Place, rules: _Language) -> str | None:
    core, before, after = place.core, place.before, place.after
    if core in rules.currencies and _AMOUNT.fullmatch(after):
        return ""
    if core.lower() in rules.scales and (amount := _AMOUNT.fullmatch(before)):
        return f"{core} {rules.currencies[amount[1]].many}"
    amount = _AMOUNT.fullmatch(core)
    if amount is None:
        return None
    if after.lower() in rules.scales:
        return core[1:]
    return _counted(amount, rules.currencies[amount[1]])


def _counted(amount: re.Match[str], currency: _Currency) -> str:
    whole, cents = amount[2].replace(",", ""), amount[3]
    if cents is not None and (len(cents) != 2 or currency.cent is None):
        return f"{whole}.{cents} {currency.many}"
    said = f"{whole} {currency.one if int(whole) == 1 else currency.many}"
    return f"{said} {int(cents)} {currency.cent}" if cents and int(cents) else said


def _unit(place: _Place, rules: _Language) -> str | None:
    counts = _NUMBER.fullmatch(place.before.rsplit("–", 1)[-1]) or place.before.lower() in rules.scales
    if place.core in rules.units and counts:
        return rules.units[place.core][place.before != "1"]
    measure = _MEASURE.fullmatch(place.core)
    if measure is None or measure[2] not in rules.units:
        return None
    return f"{_plain_number(measure[1])} {rules.units[measure[2]][measure[1] != '1']}"


def _range(place: _Place, rules: _Language) -> str | None:
    ends = _RANGE.fullmatch(place.core)
    if ends is None:
        return None
    first, last = (_say(_Place("", end, place.after), rules) for end in ends.groups())
    return f"{first} {rules.to} {last}"


def _number(place: _Place, rules: _Language) -> str | None:
    if _LAKHS.fullmatch(place.core):
        return _plain_number(place.core)
    if place.after in rules.units or place.after.lower() in rules.scales:
        return None
    return rules.year(place.core)


def _plain_number(number: str) -> str:
    return number.replace(",", "")


def _english_year(word: str) -> str:
    """Return 1776 as `17 76`, 1905 as `19 oh 5`, 1990s as `19 nineties`; any other word as it is."""
    match = _YEAR.fullmatch(word)
    if match is None:
        return word
    century, tens, ones, decade = match.groups()
    if decade:
        if ones != "0":
            return word
        return "two thousands" if (century, tens) == ("20", "0") else f"{century} {_DECADES[int(tens)]}"
    if tens != "0":
        return f"{century} {tens}{ones}"
    if century == "20":  # two thousand five
        return word
    return f"{century} oh {ones}" if ones != "0" else f"{century} hundred"


_ENGLISH = _Language(
    abbreviations={
        "dr.": "Doctor",
        "mr.": "Mister",
        "mrs.": "Missus",
        "ms.": "Miz",
        "prof.": "Professor",
        "st.": "Saint",
        "mt.": "Mount",
        "e.g.": "for example",
        "i.e.": "that is",
        "vs.": "versus",
    },
    currencies={
        "₹": _Currency("rupee", "rupees", "paise"),
        "$": _Currency("dollar", "dollars", "cents"),
        "£": _Currency("pound", "pounds", "pence"),
        "€": _Currency("euro", "euros", "cents"),
    },
    scales=frozenset({"hundred", "thousand", "lakh", "lakhs", "million", "crore", "crores", "billion", "trillion"}),
    units={
        "km": ("kilometre", "kilometres"),
        "km/h": ("kilometre per hour", "kilometres per hour"),
        "km/s": ("kilometre per second", "kilometres per second"),
        "°C": ("degree Celsius", "degrees Celsius"),
        "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
        "°": ("degree", "degrees"),
        "%": ("percent", "percent"),
    },
    to="to",
    year=_english_year,
)

_HINDI = _Language(
    abbreviations={"डॉ.": "डॉक्टर", "पं.": "पंडित", "प्रो.": "प्रोफ़ेसर", "कि.मी.": "किलोमीटर"},
    currencies={
        "₹": _Currency("रुपया", "रुपये", "पैसे"),
        "$": _Currency("डॉलर", "डॉलर", "सेंट"),
        "£": _Currency("पाउंड", "पाउंड", "पेंस"),
        "€": _Currency("यूरो", "यूरो", "सेंट"),
    },
    scales=frozenset({"हज़ार", "हजार", "लाख", "करोड़", "अरब"}),
    units={
        "km": ("किलोमीटर", "किलोमीटर"),
        "किमी": ("किलोमीटर", "किलोमीटर"),
        "km/h": ("किलोमीटर प्रति घंटा", "किलोमीटर प्रति घंटा"),
        "°C": ("डिग्री सेल्सियस", "डिग्री सेल्सियस"),
        "°": ("डिग्री", "डिग्री"),
        "%": ("प्रतिशत", "प्रतिशत"),
    },
    to="से",
)

_LANGUAGES = {"en": _ENGLISH, "hi": _HINDI}
