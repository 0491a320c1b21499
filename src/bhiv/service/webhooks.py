"""Callbacks and what becomes of their letters: how they stand, each try, and sending again."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from bhiv.catalog import deliveries
from bhiv.catalog.deliveries import CallbackView, DeliveryView, LetterView
from bhiv.errors import JobMissing
from bhiv.plan import Contract
from bhiv.service.auth import admit
from bhiv.service.documents import needs
from bhiv.service.problems import Problem, responses
from bhiv.service.state import Service, service_of

router = APIRouter(tags=["webhooks"])
_READS, _WRITES, _RULES = needs("render:read"), needs("render:write"), needs("admin")

_CALLBACKS = TypeAdapter(list[CallbackView])
_TRIES = TypeAdapter(list[DeliveryView])
_LETTERS = TypeAdapter(list[LetterView])

Limit = Annotated[int, Query(ge=1, le=1_000)]
Before = Annotated[
    str | None, Query(pattern="^[0-9a-f]{24}$", description="Older than this letter, for the next page.")
]


class Replayed(Contract):
    """How many letters are sent again."""

    replayed: int


@router.get(
    "/render/{job_id}/webhook", response_model=list[CallbackView], responses=responses(404, 422), openapi_extra=_READS
)
async def callbacks(request: Request, job_id: str) -> Response:
    """Tell who is told of the job's end, and how that stands; secrets are not shown."""
    await admit(request, "render:read")
    service = service_of(request)
    _must_be_there(service, job_id)
    return _json(_CALLBACKS.dump_json(deliveries.callbacks(service.catalog, job_id)))


@router.get(
    "/render/{job_id}/webhook/deliveries",
    response_model=list[DeliveryView],
    responses=responses(404, 422),
    openapi_extra=_READS,
)
async def tries(request: Request, job_id: str, limit: Limit = 100) -> Response:
    """List the tries to tell the job's callbacks, the newest first."""
    await admit(request, "render:read")
    service = service_of(request)
    _must_be_there(service, job_id)
    return _json(_TRIES.dump_json(deliveries.tries(service.catalog, job_id, limit)))


@router.post(
    "/deliveries/{letter_id}/replay",
    status_code=202,
    response_model=LetterView,
    responses=responses(404, 422),
    openapi_extra=_WRITES,
)
async def replay(request: Request, letter_id: str) -> Response:
    """Send a letter to a callback again, under the same id, whether it has arrived before or not."""
    await admit(request, "render:write")
    service = service_of(request)
    return await _replayed(service, letter_id, ("callback",))


@router.get("/deadletters", response_model=list[LetterView], responses=responses(422), openapi_extra=_RULES)
async def dead_letters(request: Request, limit: Limit = 100, before: Before = None) -> Response:
    """List what was given up, to callbacks and to the Core service, the newest first."""
    await admit(request, "admin")
    return _json(_LETTERS.dump_json(deliveries.given_up(service_of(request).catalog, limit, before)))


@router.post(
    "/deadletters/replay", status_code=202, response_model=Replayed, responses=responses(), openapi_extra=_RULES
)
async def replay_all(request: Request) -> Response:
    """Send everything that was given up again, each letter under the same id."""
    await admit(request, "admin")
    replayed = await service_of(request).write(deliveries.replay_given_up)
    return _json(Replayed(replayed=replayed).model_dump_json().encode(), 202)


@router.post(
    "/deadletters/{letter_id}/replay",
    status_code=202,
    response_model=LetterView,
    responses=responses(404, 422),
    openapi_extra=_RULES,
)
async def replay_one(request: Request, letter_id: str) -> Response:
    """Send a letter to a callback or to the Core service again, under the same id."""
    await admit(request, "admin")
    return await _replayed(service_of(request), letter_id, deliveries.KINDS)


async def _replayed(service: Service, letter_id: str, kinds: tuple[str, ...]) -> Response:
    if not await service.write(partial(deliveries.replay, letter=letter_id, kinds=kinds)):
        raise Problem(404, "no such letter", "there is no such letter; GET /render/JOB/webhook lists those of a job")
    letter = deliveries.letter(service.catalog, letter_id)
    assert letter is not None, "letters are never removed"
    return _json(letter.model_dump_json().encode(), 202)


def _must_be_there(service: Service, job_id: str) -> None:
    if service.statuses.version(job_id) is None:
        raise JobMissing("there is no such job")


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")
