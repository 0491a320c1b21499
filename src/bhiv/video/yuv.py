"""Frames as the encoder takes them: planar YUV 4:2:0, ITU-R BT.709, limited range."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]

#: The room around what is filled: pixels of luma on either side, and rows of any plane above and below.
BESIDE, ABOVE = 64, 32
#: Y, U and V of black.
BLACK = (16, 128, 128)

# ITU-R BT.709, 8 bit, limited range: Y' = 16 + 219·(Kr R + Kg G + Kb B), C = 128 + 224·(B - Y)/(2 (1 - Kb)).
_KR, _KB = 0.2126, 0.0722
_KG = 1 - _KR - _KB
#: RGB to Y, U and V, for `cv2.transform`.
FROM_RGB = np.array(
    [
        [219 * _KR, 219 * _KG, 219 * _KB, 16 * 255],
        [-112 * _KR / (1 - _KB), -112 * _KG / (1 - _KB), 112, 128 * 255],
        [112, -112 * _KG / (1 - _KR), -112 * _KB / (1 - _KR), 128 * 255],
    ]
) / 255  # fmt: skip


@dataclass(frozen=True)
class YUV:
    """One frame; U and V are half as wide and high as Y."""

    y: Plane
    u: Plane
    v: Plane
    #: Each plane's rows with what lies beside it, one after the other in memory, as the encoder takes them.
    rows: tuple[Plane, Plane, Plane]

    @classmethod
    def of(cls, data: Plane, width: int, height: int) -> "YUV":
        """Return the frame that a buffer of width · height · 3 / 2 bytes holds."""
        luma, chroma = width * height, width * height // 4
        half = (height // 2, width // 2)
        y, u, v = data[:luma], data[luma : luma + chroma], data[luma + chroma :]
        return cls.seen_in((y.reshape(height, width), u.reshape(half), v.reshape(half)), width)

    @classmethod
    def seen_in(cls, rows: tuple[Plane, Plane, Plane], width: int, left: int = 0) -> "YUV":
        """Return the frame of this width that begins at column `left`, even, of its rows."""
        y, *both = rows
        u, v = (plane[:, left // 2 : (left + width) // 2] for plane in both)
        return cls(y[:, left : left + width], u, v, rows)

    @property
    def planes(self) -> tuple[Plane, Plane, Plane]:
        """Y, U and V."""
        return self.y, self.u, self.v

    def tobytes(self) -> bytes:
        """Return Y, U and V, one after the other."""
        return b"".join(plane.tobytes() for plane in self.planes)


@dataclass(frozen=True)
class Sheet:
    """A plane to be filled, and memory around it, which a resize may fill that makes too much."""

    memory: Plane
    plane: Plane
    #: The column of the memory with which the plane begins, `ABOVE` rows below its first.
    left: int

    @classmethod
    def empty(cls, width: int, height: int, stride: int, left: int) -> "Sheet":
        """Return a plane of this size, not set, that begins at column `left` of rows of `stride` pixels."""
        memory = np.empty((height + 2 * ABOVE, stride), np.uint8)
        return cls(memory, memory[ABOVE : ABOVE + height, left : left + width], left)

    def rows(self, height: int, left: int = 0, top: int = 0) -> Plane:
        """Return so many rows, one after the other in memory, whose column `self.left` is the plane's column `left`."""
        stride = self.memory.shape[1]
        first = (ABOVE + top) * stride + left
        return self.memory.reshape(-1)[first : first + height * stride].reshape(height, stride)


@dataclass(frozen=True)
class Buffer:
    """A frame to be filled."""

    frame: YUV
    #: Y, U and V.
    sheets: tuple[Sheet, Sheet, Sheet]

    @classmethod
    def empty(cls, width: int, height: int, stride: int | None = None) -> "Buffer":
        """Return a frame of this size, both even, whose contents are not set; its luma lies in rows of `stride`."""
        stride = stride or stride_of(width)
        half = (width // 2, height // 2, stride // 2, BESIDE // 2)
        y, u, v = Sheet.empty(width, height, stride, BESIDE), Sheet.empty(*half), Sheet.empty(*half)
        rows = (y.rows(height), u.rows(height // 2), v.rows(height // 2))
        return cls(YUV.seen_in(rows, width, BESIDE), (y, u, v))


def stride_of(width: int) -> int:
    """Return how far apart the rows of luma lie at least that have room on both sides."""
    return width + 2 * BESIDE


def planes(picture: NDArray[np.uint8]) -> tuple[Plane, Plane, Plane]:
    """Return an RGB picture (height, width, 3), both even, as Y, and U and V of half its size."""
    height, width = picture.shape[:2]
    y, u, v = cv2.split(cv2.transform(picture, FROM_RGB))
    half = (width // 2, height // 2)
    small = (cv2.resize(plane, half, interpolation=cv2.INTER_AREA) for plane in (u, v))
    return tuple(plane.astype(np.uint8, copy=False) for plane in (y, *small))  # type: ignore[return-value]
