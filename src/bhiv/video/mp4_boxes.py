"""The boxes that an MP4 file is made of, as far as the outermost."""

from pathlib import Path
from typing import NamedTuple

_HEAD, _LARGE_HEAD = 8, 16
#: Bytes that are looked at at once.
_BLOCK = 1 << 20


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
    # Not mapped: a file's pages would count as memory of this process until they are let go.
    with path.open("rb", buffering=0) as file:
        file.seek(box.start)
        at, last = box.start, b""
        while more := file.read(min(_BLOCK, box.end - at)):
            block = last + more
            found = block.find(bytes(length))
            if found >= 0:
                return at - len(last) + found
            at += len(more)
            last = block[1 - length :]
    return None
