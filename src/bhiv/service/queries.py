"""Reading query parameters: one that is wrong is refused by name, never echoed."""

import re
from collections.abc import Collection

from starlette.requests import Request

from bhiv.service.problems import Problem

_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_MOST_TEXT = 500


def number(request: Request, name: str, default: int, most: int) -> int:
    """Return a whole number from 1 to `most`; raises Problem."""
    given = request.query_params.get(name)
    if given is None:
        return default
    if not _NUMBER.fullmatch(given) or not 1 <= int(given) <= most:
        raise Problem(422, "refused", f"{name} is a whole number from 1 to {most}")
    return int(given)


def text(request: Request, name: str, pattern: str | None = None) -> str | None:
    """Return a text that the catalog takes and that fits `pattern`, None when it was not given; raises Problem."""
    given = request.query_params.get(name)
    if given is None:
        return None
    if len(given) > _MOST_TEXT or "\0" in given or any("\ud800" <= letter <= "\udfff" for letter in given):
        raise Problem(422, "refused", f"{name} is a text of at most {_MOST_TEXT} characters")
    if pattern is not None and not re.fullmatch(pattern, given, re.ASCII):
        raise Problem(422, "refused", f"{name} is not of the form {pattern}")
    return given


def choice(request: Request, name: str, choices: Collection[str]) -> str | None:
    """Return one of the choices, None when it was not given; raises Problem."""
    given = request.query_params.get(name)
    if given is not None and given not in choices:
        raise Problem(422, "refused", f"{name} is one of {', '.join(choices)}")
    return given


def flag(request: Request, name: str) -> bool:
    """Return whether a parameter is on; off when it was not given. Raises Problem."""
    return choice(request, name, ("true", "false", "1", "0")) in {"true", "1"}


def described(name: str, description: str, **schema: object) -> dict[str, object]:
    """Return what describes a query parameter in the OpenAPI document."""
    return {"name": name, "in": "query", "schema": schema, "description": description}
