"""Credits: whose picture a scene shows, and under which licence."""

from collections.abc import Iterable, Sequence
from textwrap import shorten
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from bhiv import fonts
from bhiv.pictures.endcard import MOST_CREDITS
from bhiv.plan import Contract

_MOST_CHARACTERS = 200
#: More lines stand in two columns, which have no room for titles.
_MOST_TITLED = 4
#: Of each part of a line on a card.
_MOST_SHORT = 36


class Credit(Contract):
    """Whom a picture is owed to; fields are empty where its source does not say."""

    title: str = ""
    author: str = ""
    licence: str = Field("", description="Its name, such as CC BY 4.0.")
    licence_url: str = ""
    source_url: str = Field("", description="The page that shows the picture where it was found.")


class PictureCredit(Contract):
    """Where the picture of a scene comes from."""

    scene: int = Field(description="From 1.")
    source: str = Field(description="offline, own, or the service that was asked.")
    credit: Credit | None = Field(
        None, description="None for a picture of one's own and for one that was made for this."
    )


class Credits(Contract):
    """Where all pictures of a video come from, in `videos/<content_id>_credits.json`."""

    version: Literal[1] = 1
    pictures: tuple[PictureCredit, ...]
    lines: tuple[str, ...] = Field(description="What has to be shown with the video, each once; none for own pictures.")


def credits_of(pictures: Iterable[tuple[str, Credit | None]]) -> Credits:
    """Return the credits of a video whose scenes, in order, show pictures of these sources."""
    rows = tuple(
        PictureCredit(scene=number, source=source, credit=credit) for number, (source, credit) in enumerate(pictures, 1)
    )
    return Credits(pictures=rows, lines=tuple(credit_lines([row.credit for row in rows if row.credit])))


def credit_lines(credits: Sequence[Credit]) -> list[str]:  # noqa: A002 - what they are
    """Return a line for each credit, in order, each once: title, author, licence and address, as far as known."""
    return list(dict.fromkeys(filter(None, map(_line, credits))))


def card_lines(credits: Sequence[Credit], most: int = MOST_CREDITS) -> list[str]:  # noqa: A002 - what they are
    """Return what an end card shows of the credits: at most `most` short lines, the last with how many it leaves out.

    An address is its host only, and characters that no font draws are left out. Of many pictures only those are named
    whose author is not.
    """
    lines = list(dict.fromkeys(filter(None, map(_short_line, credits))))
    if len(lines) > _MOST_TITLED:
        untitled = (credit.model_copy(update={"title": ""}) if credit.author else credit for credit in credits)
        lines = list(dict.fromkeys(filter(None, map(_short_line, untitled))))
    return lines if len(lines) <= most else [*lines[: most - 1], f"+ {len(lines) - most + 1} …"]


def cleaned(text: object) -> str:
    """Return what a stranger calls something as one short line of printable characters; empty for what is no text."""
    words = " ".join(str(text).split()) if isinstance(text, str | int) else ""
    printable = "".join(letter for letter in words if letter.isprintable())
    return printable if len(printable) <= _MOST_CHARACTERS else printable[: _MOST_CHARACTERS - 1] + "…"


def web_address(text: object) -> str:
    """Return an address on the web as it is, and nothing for anything else."""
    is_one = isinstance(text, str) and text.startswith(("https://", "http://")) and text.isprintable()
    return str(text) if is_one and len(str(text)) <= 2_000 and " " not in str(text) else ""


def _short_line(credit: Credit) -> str:
    host = (urlsplit(credit.source_url).hostname or "").removeprefix("www.")
    parts = {"title": credit.title, "author": credit.author, "licence": credit.licence}
    drawn = {name: shorten(_drawable(text), _MOST_SHORT, placeholder=" …") for name, text in parts.items()}
    return _line(Credit(**drawn, source_url=host))


def _drawable(text: str) -> str:
    return "".join(character for character in text if fonts.family_of(character))


def _line(credit: Credit) -> str:
    who = " by ".join(filter(None, (f"“{credit.title}”" if credit.title else "", credit.author)))
    licence = f"({credit.licence})" if credit.licence else ""
    return ", ".join(filter(None, (" ".join(filter(None, (who, licence))), credit.source_url)))
