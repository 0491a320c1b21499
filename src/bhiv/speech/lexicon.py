"""The user's own pronunciations: what is said in place of words as they are written."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from bhiv.errors import InputRefused

_MOST_BYTES = 1 << 20
_LONGEST = 8


@dataclass(frozen=True)
class Lexicon:
    """What is said for words of a language (`en`, `hi`), or of all of them (`*`); read from the user's file."""

    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def said(self, words: Sequence[str], language: str) -> list[str | None]:
        """Return for each word what is said in its place, None for the word itself.

        An entry of several words is said by the first of them, and the others are silent. Longer entries come first,
        capital letters make no difference.
        """
        entries = self._entries(language)
        said: list[str | None] = [None] * len(words)
        index = 0
        while entries and index < len(words):
            for length in range(min(_LONGEST, len(words) - index), 0, -1):
                key = tuple(word.casefold() for word in words[index : index + length])
                if (found := entries.get(key)) is not None:
                    said[index : index + length] = [found, *[""] * (length - 1)]
                    index += length - 1
                    break
            index += 1
        return said

    def _entries(self, language: str) -> Mapping[tuple[str, ...], str]:
        return self._by_language.get(language.split("-")[0].lower(), self._by_language.get("*", {}))

    @cached_property
    def _by_language(self) -> Mapping[str, Mapping[tuple[str, ...], str]]:
        shared = self.words.get("*", {})
        return {
            language: {tuple(word.casefold().split()): said for word, said in {**shared, **own}.items()}
            for language, own in {"*": shared, **self.words}.items()
        }


NO_WORDS = Lexicon()


def read_lexicon(file: Path | None) -> Lexicon:
    """Read a TOML file with a table of `"written" = "said"` for each language; None is one without words.

    Raises:
        InputRefused: there is no such file, or it is no lexicon; the message says where.
    """
    if file is None:
        return NO_WORDS
    try:
        stat = file.stat()
        return _read(file, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise InputRefused(f"the lexicon {file} can't be read: {error.strerror}; set BHIV_LEXICON_FILE") from error


@lru_cache(maxsize=4)
def _read(file: Path, _changed: int, _size: int) -> Lexicon:
    data = file.read_bytes()
    if len(data) > _MOST_BYTES:
        raise InputRefused(f"the lexicon {file} is larger than a megabyte")
    try:
        read = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputRefused(f"the lexicon {file} is no TOML: {error}") from error
    for language, words in read.items():
        if not isinstance(words, dict):
            raise InputRefused(f'the lexicon {file}: write [{language}], and below it lines of "written" = "said"')
        for written, said in words.items():
            if not isinstance(said, str) or not written.split():
                raise InputRefused(f"the lexicon {file}, [{language}]: {written!r} needs a text to be said for it")
            if len(written.split()) > _LONGEST:
                raise InputRefused(f"the lexicon {file}, [{language}]: {written!r} has more than {_LONGEST} words")
    return Lexicon(read)
