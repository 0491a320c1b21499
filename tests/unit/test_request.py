import pytest

from bhiv.errors import PlanError
from bhiv.request import RenderRequest, make_request

PLAIN = (
    "script",
    "topic",
    "minutes",
    "title",
    "language",
    "size",
    "quality",
    "voice",
    "fps",
    "captions",
    "caption_position",
    "style",
    "transition",
    "uploader_id",
)


def test_a_form_shows_plain_fields() -> None:
    """A form offers `str or null` as a switch between two types, which nobody understands."""
    fields = RenderRequest.model_json_schema()["properties"]

    assert [name for name in PLAIN if "anyOf" in fields[name] or "type" not in fields[name]] == []
    assert fields["quality"]["enum"] == ["draft", "standard", "high"]


def test_a_field_that_was_cleared_counts_as_left_out() -> None:
    request = RenderRequest.model_validate({"script": "A river.", "title": "", "fps": "", "job_id": ""})

    assert (request.title, request.fps, len(request.job_id)) == (None, None, 24)


def test_a_field_that_somebody_gave_empty_is_refused() -> None:
    with pytest.raises(PlanError, match="title: is empty"):
        make_request({"script": "A river.", "title": ""})


def test_an_empty_script_is_still_a_script() -> None:
    assert make_request({"script": ""}).script == ""


@pytest.mark.parametrize("given", [{}, {"script": "A river.", "plan": {"title": "T", "scenes": [{"narration": "A."}]}}])
def test_one_source_is_needed(given: dict[str, object]) -> None:
    with pytest.raises(PlanError, match="either a script or a plan"):
        make_request(given)


@pytest.mark.parametrize(
    ("given", "title"),
    [
        ({"script": "The river\n\nIt runs to the sea."}, "The river"),
        ({"script": "# The river\n\nIt runs to the sea.", "name": "river.md"}, "The river"),
        ({"script": "The river\n\nIt runs to the sea.", "title": "Another"}, "Another"),
        ({"script": "It runs to the sea.", "name": "river"}, "river"),
        ({"script": "[music: jazz]", "name": "river"}, "river"),
        ({"script": "It runs to the sea. It sings.\n\nIt ends."}, "It runs to the sea"),
        ({"script": "[music: jazz]"}, "Untitled"),
    ],
)
def test_a_run_is_shown_under_the_title_that_its_video_will_have(given: dict[str, str], title: str) -> None:
    assert RenderRequest.model_validate(given).shown_title == title


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"topic": "a mill", "script": "A mill."}, "either a script or a plan or a topic"),
        ({"topic": " ?! "}, "the topic has no words"),
        ({"topic": "a mill", "minutes": 0.1}, "minutes: "),
        ({"topic": "a mill", "minutes": 21}, "minutes: "),
        ({"topic": "a" * 2_001}, "topic: "),
        ({"script": "A mill.", "minutes": 2}, "minutes go with a topic"),
    ],
)
def test_a_topic_stands_alone_and_within_limits(given: dict[str, object], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        make_request(given)


@pytest.mark.parametrize(
    ("given", "title", "language"),
    [
        ({"topic": "how a  mill\nworks"}, "how a mill works", "en"),
        ({"topic": "कमल का फूल"}, "कमल का फूल", "hi"),
        ({"topic": "the lotus", "language": "hi", "title": "कमल"}, "कमल", "hi"),
        ({"topic": "a " * 1_000}, ("a " * 100).strip(), "en"),
    ],
)
def test_a_topic_is_shown_as_the_title_until_there_is_one(given: dict[str, object], title: str, language: str) -> None:
    request = RenderRequest.model_validate(given)

    assert (request.shown_title.strip(), request.spoken_language) == (title, language)
    assert request.storyboard_source == "lm"
