from typing import get_args

import numpy as np
import pytest

from bhiv import fonts
from bhiv.pictures.brief import LayoutName, Motif
from tests import goldens
from tests.conftest import need
from tests.goldens.burned import TEXTS, burned

BRIEFS = goldens.briefs()
TITLES = goldens.titles()


@pytest.mark.parametrize("name", BRIEFS)
def test_a_picture_looks_as_it_did(name: str) -> None:
    mean, most = goldens.difference(name, goldens.drawn(BRIEFS[name]))

    assert mean < 1.5, f"{name} looks different; if it should, run `python -m tests.goldens` and look at it"
    assert most < 8, f"{name} has a part that looks different; if it should, run `python -m tests.goldens`"


@pytest.mark.parametrize("script", TEXTS)
def test_titles_and_captions_are_shaped_as_they_were(script: str) -> None:
    if script == "tamil" and fonts.family_of("த") != "Lohit Tamil":
        need("fonts-lohit-taml (see .ci/run); TAMIL IS NOT TESTED")

    for name, picture in {
        f"title-{script}": goldens.drawn(TITLES[f"title-{script}"]),
        f"caption-{script}": burned(TEXTS[script][2], TEXTS[script][0]),
    }.items():
        mean, most = goldens.difference(name, picture)
        assert mean < 1.5, f"{name} looks different; if it should, run `python -m tests.goldens` and look at it"
        assert most < 8, f"{name} has a part that looks different; if it should, run `python -m tests.goldens`"


def test_the_comparison_sees_a_letter_that_is_not_joined() -> None:
    torn = burned(TEXTS["hindi"][2].replace("क्षत्रिय", "क्\u200cष\u200cत्\u200cरिय"), "hi")

    assert goldens.difference("caption-hindi", torn)[1] > 8


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
