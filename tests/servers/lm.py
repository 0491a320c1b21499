"""A language model behind the chat completions of OpenAI's API: it reads what it is sent, and answers in its shape."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.servers.vendor import Asked, Said, VendorServer, vendor_server

_MATERIAL = re.compile(r"^--- (material-[0-9a-f]{16}) ---\n(.*)\n--- \1 ---$", re.DOTALL)
REFUSED_SHAPE = "response_format.type: unknown"


@dataclass
class LanguageModelServer:
    """How it answers, and what it was asked."""

    #: Ways of holding it to a shape that it refuses with 400, as some servers do.
    unknown_ways: frozenset[str] = frozenset()
    #: What it says in place of the right words, one for each of the next requests; None says the right ones.
    words: list[str | None] = field(default_factory=list)
    #: What it says to every request for which there are no others.
    always: str | None = None
    #: Whether it streams when it is asked to; some servers don't.
    streams: bool = True
    #: Changes the whole answer before it is sent.
    change: Callable[[dict[str, Any]], dict[str, Any]] = lambda whole: whole
    server: VendorServer = field(default_factory=lambda: VendorServer(lambda _: Said(b"")))

    @property
    def base_url(self) -> str:
        return f"{self.server.url}/v1"

    @property
    def requests(self) -> list[Asked]:
        return self.server.requests

    @property
    def asked(self) -> list[Any]:
        """The material of every request: a topic's words, or what its JSON holds."""
        return [material(asked.json["messages"]) for asked in self.requests]

    def answer(self, asked: Asked) -> Said:
        """Answer a request as the API does."""
        assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
        body = asked.json
        way = body.get("response_format", {}).get("type", "plain")
        if way in self.unknown_ways:
            error = {"message": REFUSED_SHAPE, "type": "invalid_request_error"}
            return Said(json.dumps({"error": error}).encode(), status=400)
        right = json.dumps(right_answer(body["messages"]), ensure_ascii=False)
        words = self.words.pop(0) if self.words else self.always
        whole = self.change(completion(right if words is None else words))
        if body.get("stream") and self.streams and isinstance(whole, dict) and whole.get("object"):
            counted = body.get("stream_options", {}).get("include_usage")
            return Said(streamed(whole, counted=counted), "text/event-stream")
        return Said.of(whole)


def completion(words: str | None, **message: Any) -> dict[str, Any]:
    """Return the whole answer that holds these words."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "tiny",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": words, **message}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }


def streamed(whole: dict[str, Any], *, counted: bool) -> bytes:
    """Return a whole answer as the events that it is streamed in: a few letters each, the usage last."""
    [choice] = whole["choices"]
    message = choice["message"]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    for name in ("content", "refusal"):
        words = message.get(name) or ""
        deltas += [{name: words[start : start + 40]} for start in range(0, len(words), 40)]
    pieces = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}], "usage": None} for delta in deltas]
    pieces += [{"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}]
    if counted:
        pieces += [{"choices": [], "usage": whole.get("usage")}]
    told = [json.dumps({"object": "chat.completion.chunk", **piece}, ensure_ascii=False) for piece in pieces]
    return "".join([": working\n\n", *(f"data: {piece}\n\n" for piece in told), "data: [DONE]\n\n"]).encode()


def material(messages: list[dict[str, str]]) -> Any:
    """Return what stands between the fences of a request: JSON as its value, a topic as its words."""
    found = _MATERIAL.match(messages[1]["content"])
    assert found, "the material is fenced"
    assert found[1] in messages[0]["content"], "the instructions name the fence"
    text = found[2]
    return json.loads(text) if text.startswith("{") else text


def right_answer(messages: list[dict[str, str]]) -> Any:
    """Return what a good model says: the same to the same request."""
    about = material(messages)
    if isinstance(about, str):
        return written(about)
    if "scenes" in about:
        return {"scenes": [direction(scene["scene"], scene["narration"]) for scene in about["scenes"]]}
    return {"title": "A Title of the Model's Own", "style": "forest"}


def written(topic: str) -> Any:
    """Return a script about a topic, of about fifty words."""
    said = f"This is about {topic}. It stands by a river, and the river runs to the sea."
    paragraphs = [said, "The water turns the wheel all day.", "At night the wheel stands still, and the water sings."]
    return {"title": f"On {topic}", "sections": [{"heading": None, "paragraphs": paragraphs}]}


def direction(number: int, narration: str) -> Any:
    """Return what is seen with a narration."""
    first = " ".join(re.sub(r"[^\w\s]", "", narration).split()[:2])
    return {
        "scene": number,
        "picture": f"a wide river at dawn, for {first}",
        "mood": "calm morning",
        "on_screen": f"{first} to keep",
        "chapter": f"Chapter {first}",
    }


@contextmanager
def language_model_server() -> Iterator[LanguageModelServer]:
    """Run a language model until the block is left."""
    model = LanguageModelServer()
    with vendor_server(model.answer) as server:
        model.server = server
        yield model
