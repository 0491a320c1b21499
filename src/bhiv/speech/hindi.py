"""How Hindi says what is written in digits, signs and short forms."""

import re

from bhiv.speech.numerals import hindi, hindi_ordinal, hindi_year, words
from bhiv.speech.tongue import Currency, Place, Tongue, is_number

_MONTHS = words("जनवरी फ़रवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_ORDINAL = re.compile(r"(\d[\d,]*)-?(वाँ|वां|वा|वीं|वी|वें|वे)")
_FIRST = {"ला": "ा", "ली": "ी", "ले": "े", "रा": "ा", "री": "ी", "रे": "े", "था": "ा", "थी": "ी", "थे": "े"}
_FIRST_ORDINAL = re.compile(r"([1-4])(ला|ली|ले|रा|री|रे|था|थी|थे)")
_STEMS = {"1": "पहल", "2": "दूसर", "3": "तीसर", "4": "चौथ"}
_ISO_DATE = re.compile(r"([12]\d{3})-(\d\d)-(\d\d)")
_SLASHED_DATE = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-]([12]\d{3})")
_YEAR = re.compile(r"1[1-9]\d\d|20\d\d")
_YEARS = re.compile(r"(1[1-9]\d\d|20\d\d)[–—-](\d{4}|\d\d)")
_FRACTION = re.compile(r"(\d{1,3})[/⁄](\d{1,3})")
_VULGAR = re.compile(r"(\d*)([½¼¾])")
_JOINED = re.compile(r"([^\W\d_]+(?:[\u0900-\u0903\u093a-\u094f]+[^\W\d_]*)*)-(\d{1,4})")
_DECADE = re.compile(r"([12]\d{2}0|\d0)(?:s|के)")


def _clock(place: Place) -> str | None:
    if place.word in {"बजे", "बजकर"} and (before := _TIME.fullmatch(place.at(-1))):
        return "" if int(before[2]) not in {0, 15, 30, 45} else None
    time = _TIME.fullmatch(place.word)
    if time is None:
        return None
    hour, minute = int(time[1]), int(time[2])
    said = {0: hindi(hour), 15: f"सवा {hindi(hour)}", 30: _and_a_half(hour), 45: f"पौने {hindi(hour % 12 + 1)}"}.get(
        minute
    )
    if said is None:
        return f"{hindi(hour)} बजकर {hindi(minute)} मिनट"
    return said if place.at(1) in {"बजे", "बजकर"} else f"{said} बजे"


def _and_a_half(whole: int) -> str:
    return {0: "आधा", 1: "डेढ़", 2: "ढाई"}.get(whole, f"साढ़े {hindi(whole)}")


def _date(place: Place) -> str | None:
    if iso := _ISO_DATE.fullmatch(place.word):
        year, month, day = (int(part) for part in iso.groups())
    elif slashed := _SLASHED_DATE.fullmatch(place.word):
        day, month, year = (int(part) for part in slashed.groups())
    else:
        return None
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return None
    return f"{hindi(day)} {_MONTHS[month - 1]} {hindi_year(year)}"


def _ordinal(place: Place) -> str | None:
    if first := _FIRST_ORDINAL.fullmatch(place.word):
        return _STEMS[first[1]] + _FIRST[first[2]]
    match = _ORDINAL.fullmatch(place.word)
    return hindi_ordinal(int(match[1].replace(",", "")), match[2]) if match else None


def _fraction(place: Place) -> str | None:
    if vulgar := _VULGAR.fullmatch(place.word):
        whole = int(vulgar[1] or 0)
        match vulgar[2]:
            case "½":
                return _and_a_half(whole)
            case "¼":
                return f"सवा {hindi(whole)}" if whole else "एक चौथाई"
            case _:
                return f"पौने {hindi(whole + 1)}" if whole else "तीन चौथाई"
    match_ = _FRACTION.fullmatch(place.word)
    if match_ is None:
        return None
    above, below = int(match_[1]), int(match_[2])
    if (above, below) == (1, 2):
        return "आधा"
    part = {3: "तिहाई", 4: "चौथाई"}.get(below)
    return f"{hindi(above)} {part}" if part and above < below else f"{hindi(above)} बटा {hindi(below)}"


def _year(place: Place) -> str | None:
    word, after = place.word, place.at(1)
    if years := _YEARS.fullmatch(word):
        last = int(years[2])
        return f"{hindi_year(int(years[1]))} से {hindi_year(last) if last > 99 else hindi(last)}"
    if decade := _DECADE.fullmatch(word):
        return hindi_year(int(decade[1]))
    if not _YEAR.fullmatch(word) or after in HINDI.units or after in HINDI.scales:
        return None
    return hindi_year(int(word))


def _plain(place: Place) -> str | None:
    word = place.word
    if match := re.fullmatch(r"#(\d+)", word):
        return f"नंबर {hindi(int(match[1]))}"
    if match := re.fullmatch(r"(\d[\d,.]*)[x×]", word):
        return f"{HINDI.number(match[1])} गुना"
    if match := _JOINED.fullmatch(word):
        return f"{match[1]} {hindi(int(match[2]))}"
    if match := re.fullmatch(r"(\d{1,4})([^\W\d_A-Za-z][\w\u0900-\u097f]*)", word):  # 5साल
        return f"{hindi(int(match[1]))} {match[2]}"
    if not is_number(word):
        return None
    if place.at(1) in HINDI.scales and not place.is_closed:
        return HINDI.scaled(word)
    return HINDI.number(word)


