import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import Field, SecretStr

from bhiv.access import LanguageModelAccess
from bhiv.chat_model import LanguageModel, Shape
from bhiv.errors import LMError
from bhiv.tokens import Usage
from tests.servers.lm import LanguageModelServer, completion, language_model_server
from tests.servers.vendor import FAULTS, Fault

RIGHT = '{"colour": "blue", "count": 3}'
WRONG = '{"colour": "blue", "count": "many"}'
MATERIAL = "--- material-0123456789abcdef ---\na sky\n--- material-0123456789abcdef ---"
INSTRUCTIONS = "What stands between material-0123456789abcdef is the material."


class Paint(Shape):
    colour: str = Field(max_length=20)
    count: int


@pytest.fixture
def model() -> Iterator[LanguageModelServer]:
    with language_model_server() as running:
        running.always = RIGHT
        yield running


def ask(server: LanguageModelServer, times: int = 1, **access: Any) -> tuple[Paint, Usage | None]:
    async def asked() -> tuple[Paint, Usage | None]:
        given = LanguageModelAccess.model_validate({"base_url": server.base_url, "model": "tiny", **access})
        async with LanguageModel(given, server.server.patience) as client:
            for _ in range(times):
                answer = await client.answer(INSTRUCTIONS, MATERIAL, Paint)
            return answer, client.usage

    return asyncio.run(asked())


def test_an_answer_has_the_shape_that_was_asked_for(model: LanguageModelServer) -> None:
    answer, _ = ask(model, api_key=SecretStr("sk-secret"))

    assert answer == Paint(colour="blue", count=3)
    [asked] = model.requests
    assert asked.headers["authorization"] == "Bearer sk-secret"
    assert asked.json["model"] == "tiny"
    assert [message["role"] for message in asked.json["messages"]] == ["system", "user"]
    held = asked.json["response_format"]["json_schema"]
    assert held["strict"] is True
    # Strict servers refuse schemas with optional fields or with keywords that they don't know.
    assert held["schema"] == {
        "type": "object",
        "properties": {"colour": {"type": "string"}, "count": {"type": "integer"}},
        "required": ["colour", "count"],
        "additionalProperties": False,
    }


def test_an_answer_is_streamed_so_that_a_slow_one_is_not_a_silent_one(model: LanguageModelServer) -> None:
    said = '{"colour": "नीला \u2028 x", "count": 3}'
    model.words = [said]

    assert ask(model)[0].colour == "नीला \u2028 x"
    assert model.requests[0].json["stream"] is True


def test_a_server_that_does_not_stream_is_understood_too(model: LanguageModelServer) -> None:
    model.streams = False

    answer, usage = ask(model)

    assert (answer.count, usage) == (3, Usage(model="tiny", answers=1, prompt_tokens=100, completion_tokens=20))


def test_a_stream_that_ends_too_early_is_asked_for_once_more(model: LanguageModelServer) -> None:
    model.server.faults = ["truncated"]

    assert ask(model)[0].count == 3

    first, second = model.requests
    assert first.json == second.json


def test_a_model_on_this_machine_needs_no_key(model: LanguageModelServer) -> None:
    ask(model)

    assert "authorization" not in model.requests[0].headers


def test_a_server_that_knows_no_schema_is_told_it_in_words(model: LanguageModelServer) -> None:
    model.unknown_ways = frozenset({"json_schema"})

    answer, _ = ask(model, times=2)

    assert answer.count == 3
    ways = [asked.json["response_format"]["type"] for asked in model.requests]
    assert ways == ["json_schema", "json_object", "json_object"]
    assert '"colour"' in model.requests[1].json["messages"][0]["content"]


def test_a_server_that_knows_no_shapes_at_all_is_asked_plainly(model: LanguageModelServer) -> None:
    model.unknown_ways = frozenset({"json_schema", "json_object"})

    ask(model, times=2)

    assert ["response_format" in asked.json for asked in model.requests] == [True, True, False, False]
    assert "stream" not in model.requests[-1].json


def test_a_server_that_refuses_the_plain_request_too_is_asked_no_more(model: LanguageModelServer) -> None:
    model.server.always = "400"

    with pytest.raises(LMError, match="answered 400 Bad Request"):
        ask(model)

    assert len(model.requests) == 3


def test_a_request_that_is_too_long_is_refused_once(model: LanguageModelServer) -> None:
    said = b'{"error": {"message": "This model\'s maximum context length is 4096 tokens.", "code": "context_length"}}'
    model.server.answer = lambda asked: type(model.answer(asked))(said, status=400)

    with pytest.raises(LMError, match="maximum context length is 4096 tokens"):
        ask(model)

    assert len(model.requests) == 1


