"""Contact sheets: the pictures of whole scripts beside each other, to be judged at a glance."""

from collections.abc import Sequence
from textwrap import shorten

import cv2
import numpy as np
from numpy.typing import NDArray

from bhiv.bidi import is_right_to_left
from bhiv.lettering import fit, raster
from bhiv.pictures.brief import brief_scenes
from bhiv.pictures.drawing import Picture, draw
from bhiv.pictures.reading import plain
from bhiv.plan import RenderPlan

#: Pixels; a picture's area on the sheet, whatever its shape is.
_AREA = 384 * 216
_GAP = 14
_LINE = 24
_TEXT = 13.5
_PAPER = (18, 20, 26)
_INK = (176, 182, 194)
#: Pictures are drawn so much larger and then reduced, as a video's are.
_LARGER = 2
_JPEG_QUALITY = 78


def contact_sheet(plans: Sequence[RenderPlan], columns: int, size: tuple[int, int] | None = None) -> Picture:
    """Return the pictures of all scenes in order, each with its number and its first words below it.

    `size` in pixels gives all of them one shape; None takes that of the first plan. `columns` is at least 1.
    """
    shape = _tile(*(size or plans[0].pixels))
    tiles = [tile for plan in plans for tile in _tiles(plan, shape)]
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    width, height = shape
    sheet = np.empty((_GAP + rows * (height + _LINE + _GAP), _GAP + columns * (width + _GAP), 3), np.uint8)
    sheet[:] = _PAPER
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        top, left = _GAP + row * (height + _LINE + _GAP), _GAP + column * (width + _GAP)
        sheet[top : top + height + _LINE, left : left + width] = tile
    return sheet


def encoded(sheet: Picture, suffix: str) -> bytes:
    """Return the file of a sheet: JPEG for `.jpg` and `.jpeg`, PNG for any other suffix."""
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    kind, told = (
        (".jpg", options) if suffix.lower() in (".jpg", ".jpeg") else (".png", [cv2.IMWRITE_PNG_COMPRESSION, 6])
    )
    done, data = cv2.imencode(kind, cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), told)
    assert done, "OpenCV encodes every 8-bit RGB picture"
    return data.tobytes()


def _tile(width: int, height: int) -> tuple[int, int]:
    scale = (_AREA / (width * height)) ** 0.5
    return max(round(width * scale), 64), max(round(height * scale), 64)


def _tiles(plan: RenderPlan, shape: tuple[int, int]) -> list[Picture]:
    briefs = brief_scenes(plan, shape[0] * _LARGER, shape[1] * _LARGER)
    rows = enumerate(zip(plan.scenes, briefs, strict=True), 1)
    return [
        np.concatenate(
            [
                np.asarray(cv2.resize(draw(brief), shape, interpolation=cv2.INTER_AREA), np.uint8),
                _caption(
                    f"{number}  {_begun(plain(scene.narration) or scene.title or plan.title)}", shape[0], plan.language
                ),
            ]
        )
        for number, (scene, brief) in rows
    ]


def _begun(text: str) -> str:
    return shorten(text, 90, placeholder=" …")


def _caption(text: str, width: int, language: str) -> Picture:
    paper = np.empty((_LINE, width, 3), np.uint8)
    paper[:] = _PAPER
    block = fit(text, "regular", _TEXT, width=width, height=_LINE, max_lines=1, language=language)
    if block.size < _TEXT:  # rather fewer words than smaller ones
        block = fit(
            _cut(text, block.size / _TEXT), "regular", _TEXT, width=width, height=_LINE, max_lines=1, language=language
        )
    for line in block.lines:
        mask = raster(line, "regular", block.size, language)
        x = width - mask.alpha.shape[1] if is_right_to_left(line) else mask.left
        _lay(paper, mask.alpha, max(x, 0), round(_LINE * 0.78) - mask.top)
    return paper


def _cut(text: str, share: float) -> str:
    return shorten(text, max(int(len(text) * share), 8), placeholder=" …")


def _lay(paper: Picture, alpha: NDArray[np.uint8], left: int, top: int) -> None:
    top = max(top, 0)
    part = alpha[: paper.shape[0] - top, : paper.shape[1] - left].astype(np.float32)[..., None] / 255
    region = paper[top : top + part.shape[0], left : left + part.shape[1]]
    region[:] = np.rint(region + (np.asarray(_INK, np.float32) - region) * part).astype(np.uint8)
