"""Number words, English and Hindi, in the western and in the Indian system."""

from collections.abc import Callable
from typing import Literal

System = Literal["western", "indian"]


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text, for tables that are easier to read as one."""
    return tuple(text.split())


_ONES = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")
_WESTERN = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_INDIAN = ((10**7, "crore"), (10**5, "lakh"), (1000, "thousand"), (100, "hundred"))
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip

#: From 0 to 99: none of them follows from the others.
_HINDI = words(
    "शून्य एक दो तीन चार पाँच छह सात आठ नौ "
    "दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह उन्नीस "
    "बीस इक्कीस बाईस तेईस चौबीस पच्चीस छब्बीस सत्ताईस अट्ठाईस उनतीस "
    "तीस इकतीस बत्तीस तैंतीस चौंतीस पैंतीस छत्तीस सैंतीस अड़तीस उनतालीस "
    "चालीस इकतालीस बयालीस तैंतालीस चवालीस पैंतालीस छियालीस सैंतालीस अड़तालीस उनचास "
    "पचास इक्यावन बावन तिरपन चौवन पचपन छप्पन सत्तावन अट्ठावन उनसठ "
    "साठ इकसठ बासठ तिरसठ चौंसठ पैंसठ छियासठ सड़सठ अड़सठ उनहत्तर "
    "सत्तर इकहत्तर बहत्तर तिहत्तर चौहत्तर पचहत्तर छिहत्तर सतहत्तर अठहत्तर उन्यासी "
    "अस्सी इक्यासी बयासी तिरासी चौरासी पचासी छियासी सत्तासी अट्ठासी नवासी "
    "नब्बे इक्यानवे बानवे तिरानवे चौरानवे पचानवे छियानवे सत्तानवे अट्ठानवे निन्यानवे"
)
_HINDI_SCALES = ((10**11, "खरब"), (10**9, "अरब"), (10**7, "करोड़"), (10**5, "लाख"), (1000, "हज़ार"), (100, "सौ"))
#: Masculine stem and what takes the place of its ending in the other forms.
_HINDI_ORDINALS = {1: "पहल", 2: "दूसर", 3: "तीसर", 4: "चौथ", 6: "छठ"}
_HINDI_ENDINGS = {"वाँ": "ा", "वां": "ा", "वा": "ा", "वीं": "ी", "वी": "ी", "वें": "े", "वे": "े"}

#: Above it, digits are said one by one: nobody says such a number.
MOST = 10**15


def english(number: int, system: System = "western") -> str:
    """Return a whole number below `MOST` in English words: 1500 is `one thousand five hundred`."""
    if number < 0:
        return f"minus {english(-number, system)}"
    return _composed(number, _WESTERN if system == "western" else _INDIAN, _english_small)


def hindi(number: int) -> str:
    """Return a whole number below `MOST` in Hindi words: 150000 is `एक लाख पचास हज़ार`."""
    if number < 0:
        return f"ऋण {hindi(-number)}"
    return _composed(number, _HINDI_SCALES, lambda small: _HINDI[small])


def english_ordinal(number: int) -> str:
    """Return 21 as `twenty first`."""
    *before, last = english(number).split()
    ordinal = _ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return " ".join([*before, ordinal])


def hindi_ordinal(number: int, ending: str) -> str:
    """Return 21 with `वीं` as `इक्कीसवीं`; `ending` is one of those that stand behind digits."""
    stem = _HINDI_ORDINALS.get(number)
    return hindi(number) + ending if stem is None else stem + _HINDI_ENDINGS[ending]


def english_year(year: int) -> str:
    """Return 1776 as `seventeen seventy six`, 1905 as `nineteen oh five`, 2005 as `two thousand five`."""
    century, rest = divmod(year, 100)
    if century % 10 == 0 and rest < 10:
        return english(year)
    after = "hundred" if rest == 0 else f"oh {english(rest)}" if rest < 10 else english(rest)
    return f"{english(century)} {after}"


def english_decade(decade: int) -> str:
    """Return 1990 as `nineteen nineties`, 90 as `nineties`, 2000 as `two thousands`."""
    words = english(decade) if decade < 100 or decade % 1000 == 0 else english_year(decade)
    *before, last = words.split()
    return " ".join([*before, f"{last[:-1]}ies" if last.endswith("y") else f"{last}s"])


def hindi_year(year: int) -> str:
    """Return 1947 as `उन्नीस सौ सैंतालीस`, 2024 as `दो हज़ार चौबीस`."""
    century, rest = divmod(year, 100)
    if not 11 <= century <= 19:
        return hindi(year)
    return f"{hindi(century)} सौ {hindi(rest)}" if rest else f"{hindi(century)} सौ"


def _english_small(number: int) -> str:
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens - 2] + (f" {_ONES[ones]}" if ones else "")


def _composed(number: int, scales: tuple[tuple[int, str], ...], small: Callable[[int], str]) -> str:
    for size, name in scales:
        if number >= size:
            count, rest = divmod(number, size)
            head = f"{_composed(count, scales, small)} {name}"
            return f"{head} {_composed(rest, scales, small)}" if rest else head
    return small(number)
