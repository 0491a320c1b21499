"""Reading request bodies: JSON that is not what it should be is refused, whatever it holds."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import Request

from bhiv.plan import refusal
from bhiv.service.problems import Problem

M = TypeVar("M", bound=BaseModel)

_JSON = "application/json"


async def json_body(request: Request) -> Any:
    """Return the JSON that a request holds.

    Strict: no NaN, no lone surrogates, no depth or numbers that break a reader, UTF-8 only.

    Raises:
        Problem: 415 for another content type, 400 for what is no JSON.
    """
    if media_type(request) != _JSON:
        raise Problem(415, "unsupported media type", f"send {_JSON}")
    return parse_json(await request.body())


def parse_json(data: bytes) -> Any:
    """Return the JSON value in `data`; raises Problem for what is none."""
    try:
        return from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise Problem(400, "not JSON", f"the body is not JSON: {error}") from None


def media_type(request: Request) -> str:
    """Return the content type without its parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def validated(model: type[M], values: Any) -> M:
    """Return the values as a `model`; raises PlanError, which names the first field that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise refusal(error) from None
