"""Script: what a person wrote, read into passages; each becomes one scene or several.

Plain text and Markdown are read alike. Paragraphs are passages, headings are titles, and three kinds of bracket are
directions: `[picture: …]`, `[pause 2s]` and, refused for now, `[music: …]`.
"""

import codecs
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import accumulate

from bhiv.errors import ScriptError
from bhiv.markdown import Block, item_text, plain_text, read_blocks, tidy
from bhiv.speech.pauses import read_pause
from bhiv.speech.sentences import ends_sentence

_MAX_PROMPT = 1_000
_MAX_TITLE = 200
#: A paragraph whose lines all stay below this was broken by a poet, not by an editor's right margin.
_VERSE_COLUMNS = 52
_TITLE_COLUMNS = 80
_TITLE_WORDS = 12

#: What stands behind a direction but belongs to the word before it.
_TOUCHING = (".", ",", ";", ":", "!", "?", "।", "…")
_DIRECTION = re.compile(
    r"\[[ \t]*(?P<kind>picture|pause|music)(?=[\s:\[\]]|$)(?P<body>[^\[\]]*)(?P<close>\]?)", re.IGNORECASE
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Passage:
    """A stretch of narration that belongs together."""

    #: The heading above it; None for a passage that follows another under the same heading.
    title: str | None
    #: What is said, with `[pause 2s]` inside it; a line break stands only where a stanza or a list has one.
    narration: str
    #: What its picture should show; None lets the words choose.
    picture_prompt: str | None
    #: Where it starts in the script, from 1.
    line: int


@dataclass(frozen=True)
class Script:
    """A whole script; there is at least one passage, and each has words."""

    title: str | None
    passages: tuple[Passage, ...]


@dataclass
class _Reading:
    """What has been read so far, and what waits for the passage it belongs to."""

    title: str | None = None
    passages: list[Passage] = field(default_factory=list)
    heading: str | None = None
    prompt: tuple[str, int] | None = None
    pauses: list[str] = field(default_factory=list)


def decode_script(data: bytes, *, max_bytes: int) -> str:
    r"""Return the text of a script file: UTF-8 with or without a byte-order mark, or UTF-16 with one.

    Line ends become `\n`; stray control characters become spaces.

    Raises:
        ScriptError: it is empty, larger than `max_bytes`, not text, or in another encoding; the last two name the line.
    """
    if len(data) > max_bytes:
        raise ScriptError(
            f"the script has {len(data):,} bytes and at most {max_bytes:,} are allowed; split it, or raise "
            "BHIV_MAX_SCRIPT_BYTES"
        )
    text = _decoded(data).replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise ScriptError("the script is empty; write at least one sentence")
    controls = _CONTROL.findall(text)
    if "\0" in controls or len(controls) > 2 + len(text) // 100:
        raise ScriptError(
            f"the script is not plain text (it holds {controls[0]!r}); save it as UTF-8 text",
            _line_of(text, text.index(controls[0])),
        )
    return _CONTROL.sub(" ", text)


def parse_script(text: str) -> Script:
    """Read a script's text.

    A `# ` heading above all text is the title of the whole, every later heading that of the next passage. A text
    without headings may start with a title: one short line that ends like no sentence. Headings are not spoken.

    Raises:
        ScriptError: there is nothing to say, or a direction is wrong; the message names the line.
    """
    blocks = list(read_blocks(text))
    reading = _Reading()
    if _starts_with_title(blocks):
        reading.title = _heading(blocks.pop(0))
    for block in blocks:
        if block.level:
            _read_heading(reading, block)
        else:
            _read_paragraph(reading, block)
    _settle(reading)
    if not reading.passages:
        raise ScriptError("the script has nothing to say; write at least one sentence below its title")
    return Script(reading.title, tuple(reading.passages))


def _decoded(data: bytes) -> str:
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScriptError(
            f"the script is not {'UTF-16' if wide else 'UTF-8'} text (byte {error.start:,}); save it as UTF-8",
            data.count(b"\n", 0, error.start) + 1,
        ) from None


def _line_of(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _starts_with_title(blocks: list[Block]) -> bool:
    if len(blocks) < 2 or any(block.level for block in blocks) or len(blocks[0].lines) != 1:
        return False
    line = blocks[0].lines[0]
    fits = len(line) <= _TITLE_COLUMNS and len(line.split()) <= _TITLE_WORDS
    open_end = ends_sentence(line) or line.endswith((",", ";", ":", "—", "-"))
    return fits and not open_end and not _DIRECTION.search(line) and _has_words([line]) and item_text(line) is None


def _heading(block: Block) -> str:
    words = plain_text(block.lines[0])
    return words if len(words) <= _MAX_TITLE else words[: _MAX_TITLE - 1].rstrip() + "…"


def _read_heading(reading: _Reading, block: Block) -> None:
    words = _heading(block)
    if block.level == 1 and reading.title is None and not reading.passages:
        reading.title = words
    else:
        reading.heading = words


def _read_paragraph(reading: _Reading, block: Block) -> None:
    """Add a paragraph's passages: one with its first `[picture: …]`, and one more from each further on."""
    said: list[str] = []
    start = block.line
    for kind, body, line in _parts(block):
        if kind != "picture":
            said.append(body)
            continue
        if reading.prompt is not None:
            if not _has_words(said):
                raise ScriptError("a second [picture: …] for the same words; keep one", line)
            _add_passage(reading, said, start)
            said, start = [], line
        reading.prompt = (body, line)
    if _has_words(said):
        _add_passage(reading, said, start)
    else:
        _add_pauses(reading, [part for part in said if part.startswith("[pause ")])


def _parts(block: Block) -> Iterator[tuple[str, str, int]]:
    """Yield a paragraph's text, pauses and pictures in order, each with its line."""
    text, starts = _joined(block.lines)
    end = 0
    for match in _DIRECTION.finditer(text):
        yield "text", plain_text(text[end : match.start()]), block.line
        line = block.line + bisect_right(starts, match.start()) - 1
        yield *_direction(match, line), line
        end = match.end()
    yield "text", plain_text(text[end:]), block.line


def _joined(lines: list[str]) -> tuple[str, list[int]]:
    """Return a paragraph as one text, with the offset at which each of its lines starts."""
    lengths = [len(_DIRECTION.sub("", line).strip()) for line in lines]
    items = [item_text(line) for line in lines]
    verse = sum(map(bool, lengths)) > 1 and max(lengths) <= _VERSE_COLUMNS and not any(items)
    pieces = [f" {line}" if item is None else f"\n{item}" for line, item in zip(lines, items, strict=True)]
    if verse:
        pieces = [f"\n{line}" for line in lines]
    return "".join(pieces), [0, *accumulate(map(len, pieces))]


def _direction(match: re.Match[str], line: int) -> tuple[str, str]:
    kind, body = match["kind"].lower(), match["body"].strip()
    if not match["close"]:
        raise ScriptError(f"[{kind} is not closed; write ] behind it", line)
    if kind == "music":
        raise ScriptError("a script names no music; remove [music: …] and give it with --music, or in the plan", line)
    if kind == "pause":
        try:
            return kind, read_pause(body)
        except ValueError as error:
            raise ScriptError(f"the pause {error}", line) from None
    prompt = " ".join(body.removeprefix(":").split())
    if not prompt or not body.startswith(":"):
        raise ScriptError("a picture needs words behind a colon, such as [picture: a pond at dawn]", line)
    if len(prompt) > _MAX_PROMPT:
        raise ScriptError(
            f"the picture's description has {len(prompt):,} characters; at most {_MAX_PROMPT:,} fit", line
        )
    return kind, prompt


def _has_words(parts: Iterable[str]) -> bool:
    return any(map(str.isalnum, "".join(part for part in parts if not part.startswith("[pause "))))


def _add_passage(reading: _Reading, said: list[str], line: int) -> None:
    text = ""
    for part in [*reading.pauses, *said]:
        text += part if part.startswith(_TOUCHING) else f" {part}"
    narration = "\n".join(filter(None, tidy(text).split("\n")))
    reading.passages.append(Passage(reading.heading, narration, reading.prompt and reading.prompt[0], line))
    reading.heading, reading.prompt, reading.pauses = None, None, []


def _add_pauses(reading: _Reading, pauses: list[str]) -> None:
    """Give the pauses of a paragraph without words to the passage before it, or else to the next."""
    if not reading.passages:
        reading.pauses += pauses
        return
    last = reading.passages[-1]
    reading.passages[-1] = replace(last, narration=" ".join([last.narration, *pauses]))


def _settle(reading: _Reading) -> None:
    """Give a picture at the script's end to the passage before it."""
    if reading.prompt is None:
        return
    prompt, line = reading.prompt
    if not reading.passages or reading.passages[-1].picture_prompt is not None:
        raise ScriptError("no words follow this [picture: …]; write some below it", line)
    reading.passages[-1] = replace(reading.passages[-1], picture_prompt=prompt)
