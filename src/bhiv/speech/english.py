"""How English says what is written in digits, signs and short forms."""

import re

from bhiv.speech.numerals import english, english_decade, english_ordinal, english_year, words
from bhiv.speech.tongue import Currency, Place, Tongue, is_number

_MONTHS = words("January February March April May June July August September October November December")
_SHORT_MONTHS = {month[:3].lower(): month for month in _MONTHS} | {"sept": "September"}
_TIME = re.compile(r"(\d{1,2}):([0-5]\d)(?::([0-5]\d))?([ap]\.?m)?", re.IGNORECASE)
_HOUR = re.compile(r"(1[0-2]|0?[1-9])([ap])\.?m", re.IGNORECASE)
_HALF_DAY = re.compile(r"([ap])\.?m", re.IGNORECASE)
_ORDINAL = re.compile(r"(\d[\d,]*)(?:st|nd|rd|th)")
_ISO_DATE = re.compile(r"([12]\d{3})-(\d\d)-(\d\d)")
_SLASHED_DATE = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.]([12]\d{3}|\d\d)")
_DECADE = re.compile(r"(?:mid-)?['’]?((?:1[1-9]|20)?\d0)['’]?s")
_YEAR = re.compile(r"1[1-9]\d\d|20\d\d")
_YEARS = re.compile(r"(1[1-9]\d\d|20\d\d)[–—-](\d{4}|\d\d)")
_FRACTION = re.compile(r"(\d{1,3})[/⁄](\d{1,3})")
_VULGAR = re.compile(r"(\d*)([½⅓⅔¼¾⅛])")
_VULGAR_WORDS = {"½": "half", "⅓": "third", "⅔": "two thirds", "¼": "quarter", "¾": "three quarters", "⅛": "eighth"}
_JOINED = re.compile(r"([A-Za-z][A-Za-z]*)-(\d{1,4})")
_BEHIND = re.compile(r"(\d{1,4})([GKDP])")
_TIMES = re.compile(r"(\d[\d,.]*)[x×]")
_RATIO = re.compile(r"(\d{1,3}):(\d{1,3})")
_VERSION = re.compile(r"v?(\d+(?:\.\d+){2,3})|v(\d+\.\d+)")
_FORMULA = re.compile(r"(?:[A-Z][a-z]?[₀-₉]*)*[A-Z][a-z]?[₀-₉]+(?:[A-Z][a-z]?[₀-₉]*)*|H2O|CO2|SO2|NO2|CH4|O2|N2|H2SO4")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_ROMAN = re.compile(r"(?=[IVXL])(?:XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50}
_CAPITALS = re.compile(r"([A-Z]{2,6})(s?)")

#: Behind these, a number in Roman letters counts things; behind a ruler's name it counts rulers.
_COUNTED = frozenset(
    words(
        "chapter part volume vol book act scene phase type war class section article appendix stage level title "
        "bowl mark schedule unit world"
    )
)
_RULERS = frozenset(
    words(
        "henry louis elizabeth george charles james william edward richard napoleon philip alexander nicholas "
        "frederick peter catherine ivan john paul benedict francis pius leo gregory innocent clement urban ramses "
        "cleopatra ptolemy darius xerxes chandragupta akbar shah harald gustav olaf otto mehmed murad selim"
    )
)
#: Said letter by letter although they have a vowel.
_SPELLED = frozenset(
    words(
        "USA UK EU UN UAE AI IIT UPI IPL API URL CEO CFO COO IBM FBI CIA ATM HIV UFO USB EV EVS ID IQ UI OS IP "
        "GDP DIY VIP FAQ SEO ROI EMI ICU OTP IAS IPS IFS ISBN ISO LED GPU CPU DNA RNA MRI PDF"
    )
)
#: In capitals, and words all the same.
_WORDS = frozenset(words("NASA ISRO UNESCO UNICEF NATO OPEC AIDS COVID LASER RADAR ASEAN SAARC FIFA"))
#: What follows a number that is no count of things.
_SMALL_WORDS = frozenset(
    words(
        "the a an and or but in on at of to for from by with as is are was were be been had has have when while "
        "that which who it he she they we i you there this these those after before until since during into over "
        "under between about marked saw began brought became did not no so than then would could will can may "
        "might"
    )
)
_YEAR_SIGNS = frozenset(
    words(
        "in since by from until till of year circa during before after around early late mid between and spring "
        "summer autumn fall winter c"
    )
)

_SHORT_FORMS = {
    "dr.": "Doctor", "mr.": "Mister", "mrs.": "Missus", "ms.": "Miz", "prof.": "Professor", "mt.": "Mount",
    "jr.": "Junior", "sr.": "Senior", "gen.": "General", "col.": "Colonel", "capt.": "Captain", "lt.": "Lieutenant",
    "sgt.": "Sergeant", "rev.": "Reverend", "hon.": "Honorable", "gov.": "Governor", "sen.": "Senator",
    "e.g.": "for example", "i.e.": "that is", "vs.": "versus", "etc.": "et cetera", "approx.": "approximately",
    "dept.": "department", "govt.": "government", "ave.": "Avenue", "rd.": "Road", "blvd.": "Boulevard",
    "inc.": "Incorporated", "ltd.": "Limited", "co.": "Company", "corp.": "Corporation", "est.": "established",
    "fig.": "figure", "vol.": "volume", "ch.": "chapter", "p.s.": "P S", "ph.d.": "P H D", "b.c.": "B C",
    "a.d.": "A D", "u.s.": "U S", "u.s.a.": "U S A", "u.k.": "U K", "u.n.": "U N",
    "ft.": "feet", "sq.": "square", "min.": "minutes", "hrs.": "hours", "yrs.": "years",
    "mon.": "Monday", "tue.": "Tuesday", "tues.": "Tuesday", "wed.": "Wednesday", "thu.": "Thursday",
    "thurs.": "Thursday", "fri.": "Friday",
} | {f"{short}.": month for short, month in _SHORT_MONTHS.items() if month != "May"}  # fmt: skip


def _ambiguous(form: str, place: Place) -> str | None:
    after = place.at(1)
    match form.lower():
        case "st.":
            return "Saint" if after[:1].isupper() else "Street"
        case "no." | "nos.":
            return ("number" if form.lower() == "no." else "numbers") if after[:1].isdigit() else None
        case "a.m." | "p.m.":
            return f"{form[0].lower()} m"
        case "min." | "ft." | "hrs." | "yrs." | "sq.":
            return None if is_number(place.at(-1)) else form
        case "fig." | "vol." | "ch.":
            return None if after[:1].isdigit() else form
        case "p." | "pp.":
            return ("page" if form.lower() == "p." else "pages") if after[:1].isdigit() else None
    return None


def _clock(place: Place) -> str | None:
    word, before, after = place.word, place.at(-1), place.at(1)
    if hour := _HOUR.fullmatch(word):
        return f"{english(int(hour[1]))} {hour[2].lower()} m"
    if (half := _HALF_DAY.fullmatch(word)) and (is_number(before) or _TIME.fullmatch(before)):
        return f"{half[1].lower()} m"
    time = _TIME.fullmatch(word)
    if time is None or int(time[1]) > 24:
        return None
    hour_word, minutes, seconds, half_day = english(int(time[1])), int(time[2]), time[3], time[4]
    tail = f" {half_day[0].lower()} m" if half_day else ""
    if not minutes and not seconds:
        if tail or _HALF_DAY.fullmatch(after):
            return hour_word + tail
        return f"{hour_word} o'clock" if int(time[1]) <= 12 else f"{hour_word} hundred"
    said = f"{hour_word} {english(minutes)}" if minutes > 9 else f"{hour_word} oh {english(minutes)}"
    return said + (f" and {english(int(seconds))} seconds" if seconds and int(seconds) else "") + tail


def _month(word: str) -> str | None:
    if word in _MONTHS:
        return word
    return _SHORT_MONTHS.get(word.lower()) if word[:1].isupper() and word.lower() in _SHORT_MONTHS else None


def _date(place: Place) -> str | None:
    word, before, after = place.word, place.at(-1), place.at(1)
    if iso := _ISO_DATE.fullmatch(word):
        return _day_of(int(iso[3]), int(iso[2]), int(iso[1]))
    if slashed := _SLASHED_DATE.fullmatch(word):
        first, second, year = (int(part) for part in slashed.groups())
        day, month = (second, first) if _month_first(place.language) and first <= 12 else (first, second)
        return _day_of(day, month, year if year > 99 else 2000 + year)
    day_match = re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)?", word)
    if day_match is None or not 1 <= int(day_match[1]) <= 31:
        return None
    ordinal = english_ordinal(int(day_match[1]))
    if _month(after) and not place.is_closed and (after != "May" or not place.at(2)[:1].islower()):
        return f"{ordinal} of" if before.lower() in {"the", "of"} or not word.isdigit() else f"the {ordinal} of"
    if _month(before) and (before != "March" or word.isdigit()) and not _is_counted(place):
        return ordinal
    return None


