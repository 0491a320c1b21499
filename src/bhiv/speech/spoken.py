"""Spoken form: what a voice is given to say for each word as it is shown.

Voices read digits, signs and short forms each in its own way, most of them wrong somewhere. What is shown never
changes; what is said is written out in words, by rules for each language.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bhiv.speech.english import ENGLISH
from bhiv.speech.hindi import HINDI
from bhiv.speech.lexicon import NO_WORDS, Lexicon
from bhiv.speech.tongue import Place, Tongue

TONGUES = {"en": ENGLISH, "hi": HINDI}

_OPENERS = "\"'“‘«([{¿¡"
_CLOSERS = "\"'”’»)]},;:!?…।॥"
_DIGITS = str.maketrans("०१२३४५६७८९", "0123456789")
_SILENT_MARKS = re.compile(r"[*_`~|•·]+")


@dataclass(frozen=True)
class Token:
    """One word as it is shown, and the words said for it."""

    display: str
    #: Several words, or none where a neighbour says it all, such as the sign in `₹ 500`.
    spoken: str


def spoken_tokens(text: str, language: str, lexicon: Lexicon = NO_WORDS) -> tuple[Token, ...]:
    """Return the words of a sentence in order, each with what is to be said for it.

    A language without rules here is said as written, but for what the user's `lexicon` says.
    """
    words = text.split()
    tongue = TONGUES.get(language.split("-")[0].lower())
    own = lexicon.said([_bare(word) for word in words], language)
    if tongue is None:
        return tuple(Token(word, _around(word, said)) for word, said in zip(words, own, strict=True))
    bare = _bare_of(words, tongue)
    places = [Place(bare, index, _is_closed(word), language) for index, word in enumerate(words)]
    return tuple(
        Token(word, _around(word, said) if said is not None else _spoken(word, place, tongue))
        for word, place, said in zip(words, places, own, strict=True)
    )


def _spoken(word: str, place: Place, tongue: Tongue) -> str:
    start = len(word) - len(word.lstrip(_OPENERS))
    end = max(len(word.rstrip(_CLOSERS)), start)
    said = tongue.short_form(word[start:end], place)
    if said is None:
        end = max(len(word.rstrip(_CLOSERS + ".")), start)
        said = tongue.say(place)
    if start == end:
        return _SILENT_MARKS.sub("", word)
    opening = word[:start].rstrip("'’") if word[start].isdigit() else word[:start]  # '90s
    return opening + said + word[end:] if said else ""


def _around(word: str, said: str | None) -> str:
    """Return what is said within the marks around a word; None says the word as it is."""
    if said is None:
        return word
    bare = _bare(word)
    return word.replace(bare, said, 1) if said and bare else said


def _bare_of(words: Sequence[str], tongue: Tongue) -> tuple[str, ...]:
    """Return the words without the marks around them; an amount has its currency's sign."""
    bare = [_bare(word).translate(_DIGITS) for word in words]
    for index in range(1, len(bare)):
        sign = tongue.currency_sign(bare[index - 1])
        if sign and bare[index][:1].isdigit() and not _is_closed(words[index - 1].removesuffix(".")):
            bare[index] = sign + bare[index]
    return tuple(bare)


def _bare(word: str) -> str:
    return word.lstrip(_OPENERS).rstrip(_CLOSERS + ".")


def _is_closed(word: str) -> bool:
    return word[-1] in _CLOSERS + "."
