"""Markdown, as far as a script needs it: its blocks, and its text without the marks that nobody speaks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_QUOTE = re.compile(r"^(?:>\s*)+")
_ITEM = re.compile(r"(?:[-*+•‣]|\d{1,3}[.)])\s+(?=\S)")
_RULE = frozenset("-*_=~ \t")
_IMAGE = re.compile(r"!\[[^\[\]]*\]\([^()\s]*\)")
_LINK = re.compile(r"\[([^\[\]]*)\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+\"[^\"]*\")?\)")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^<>\s]+)>")
_EMPHASIS = re.compile(r"(?<![\w\\])[*_]{1,3}(?=\S)|(?<=[^\s\\])[*_]{1,3}(?!\w)|~~|`+")
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+.!>~-])")


@dataclass(frozen=True)
class Block:
    """Lines without a blank one between them; a heading is a block of its own."""

    line: int
    lines: list[str]
    #: 0 for a paragraph, 1 for the highest heading.
    level: int = 0


def read_blocks(text: str) -> Iterator[Block]:
    """Yield the paragraphs and headings of a text; blank lines, rules and fences of code only part them."""
    lines: list[str] = []
    number = 0
    for number, raw in enumerate(text.split("\n"), 1):
        line = _QUOTE.sub("", raw.strip())
        heading = _HEADING.fullmatch(line)
        underlined = len(lines) == 1 and line.startswith("===") and set(line) == {"="}
        if heading is None and not _breaks(line):
            lines.append(line)
            continue
        if lines:
            yield Block(number - len(lines), lines, level=1 if underlined else 0)
            lines = []
        if heading is not None:
            yield Block(number, [_opened(heading[2])], level=len(heading[1]))
    if lines:
        yield Block(number - len(lines) + 1, lines)


def _opened(heading: str) -> str:
    """Return a heading without the `#` that some put behind it too; that of `C#` stays."""
    words = heading.rstrip("#")
    return words.rstrip() if words.endswith(" ") else heading


def _breaks(line: str) -> bool:
    """Return whether a line parts paragraphs: blank, a rule, or the fence of a code block."""
    if not line or line.startswith("```"):
        return True
    return _RULE.issuperset(line) and len(line.replace(" ", "")) >= 3


def item_text(line: str) -> str | None:
    """Return what stands behind the bullet or number of a list's item; None for any other line."""
    match = _ITEM.match(line)
    return line[match.end() :] if match else None


def plain_text(text: str) -> str:
    """Return a text without Markdown's marks, which are not spoken; lines stay, other white space is one space."""
    text = _AUTOLINK.sub(r"\1", _LINK.sub(r"\1", _IMAGE.sub("", text)))
    return tidy(_ESCAPE.sub(r"\1", _EMPHASIS.sub("", text)))


def tidy(text: str) -> str:
    """Return a text with one space for all white space but line ends."""
    return "\n".join(" ".join(line.split()) for line in text.split("\n"))
