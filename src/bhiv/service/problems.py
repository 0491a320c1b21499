"""Errors as RFC 9457 problem details: what happened and what to do, never what was sent."""

import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route

from bhiv.errors import (
    BhivError,
    CatalogUnavailable,
    ContentMissing,
    DiskFull,
    IdempotencyConflict,
    InputRefused,
    InvalidKey,
    JobMissing,
    JobStateConflict,
    ObjectMissing,
    PlanError,
    QueueFull,
    ServerUnavailable,
    StorageMisconfigured,
    StorageUnavailable,
)
from bhiv.plan import refusal

MEDIA_TYPE = "application/problem+json"
_RETRY_SECONDS = "5"

#: The status and title of each error; the first that fits.
_KINDS: Sequence[tuple[type[BhivError], int, str]] = (
    (JobMissing, 404, "no such job"),
    (ContentMissing, 404, "no such content"),
    (ObjectMissing, 404, "no such object"),
    (JobStateConflict, 409, "not possible in this state"),
    (IdempotencyConflict, 422, "idempotency key used before"),
    (InputRefused, 422, "refused"),
    (InvalidKey, 422, "refused"),
    (QueueFull, 429, "the queue is full"),
    (CatalogUnavailable, 503, "the catalog is away"),
    (StorageUnavailable, 503, "the bucket is away"),
    (StorageMisconfigured, 503, "the bucket is away"),
    (ServerUnavailable, 503, "Prefect is away"),
    (DiskFull, 507, "no space left"),
)

_FIELD = re.compile(r"[A-Za-z0-9_.]{0,100}")
_log = logging.getLogger(__name__)


class ProblemDetails(BaseModel):
    """An error (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None
    field: str | None = Field(None, description="Dotted path of the field that is wrong, where there is one.")


class Problem(Exception):
    """An answer that says no."""

    def __init__(self, status: int, title: str, detail: str | None = None, headers: Mapping[str, str] | None = None):
        super().__init__(detail or title)
        self.status, self.title, self.detail, self.headers = status, title, detail, headers


def answer(
    status: int, title: str, detail: str | None = None, headers: Mapping[str, str] | None = None, field: str = ""
) -> Response:
    """Return a problem as a response."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status}
    if detail:
        body["detail"] = detail
    if field:
        body["field"] = field
    # A message may quote what no encoding can carry.
    data = orjson.dumps({name: _sendable(value) for name, value in body.items()})
    return Response(data, status, dict(headers or {}), MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Have every error of the app answered as a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(BhivError, _refusal)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ValidationError, _broken)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _mistake)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of a route's errors."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content} for status in (401, 403, *statuses, 503)
    }


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return answer(error.status, error.title, error.detail, error.headers)


async def _refusal(request: Request, error: Exception) -> Response:
    for kind, status, title in _KINDS:
        if isinstance(error, kind):
            headers = {"Retry-After": _RETRY_SECONDS} if status in {429, 503} else {}
            field, detail = error.field if isinstance(error, PlanError) else "", str(error)
            if not _FIELD.fullmatch(field):  # a name that nobody here has given
                field, detail = "", detail.removeprefix(f"{field}: ")
            return answer(status, title, detail, headers, field)
    return await _mistake(request, error)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    return answer(422, "refused", f"{field or 'the request'}: {first['msg']}", field=field)


async def _broken(request: Request, error: Exception) -> Response:
    assert isinstance(error, ValidationError)
    return await _refusal(request, refusal(error))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = {**(error.headers or {})}
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and (methods := _methods(request)):
        # Starlette names the methods of one route of the path only.
        headers["Allow"] = ", ".join(sorted(methods))
    return answer(error.status_code, HTTPStatus(error.status_code).phrase.lower(), None, headers)


def _methods(request: Request) -> set[str]:
    routes: Sequence[Route] = request.app.state.routes
    fitting = [route for route in routes if route.matches(request.scope)[0] != Match.NONE]
    # `/bucket/stats` is that, although it would also do for `/bucket/{key}`.
    fewest = min((len(route.param_convertors) for route in fitting), default=0)
    return {method for route in fitting if len(route.param_convertors) == fewest for method in route.methods or ()}


async def _gone(_: Request, __: Exception) -> Response:
    return Response(None, 400)  # to nobody


async def _mistake(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    headers = {"X-Request-Id": id_} if (id_ := request.scope.get("state", {}).get("request_id")) else {}
    return answer(500, "internal error", "this is a mistake of the service; its log says more", headers)


def _sendable(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
