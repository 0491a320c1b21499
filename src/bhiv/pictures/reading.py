"""What a text offers a picture: words for places and things, a number, a quotation, a phrase to headline."""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from bhiv.plan import Contract

_DIRECTION = re.compile(r"\[[^\]\n]{1,200}\]")
_WORD = re.compile(r"[^\W_]+(?:[\u0900-\u0903\u093a-\u094f\u200c\u200d'’-]*[^\W_]*)*")
_SENTENCE_END = re.compile(r"(?<=[.!?।॥])[\"”’»]?\s+|\n+")
_CLAUSE_END = re.compile(r"[,;:.!?।॥…]+(?=\s|$)|\s[—–-]\s|—|[\n\"“”«»„()]")
_QUOTED = re.compile(r"“([^“”]+)”|\"([^\"]+)\"|«([^«»]+)»|„([^„“”]+)[“”]")
_SPEAKER = re.compile(r"\b(?:said|says|wrote|asked|taught)\s+((?:[A-Z][\w.’'-]*\s?){1,3})")
_SIGNED = re.compile(r"[—–]\s*((?:[A-Z\u0900-\u097f][\w.\u0900-\u097f’'-]*\s?){1,4})\.?\s*$")
_NUMBER = re.compile(r"(?<![\w.,:])[₹$€£]?\s?\d+(?:[.,:]\d+)*(?:\s?%|\s?°C?)?(?![\d%])")


class Figure(Contract):
    """A number as it is written, and the words after it that say of what; the words may be none."""

    value: str
    unit: str


class Count(NamedTuple):
    """A sentence around its numbers: what comes before, the numbers, what follows, and how much they strike."""

    lead: str
    figures: tuple[Figure, ...]
    follow: str
    strength: int


class Quotation(NamedTuple):
    """Words in quotation marks, or verse without any; `source` is who said it, empty when the text doesn't tell."""

    text: str
    source: str
    marked: bool


def plain(narration: str) -> str:
    """Return what is said, without directions in brackets; lines stay lines."""
    lines = (" ".join(line.split()) for line in _DIRECTION.sub(" ", narration).splitlines())
    return "\n".join(line for line in lines if line)


def words(text: str) -> list[str]:
    """Return the words, in lower case, without a possessive's ending."""
    found = _WORD.findall(unicodedata.normalize("NFC", text).casefold())
    return [re.sub(r"['’]s?$", "", word) for word in found]


@lru_cache(maxsize=1)
def vocabulary() -> Mapping[str, Any]:
    """Return the tables of `vocabulary.toml`, in normal form C."""
    text = files("bhiv.pictures").joinpath("vocabulary.toml").read_text("utf-8")
    return tomllib.loads(unicodedata.normalize("NFC", text))


def named(text: str, table: str) -> list[str]:
    """Return the entries of a table of the vocabulary that a word of the text stands for, in the table's order."""
    entries = _index(table)
    hits = {entry for word in words(text) for form in forms(word) for entry in entries.get(form, ())}
    return [entry for entry in vocabulary()[table] if entry in hits]


def first_named(text: str, table: str) -> list[str]:
    """Return the same entries in the order of the words in the text."""
    entries = _index(table)
    return list(dict.fromkeys(entry for word in words(text) for form in forms(word) for entry in entries.get(form, ())))


def is_listed(word: str, entry: str) -> bool:
    """Return whether a list of the vocabulary's `words` holds this word in some form."""
    return not _listed(entry).isdisjoint(forms(word))


def count(text: str) -> Count | None:
    """Return the most striking number with the sentence around it; None when none is worth a picture."""
    found = [told for sentence in _SENTENCE_END.split(text) for told in _counts(sentence.strip())]
    best = max(found, key=lambda told: told.strength, default=None)
    return best if best and best.strength >= 3 else None


def quotation(text: str) -> Quotation | None:
    """Return a quotation of four words or more, or verse of two to four short lines; None when there is neither."""
    for match in _QUOTED.finditer(text):
        quoted = next(filter(None, match.groups())).strip(" ,")
        if 4 <= len(words(quoted)) <= 32:
            return Quotation(quoted, _source(text[: match.start()] + text[match.end() :]), marked=True)
    lines = text.split("\n")
    if 2 <= len(lines) <= 4 and all(2 <= len(words(line)) <= 9 for line in lines):
        return Quotation("\n".join(lines), "", marked=False)
    return None


def phrase(text: str, most: int = 10) -> str:
    """Return the clause that says most in at most so many words, its first letter a capital; empty without words."""
    clauses = [clause for clause in map(_opened, _CLAUSE_END.split(text)) if words(clause)]
    if not clauses:
        return ""
    short = [clause for clause in clauses if 2 <= len(words(clause)) <= most]
    best = max(short, key=lambda clause: min(_weight(clause), 5)) if short else shortened(clauses[0], most)
    return beginning(best)


