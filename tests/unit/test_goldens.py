from typing import get_args

import numpy as np
import pytest

from bhiv.pictures.brief import LayoutName, Motif
from tests import goldens

BRIEFS = goldens.briefs()


@pytest.mark.parametrize("name", BRIEFS)
def test_a_picture_looks_as_it_did(name: str) -> None:
    mean, most = goldens.difference(name, goldens.drawn(BRIEFS[name]))

    assert mean < 1.5, f"{name} looks different; if it should, run `python -m tests.goldens` and look at it"
    assert most < 8, f"{name} has a part that looks different; if it should, run `python -m tests.goldens`"


def test_the_comparison_sees_another_word() -> None:
    brief = BRIEFS["chapter"].model_copy(update={"headline": "A very slow stork"})

    assert max(goldens.difference("chapter", goldens.drawn(brief))) > 8


def test_the_comparison_does_not_see_grain() -> None:
    picture = goldens.drawn(BRIEFS["place-rain"]).astype(int)
    noise = np.random.default_rng(1).integers(-3, 4, picture.shape)

    mean, most = goldens.difference("place-rain", np.clip(picture + noise, 0, 255).astype(np.uint8))
    assert mean < 1.5
    assert most < 8


def test_every_design_and_every_motif_has_a_small_golden() -> None:
    shown = {brief.layout for brief in BRIEFS.values()} | {brief.motif for brief in BRIEFS.values()}

    assert {*get_args(LayoutName), *get_args(Motif)} == shown
    assert {path.stem for path in goldens.FOLDER.glob("*.jpg")} >= set(BRIEFS)
    assert max(path.stat().st_size for path in goldens.FOLDER.glob("*.jpg")) < 40_000
