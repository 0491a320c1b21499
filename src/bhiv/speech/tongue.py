"""What the languages share when they write out numbers, money, measures and addresses."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bhiv.speech.numerals import MOST, words

_NUMBER = re.compile(r"[-−+]?(?:\d[\d,]*)?(?:\d|\.\d+)")
_LAKHS = re.compile(r"\d{1,2}(?:,\d\d)+,\d{3}")
_SIGN = r"(?:₹|\$|US\$|£|€|¥|Rs\.?|INR|USD|EUR|GBP|रु\.?)"
_AMOUNT = re.compile(rf"([-−]?)({_SIGN})(\d[\d,]*)(?:\.(\d+))?(K|k|M|m|mn|B|bn|T|tn|cr|Cr|L)?")
_MEASURE = re.compile(r"([-−+]?\d[\d,]*(?:\.\d+)?)-?([^\d\W][\w/²³%]*|[°%×′″‰µ][\w/²³]*)")
_RANGE = re.compile(rf"({_SIGN}?)([-−]?\d[\d,.]*)[–—-]({_SIGN}?)(\d[\d,.]*)(\D*)")
_URL = re.compile(r"(?:https?://)?((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,})((?:/[^\s?#]*)?)(?:[?#]\S*)?")
_EMAIL = re.compile(r"([\w.+-]+)@((?:[\w-]+\.)+[a-z]{2,})")
_TELEPHONE = re.compile(r"0\d+|\d{10,}|\d{3,5}(?:-\d{3,5}){2,}|\(?\d{3}\)?-\d{3}-\d{4}")
_COUNTRY_CODE = re.compile(r"\+(\d{1,3})")
_DOMAINS = frozenset(words("com org net edu gov in io ai co uk info dev app tv me us de fr eu int mil news world"))


@dataclass(frozen=True)
class Currency:
    """What an amount is called."""

    one: str
    many: str
    #: The hundredth part; None where nobody says it.
    cent: str | None = None


@dataclass(frozen=True)
class Place:
    """A word among its neighbours, all without the marks around them."""

    words: Sequence[str]
    index: int
    #: Whether a mark follows it, so that what comes next belongs to something else.
    is_closed: bool
    language: str

    def at(self, offset: int) -> str:
        """Return the word so many places on, empty where there is none."""
        index = self.index + offset
        return self.words[index] if 0 <= index < len(self.words) else ""

    @property
    def word(self) -> str:
        """The word itself."""
        return self.words[self.index]


Rule = Callable[[Place], str | None]


@dataclass(frozen=True)
class Tongue:
    """How a language says what is not written in words."""

    cardinal: Callable[[int], str]
    #: For numbers that are grouped as lakhs and crores.
    indian: Callable[[int], str]
    #: `point`, `minus` and `plus`.
    point: str
    minus: str
    plus: str
    #: Stands between the ends of a range.
    to: str
    #: Parts of an address.
    dot: str
    slash: str
    dash: str
    at: str
    #: Short forms with their dots, in lower case.
    short_forms: Mapping[str, str]
    #: By sign; those written in letters stand for one of them.
    currencies: Mapping[str, Currency]
    #: Number words that come between an amount and its currency.
    scales: frozenset[str]
    #: What is written for a scale behind an amount.
    scale_letters: Mapping[str, str]
    #: For one, and for any other number.
    units: Mapping[str, tuple[str, str]]
    #: Signs that stand alone.
    signs: Mapping[str, str]
    #: Tried before and after what is common; both in order.
    first: tuple[Rule, ...]
    last: tuple[Rule, ...]
    #: What a short form means here, where that is not always the same.
    ambiguous: Callable[[str, Place], str | None] = lambda _form, _place: None

    def say(self, place: Place) -> str:
        """Return what to say for a word; the word itself where no rule fits, nothing where a neighbour says it."""
        common = (self._address, self._money, self._unit, self._range, self._sign)
        for rule in (self._dictated, *self.first, *common, *self.last):
            said = rule(place)
            if said is not None:
                return said
        return place.word

    def short_form(self, form: str, place: Place) -> str | None:
        """Return what a word with its dots stands for, None when it is no short form."""
        said = self.ambiguous(form, place)
        return said if said is not None else self.short_forms.get(form.lower())

    def number(self, written: str) -> str:
        """Return a number that is written in digits, in words."""
        sign = {"-": f"{self.minus} ", "−": f"{self.minus} ", "+": f"{self.plus} "}.get(written[0], "")
        whole, _, decimals = written.lstrip("-−+").partition(".")
        said = self._whole(whole) if whole else self.cardinal(0)
        if decimals:
            said += f" {self.point} {self.digits(decimals)}"
        return sign + said

    def digits(self, written: str) -> str:
        """Return digits one by one."""
        return " ".join(self.cardinal(int(digit)) for digit in written if digit.isdigit())

    def currency_sign(self, word: str) -> str | None:
        """Return the sign of a currency that stands alone before its amount, None when it is something else."""
        return word if re.fullmatch(_SIGN, word) else None

    def _whole(self, written: str) -> str:
        plain = written.replace(",", "")
        if int(plain) >= MOST or (len(plain) > 1 and plain[0] == "0"):
            return self.digits(plain)
        return (self.indian if _LAKHS.fullmatch(written) else self.cardinal)(int(plain))

    def _currency(self, sign: str) -> Currency:
        known = {"US$": "$", "Rs": "₹", "Rs.": "₹", "INR": "₹", "रु": "₹", "रु.": "₹", "USD": "$", "EUR": "€", "GBP": "£"}
        return self.currencies[known.get(sign, sign)]

    def _money(self, place: Place) -> str | None:
        word, before, after = place.word, place.at(-1), place.at(1)
        if self.currency_sign(word) and (_AMOUNT.fullmatch(after) or _RANGE.fullmatch(after)):
            return ""
        if word.lower() in self.scales and (sign := _sign_of(before)):
            return f"{word} {self._currency(sign).many}"
        amount = _AMOUNT.fullmatch(word)
        if amount is None:
            return None
        minus, sign, whole, cents, letters = amount.groups()
        currency, said = self._currency(sign), f"{self.minus} " if minus else ""
        if letters:
            scale = self.scale_letters[letters]
            return f"{said}{self.number(whole + (f'.{cents}' if cents else ''))} {scale} {currency.many}"
        if after.lower() in self.scales and not place.is_closed:
            return said + self.scaled(whole + (f".{cents}" if cents else ""))
        return said + self._counted(whole, cents, currency)

    def scaled(self, written: str) -> str:
        """Return a number that a scale follows, such as `lakh`."""
        return self.number(written)

    def _counted(self, whole: str, cents: str | None, currency: Currency) -> str:
        if cents is not None and (len(cents) != 2 or currency.cent is None):
            return f"{self.number(f'{whole}.{cents}')} {currency.many}"
        said = f"{self.number(whole)} {currency.one if whole == '1' else currency.many}"
        return f"{said} {self.cardinal(int(cents))} {currency.cent}" if cents and int(cents) else said

    def _unit(self, place: Place) -> str | None:
        word, before = place.word, place.at(-1)
        if word in self.units and (_ends_in_number(before) or before.lower() in self.scales):
            return self.units[word][before != "1"]
        measure = _MEASURE.fullmatch(word)
        if measure is None or measure[2] not in self.units:
            return None
        return f"{self.number(measure[1])} {self.units[measure[2]][measure[1] != '1']}"

    def _range(self, place: Place) -> str | None:
        ends = _RANGE.fullmatch(place.word)
        if ends is None:
            return None
        sign, first, second_sign, last, rest = ends.groups()
        if rest and rest not in self.units and rest not in self.scale_letters:
            return None
        if sign and not second_sign:
            many = self._currency(sign).many
            scale = "" if not rest else f" {self.scale_letters.get(rest, rest)}"
            tail = "" if place.at(1).lower() in self.scales else f" {many}"
            return f"{self.number(first)} {self.to} {self.number(last)}{scale}{tail}"
        inner = [Place([end, *place.words[place.index + 1 :]], 0, place.is_closed, place.language) for end in
                 (sign + first, second_sign + last + rest)]  # fmt: skip
        return f" {self.to} ".join(self.say(end) for end in inner)

    def _dictated(self, place: Place) -> str | None:
        """Say the digits of telephone numbers, and of what begins with a zero, one by one."""
        word = place.word
        if (code := _COUNTRY_CODE.fullmatch(word)) and re.fullmatch(r"[\d-]{5,}", place.at(1)):
            return f"{self.plus} {self.digits(code[1])}"
        pair = re.fullmatch(r"\d{5}", word) and any(re.fullmatch(r"\d{5}", place.at(offset)) for offset in (-1, 1))
        behind_code = re.fullmatch(r"\d{5,}", word) and _COUNTRY_CODE.fullmatch(place.at(-1))
        return self.digits(word) if pair or behind_code or _TELEPHONE.fullmatch(word) else None

    def _address(self, place: Place) -> str | None:
        if email := _EMAIL.fullmatch(place.word):
            return f"{self._spelled(email[1])} {self.at} {self._spelled(email[2])}"
        url = _URL.fullmatch(place.word)
        if url is None or (url[1].rpartition(".")[2].lower() not in _DOMAINS and "://" not in place.word):
            return None
        return self._spelled(url[1].removeprefix("www.") + url[2].rstrip("/"))

    def _spelled(self, address: str) -> str:
        parts = re.findall(r"[^\W\d_]+|\d+|[./_+-]", address)
        said = {".": self.dot, "/": self.slash, "-": self.dash, "_": self.dash, "+": self.plus}
        return " ".join(self.digits(part) if part.isdigit() else said.get(part, part) for part in parts)

    def _sign(self, place: Place) -> str | None:
        return self.signs.get(place.word)


def is_number(word: str) -> bool:
    """Whether a word is a number in digits, with or without sign, groups and decimals."""
    return _NUMBER.fullmatch(word) is not None


def _sign_of(amount: str) -> str:
    """Return the currency's sign of an amount, or of a range of them that has one only."""
    if plain := _AMOUNT.fullmatch(amount):
        return plain[2]
    ends = _RANGE.fullmatch(amount)
    return ends[1] if ends and not ends[3] else ""


def _ends_in_number(word: str) -> bool:
    return re.search(r"(?:^|[–—-])\d[\d,]*(?:\.\d+)?$", word.lstrip("-−+")) is not None