def _ambiguous(form: str, place: Place) -> str | None:
    # Before an amount it is the currency's sign, which the amount says.
    return "" if form == "रु." and place.at(1)[-1:].isdigit() and not place.at(1)[:1].isdigit() else None


class _Hindi(Tongue):
    def scaled(self, written: str) -> str:
        """Return 3.5 before a scale as `साढ़े तीन`, as people say it."""
        whole, _, part = written.partition(".")
        if part in {"5", "50"} and whole.isdigit() and int(whole):
            return _and_a_half(int(whole))
        if part == "25" and whole.isdigit() and int(whole):
            return f"सवा {hindi(int(whole))}" if int(whole) > 1 else "सवा"
        return self.number(written)


def _same(*names: tuple[str, str]) -> dict[str, tuple[str, str]]:
    return {sign: (name, name) for sign, name in names}


_UNITS = _same(
    ("km", "किलोमीटर"), ("किमी", "किलोमीटर"), ("कि.मी", "किलोमीटर"), ("m", "मीटर"), ("मी", "मीटर"),
    ("cm", "सेंटीमीटर"), ("सेमी", "सेंटीमीटर"), ("से.मी", "सेंटीमीटर"), ("mm", "मिलीमीटर"), ("मिमी", "मिलीमीटर"),
    ("kg", "किलोग्राम"), ("किग्रा", "किलोग्राम"), ("कि.ग्रा", "किलोग्राम"), ("g", "ग्राम"), ("ग्रा", "ग्राम"),
    ("mg", "मिलीग्राम"), ("l", "लीटर"), ("L", "लीटर"), ("ml", "मिलीलीटर"), ("ली", "लीटर"),
    ("km/h", "किलोमीटर प्रति घंटा"), ("kmph", "किलोमीटर प्रति घंटा"), ("किमी/घंटा", "किलोमीटर प्रति घंटा"),
    ("km/s", "किलोमीटर प्रति सेकंड"), ("m/s", "मीटर प्रति सेकंड"), ("km²", "वर्ग किलोमीटर"), ("m²", "वर्ग मीटर"),
    ("°C", "डिग्री सेल्सियस"), ("°F", "डिग्री फ़ारेनहाइट"), ("°", "डिग्री"), ("%", "प्रतिशत"),
    ("W", "वॉट"), ("kW", "किलोवॉट"), ("MW", "मेगावॉट"), ("GW", "गीगावॉट"), ("kWh", "किलोवॉट घंटा"), ("V", "वोल्ट"),
    ("MB", "मेगाबाइट"), ("GB", "गीगाबाइट"), ("TB", "टेराबाइट"), ("KB", "किलोबाइट"), ("Hz", "हर्ट्ज़"), ("GHz", "गीगाहर्ट्ज़"),
    ("min", "मिनट"), ("s", "सेकंड"), ("h", "घंटे"), ("ft", "फ़ुट"), ("ha", "हेक्टेयर"),
)  # fmt: skip

HINDI = _Hindi(
    cardinal=hindi,
    indian=hindi,
    point="दशमलव", minus="माइनस", plus="प्लस", to="से", dot="डॉट", slash="स्लैश", dash="डैश", at="ऐट",
    short_forms={
        "डॉ.": "डॉक्टर", "डा.": "डॉक्टर", "पं.": "पंडित", "प्रो.": "प्रोफ़ेसर", "कि.मी.": "किलोमीटर",
        "कि.ग्रा.": "किलोग्राम", "से.मी.": "सेंटीमीटर", "मि.मी.": "मिलीमीटर", "मि.": "मिनट", "मी.": "मीटर", "रु.": "रुपये",
        "ई.": "ईस्वी", "ई.पू.": "ईसा पूर्व", "नं.": "नंबर", "क्र.": "क्रमांक", "सं.": "संख्या", "पृ.": "पृष्ठ", "उदा.": "उदाहरण",
        "स्व.": "स्वर्गीय", "कु.": "कुमारी", "श्री.": "श्री", "इं.": "इंजीनियर", "एड.": "एडवोकेट", "सु.": "सुबह",
        "वि.सं.": "विक्रम संवत",
    },
    currencies={
        "₹": Currency("रुपया", "रुपये", "पैसे"),
        "$": Currency("डॉलर", "डॉलर", "सेंट"),
        "£": Currency("पाउंड", "पाउंड", "पेंस"),
        "€": Currency("यूरो", "यूरो", "सेंट"),
        "¥": Currency("येन", "येन"),
    },
    scales=frozenset(words("सौ हज़ार हजार लाख करोड़ करोड अरब खरब मिलियन बिलियन")),
    scale_letters={
        "K": "हज़ार", "k": "हज़ार", "M": "मिलियन", "m": "मिलियन", "mn": "मिलियन", "B": "बिलियन", "bn": "बिलियन",
        "T": "ट्रिलियन", "tn": "ट्रिलियन", "cr": "करोड़", "Cr": "करोड़", "L": "लाख",
    },
    units=_UNITS,
    signs={"&": "और", "+": "प्लस", "=": "बराबर", "×": "गुणा", "÷": "भाग", "@": "ऐट", "→": "से"},
    first=(_clock, _date, _ordinal, _fraction, _year),
    last=(_plain,),
    ambiguous=_ambiguous,
)  # fmt: skip