def _month_first(language: str) -> bool:
    return language.lower() in {"en", "en-us"}


def _day_of(day: int, month: int, year: int) -> str | None:
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return None
    return f"{_MONTHS[month - 1]} {english_ordinal(day)} {english_year(year)}"


def _is_counted(place: Place) -> bool:
    """Whether things follow that the number counts."""
    after = place.at(1)
    return not place.is_closed and after[:1].islower() and after.lower() not in _SMALL_WORDS


def _ordinal(place: Place) -> str | None:
    match = _ORDINAL.fullmatch(place.word)
    return english_ordinal(int(match[1].replace(",", ""))) if match else None


def _year(place: Place) -> str | None:
    word = place.word
    if decade := _DECADE.fullmatch(word):
        said = english_decade(int(decade[1]))
        return f"mid {said}" if word.startswith("mid") else said
    if years := _YEARS.fullmatch(word):
        last = years[2]
        said = english_year(int(last)) if len(last) == 4 else english(int(last))
        return f"{english_year(int(years[1]))} to {said if int(last) > 9 or len(last) == 4 else 'oh ' + said}"
    if not _YEAR.fullmatch(word):
        return None
    if place.at(1) in ENGLISH.units or place.at(1).lower() in ENGLISH.scales:
        return None
    if place.at(-1).lower() in _YEAR_SIGNS and place.at(-1).lower() not in {"of", "by", "and", "about", "around"}:
        return english_year(int(word))
    return None if _is_counted(place) else english_year(int(word))


