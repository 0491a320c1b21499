"""The language model: asked for answers of a certain shape, over any API that is compatible with OpenAI's.

Servers differ in how they can be held to a shape: by a JSON schema, to any JSON, or not at all. The strictest is asked
for first, and what comes back is checked whatever was promised. Answers are streamed: else a slow model is silent.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from bhiv.access import LanguageModelAccess
from bhiv.errors import LMError
from bhiv.tokens import Usage
from bhiv.vendors import Patience, Vendor, VendorClient

A = TypeVar("A", bound="Shape")

#: Answers are short, but come with 200 bytes around each token; what is longer is no answer.
_MAX_BYTES = 4 << 20
#: Of an answer that can't be used, so much is sent back, and so many of its errors.
_SENT_BACK = 20_000
_MOST_ERRORS = 8
#: An answer that holds more opening braces than this before its object is no answer.
_MOST_BRACES = 50
#: How servers say that they don't know a way of holding the model to a shape; or anything else about a request.
_REFUSED = frozenset({400, 422})
_TOO_LONG = re.compile(r"context[ _](length|window|size)|maximum context|too many tokens", re.IGNORECASE)
_THOUGHTS = re.compile(r"<think>.*?</think>", re.DOTALL)
_FENCED = re.compile(r"```[a-zA-Z]*\s*\n(.*?)```", re.DOTALL)
#: Not of a plain request: who refuses everything else may not know these either.
_STREAMED: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
#: What the strict mode of some servers refuses in a schema; it is checked here anyway.
_NOT_STRICT = frozenset({"title", "default", "minLength", "maxLength", "minItems", "maxItems", "pattern"})


class Shape(BaseModel):
    """Base of what an answer must be; what a model adds of its own is not looked at."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class LanguageModel:
    """Connections to a language model, for one event loop, and what was asked over them."""

    def __init__(self, access: LanguageModelAccess, patience: Patience | None = None) -> None:
        self._access = access
        self._usage = Usage(model=access.model)
        #: Ways to hold the model to a shape that the server has not refused.
        self._ways = ["json_schema", "json_object", "plain"]
        self._client = VendorClient(_vendor(access, patience or _patience(access.timeout_seconds)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.__aexit__()

    @property
    def usage(self) -> Usage | None:
        """What was asked so far; None when there was no answer yet."""
        return self._usage if self._usage.answers else None

    @property
    def identity(self) -> str:
        """The model and where it runs, as part of a cache key."""
        return f"{self._access.model} at {self._access.base_url}"

    async def answer(
        self, instructions: str, material: str, shape: type[A], check: Callable[[A], object] = lambda _: None
    ) -> A:
        """Return the model's answer to the instructions about the material.

        One that can't be used is sent back once, with what is wrong. `check` raises a ValueError about what no schema
        can say; its message is for the model.

        Raises:
            LMError: there is no answer, or none that can be used.
        """
        messages = [{"role": "system", "content": instructions}, {"role": "user", "content": material}]
        try:
            return _read(await self._say(messages, shape), shape, check)
        except _Unusable as first:
            messages += _sent_back(first)
        try:
            return _read(await self._say(messages, shape), shape, check)
        except _Unusable as second:
            raise LMError(f"the language model gave no usable answer, asked twice: {second}") from None

    async def _say(self, messages: list[dict[str, str]], shape: type[Shape]) -> str:
        while True:
            way = self._ways[0]
            try:
                answer = await self._client.ask("POST", "/chat/completions", json=self._body(way, messages, shape))
            except LMError as error:
                if error.status not in _REFUSED or way == "plain" or _TOO_LONG.search(str(error)):
                    raise
                if self._ways[0] == way:  # several are asked at once
                    self._ways.remove(way)
            else:
                return self._words(answer.body)

    def _body(self, way: str, messages: list[dict[str, str]], shape: type[Shape]) -> dict[str, Any]:
        schema = _strict(shape.model_json_schema())
        if way == "json_schema":
            named = {"name": shape.__name__.strip("_").lower(), "strict": True, "schema": schema}
            return self._plain(messages) | _STREAMED | {"response_format": {"type": way, "json_schema": named}}
        told = f"\n\nAnswer with one JSON object, and nothing else, of this JSON schema:\n{json.dumps(schema)}"
        first = messages[0] | {"content": messages[0]["content"] + told}
        body = self._plain([first, *messages[1:]])
        return body | _STREAMED | {"response_format": {"type": way}} if way == "json_object" else body

    def _plain(self, messages: list[dict[str, str]]) -> dict[str, Any]:
        return {"model": self._access.model, "messages": messages}

    def _words(self, body: bytes) -> str:
        try:
            completion = _streamed(body) if body.lstrip()[:1] not in (b"{", b"[") else _whole(body)
        except ValidationError:
            self._count({})
            raise _Unusable("it is no chat completion", "") from None
        self._count(completion.usage)
        if not completion.choices:
            raise _Unusable("it is no chat completion, or was cut off", "")
        choice = completion.choices[0]
        if choice.message.refusal:
            raise LMError(f"the language model refused: {' '.join(choice.message.refusal.split())[:200]}")
        if choice.finish_reason == "content_filter":
            raise LMError("the language model's own filter held its answer back")
        if choice.finish_reason == "length":
            raise LMError("the language model's answer was cut off at the server's limit of tokens; raise it there")
        return choice.message.words

    def _count(self, told: Any) -> None:
        counts = told if isinstance(told, dict) else {}
        self._usage = self._usage.plus(
            _tokens(counts.get("prompt_tokens")),
            _tokens(counts.get("completion_tokens")),
            self._access.price_in,
            self._access.price_out,
        )


class _Unusable(Exception):
    """An answer that can't be used; `words` is what the model said, empty for nothing."""

    def __init__(self, message: str, words: str) -> None:
        super().__init__(message)
        self.words = words


class _Message(BaseModel):
    content: str | list[Any] | None = None
    refusal: str | None = None

    @property
    def words(self) -> str:
        if isinstance(self.content, list):
            return "".join(str(part.get("text", "")) for part in self.content if isinstance(part, dict))
        return self.content or ""


class _Choice(BaseModel):
    message: _Message = _Message()
    finish_reason: str | None = None


class _Completion(BaseModel):
    choices: list[_Choice]
    usage: Any = None


class _Piece(BaseModel):
    """A part of a streamed answer; `delta` is what comes to the message."""

    class Choice(BaseModel):
        delta: _Message = _Message()
        finish_reason: str | None = None

    choices: list[Choice] = []
    usage: Any = None


def _whole(body: bytes) -> _Completion:
    return _Completion.model_validate_json(body)


def _streamed(body: bytes) -> _Completion:
    """Return the answer that server-sent events are; one whose end is missing has no choices."""
    said, refused, usage, ended, reason = "", "", None, False, None
    # Not by lines of any kind: JSON may hold some of those that Python knows.
    for line in body.decode(errors="replace").split("\n"):
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            ended = True
            break
        piece = _Piece.model_validate_json(data)
        usage = piece.usage or usage
        for choice in piece.choices[:1]:
            said += choice.delta.words
            refused += choice.delta.refusal or ""
            reason = choice.finish_reason or reason
    message = _Message(content=said, refusal=refused or None)
    choices = [_Choice(message=message, finish_reason=reason)] if ended or reason else []
    return _Completion(choices=choices, usage=usage)


def _vendor(access: LanguageModelAccess, patience: Patience) -> Vendor:
    headers = {"Authorization": f"Bearer {access.api_key.get_secret_value()}"} if access.api_key else {}
    return Vendor("the language model", access.base_url, LMError, headers, patience, _MAX_BYTES)


def _patience(timeout_seconds: float) -> Patience:
    # The total is for a model that writes slowly; one that says nothing has used up its attempts long before.
    return replace(Patience(), silence=timeout_seconds, total=10 * timeout_seconds)


def _tokens(told: Any) -> int | None:
    return told if isinstance(told, int) and told >= 0 else None


def _sent_back(wrong: _Unusable) -> list[dict[str, str]]:
    if not wrong.words.strip():  # nothing to point at: it is asked the same again
        return []
    said = {"role": "assistant", "content": wrong.words[:_SENT_BACK]}
    return [said, {"role": "user", "content": f"That can't be used: {wrong}. Answer again, with the whole object."}]


def _read(words: str, shape: type[A], check: Callable[[A], object]) -> A:
    found = next(_objects(words), None)
    if found is None:
        raise _Unusable("it holds no JSON object" if words.strip() else "it is empty", words)
    try:
        answer = shape.model_validate(found)
        check(answer)
    except ValidationError as error:  # itself a ValueError
        raise _Unusable(_listed(error), words) from None
    except ValueError as error:
        raise _Unusable(str(error), words) from None
    return answer


def _objects(words: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects in a text: what it is as a whole, else what is fenced, else what begins anywhere in it."""
    words = _THOUGHTS.sub("", words).strip()
    for piece in (words, *(match[1] for match in _FENCED.finditer(words))):
        if isinstance(value := _value(piece), dict):
            yield value
    for brace in [match.start() for match in re.finditer(r"\{", words)][:_MOST_BRACES]:
        if isinstance(value := _value(words[brace:]), dict):
            yield value


def _value(text: str) -> Any:
    try:
        return json.JSONDecoder().raw_decode(text.strip())[0]
    except (ValueError, RecursionError):
        return None


def _listed(error: ValidationError) -> str:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    told = [f"{'.'.join(map(str, one['loc'])) or 'the object'}: {one['msg']}" for one in errors[:_MOST_ERRORS]]
    return "; ".join(told) + (f"; and {len(errors) - _MOST_ERRORS} more" if len(errors) > _MOST_ERRORS else "")


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema as strict servers want it: every field required, no other, and only keywords that they know."""
    kept = {name: value for name, value in schema.items() if name not in _NOT_STRICT}
    for named in ("properties", "$defs"):
        if named in kept:
            kept[named] = {name: _strict(value) for name, value in kept[named].items()}
    if "properties" in kept:
        kept |= {"required": list(kept["properties"]), "additionalProperties": False}
    if "items" in kept:
        kept["items"] = _strict(kept["items"])
    if "anyOf" in kept:
        kept["anyOf"] = [_strict(option) for option in kept["anyOf"]]
    return kept
