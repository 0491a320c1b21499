"""The one font family of pictures and captions: FiraGO, out of the `pymupdf_fonts` package.

One file covers Latin, Greek, Cyrillic, Georgian, Devanagari, Arabic, Hebrew and Thai. What it does not cover is refused
before anything is rendered: a box in place of a letter is worse than an error.
"""

import os
import secrets
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Literal

import pymupdf_fonts
import uharfbuzz as hb  # type: ignore[import-untyped]

from bhiv.errors import FontError

Weight = Literal["regular", "bold"]

#: The family's name as captions ask for it.
FAMILY = "FiraGO"

_PACKAGED: dict[Weight, tuple[str, str]] = {
    "regular": ("figo", "FiraGO-Regular.ttf"),
    "bold": ("figbo", "FiraGO-Bold.ttf"),
}
#: Drawn as nothing: variation selectors and the grapheme joiner, which are not of category Cf.
_UNSEEN = frozenset([0x034F, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])


@lru_cache(maxsize=2)
def font_bytes(weight: Weight) -> bytes:
    """Return the TrueType file of a weight."""
    data = pymupdf_fonts.myfont(_PACKAGED[weight][0])
    assert isinstance(data, bytes)
    return data


def font_folder(home: Path) -> Path:
    """Return `home/fonts` with a TrueType file for every weight in it, written when it is not there yet.

    Several processes may ask at once: each file appears whole, by a rename.
    """
    folder = home / "fonts"
    folder.mkdir(parents=True, exist_ok=True)
    for weight, (_, name) in _PACKAGED.items():
        path = folder / name
        data = font_bytes(weight)
        if not path.is_file() or path.stat().st_size != len(data):
            _replace(path, data)
    return folder


def check_coverage(text: str, where: str) -> None:
    """Return if the font can draw all of `text`; `where` names the text in the message, such as `script.txt`.

    White space and characters that draw nothing by themselves (joiners, direction marks, variation selectors) pass.

    Raises:
        FontError: a character has no glyph; the message gives it, its code point and name, and the line from 1.
    """
    missing = {character for character in set(text) - _drawable() if _is_seen(character)}
    if not missing:
        return
    index = min(text.index(character) for character in missing)
    line = text.count("\n", 0, index) + 1
    character = text[index]
    name = unicodedata.name(character, "without a name")
    more = f" ({len(missing) - 1} other such characters follow)" if len(missing) > 1 else ""
    raise FontError(
        f"{where}, line {line}: the font has no glyph for {character!r} (U+{ord(character):04X} {name}); "
        f"remove it or write it with other characters{more}"
    )


@lru_cache(maxsize=1)
def _drawable() -> frozenset[str]:
    faces = [hb.Face(hb.Blob(font_bytes(weight))) for weight in _PACKAGED]
    return frozenset(map(chr, set(faces[0].unicodes) & set(faces[1].unicodes)))


def _is_seen(character: str) -> bool:
    return not (character.isspace() or unicodedata.category(character) == "Cf" or ord(character) in _UNSEEN)


def _replace(path: Path, data: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with unfinished.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
