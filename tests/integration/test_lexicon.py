from pathlib import Path

import pytest

from bhiv.errors import InputRefused
from bhiv.plan import RenderPlan, Scene
from bhiv.production import are_narrated, make_narration
from bhiv.request import RenderRequest, make_plan
from bhiv.settings import Settings
from bhiv.speech import choose_voices
from bhiv.workplace import Workplace


def test_a_lexicon_has_those_scenes_spoken_again_that_hold_its_words(
    workplace: Workplace, settings: Settings, tmp_path: Path
) -> None:
    (workplace.runs / "run").mkdir(parents=True)
    scenes = [Scene(narration="Nguyen sings."), Scene(narration="The river runs.")]
    file = tmp_path / "lexicon.toml"

    def speak() -> list[bool]:
        own = settings.model_copy(update={"lexicon_file": file})
        voices = choose_voices("auto", "en", own)
        there = are_narrated(workplace, scenes, "en", voices, own)
        made = [make_narration(workplace, "run", scene, "en", voices, own).cached for scene in scenes]
        assert there == made
        return made

    file.write_text("")
    assert speak() == [False, False]
    file.write_text('[en]\nNguyen = "win"\n')
    assert speak() == [False, True]
    assert speak() == [True, True]


def test_a_lexicon_that_is_none_is_refused_before_any_work(settings: Settings, tmp_path: Path) -> None:
    own = settings.model_copy(update={"lexicon_file": tmp_path / "missing.toml"})
    request = RenderRequest(plan=RenderPlan(title="A river", scenes=(Scene(narration="It runs."),)))

    with pytest.raises(InputRefused, match="BHIV_LEXICON_FILE"):
        make_plan(request, own)
