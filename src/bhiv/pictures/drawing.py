"""From a brief to a picture, and from a picture to a file."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bhiv.errors import StorageError
from bhiv.pictures.brief import Brief, LayoutName
from bhiv.pictures.canvas import Canvas, Depth, Field, developed
from bhiv.pictures.chapter import chapter
from bhiv.pictures.endcard import endcard
from bhiv.pictures.enumeration import enumeration
from bhiv.pictures.headline import headline
from bhiv.pictures.milestones import milestones
from bhiv.pictures.number import number
from bhiv.pictures.palette import Palette, palettes
from bhiv.pictures.place import place
from bhiv.pictures.quote import quote
from bhiv.pictures.title import title
from bhiv.pictures.versus import versus

#: RGB, height x width x 3.
Picture = NDArray[np.uint8]
Layout = Callable[[Brief, Canvas, Palette], None]

LAYOUTS: dict[LayoutName, Layout] = {
    "title": title,
    "headline": headline,
    "number": number,
    "quote": quote,
    "landscape": place,
    "lotus": place,
    "devotion": place,
    "list": enumeration,
    "comparison": versus,
    "timeline": milestones,
    "chapter": chapter,
    "end": endcard,
}


def draw(brief: Brief) -> Picture:
    """Return the picture of a brief: 8-bit RGB, height x width x 3, the same bytes every time."""
    return lay_out(brief).developed()


def lay_out(brief: Brief) -> Canvas:
    """Return the canvas of a brief before it is developed."""
    canvas = Canvas(brief.width, brief.height)
    LAYOUTS[brief.layout](brief, canvas, palettes()[brief.palette])
    return canvas


def draw_depths(brief: Brief) -> tuple[Depth, ...]:
    """Return the picture of a brief in parts, the farthest first, for a camera that moves past them.

    Laid over each other unmoved by `compose` they give what `draw` does, but for the grain's last bit.
    """
    canvas = Canvas(brief.width, brief.height, layered=True)
    LAYOUTS[brief.layout](brief, canvas, palettes()[brief.palette])
    return canvas.depths()


def compose(depths: Sequence[Depth], moved: Sequence[tuple[float, float]]) -> Picture:
    """Lay depths over each other, each moved by x and y pixels; what moves in from outside repeats the rim."""
    light = np.zeros_like(depths[0].light)
    for depth, (x, y) in zip(depths, moved, strict=True):
        light = _moved(depth.light, x, y) + (1 - _moved(depth.cover, x, y))[..., None] * light
    return developed(light)


def _moved(field: Field, x: float, y: float) -> Field:
    if not x and not y:
        return field
    shift = np.array([[1, 0, x], [0, 1, y]], np.float32)
    size = (field.shape[1], field.shape[0])
    return np.asarray(cv2.warpAffine(field, shift, size, borderMode=cv2.BORDER_REPLICATE), np.float32)


def save(picture: Picture, path: Path) -> None:
    """Write a picture as JPEG, in place of what was there.

    Raises:
        StorageError: the file can't be written.
    """
    # As photographs are kept. PNG takes four times the CPU and the room, for the last bit of the grain.
    options = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    assert done, "OpenCV encodes every 8-bit RGB picture"
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise StorageError(f"the picture {path} can't be written: {error.strerror}") from error
