"""A language model in the real command: what it directs, what is asked again, and a video without it."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.conftest import Shop
from tests.servers.lm import LanguageModelServer, language_model_server
from tests.servers.starting import wait_until

SMALL = ("--size", "160x144", "--fps", "24", "--quality", "draft", "--json")
SCRIPT = "The mill stands by the river.\n\nAll of its wheels turn."


@pytest.fixture
def model() -> Iterator[LanguageModelServer]:
    with language_model_server() as running:
        yield running


def with_model(model: LanguageModelServer, **more: str) -> dict[str, Any]:
    return {"BHIV_LM_BASE_URL": model.base_url, "BHIV_LM_MODEL": "tiny", **more}


def test_a_model_directs_a_script_once(shop: Shop, model: LanguageModelServer) -> None:
    shop.write("mill.txt", SCRIPT)
    prices = {"BHIV_LM_PRICE_IN": "2", "BHIV_LM_PRICE_OUT": "10"}

    first = shop.bhiv("render", "mill.txt", *SMALL, **with_model(model, **prices))

    assert first.code == 0, first.err
    assert first.summary["storyboard_source"] == "lm"
    assert first.summary["lm"] == {
        "model": "tiny", "answers": 2, "prompt_tokens": 200, "completion_tokens": 40, "uncounted": 0, "cost": 0.0008,
    }  # fmt: skip
    assert first.summary["notes"] == []
    asked = len(model.requests)
    assert asked == 2
    [metadata] = shop.metadata()
    assert (metadata["storyboard_source"], metadata["title"]) == ("lm", "A Title of the Model's Own")
    assert "storyboard by  lm" in shop.bhiv("status", first.summary["job_id"]).out

    again = shop.bhiv("render", "mill.txt", *SMALL, **with_model(model, **prices))

    assert again.summary["storyboard_source"] == "lm"
    assert again.summary["lm"] is None
    assert len(model.requests) == asked
    stages = again.summary["stages"]
    assert {step: stages[step]["cached"] for step in stages if step != "upload"} == {
        step: stages[step]["total"] for step in stages if step != "upload"
    }


def test_a_model_that_is_down_leaves_the_video_to_the_rules(shop: Shop, model: LanguageModelServer) -> None:
    shop.write("mill.txt", SCRIPT)
    model.server.always = "429 long"

    ended = shop.bhiv("render", "mill.txt", *SMALL, **with_model(model))

    assert ended.code == 0, ended.err
    assert ended.summary["storyboard_source"] == "rules"
    [note] = ended.summary["notes"]
    assert note.startswith("the language model answered 429 Too Many Requests")
    assert note.endswith("; the storyboard was made by rules")
    assert f"bhiv: {note}\n" in ended.err
    assert len(model.requests) == 1


def test_a_topic_becomes_a_video_and_a_plan_of_it_asks_nothing_more(shop: Shop, model: LanguageModelServer) -> None:
    about = ("--topic", "a mill", "--minutes", "0.3")

    ended = shop.bhiv("render", *about, *SMALL, **with_model(model))

    assert ended.code == 0, ended.err
    assert (shop.folder / "out/a-mill.mp4").exists()
    content = ended.summary["content_id"]
    assert (shop.bucket / f"scripts/{content}_script.txt").read_text().startswith("# On a mill\n")
    asked = len(model.requests)
    planned = shop.bhiv("plan", *about, *SMALL[:-1], **with_model(model))
    assert planned.out == (shop.bucket / f"storyboards/{content}_storyboard.json").read_text() + "\n"
    assert len(model.requests) == asked == 3


def test_a_topic_that_nobody_writes_about_fails_in_one_line(shop: Shop, model: LanguageModelServer) -> None:
    model.server.always = "401"

    ended = shop.bhiv("render", "--topic", "a mill", *SMALL, **with_model(model))

    assert (ended.code, ended.out) == (1, "")
    assert "bhiv: the language model answered 401 Unauthorized" in ended.err
    [metadata] = shop.metadata()
    assert (metadata["error"]["category"], metadata["error"]["step"]) == ("lm", "storyboard")


def test_who_ends_a_run_does_not_wait_for_a_model_that_is_silent(shop: Shop, model: LanguageModelServer) -> None:
    shop.write("mill.txt", SCRIPT)
    model.server.always, model.server.silence_seconds = "slow", 60

    running = shop.start("render", "mill.txt", *SMALL, **with_model(model, BHIV_LM_TIMEOUT_SECONDS="60"))
    wait_until(lambda: model.requests, "the first question")
    running.send_signal(signal.SIGINT)

    # The model would be silent for longer.
    _, said = running.communicate(timeout=50)
    assert running.returncode == 130
    assert b"interrupted; what is finished is kept" in said
    [metadata] = shop.metadata()
    assert metadata["error"]["category"] == "interrupted"
