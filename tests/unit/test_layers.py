from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bhiv.errors import ObjectDamaged
from bhiv.pictures import Brief, draw, draw_depths
from bhiv.pictures.brief import LayoutName, Motif, PaletteName
from bhiv.video import layers
from bhiv.video.layers import Layer
from bhiv.video.yuv import planes

PLACES: tuple[tuple[Motif, PaletteName], ...] = (
    ("mountains", "dawn"), ("sea", "ocean"), ("city", "dusk"), ("temple", "dusk"), ("night", "night"),
    ("sunrise", "dusk"), ("rain", "ocean"), ("forest", "forest"), ("river", "forest"), ("lamp", "ember"),
    ("flower", "lotus"), ("stem", "ocean"), ("bloom", "lotus"), ("space", "night"), ("desert", "ember"),
)  # fmt: skip


def brief(motif: Motif = "temple", palette: PaletteName = "dusk", layout: LayoutName = "landscape") -> Brief:
    return Brief(layout=layout, motif=motif, palette=palette, headline="High above", width=552, height=312, seed=3)


def laid(parts: tuple[Layer, ...]) -> list[NDArray[np.uint8]]:
    """Y, U and V of layers that have not moved."""
    seen = [plane.copy() for plane in parts[0].light]
    for part in parts[1:]:
        assert part.through is not None
        for index, (plane, light) in enumerate(zip(seen, part.light, strict=True)):
            left, top = (side // (2 if index else 1) for side in (part.left, part.top))
            under = plane[top : top + light.shape[0], left : left + light.shape[1]]
            under[:] = cv2.add(cv2.multiply(under, part.through[min(index, 1)], scale=1 / 255), light)
    return seen


@pytest.mark.parametrize(("motif", "palette"), PLACES)
def test_layers_that_have_not_moved_are_the_picture(motif: Motif, palette: PaletteName) -> None:
    shown = brief(motif, palette)

    seen = laid(layers.layers_of(draw_depths(shown)))

    for plane, wanted in zip(seen, planes(draw(shown)), strict=True):
        difference = np.abs(plane.astype(int) - wanted)
        assert difference.max() <= 2
        assert difference.mean() < 0.01


def test_a_picture_at_one_distance_has_no_layers() -> None:
    assert layers.layers_of(draw_depths(brief("", layout="quote"))) == ()


@pytest.mark.parametrize("layout", ["title", "landscape", "chapter"])
def test_words_move_with_the_sky(layout: LayoutName) -> None:
    parts = layers.layers_of(draw_depths(brief("mountains", layout=layout)))

    assert parts[-1].near == parts[0].near == 0
    assert max(part.near for part in parts) == 1


def test_layers_come_back_from_their_file_and_it_is_the_same_every_time(tmp_path: Path) -> None:
    files = [tmp_path / "one.npz", tmp_path / "two.npz"]
    for file in files:
        parts = layers.layers_of(draw_depths(brief()))
        layers.save(parts, file)

    again = layers.load(files[0])

    assert files[0].read_bytes() == files[1].read_bytes()
    assert [(part.near, part.left, part.top) for part in again] == [(part.near, part.left, part.top) for part in parts]
    for one, other in zip(again, parts, strict=True):
        ones, others = ((*part.light, *(part.through or ())) for part in (one, other))
        assert all(np.array_equal(plane, wanted) for plane, wanted in zip(ones, others, strict=True))


@pytest.mark.parametrize("keep", [0, 100, 20_000])
def test_a_broken_file_is_named(tmp_path: Path, keep: int) -> None:
    file = tmp_path / "layers.npz"
    layers.save(layers.layers_of(draw_depths(brief())), file)
    file.write_bytes(file.read_bytes()[:keep])

    with pytest.raises(ObjectDamaged, match=r"layers\.npz"):
        layers.load(file)
