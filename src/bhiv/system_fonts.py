"""The fonts that are installed here: what each can draw, read from the files and remembered between runs."""

import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

import uharfbuzz as hb  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, ValidationError

_SUFFIXES = frozenset({".ttf", ".otf", ".ttc"})
#: Tables that hold outlines; a font without them is made of pictures, which nothing here draws.
_OUTLINES = frozenset({"glyf", "CFF ", "CFF2"})
_FAMILY_NAME = 1
#: Raise when the index holds something else.
_VERSION = 1


class Face(BaseModel):
    """One font of a file that may hold several."""

    model_config = ConfigDict(frozen=True)

    path: Path
    #: Which font of the file it is.
    index: int
    family: str
    #: 400 is regular, 700 bold.
    weight: int
    #: First and last code point of each run of characters.
    ranges: tuple[tuple[int, int], ...]

    def draws(self, code: int) -> bool:
        """Return whether it has a glyph for a code point."""
        return any(first <= code <= last for first, last in self.ranges)

    def share(self, first: int, last: int) -> int:
        """Return how many code points it has between two, both included."""
        return sum(max(min(end, last) - max(start, first) + 1, 0) for start, end in self.ranges)


class _Read(BaseModel):
    """What was read from a file, and the file's state then."""

    modified: int
    size: int
    faces: tuple[Face, ...]


class _Index(BaseModel):
    version: int
    files: dict[str, _Read]


def installed(folders: Sequence[Path], remembered: Path | None) -> tuple[Face, ...]:
    """Return the upright fonts below these folders, those that are missing left out.

    `remembered` is the file that spares reading every font again: a font is read when its size or time differs from
    what that says. A file that can't be read or written is no error, nor is a font that is none.
    """
    known = _recall(remembered)
    files: dict[str, _Read] = {}
    for path in _files(folders):
        state = path.stat()
        kept = known.get(str(path))
        if kept is None or (kept.modified, kept.size) != (state.st_mtime_ns, state.st_size):
            kept = _Read(modified=state.st_mtime_ns, size=state.st_size, faces=tuple(_faces(path)))
        files[str(path)] = kept
    if remembered is not None and files != known:
        _remember(remembered, files)
    return tuple(face for read in files.values() for face in read.faces)


def _files(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        for root, _, names in sorted(os.walk(folder)):
            for name in sorted(names):
                path = Path(root) / name
                if path.suffix.lower() in _SUFFIXES and path.is_file():
                    yield path


def _faces(path: Path) -> Iterator[Face]:
    with contextlib.suppress(OSError, ValueError, hb.HarfBuzzError):
        blob = hb.Blob.from_file_path(str(path))
        for index in range(max(hb.Face(blob).count, 1)):
            face = hb.Face(blob, index)
            style = face.reference_table("OS/2").data if "OS/2" in face.table_tags else b""
            # Byte 62 of OS/2 is fsSelection: bit 0 of its lower half says italic, bit 9 oblique; byte 6 is the width.
            slanted = len(style) >= 64 and (style[63] & 1 or style[62] & 2)
            narrow = len(style) >= 8 and style[7] not in (0, 5)
            if not _OUTLINES.isdisjoint(face.table_tags) and not slanted and not narrow:
                yield Face(
                    path=path,
                    index=index,
                    family=face.get_name(_FAMILY_NAME) or path.stem,
                    weight=int.from_bytes(style[4:6], "big") if len(style) >= 6 else 400,
                    ranges=tuple(_ranges(sorted(face.unicodes))),
                )


def _ranges(codes: Sequence[int]) -> Iterator[tuple[int, int]]:
    start = previous = None
    for code in codes:
        if start is None:
            start = code
        elif previous is not None and code != previous + 1:
            yield start, previous
            start = code
        previous = code
    if start is not None and previous is not None:
        yield start, previous


def _recall(remembered: Path | None) -> dict[str, _Read]:
    if remembered is not None:
        with contextlib.suppress(OSError, ValidationError):
            index = _Index.model_validate_json(remembered.read_bytes())
            if index.version == _VERSION:
                return index.files
    return {}


def _remember(remembered: Path, files: dict[str, _Read]) -> None:
    """Write the index whole, by a rename; several processes may do so at once."""
    unfinished = remembered.with_name(f".{remembered.name}.{secrets.token_hex(8)}")
    index = _Index(version=_VERSION, files=files)
    with contextlib.suppress(OSError):
        try:
            unfinished.write_text(json.dumps(index.model_dump(mode="json")), encoding="utf-8")
            unfinished.replace(remembered)
        finally:
            unfinished.unlink(missing_ok=True)
