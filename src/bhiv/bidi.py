"""Runs of one script and one direction, in the order they are seen: what a shaper needs to be told.

This is Unicode's bidirectional algorithm without explicit marks and paired brackets, which is what titles need.
"""

import unicodedata
from functools import lru_cache
from itertools import groupby

_SCRIPTS = {
    "LATIN": "Latn",
    "GREEK": "Grek",
    "CYRILLIC": "Cyrl",
    "GEORGIAN": "Geor",
    "DEVANAGARI": "Deva",
    "VEDIC": "Deva",
    "ARABIC": "Arab",
    "HEBREW": "Hebr",
    "THAI": "Thai",
}

Run = tuple[int, str, bool]


def visual_runs(text: str) -> list[Run]:
    """Split a line into runs from left to right: index of the first character, text, whether it reads right to left."""
    levels = _levels(text)
    runs: list[tuple[int, int, int]] = []
    start = 0
    for (_, level), members in groupby(zip(_scripts(text), levels, strict=True)):
        end = start + sum(1 for _ in members)
        runs.append((start, end, level))
        start = end
    for lowest in (2, 1):  # rule L2: turn round what lies at this level or deeper, the deepest first
        runs = _turned(runs, lowest)
    return [(start, text[start:end], level == 1) for start, end, level in runs]


def is_right_to_left(text: str) -> bool:
    """Return whether the first letter with a direction is of a script that reads right to left."""
    return next((kind for kind in map(_direction, text) if kind in "LR"), "L") == "R"


@lru_cache(maxsize=4096)
def script(character: str) -> str:
    """Return the ISO 15924 code of a character's script; empty when it is common to all or not one of FiraGO's."""
    return _SCRIPTS.get(unicodedata.name(character, "").split(" ")[0], "")


def _turned(runs: list[tuple[int, int, int]], lowest: int) -> list[tuple[int, int, int]]:
    turned: list[tuple[int, int, int]] = []
    for deep, members in groupby(runs, key=lambda run: run[2] >= lowest):
        group = list(members)
        turned += group[::-1] if deep else group
    return turned


def _levels(text: str) -> list[int]:
    """Return each character's level: 0 or 2 is left to right, 1 is right to left."""
    kinds = [_direction(character) for character in text]
    if "R" not in kinds:
        return [0] * len(text)
    base = "R" if is_right_to_left(text) else "L"
    for index, kind in enumerate(kinds):
        if kind in "N-":
            before = next((k for k in reversed(kinds[:index]) if k in "LRE"), base)
            after = next((k for k in kinds[index + 1 :] if k in "LRE"), base)
            kinds[index] = _between(kind, before, after, base)
    return [{"R": 1, "E": 2}.get(kind, 0 if base == "L" else 2) for kind in kinds]


def _between(kind: str, before: str, after: str, base: str) -> str:
    if kind == "-" and "E" in (before, after):  # a sign inside or at a number belongs to it
        return "E"
    sides = {"R" if side == "E" else side for side in (before, after)}
    return sides.pop() if len(sides) == 1 else base


def _direction(character: str) -> str:
    """Return L, R, E (digit), - (sign of a number) or N (neutral)."""
    kind = unicodedata.bidirectional(character)
    if kind in ("R", "AL"):
        return "R"
    if kind in ("EN", "AN"):
        return "E"
    if kind in ("ES", "CS", "ET"):
        return "-"
    return "L" if kind == "L" else "N"


def _scripts(text: str) -> list[str]:
    """Return each character's script; what is common to all takes the one before it, else the first there is."""
    found = [script(character) for character in text]
    known = next(filter(None, found), "Latn")
    for index, own in enumerate(found):
        known = found[index] = own or known
    return found
