"""Reading request bodies: JSON that is not what it should be is refused, whatever it holds."""

import re
from math import isfinite
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import Request

from bhiv.plan import refusal
from bhiv.service.problems import Problem

M = TypeVar("M", bound=BaseModel)

_JSON = "application/json"
_MOST_VALUES = 50_000
#: What the parser may read as infinity.
_GREAT = re.compile(rb"[0-9][eE]\+?[0-9]{3}|[0-9]{300}")
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"')


async def json_body(request: Request) -> Any:
    """Return the JSON that a request holds.

    Strict: no NaN, no lone surrogates, no depth or numbers that break a reader, UTF-8 only.

    Raises:
        Problem: 415 for another content type, 400 for what is no JSON.
    """
    if media_type(request) != _JSON:
        raise Problem(415, "unsupported media type", f"send {_JSON}")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(415, "unsupported content encoding", "send the body as it is, without compression")
    return parse_json(await request.body())


def parse_json(data: bytes) -> Any:
    """Return the JSON value in `data`; raises Problem for what is none, or holds very many values."""
    # A million empty scenes are four megabytes, and checking them would hold everybody up for many seconds.
    if data.count(b",") > _MOST_VALUES and _TEXT.sub(b"", data).count(b",") > _MOST_VALUES:
        raise Problem(413, "too large", f"the body holds more than {_MOST_VALUES:,} values")
    try:
        value = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise Problem(400, "not JSON", f"the body is not JSON: {error}") from None
    if _GREAT.search(data) and _holds_infinity(value):
        raise Problem(400, "not JSON", "the body holds a number that is too great")
    return value


def _holds_infinity(value: Any) -> bool:
    waiting = [value]
    while waiting:
        match waiting.pop():
            case float(number) if not isfinite(number):
                return True
            case dict(values):
                waiting.extend(values.values())
            case list(values):
                waiting.extend(values)
    return False


def media_type(request: Request) -> str:
    """Return the content type without its parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def validated(model: type[M], values: Any) -> M:
    """Return the values as a `model`; raises PlanError, which names the first field that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise refusal(error) from None
