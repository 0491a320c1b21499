import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bhiv.errors import ScriptError
from bhiv.script import Passage, Script, parse_script
from bhiv.speech.pauses import without_pauses
from bhiv.storyboard import make_scenes, opening

WORD = st.text(alphabet="abcdeकखगА水é", min_size=1, max_size=8)
SENTENCE = st.lists(WORD, min_size=1, max_size=40).map(lambda words: " ".join(words) + ".")
PASSAGE = st.lists(SENTENCE, min_size=1, max_size=12).map(" ".join)


def passage(narration: str, title: str | None = None, prompt: str | None = None) -> Passage:
    return Passage(title, narration, prompt, 1)


@given(st.lists(PASSAGE, min_size=1, max_size=8), st.integers(1, 6))
def test_every_word_is_in_the_scenes_once_and_in_order(paragraphs: list[str], most: int) -> None:
    script = parse_script("\n\n".join(paragraphs))

    scenes = make_scenes(script, most)

    assert " ".join(paragraphs).split() == " ".join(scene.narration for scene in scenes).split()
    assert 1 <= len(scenes) <= most


def test_a_short_passage_is_one_scene() -> None:
    (scene,) = make_scenes(Script(None, (passage("Mud. Light.", "The Pond", "a pond"),)), 200)

    assert (scene.narration, scene.title) == ("Mud. Light.", "The Pond")
    assert scene.picture is not None
    assert scene.picture.prompt == "a pond"


def test_a_long_passage_is_split_at_sentence_ends_into_like_lengths() -> None:
    text = " ".join(f"Sentence number {number} has eight words in it." for number in range(20))

    scenes = make_scenes(Script(None, (passage(text, "The Pond", "a pond"),)), 200)

    lengths = [len(scene.narration.split()) for scene in scenes]
    assert lengths == [56, 48, 56]
    assert all(scene.narration.endswith("it.") for scene in scenes)
    assert [scene.title for scene in scenes] == ["The Pond", None, None]
    assert [scene.picture.prompt for scene in scenes if scene.picture] == ["a pond"] * 3


def test_a_very_long_sentence_is_parted_at_its_clauses() -> None:
    scenes = make_scenes(Script(None, (passage("and so on and on it went, " * 40),)), 200)

    assert all(len(scene.narration.split()) <= 90 for scene in scenes)
    assert all(scene.narration.endswith(",") for scene in scenes)


def test_a_pause_at_the_end_gets_no_scene_of_its_own() -> None:
    text = "word " * 100 + "end. [pause 2s]"

    assert all(without_pauses(scene.narration) for scene in make_scenes(Script(None, (passage(text),)), 200))


def test_too_many_scenes_are_merged_evenly() -> None:
    script = Script(None, tuple(passage(f"Passage number {number} here.", f"Part {number}") for number in range(100)))

    scenes = make_scenes(script, 10)

    assert [len(scene.narration.split()) for scene in scenes] == [40] * 10
    assert scenes[1].title == "Part 10"
    assert scenes[1].narration.startswith("Passage number 10 here.\nPassage number 11 here.\n")


def test_text_without_spaces_is_split_too() -> None:
    assert len(make_scenes(Script(None, (passage("水は流れて海へ行く。" * 60),)), 200)) > 3


def test_what_does_not_fit_into_the_scenes_is_refused() -> None:
    with pytest.raises(ScriptError, match="too long for 2 scenes"):
        make_scenes(parse_script("word " * 20_000), 2)


def test_a_script_of_20_000_words_becomes_scenes_in_under_a_second() -> None:
    script = parse_script("The lotus grows in the mud, and it waits there. " * 2_000)
    started = time.process_time()

    scenes = make_scenes(script, 200)

    assert time.process_time() - started < 1
    assert 180 <= len(scenes) <= 200


LONG = "the whole of the valley begins to sing at once, and it does not end before the night has come"


@pytest.mark.parametrize(
    ("narration", "name"),
    [
        ("The lotus grows in the mud. It is white.", "The lotus grows in the mud"),
        ("How does it stay dry? Look.", "How does it stay dry?"),
        ("[pause 2s] It waits.", "It waits"),
        ("कमल कीचड़ में उगता है। वह सफ़ेद है।", "कमल कीचड़ में उगता है"),
        (f"When the sun comes over the hill, {LONG}.", "When the sun comes over the hill"),
        (f"Now, {LONG}.", "Now, the whole of the valley begins to sing at …"),
        (f"“We go not, now and for ever,” he said, “{LONG}.”", "“We go not, now and for ever,” he said"),
        ("[pause 1s]", ""),
    ],
)  # fmt: skip
def test_a_scene_without_a_title_is_named_by_words_that_make_sense(narration: str, name: str) -> None:
    assert opening(narration) == name
    assert len(name) <= 48