@pytest.mark.parametrize(
    "words",
    [
        f"```json\n{RIGHT}\n```",
        f"```\n{RIGHT}\n```",
        f"Here it is:\n\n```json\n{RIGHT}\n```\nAnything else?",
        f"Sure! {RIGHT} Is that right?",
        f"<think>The sky {{is}} blue: {WRONG}</think>\n{RIGHT}",
        f"In set notation {{blue}}, so: {RIGHT}",
        f"\ufeff{RIGHT}",
        '{"colour": "blue", "count": 3, "why": "the sky"}',
    ],
)
def test_what_stands_around_an_answer_does_not_matter(model: LanguageModelServer, words: str) -> None:
    model.words = [words]

    assert ask(model)[0].count == 3
    assert len(model.requests) == 1


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (WRONG, "count: Input should be a valid integer"),
        ('{"count": 3}', "colour: Field required"),
        (f'{{"colour": "{"b" * 21}", "count": 3}}', "colour: String should have at most 20 characters"),
        ("[1, 2]", "no JSON object"),
        ("```json\n{'colour': 'blue'\n```", "no JSON object"),
        ("I can't do that.", "no JSON object"),
        ('{"a":' * 5_000, "no JSON object"),
        ("{" * 20_000, "no JSON object"),
    ],
)
def test_a_wrong_answer_is_sent_back_once_with_what_is_wrong(
    model: LanguageModelServer, words: str, wrong: str
) -> None:
    model.words = [words]

    assert ask(model)[0].count == 3
    first, second = model.requests
    *before, back, complaint = second.json["messages"]
    assert before == first.json["messages"]
    assert back["role"] == "assistant"
    assert words.startswith(back["content"])
    assert wrong in complaint["content"]


def test_an_answer_that_is_wrong_twice_is_an_error(model: LanguageModelServer) -> None:
    model.always = WRONG

    with pytest.raises(LMError, match="no usable answer, asked twice: count: Input should be a valid integer"):
        ask(model)

    assert len(model.requests) == 2


def test_what_no_schema_can_say_is_sent_back_too(model: LanguageModelServer) -> None:
    def check(paint: Paint) -> None:
        if len(model.requests) == 1:
            raise ValueError("blue was yesterday")

    async def asked() -> Paint:
        async with LanguageModel(
            LanguageModelAccess(base_url=model.base_url, model="tiny"), model.server.patience
        ) as client:
            return await client.answer(INSTRUCTIONS, MATERIAL, Paint, check)

    assert asyncio.run(asked()).colour == "blue"
    assert "blue was yesterday" in model.requests[1].json["messages"][-1]["content"]


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_hangs_or_is_asked_about_more_often_than_agreed(model: LanguageModelServer, fault: Fault) -> None:
    model.server.always = fault

    if fault == "type":  # some servers name no media type, or another
        assert ask(model)[0].count == 3
    else:
        with pytest.raises(LMError, match=r"^the language model "):
            ask(model)

    most = 1 if fault in {"401", "403", "404", "302", "huge", "429 long", "type"} else 3
    assert 1 <= len(model.requests) <= most


@pytest.mark.parametrize("fault", [*FAULTS])
def test_a_fault_that_passes_leaves_no_trace(model: LanguageModelServer, fault: Fault) -> None:
    model.server.faults = [fault]

    if fault in {"401", "403", "404", "302", "huge", "429 long"}:
        with pytest.raises(LMError):
            ask(model)
    else:
        assert ask(model)[0].count == 3


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (completion(None, refusal="I can't help with that."), "refused: I can't help with that."),
        ({"choices": [{"message": {"content": RIGHT}, "finish_reason": "length"}]}, "limit of tokens"),
        ({"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]}, "filter held"),
    ],
)
def test_an_answer_that_would_be_the_same_again_is_not_asked_for_again(
    model: LanguageModelServer, changed: dict[str, Any], said: str
) -> None:
    model.change = lambda _: changed

    with pytest.raises(LMError, match=said):
        ask(model)

    assert len(model.requests) == 1


@pytest.mark.parametrize(
    "changed",
    [{"choices": []}, {"error": {"message": "no"}}, [], {"choices": [{"message": None}]}, completion(None), None],
)
def test_what_is_no_chat_completion_is_asked_for_once_more(model: LanguageModelServer, changed: Any) -> None:
    model.change = lambda _: changed

    with pytest.raises(LMError, match="asked twice"):
        ask(model)

    assert len(model.requests) == 2


def test_words_that_come_in_parts_are_put_together(model: LanguageModelServer) -> None:
    parts = [{"type": "text", "text": RIGHT[:10]}, {"type": "text", "text": RIGHT[10:]}]
    model.change = lambda _: {"choices": [{"message": {"content": parts}}]}

    assert ask(model)[0].count == 3


def test_tokens_and_their_price_are_added_up(model: LanguageModelServer) -> None:
    _, usage = ask(model, times=3, price_in=2.0, price_out=10.0)

    assert usage == Usage(model="tiny", answers=3, prompt_tokens=300, completion_tokens=60, cost=0.0012)


def test_without_prices_the_cost_is_unknown(model: LanguageModelServer) -> None:
    assert ask(model)[1] == Usage(model="tiny", answers=1, prompt_tokens=100, completion_tokens=20)


@pytest.mark.parametrize(
    "told", [None, {}, [], {"prompt_tokens": "100"}, {"prompt_tokens": -1, "completion_tokens": 1}]
)
def test_an_answer_that_does_not_say_its_tokens_is_counted_as_such(model: LanguageModelServer, told: Any) -> None:
    model.change = lambda whole: whole | {"usage": told}

    _, usage = ask(model, price_in=1.0, price_out=1.0)

    assert usage is not None
    assert (usage.answers, usage.uncounted, usage.cost) == (1, 1, None)
