"""How a text is built, where that can be drawn: a list, two sides, steps or dates in order, an ending."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from bhiv.pictures.reading import beginning, is_listed, shortened, words

_BULLET = re.compile(r"^\s*(?:[-*+•‣–—]|[\d०-९]{1,2}[.)])\s+(?=\S)")
_SENTENCE_END = re.compile(r"(?<=[.!?।॥؟])[\"”’»]?\s+|\n+")
_END_MARKS = ' \t.,;:!?।॥…؟،؛"”“’‘»«()—–-'
_AND = re.compile(
    r"\s*[,،、]\s+(?:and|or|und|और|तथा|एवं|या)\s+|\s+(?:and|or|और|तथा|एवं|या)\s+|\s*[,،、]\s+|\s+و(?=\S)\s*"
)
_SPLIT_LEAD = re.compile(r"[:：]\s+(?=\S)")
_MONTHS = (
    "January|February|March|April|May|June|July|August|September|October|November|December|"
    "जनवरी|फ़रवरी|फरवरी|मार्च|अप्रैल|मई|जून|जुलाई|अगस्त|सितंबर|सितम्बर|अक्टूबर|अक्तूबर|नवंबर|नवम्बर|दिसंबर|दिसम्बर"
)
_DATE = re.compile(
    rf"(?<![\w.,:₹$€£-])(?:\d{{1,2}}\s+(?:{_MONTHS})\s+|(?:{_MONTHS})\s+(?:\d{{1,2}},\s+)?)?"
    r"(?:1\d{3}|20\d{2}|[१२][०-९]{3})(?:\s(?:BCE?|CE|AD))?(?![\w%]|[.,:]\d)"
)
_DATED = re.compile(r"\s?(?:में|को|से|ई\.?)(?!\w)|\s*[:–—-]\s")
_CLAUSE_START = re.compile(
    r"(?<=[.!?।॥؟;])\s+|\n+|,\s+(?:and\s+|then\s+|और\s+)?|\s+and\s+(?=(?:in|by|on|from)\s)|\s+और\s+"
)
_STEP = {
    "first": ("firstly", "first of all", "first", "to begin with", "at first", "सबसे पहले", "पहले"),
    "middle": ("and then", "then", "next", "after that", "afterwards", "later", "second", "third", "secondly",
               "thirdly", "उसके बाद", "इसके बाद", "बाद में", "फिर"),
    "last": ("finally", "at last", "in the end", "lastly", "अंत में", "अन्त में", "आख़िर में", "आखिर में", "आख़िरकार",
             "आखिरकार"),
}  # fmt: skip
#: Each with the words of which one is there: the patterns take long to find out that none is.
_SIDES = (
    (re.compile(r"(?:^|\s)[Ff]rom\s+(?P<a>[^,.;:!?]{2,60}?)\s+to\s+(?P<b>[^,.;:!?]{2,60})"), "to", ("rom",)),
    (re.compile(r"(?P<a>[^,.;:!?।\s][^,.;:!?।]{1,50}?)\s+से\s+(?:लेकर\s+)?(?P<b>[^,.;:!?।]{2,50}?)\s+तक"), "to", ("तक",)),
    (re.compile(r"(?P<a>[^,.;:!?।]{2,60}?)\s+(?P<word>versus|vs\.?|बनाम)\s+(?P<b>[^,.;:!?।]{2,60})"), "against",
     ("versus", "vs", "बनाम")),
    (re.compile(r"(?P<word>[Uu]nlike)\s+(?P<a>[^,.;:!?]{2,60}),\s+(?P<b>[^;:!?।]{2,80})"), "against", ("nlike",)),
    (re.compile(r"(?P<b>[^,.;:!?।]{2,60}),\s+(?P<word>unlike)\s+(?P<a>[^,.;:!?।]{2,60})"), "against", ("unlike",)),
    (re.compile(r"(?P<a>[^,.;:!?]{2,60}?)\s+(?P<word>compared (?:with|to))\s+(?P<b>[^,.;:!?]{2,60})"), "against",
     ("compared",)),
    (re.compile(r"(?P<a>[^;:!?।]{2,80}?),?\s+(?P<word>while|whereas|जबकि)\s+(?P<b>[^;:!?।]{2,80})"), "but",
     ("while", "whereas", "जबकि")),
    (re.compile(r"(?P<a>[^;:!?।.]{4,90}?)[,;.।]?\s+(?P<word>but|But|yet|लेकिन|मगर|किंतु|किन्तु|परंतु|परन्तु)\s+(?P<b>[^;:!?।]{4,90})"),
     "but", ("but", "But", "yet", "लेकिन", "मगर", "किंतु", "किन्तु", "परंतु", "परन्तु")),
    (re.compile(r"(?P<a>[^;:!?।.]{4,90}?),\s+(?P<word>पर)\s+(?P<b>[^;:!?।]{4,90})"), "but", ("पर",)),
)  # fmt: skip


#: What things in a list may each begin with, though the words before the first do not.
_HOLDING = frozenset({"by", "with", "of", "in", "from", "for", "to", "on"})
_DEED = re.compile(r"[a-z]{2,}[^e\W]ed")


class Listing(NamedTuple):
    """Things that a text enumerates, three to six, and the words before them; those may be none."""

    lead: str
    items: tuple[str, ...]


class Sides(NamedTuple):
    """Two things set against each other, in the order of the text.

    `word` is the one that the text does it with, empty where the second comes of the first, which `leads_on` says.
    """

    first: str
    second: str
    word: str
    leads_on: bool


class Milestone(NamedTuple):
    """A date or a word of order as it is written, and what was then."""

    when: str
    what: str


def listing(text: str) -> Listing | None:
    """Return what a text enumerates, line by line or in a sentence; None when that is not three to six short things."""
    lines = _listed_lines(text)
    if lines:
        return lines
    for sentence in _SENTENCE_END.split(text):
        found = _enumerated(sentence.strip())
        if found:
            return found
    return None


def sides(text: str) -> Sides | None:
    """Return two things or clauses that a text compares; None when it compares nothing that is short enough to show."""
    for pattern, kind, needed in _SIDES:
        if not any(word in text for word in needed):
            continue
        for sentence in (*_SENTENCE_END.split(text), *(_SENTENCE_END.sub(" ", text).split("\n"))):
            match = pattern.search(sentence.strip())
            pair = match and _pair(match, kind, 4 if kind == "to" else 9)
            if pair:
                return pair
    return None


def milestones(text: str) -> tuple[Milestone, ...]:
    """Return the dates of a text in its order, or its first, next and last; none when they are not two to five."""
    return _dated(text) or _stepped(text)


def is_ending(text: str) -> bool:
    """Return whether a heading or a scene says nothing but that this is the end, or thanks."""
    said = " ".join(words(text))
    return any(is_phrase in (said, said.removesuffix(" everyone")) for is_phrase in _endings())


def _endings() -> tuple[str, ...]:
    return (
        "the end", "end", "credits", "thank you", "thanks", "thank you for watching", "thanks for watching",
        "acknowledgements", "समाप्त", "इति", "धन्यवाद", "शुक्रिया", "आभार", "देखने के लिए धन्यवाद", "النهاية", "شكرا", "הסוף",
        "תודה",
    )  # fmt: skip


def _listed_lines(text: str) -> Listing | None:
    lines = [line for line in text.split("\n") if words(line)]
    bulleted = [bool(_BULLET.match(line)) for line in lines]
    if sum(bulleted) >= 3:
        first = bulleted.index(True)
        lead, rows = " ".join(lines[:first]), lines[first : first + bulleted[first:].count(True)]
    elif len(lines) >= 4 and lines[0].rstrip().endswith((":", "：")):
        lead, rows = lines[0], lines[1:]
    elif len(lines) >= 3 and all(1 <= len(words(line)) <= 3 and line[-1] not in ",;.!?।" for line in lines):
        lead, rows = "", lines
    else:
        return None
    items = tuple(beginning(shortened(_BULLET.sub("", row).strip(_END_MARKS), 7)) for row in rows)
    return Listing(lead.strip(_END_MARKS), items) if 3 <= len(items) <= 6 else None


def _enumerated(sentence: str) -> Listing | None:
    lead, *rest = _SPLIT_LEAD.split(sentence, 1)
    parts = [part.strip(_END_MARKS) for part in _AND.split(rest[0] if rest else sentence)]
    parts = [part for part in parts if part]
    if not 3 <= len(parts) <= 6 or not _is_series(rest[0] if rest else sentence, bool(rest)):
        return None
    parts[-1] = _without_tail(parts[-1], max(len(words(part)) for part in parts[1:-1]))
    if not rest:
        opened = {is_listed((words(part) or [""])[0], "stop") for part in parts[1:]}
        lead, parts = _without_lead(parts)
        if len(opened) > 1 and _length(_bare(parts[-1])) > 1:  # not built alike: clauses rather than things
            return None
    items = [_bare(part) for part in parts]
    # Without a colon, words before the list are what shows that things are listed and not deeds.
    if not rest and (
        is_listed((words(lead) or [""])[-1], "pronouns") or (_length(lead) < 2 and max(map(_length, items)) > 1)
    ):
        return None
    most = 5 if rest else 3
    if len(items) < 3 or any(not 1 <= _length(item) <= most or is_listed(words(item)[0], "pronouns") for item in items):
        return None
    if not rest and any(_DEED.fullmatch(item) for item in items):  # he came, looked and went
        return None
    if len({item.casefold() for item in items}) < len(items) or any(is_listed(words(i)[-1], "stop") for i in items):
        return None
    return Listing(lead.strip(_END_MARKS), tuple(map(beginning, items)))


def _is_series(text: str, announced: bool) -> bool:
    """Return whether commas part all things but the last, before which stands an `and`; needless after a colon."""
    if re.search(r"[\"“”«»]", text):
        return False
    joints = [bool(words(match.group())) for match in _AND.finditer(text)]
    return not any(joints[:-1]) and (joints[-1] or announced)


def _without_lead(parts: list[str]) -> tuple[str, list[str]]:
    """Part the first thing from the words before it: it has as many words as the other things have."""
    usual = min(_length(part) for part in parts[1:])
    written = parts[0].split()
    if len(written) <= usual:
        return "", parts
    opener = words(parts[1])[:1]
    if opener and is_listed(opener[0], "stop"):  # by clouds, by ice and by air
        starts = [at for at, word in enumerate(written) if words(word) == opener]
        if not starts and opener[0] in _HOLDING:
            return parts[0], parts[1:]
        start = starts[-1] if starts else len(written) - usual
    else:
        start = len(written) - usual
        stops = [at for at, word in enumerate(written) if at >= start and is_listed((words(word) or [""])[0], "stop")]
        start = max([start, *(at + 1 for at in stops)])
    return " ".join(written[:start]), [" ".join(written[start:]), *parts[1:]]


def _without_tail(item: str, most: int) -> str:
    """Cut what the sentence goes on with after its last thing."""
    written = item.split()
    bare = [(words(word) or [""])[0] for word in written]
    skipped = next((at for at, word in enumerate(bare) if not is_listed(word, "stop")), 0)
    for at in range(skipped + 1, len(written)):
        if is_listed(bare[at], "stop") and bare[at] not in ("of", "का", "की", "के"):
            return " ".join(written[:at])
    indic = any("\u0900" <= character <= "\u097f" for character in item)
    return " ".join(written[: most + skipped]) if indic else item


def _length(text: str) -> int:
    return len(words(text))


def _bare(item: str) -> str:
    """Return a thing without the small words it begins with."""
    written = item.strip(_END_MARKS).split()
    while len(written) > 1 and is_listed((words(written[0]) or [""])[0], "articles"):
        written.pop(0)
    return " ".join(written)


def _pair(match: re.Match[str], kind: str, most: int) -> Sides | None:
    told = match.groupdict()
    first, second = (beginning(told[side].strip(_END_MARKS)) for side in "ab")
    counts = [len(words(side)) for side in (first, second)]
    if min(counts) < (2 if kind == "but" else 1) or first.casefold() == second.casefold():
        return None
    if kind == "to":
        second = _without_tail(second, most)
        if re.search(r"\d", first + second) or is_listed(words(first)[0], "pronouns"):  # a span of years or of prices
            return None
    if max(len(words(side)) for side in (first, second)) > most:
        return None
    in_order = match.start("a") < match.start("b")
    pair = (first, second) if in_order else (second, first)
    return Sides(*pair, told.get("word") or "", leads_on=kind == "to")


def _dated(text: str) -> tuple[Milestone, ...]:
    dates = [match for match in _DATE.finditer(text) if _is_date(text, match)]
    if not 2 <= len(dates) <= 5 or len({date.group() for date in dates}) < len(dates):
        return ()
    least = [0, *(date.end() for date in dates)]
    starts = [_clause_start(text, date.start(), place) for date, place in zip(dates, least, strict=False)]
    ends = [*starts[1:], len(text)]
    told = [
        Milestone(date.group().strip(), _told(text[start : date.start()], text[date.end() : end]))
        for date, start, end in zip(dates, starts, ends, strict=True)
    ]
    return tuple(told) if all(len(words(stone.what)) >= 2 for stone in told) else ()


def _is_date(text: str, match: re.Match[str]) -> bool:
    """Return whether a number is a year by what stands before or behind it, and counts nothing."""
    before = words(text[: match.start()])
    dated = not match.group()[:4].isdigit() or (before and is_listed(before[-1], "date_words"))
    return dated or not re.search(r"[^.!?।;,:\s]\s*$", text[: match.start()]) or bool(_DATED.match(text, match.end()))


def _clause_start(text: str, place: int, least: int) -> int:
    return max((match.end() for match in _CLAUSE_START.finditer(text, least, place)), default=least)


def _told(before: str, after: str) -> str:
    """Return what a clause says beside its date, without the small words that only held the date."""
    left = before.strip(_END_MARKS).split()
    while left and is_listed((words(left[-1]) or [""])[0], "date_words"):
        left.pop()
    right = _SENTENCE_END.split(after.strip(_END_MARKS))[0].strip(_END_MARKS).split()
    while right and is_listed((words(right[0]) or [""])[0], "date_words"):
        right.pop(0)
    while right and is_listed((words(right[-1]) or [""])[0], "openers"):
        right.pop()
    return beginning(shortened(" ".join([*left, *right]).strip(_END_MARKS), 10))


def _stepped(text: str) -> tuple[Milestone, ...]:
    steps = [found for clause in _clauses(text) if (found := _step(clause))]
    kinds = [kind for kind, _ in steps]
    if not 3 <= len(steps) <= 5 or kinds[0] != "first" or kinds.count("first") > 1 or kinds[-1] == "first":
        return ()
    return tuple(stone for _, stone in steps)


def _clauses(text: str) -> Iterator[str]:
    for sentence in _SENTENCE_END.split(text):
        yield from re.split(r"[,;]\s+(?=(?:and\s+)?(?:then|next|finally|फिर|अंत)\b)", sentence)


def _step(clause: str) -> tuple[str, Milestone] | None:
    clause = re.sub(r"^and\s+", "", clause.strip(_END_MARKS))
    for kind, openers in _STEP.items():
        for opener in openers:
            rest = clause[len(opener) :]
            if clause.casefold().startswith(opener) and rest[:1] in (" ", ","):
                what = beginning(shortened(rest.strip(_END_MARKS), 10))
                return (kind, Milestone(beginning(clause[: len(opener)]), what)) if len(words(what)) >= 2 else None
    return None
