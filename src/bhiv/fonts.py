"""The fonts of pictures and captions: FiraGO, out of the `pymupdf_fonts` package, and what is installed beside it.

FiraGO covers Latin, Greek, Cyrillic, Georgian, Devanagari, Arabic, Hebrew and Thai. For other characters, such as
Tamil's, an installed font is looked for. What no font covers is refused before anything is rendered: a box in place of
a letter is worse than an error.
"""

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import pymupdf_fonts
import uharfbuzz as hb  # type: ignore[import-untyped]

from bhiv.errors import FontError
from bhiv.system_fonts import Face, installed

Weight = Literal["regular", "bold"]

FAMILY = "FiraGO"

#: What `pymupdf_fonts` calls each weight.
_PACKAGED: dict[Weight, str] = {"regular": "figo", "bold": "figbo"}
#: Where Debian and macOS keep fonts, and where users do.
FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("~/.local/share/fonts").expanduser(),
    Path("~/.fonts").expanduser(),
    Path("/System/Library/Fonts"),
    Path("/Library/Fonts"),
)
#: First word of a character's name -> Debian's package with a font for it.
_DEBIAN = {
    "BENGALI": "fonts-lohit-beng-bengali", "GUJARATI": "fonts-lohit-gujr", "GURMUKHI": "fonts-lohit-guru",
    "KANNADA": "fonts-lohit-knda", "MALAYALAM": "fonts-lohit-mlym", "ORIYA": "fonts-lohit-orya",
    "TAMIL": "fonts-lohit-taml", "TELUGU": "fonts-lohit-telu", "SINHALA": "fonts-noto-core",
    "KHMER": "fonts-noto-core", "LAO": "fonts-noto-core", "MYANMAR": "fonts-noto-core", "ETHIOPIC": "fonts-noto-core",
    "ARMENIAN": "fonts-noto-core", "TIBETAN": "fonts-noto-core", "CJK": "fonts-noto-cjk",
    "HIRAGANA": "fonts-noto-cjk", "KATAKANA": "fonts-noto-cjk", "HANGUL": "fonts-noto-cjk",
}  # fmt: skip
_folders: tuple[Path, ...] = FOLDERS
_remembered: Path | None = None
#: Drawn as nothing: variation selectors and the grapheme joiner, which are not of category Cf.
_UNSEEN = frozenset([0x034F, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])


@lru_cache(maxsize=2)
def font_bytes(weight: Weight) -> bytes:
    """Return the TrueType file of a weight."""
    data = pymupdf_fonts.myfont(_PACKAGED[weight])
    assert isinstance(data, bytes)
    return data


def look_in(folders: Sequence[Path] | None, home: Path) -> None:
    """Look for fonts in these folders from now on, None for the system's; `home/fonts.json` keeps what is found."""
    global _folders, _remembered  # a process has one set of fonts, as it has one locale
    wanted = (FOLDERS if folders is None else tuple(folders), home / "fonts.json")
    if wanted != (_folders, _remembered):
        _folders, _remembered = wanted
        for found in (_installed, family_of, face_of, identity):
            found.cache_clear()


def check_coverage(text: str, where: str) -> None:
    """Return if some font can draw all of `text`; `where` names the text in the message, such as `script.txt`.

    White space and characters that draw nothing by themselves (joiners, direction marks, variation selectors) pass.

    Raises:
        FontError: a character has no glyph; the message gives it, its code point and name, and the line from 1, and
            for a script that a package would help with, that package's name.
    """
    missing = {character for character in set(text) - _drawable() if is_seen(character) and not family_of(character)}
    if not missing:
        return
    index = min(text.index(character) for character in missing)
    line = text.count("\n", 0, index) + 1
    character = text[index]
    name = unicodedata.name(character, "without a name")
    more = f" ({len(missing) - 1} other such characters follow)" if len(missing) > 1 else ""
    raise FontError(
        f"{where}, line {line}: {_lacking(name)} glyph for {character!r} (U+{ord(character):04X} {name}); "
        f"{_remedy(name)}{more}"
    )


def is_packaged(character: str) -> bool:
    """Return whether FiraGO draws a character."""
    return character in _drawable()


@lru_cache(maxsize=8192)
def family_of(character: str) -> str:
    """Return the family that draws a character: FiraGO, or the installed one that knows its neighbours best.

    Empty when none does.
    """
    if character in _drawable() or not is_seen(character):
        return FAMILY
    code = ord(character)
    # Scripts fill blocks of 128; one font for all of a script, not one for each letter.
    first = code & ~0x7F
    able = {face.family: face.share(first, first + 0x7F) for face in _installed() if face.draws(code)}
    most = max(able.values(), default=0)
    return min((family for family, share in able.items() if share >= most * 0.9), key=_liking, default="")


def family_runs(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the parts of a text that one family draws: index of the first character, part, family.

    What is not seen by itself, and marks, stay with what they follow. What nothing draws is left to FiraGO.
    """
    start, family = 0, ""
    for index, character in enumerate(text):
        clings = not is_seen(character) or unicodedata.category(character).startswith("M")
        own = family if clings and family and not character.isspace() else family_of(character) or FAMILY
        if own != family and index > start:
            yield start, text[start:index], family
            start = index
        family = own
    if text:
        yield start, text[start:], family


@lru_cache(maxsize=256)
def face_of(family: str, weight: Weight) -> Face | None:
    """Return the installed font of a family nearest to a weight; None for FiraGO and what is not installed."""
    wanted = 700 if weight == "bold" else 400
    return min(
        (face for face in _installed() if face.family == family) if family != FAMILY else (),
        key=lambda face: (abs(face.weight - wanted), str(face.path)),
        default=None,
    )


@lru_cache(maxsize=1024)
def identity(text: str) -> str:
    """Return what stands for the fonts beside FiraGO that draw a text: names and SHA-256; empty when there are none."""
    return ", ".join(
        f"{family} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
        for family in _others(text)
        for path in _files(family)
    )


def is_seen(character: str) -> bool:
    """Return whether a character draws something by itself."""
    return not (character.isspace() or unicodedata.category(character) == "Cf" or ord(character) in _UNSEEN)


def _others(text: str) -> list[str]:
    foreign = sorted(character for character in set(text) - _drawable() if is_seen(character))
    return sorted({family for character in foreign if (family := family_of(character))})


def _files(family: str) -> list[Path]:
    faces = [face_of(family, weight) for weight in _PACKAGED]
    return sorted({face.path for face in faces if face is not None})


@lru_cache(maxsize=1)
def _installed() -> tuple[Face, ...]:
    return installed(_folders, _remembered)


def _liking(family: str) -> tuple[int, str]:
    """Order families by how well they go with FiraGO, which is a sans-serif."""
    liked = ("Noto Sans", "Lohit", "Sans")
    disliked = ("Serif", "Mono", "Italic")
    rank = next((number for number, word in enumerate(liked) if word in family), len(liked))
    return rank + 10 * any(word in family for word in disliked), family


def _lacking(name: str) -> str:
    script = name.split(" ")[0]
    written = script if script == "CJK" else script.title()
    return f"no font here writes {written}, there is no" if script in _DEBIAN else "no font has a"


def _remedy(name: str) -> str:
    package = _DEBIAN.get(name.split(" ")[0])
    return f"install one (Debian: apt install {package})" if package else "remove it or write it with other characters"


@lru_cache(maxsize=1)
def _drawable() -> frozenset[str]:
    faces = [hb.Face(hb.Blob(font_bytes(weight))) for weight in _PACKAGED]
    return frozenset(map(chr, set(faces[0].unicodes) & set(faces[1].unicodes)))
