"""Frames as the encoder takes them: planar YUV 4:2:0 in one buffer, ITU-R BT.709, limited range."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]

#: What is beside a frame with room, in pixels on either side, and half of it above.
ROOM = 64
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
    """One frame; the planes are views of `data`, U and V half as wide and high as Y."""

    data: Plane
    y: Plane
    u: Plane
    v: Plane
    #: Y and what is around it, with room only. What is written below Y goes into U and V, which are to be filled later.
    around_y: Plane | None = None

    @classmethod
    def empty(cls, width: int, height: int) -> "YUV":
        """Return a frame of this size, both even, whose contents are not set."""
        return cls.of(np.empty(width * height * 3 // 2, np.uint8), width, height)

    @classmethod
    def of(cls, data: Plane, width: int, height: int) -> "YUV":
        """Return the frame that a buffer of width · height · 3 / 2 bytes holds."""
        luma, chroma = width * height, width * height // 4
        half = (height // 2, width // 2)
        return cls(
            data,
            data[:luma].reshape(height, width),
            data[luma : luma + chroma].reshape(half),
            data[luma + chroma :].reshape(half),
        )

    @classmethod
    def roomy(cls, width: int, height: int) -> "YUV":
        """Return a frame with room around it, which a resize may use that makes too much; nothing of it is set.

        `data` is then a frame that is wider by `ROOM` on the left and on the right.
        """
        wide, above = width + 2 * ROOM, ROOM // 2
        whole = np.empty((above + height) * wide + wide * height // 2, np.uint8)
        data = whole[above * wide :]
        y, u, v = (
            plane[:, ROOM // by : (ROOM + width) // by]
            for plane, by in zip(cls.of(data, wide, height).planes, (1, 2, 2), strict=True)
        )
        below = min(above, height // 2)
        return cls(data, y, u, v, around_y=whole[: (above + height + below) * wide].reshape(-1, wide))

    @property
    def planes(self) -> tuple[Plane, Plane, Plane]:
        """Y, U and V."""
        return self.y, self.u, self.v


def planes(picture: NDArray[np.uint8]) -> tuple[Plane, Plane, Plane]:
    """Return an RGB picture (height, width, 3), both even, as Y, and U and V of half its size."""
    height, width = picture.shape[:2]
    y, u, v = cv2.split(cv2.transform(picture, FROM_RGB))
    half = (width // 2, height // 2)
    small = (cv2.resize(plane, half, interpolation=cv2.INTER_AREA) for plane in (u, v))
    return tuple(plane.astype(np.uint8, copy=False) for plane in (y, *small))  # type: ignore[return-value]
