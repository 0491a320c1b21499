"""The boxes that an MP4 file is made of, as far as the outermost."""

import mmap
from pathlib import Path
from typing import NamedTuple

_HEAD, _LARGE_HEAD = 8, 16


class Box(NamedTuple):
    """An outermost part of a file; sizes and places in bytes, its head included."""

    name: str
    start: int
    size: int

    @property
    def end(self) -> int:
        """The byte after the last that it claims to have."""
        return self.start + self.size


def outer_boxes(path: Path) -> list[Box]:
    """Return the boxes in order as their heads claim them; the last may claim more than the file holds.

    Of a file that is none of MP4 it is nonsense, which ends where it makes no sense.
    """
    boxes, at, end = list[Box](), 0, path.stat().st_size
    with path.open("rb") as file:
        while at + _HEAD <= end:
            file.seek(at)
            head = file.read(_LARGE_HEAD)
            size = int.from_bytes(head[:4], "big")
            if size == 1:  # it did not fit into four bytes
                size = int.from_bytes(head[8:16], "big")
            elif size == 0:  # up to the end
                size = end - at
            if size < _HEAD:
                break
            boxes.append(Box(head[4:8].decode("ascii", "replace"), at, size))
            at += size
    return boxes


def find_hole(path: Path, box: Box, length: int) -> int | None:
    """Return where `length` zero bytes in a row begin in a box, or None.

    H.264 forbids three of them within a picture, so a row is what a disk has lost, or a download never wrote.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        found = whole.find(bytes(length), box.start, min(box.end, len(whole)))
    return None if found < 0 else found
