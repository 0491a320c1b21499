import json

import pytest

from bhiv.errors import PlanError
from bhiv.plan import RenderPlan, Scene, parse_plan

SCENE = {"narration": "Hello there."}


def plan_json(**fields: object) -> str:
    return json.dumps({"title": "A title", "scenes": [SCENE]} | fields)


def test_a_plan_needs_a_title_and_a_scene_only() -> None:
    plan = parse_plan(plan_json())

    assert (plan.language, plan.voice, plan.size, plan.fps, plan.captions) == (
        "en",
        "auto",
        "landscape",
        30,
        "karaoke",
    )
    assert plan.pixels == (1920, 1080)


def test_a_printed_plan_is_read_back_equal() -> None:
    plan = parse_plan(plan_json(size="640x360", fps=25, language="hi"))

    assert parse_plan(plan.model_dump_json()) == plan


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"colour": "red"}, "colour: is not a field here"),
        ({"scenes": []}, "scenes: "),
        ({"scenes": [SCENE | {"duration_seconds": 11}]}, "scenes.0.duration_seconds: "),
        ({"scenes": [SCENE | {"duration_seconds": 0.5}]}, "scenes.0.duration_seconds: "),
        ({"scenes": [SCENE | {"duration_seconds": float("nan")}]}, "scenes.0.duration_seconds: "),
        ({"scenes": [SCENE | {"duration_seconds": float("inf")}]}, "scenes.0.duration_seconds: "),
        ({"scenes": [{"narration": " "}]}, "scenes.0: a scene without narration needs duration_seconds"),
        ({"scenes": [SCENE | {"camera": "spin"}]}, "scenes.0.camera: "),
        ({"scenes": [{"narration": "a\x00b"}]}, "scenes.0.narration: holds the control character"),
        ({"scenes": [{"narration": "\ud800"}]}, "is not JSON"),
        ({"scenes": [SCENE | {"picture": {}}]}, "scenes.0.picture: needs a prompt"),
        (
            {"scenes": [SCENE | {"picture": {"file": "a.png", "url": "https://a.b/c"}}]},
            "scenes.0.picture: takes one of",
        ),
        ({"scenes": [SCENE | {"picture": {"url": "ftp://a.b/c"}}]}, "scenes.0.picture.url: "),
        (
            {"scenes": [SCENE | {"picture": {"url": "https://a.b/c.MP4?d=e"}}]},
            "scenes.0.picture: is a video clip: name it as",
        ),
        ({"size": "641x360"}, "size: needs even sides"),
        ({"size": "100x100"}, "size: needs even sides"),
        ({"size": "huge"}, "size: is not landscape"),
        ({"fps": 23}, "fps: "),
        ({"fps": "thirty"}, "fps: "),
        ({"title": "  "}, "title: is blank"),
        ({"language": "english please"}, "language: "),
        ({"voice": "../../etc"}, "voice: "),
        ({"version": 2}, "version: "),
    ],
)
def test_a_wrong_field_is_refused_by_name(fields: dict[str, object], named: str) -> None:
    with pytest.raises(PlanError) as refused:
        parse_plan(plan_json(**fields))

    assert str(refused.value).startswith(named)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '{"title": ', "[" * 100_000, b"\xff\xfe"])
def test_what_is_no_plan_is_refused(text: str | bytes) -> None:
    with pytest.raises(PlanError):
        parse_plan(text)


def test_a_message_counts_the_other_faults() -> None:
    with pytest.raises(PlanError, match=r"\(and 1 more\)"):
        parse_plan(plan_json(fps=1, size="x"))


@pytest.mark.parametrize(
    ("size", "full", "draft"),
    [
        ("landscape", (1920, 1080), (960, 540)),
        ("portrait", (1080, 1920), (540, 960)),
        ("square", (1080, 1080), (540, 540)),
        ("1282x722", (1282, 722), (640, 360)),
    ],
)
def test_a_draft_has_half_the_size(size: str, full: tuple[int, int], draft: tuple[int, int]) -> None:
    plan = RenderPlan(title="A", size=size, scenes=(Scene(narration="b"),))

    assert plan.pixels == full
    assert plan.model_copy(update={"quality": "draft"}).pixels == draft