def _fraction(place: Place) -> str | None:
    if vulgar := _VULGAR.fullmatch(place.word):
        whole, part = vulgar[1], _VULGAR_WORDS[vulgar[2]]
        if not whole:
            return part if " " in part else f"one {part}"
        article = "" if " " in part else "a " if part[0] != "e" else "an "
        return f"{english(int(whole))} and {article}{part}"
    match = _FRACTION.fullmatch(place.word)
    if match is None:
        return None
    above, below = int(match[1]), int(match[2])
    if not 0 < above < below <= 100 or (above, below) == (9, 11):
        return f"{english(above)} {english(below)}"
    part = {2: "half", 4: "quarter"}.get(below) or english_ordinal(below)
    many = {"half": "halves"}.get(part, f"{part}s")
    said = f"{english(above)} {part if above == 1 else many}"
    return f"and {said}" if place.at(-1).isdigit() else said


def _numbered(place: Place) -> str | None:
    word = place.word
    if match := re.fullmatch(r"#(\d+)", word):
        return f"number {english(int(match[1]))}"
    if match := re.fullmatch(r"[~≈](.+)", word):
        inner = Place([match[1], *place.words[place.index + 1 :]], 0, place.is_closed, place.language)
        return f"about {ENGLISH.say(inner)}"
    if match := _TIMES.fullmatch(word):
        return f"{ENGLISH.number(match[1])} times"
    if match := _VERSION.fullmatch(word):
        parts = (match[1] or match[2]).split(".")
        return ("version " if word[0] == "v" else "") + " point ".join(english(int(part)) for part in parts)
    if match := _BEHIND.fullmatch(word):
        return f"{english(int(match[1]))} {match[2]}"
    if match := _JOINED.fullmatch(word):
        name = _initials(match[1]) or match[1]
        return f"{name} {_part_number(match[2])}"
    if match := _RATIO.fullmatch(word):
        return f"{english(int(match[1]))} to {english(int(match[2]))}"
    return None


def _part_number(written: str) -> str:
    if _YEAR.fullmatch(written):
        return english_year(int(written))
    if len(written) == 3 and written[0] != "0" and written[1:] != "00":
        return f"{english(int(written[0]))} {'oh ' if written[1] == '0' else ''}{english(int(written[1:]))}"
    return ENGLISH.number(written)


def _formula(place: Place) -> str | None:
    if not _FORMULA.fullmatch(place.word):
        return None
    parts = re.findall(r"[A-Z][a-z]?|\d+", place.word.translate(_SUBSCRIPTS))
    return " ".join(english(int(part)) if part.isdigit() else " ".join(part.upper()) for part in parts)


def _roman(place: Place) -> str | None:
    word, before = place.word, place.at(-1).lower()
    if not word or not _ROMAN.fullmatch(word):
        return None
    values = [_ROMAN_VALUES[letter] for letter in word]
    pairs = zip(values, [*values[1:], 0], strict=True)
    value = sum(-one if one < following else one for one, following in pairs)
    if before in _COUNTED and place.at(-1)[:1].isupper() | (word != "I"):
        return english(value)
    if before in _RULERS and place.at(-1)[:1].isupper() and (word != "I" or place.is_closed or not place.at(1)):
        return f"the {english_ordinal(value)}"
    return None


def _initials(word: str) -> str | None:
    match = _CAPITALS.fullmatch(word)
    if match is None or match[1] in _WORDS:
        return None
    if match[1] not in _SPELLED and (set(match[1]) & set("AEIOUY") or len(match[1]) > 5):
        return None
    return " ".join(match[1]) + ("s" if match[2] else "")


def _initialism(place: Place) -> str | None:
    return _initials(place.word)