def statement(text: str, most: int = 16) -> str:
    """Return the shortest whole sentence of at least three words; the headline phrase when all are too long."""
    sentences = [s.strip() for s in _SENTENCE_END.split(text) if 3 <= len(words(s)) <= most]
    return min(sentences, key=len) if sentences else phrase(text)


def _counts(sentence: str) -> Iterable[Count]:
    matches = list(_NUMBER.finditer(sentence))
    for index, match in enumerate(matches):
        unit, end = _unit(sentence, match.end())
        figures = [Figure(value=match.group().strip(), unit=unit)]
        for following in matches[index + 1 :]:  # 8 minutes and 20 seconds
            if not unit or sentence[end : following.start()].strip(" ,") not in ("", "and", "और"):
                break
            second, after = _unit(sentence, following.end())
            if not second:
                break
            figures.append(Figure(value=following.group().strip(), unit=second))
            end = after
        lead, follow = _last_clause(sentence[: match.start()]), _first_clause(sentence[end:])
        yield Count(lead, tuple(figures), follow, _strength(figures, lead))


def _unit(sentence: str, start: int) -> tuple[str, int]:
    """Return up to three words of measure right after a place, and where they end."""
    end = start
    for _ in range(3):
        match = re.compile(r"[ \u00a0-]?" + _WORD.pattern).match(sentence, end)
        if match is None or not is_listed(words(match.group())[0], "units"):
            break
        end = match.end()
    return sentence[start:end].strip(" \u00a0-"), end


def _strength(figures: list[Figure], lead: str) -> int:
    value, unit = figures[0].value, figures[0].unit
    if "%" in value or value[0] in "₹$€£":
        return 5
    if unit:
        return 5 if len(figures) > 1 else 4
    digits = re.sub(r"\D", "", value)
    since = words(lead)[-1:] and words(lead)[-1] in ("in", "since", "by", "from", "सन", "वर्ष")
    if len(digits) == 4 and value == digits:
        return 3 if since else 1
    return 3 if len(digits) >= 4 else 0


def _last_clause(text: str) -> str:
    clauses = re.split(r"(?<=[,;:—])\s", text.strip())
    last = clauses[-1] if len(words(clauses[-1])) > 1 else " ".join(clauses[-2:])
    return beginning(_opened(last.rstrip(",;:— ")))


def _first_clause(text: str) -> str:
    return shortened(re.split(r"[,;:—]\s|[.!?।॥]", text.strip(" ,;"))[0].strip(), 10)


def _source(rest: str) -> str:
    match = _SIGNED.search(rest) or _SPEAKER.search(rest)
    return match.group(1).strip(" .") if match else ""


def _opened(clause: str) -> str:
    clause = clause.strip(" '’‘-–—")
    first, _, rest = clause.partition(" ")
    return rest.strip() if rest and first.casefold() in _listed("openers") else clause


def beginning(clause: str) -> str:
    """Return a clause with a capital at its beginning."""
    return clause[:1].upper() + clause[1:]


def _weight(clause: str) -> int:
    return sum(1 for word in words(clause) if word not in _listed("stop"))


def shortened(clause: str, most: int) -> str:
    """Shorten to at most so many words, ending before a word without weight where there is one."""
    parts = clause.split(" ")
    if len(parts) <= most:
        return clause
    for end in range(most, 2, -1):
        bare = words(parts[end])
        if bare and bare[0] in _listed("stop") and words(parts[end - 1])[-1:] != [""]:
            kept = parts[:end]
            while kept and (words(kept[-1]) or [""])[-1] in _listed("stop"):
                kept.pop()
            if len(kept) >= 2:
                return " ".join(kept)
    return " ".join(parts[:most]) + "…"


@lru_cache(maxsize=8)
def _listed(entry: str) -> frozenset[str]:
    return frozenset(vocabulary()["words"][entry])


@lru_cache(maxsize=8)
def _index(table: str) -> Mapping[str, tuple[str, ...]]:
    index: dict[str, tuple[str, ...]] = {}
    for entry, members in vocabulary()[table].items():
        for member in members:
            index[member] = (*index.get(member, ()), entry)
    return index


def forms(word: str) -> list[str]:
    """Return a word and what it may be a plural or, in Hindi, an inflection of."""
    forms = [word]
    if word.isascii():
        if word.endswith("ies"):
            forms.append(word[:-3] + "y")
        if word.endswith("es"):
            forms.append(word[:-2])
        if word.endswith("s") and not word.endswith("ss"):
            forms.append(word[:-1])
    elif "\u0900" <= word[0] <= "\u097f":
        forms += [word[:-cut] for cut in (1, 2) if len(word) - cut >= 2]
    return forms
