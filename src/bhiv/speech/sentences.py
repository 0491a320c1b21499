"""Where sentences end: in Latin, Indic, Arabic and East Asian scripts, and at the line ends of a stanza."""

import math
import re
from collections.abc import Iterator, Sequence

#: A run of marks that may end a sentence, with the quotes and brackets that close behind it.
_END = re.compile(r"[.!?…。！？।॥؟۔]+[\"'”’»)\]」』]*|\n+")
#: These end a sentence wherever they stand; the others also stand in numbers, abbreviations and quoted speech.
_ALWAYS = frozenset("。！？।॥؟۔\n")
_OPENERS = "\"'“‘«(¿¡"
_LAST_WORD = re.compile(r"[^\s(\[\"“‘'—–-]+$")
#: Abbreviations that stand before the word they belong to, so they never end a sentence.
_LEADING = {"mr", "mrs", "ms", "dr", "prof", "st", "mt", "rev", "hon", "gen", "col", "lt", "sgt", "capt"}
_LEADING |= {"e.g", "i.e", "cf", "viz", "vs", "approx", "fig", "vol", "ch", "pp"}
_LEADING |= {"डॉ", "पं", "प्रो", "कु", "स्व"}
_LEADING_A_NUMBER = {"no", "nos", "p", "art", "sec", "eq"}


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each sentence of `text` starts and ends, without the white space around it.

    Every character that is not white space is in exactly one span. Marks without a word belong to the sentence before.
    """
    held: tuple[int, int] | None = None
    for start, end in _pieces(text):
        wordless = not any(map(str.isalnum, text[start:end]))
        if held is None:
            held = (start, end)
        elif wordless or not any(map(str.isalnum, text[held[0] : held[1]])):
            held = (held[0], end)
        else:
            yield held
            held = (start, end)
    if held is not None:
        yield held


def split_sentences(text: str) -> list[str]:
    """Return the sentences of `text` in order, as written."""
    return [text[start:end] for start, end in sentence_spans(text)]


def closes_clause(word: str) -> bool:
    """Return whether one may breathe after a word."""
    return word.rstrip("\"'”’»)]」』")[-1:] in {*",;:—–،؛、，；："}


def clause_cuts(sizes: Sequence[int], closes: Sequence[bool], longest: int) -> list[int]:
    """Return before which words to part a sentence whose words have these sizes, so that no part is over `longest`.

    It is parted behind a word that closes a clause where one lies in the part's second half, else behind the last that
    fits; a word that is too long by itself stays whole.
    """
    cuts, begin, total = [], 0, 0
    for index, size in enumerate(sizes):
        if total + size > longest and index > begin:
            half = begin + math.ceil((index - begin) / 2)
            begin = next((at for at in range(index, half, -1) if closes[at - 1]), index)
            cuts.append(begin)
            total = sum(size + 1 for size in sizes[begin:index])
        total += size + 1
    return cuts


def ends_sentence(text: str) -> bool:
    """Return whether `text` closes with a mark that ends sentences."""
    last = text.rstrip().rstrip("\"'”’»)]」』")[-1:]
    return last != "" and last in ".!?…。！？।॥؟۔"


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for mark in _END.finditer(text):
        if _is_boundary(text, start, mark):
            yield from _stripped(text, start, mark.end())
            start = mark.end()
    yield from _stripped(text, start, len(text))


def _stripped(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    left, right = len(piece) - len(piece.lstrip()), len(piece.rstrip())
    if left < right:
        yield start + left, start + right


def _is_boundary(text: str, start: int, mark: re.Match[str]) -> bool:
    if mark[0][0] in _ALWAYS:
        return True
    follows = text[mark.end() : mark.end() + 40]
    if not follows or not follows[0].isspace():
        return not follows
    opening = follows.lstrip().lstrip(_OPENERS)[:1]
    if opening.islower():
        return False
    return mark[0] != "." or not _is_abbreviation(text[max(start, mark.start() - 20) : mark.start()], opening)


def _is_abbreviation(before: str, opening: str) -> bool:
    match = _LAST_WORD.search(before)
    if match is None:
        return False
    word = match[0]
    if word.lower() in _LEADING or (word.lower() in _LEADING_A_NUMBER and opening.isdigit()):
        return True
    if word.isdigit():  # "1. Water": the number of an item, not a sentence
        return not before[: match.start()].strip()
    last = word.rsplit(".", 1)[-1]
    return len(last) == 1 and last.isupper() and word != "I"
