"""Pauses that a script writes into its text: `[pause 2s]`."""

import re
from collections.abc import Iterator
from fractions import Fraction

_PAUSE = re.compile(r"\[[ \t]*pause(?=[\s:\]])([^\[\]]*)\]", re.IGNORECASE)
_LENGTH = re.compile(r"\s*:?\s*(\d{1,6}(?:\.\d{1,3})?)\s*(ms|s|sec|secs|seconds?)?\s*\.?\s*", re.IGNORECASE)


def read_pause(length: str) -> str:
    """Return a pause in its normal form, such as `[pause 2s]`, from a length written as `2s`, `2`, `0.5 sec`, `500 ms`.

    Raises:
        ValueError: it is no length, or not between 0.1 and 10 seconds; the message is a sentence's end.
    """
    match = _LENGTH.fullmatch(length)
    if match is None:
        raise ValueError(f"has the length {length.strip()!r}; write seconds, such as [pause 2s]")
    seconds = Fraction(match[1]) / (1_000 if (match[2] or "").lower() == "ms" else 1)
    if not Fraction(1, 10) <= seconds <= 10:
        raise ValueError(f"lasts {float(seconds):g} s; between 0.1 and 10 s are possible")
    return f"[pause {float(seconds):g}s]"


def split_pauses(narration: str) -> Iterator[str | Fraction]:
    """Yield the parts of a narration in order: text without pauses (never blank), and pauses in seconds.

    Raises:
        ValueError: as `read_pause`; never for a narration that comes out of a script.
    """
    end = 0
    for match in _PAUSE.finditer(narration):
        if text := narration[end : match.start()].strip():
            yield text
        yield Fraction(read_pause(match[1]).removeprefix("[pause ").removesuffix("s]"))
        end = match.end()
    if text := narration[end:].strip():
        yield text


def without_pauses(narration: str) -> str:
    """Return what is said, as it is shown: the narration without its pauses."""
    return " ".join(part for part in split_pauses(narration) if isinstance(part, str))