def _plain(place: Place) -> str | None:
    word = place.word
    if not is_number(word):
        return None
    if place.at(1).lower() in ENGLISH.scales and not place.is_closed:
        return ENGLISH.scaled(word)
    return ENGLISH.number(word)


def _joined_words(place: Place) -> str | None:
    """Say `and/or` as two words, and `5-year-old` with its number in words."""
    if re.fullmatch(r"[A-Za-z]+/[A-Za-z]+", place.word):
        return place.word.replace("/", " ")
    if match := re.fullmatch(r"(\d{1,4})-([A-Za-z][A-Za-z-]*)", place.word):
        return f"{english(int(match[1]))} {match[2].replace('-', ' ')}"
    return None


def _metric(prefixes: dict[str, str], sign: str, name: str) -> dict[str, tuple[str, str]]:
    return {short + sign: (f"{long}{name}", f"{long}{name}s") for short, long in prefixes.items()}


_UNITS = {
    **_metric({"k": "kilo", "": "", "c": "centi", "m": "milli", "µ": "micro", "n": "nano"}, "m", "metre"),
    **_metric({"k": "kilo", "": "", "m": "milli", "µ": "micro"}, "g", "gram"),
    **_metric({"": "", "m": "milli"}, "l", "litre"),
    **_metric({"": "", "m": "milli"}, "L", "litre"),
    **_metric({"k": "kilo", "M": "mega", "G": "giga", "T": "tera", "": ""}, "W", "watt"),
    **_metric({"k": "kilo", "M": "mega", "G": "giga", "T": "tera", "": ""}, "Wh", "watt hour"),
    **_metric({"k": "kilo", "M": "mega", "G": "giga", "T": "tera"}, "B", "byte"),
    **_metric({"k": "kilo", "": ""}, "V", "volt"),
    **_metric({"": "", "m": "milli"}, "s", "second"),
    **{f"{short}Hz": (f"{long}hertz", f"{long}hertz") for short, long in
       (("", ""), ("k", "kilo"), ("M", "mega"), ("G", "giga"))},
    "KB": ("kilobyte", "kilobytes"), "kcal": ("kilocalorie", "kilocalories"),
    "m²": ("square metre", "square metres"), "km²": ("square kilometre", "square kilometres"),
    "m³": ("cubic metre", "cubic metres"), "sqft": ("square foot", "square feet"),
    "km/h": ("kilometre per hour", "kilometres per hour"), "kmph": ("kilometre per hour", "kilometres per hour"),
    "km/s": ("kilometre per second", "kilometres per second"), "m/s": ("metre per second", "metres per second"),
    "mph": ("mile per hour", "miles per hour"), "mi": ("mile", "miles"), "ft": ("foot", "feet"),
    "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"), "yd": ("yard", "yards"),
    "ha": ("hectare", "hectares"), "min": ("minute", "minutes"), "mins": ("minute", "minutes"),
    "h": ("hour", "hours"), "hr": ("hour", "hours"), "hrs": ("hour", "hours"), "dB": ("decibel", "decibels"),
    "Mbps": ("megabit per second", "megabits per second"), "Gbps": ("gigabit per second", "gigabits per second"),
    "°C": ("degree Celsius", "degrees Celsius"), "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"), "%": ("percent", "percent"), "‰": ("per mille", "per mille"),
}  # fmt: skip

ENGLISH = Tongue(
    cardinal=english,
    indian=lambda number: english(number, "indian"),
    point="point", minus="minus", plus="plus", to="to", dot="dot", slash="slash", dash="dash", at="at",
    short_forms=_SHORT_FORMS,
    currencies={
        "₹": Currency("rupee", "rupees", "paise"),
        "$": Currency("dollar", "dollars", "cents"),
        "£": Currency("pound", "pounds", "pence"),
        "€": Currency("euro", "euros", "cents"),
        "¥": Currency("yen", "yen"),
    },
    scales=frozenset(words(
    "hundred thousand lakh lakhs million crore crores billion trillion"
)),
    scale_letters={
        "K": "thousand", "k": "thousand", "M": "million", "m": "million", "mn": "million", "B": "billion",
        "bn": "billion", "T": "trillion", "tn": "trillion", "cr": "crore", "Cr": "crore", "L": "lakh",
    },
    units=_UNITS,
    signs={"&": "and", "+": "plus", "=": "equals", "×": "times", "÷": "divided by", "@": "at", "<": "less than",
           ">": "greater than", "≥": "at least", "≤": "at most", "≈": "about", "→": "to"},
    first=(_clock, _date, _ordinal, _fraction, _year, _formula),
    last=(_numbered, _plain, _joined_words, _roman, _initialism),
    ambiguous=_ambiguous,
)  # fmt: skip
