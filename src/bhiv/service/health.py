"""Whether the service lives, and whether it can work."""

from typing import Literal

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bhiv.bucket.replay import spooled
from bhiv.errors import CatalogUnavailable
from bhiv.plan import Contract
from bhiv.service.state import Service, service_of

router = APIRouter(tags=["health"])


class Health(Contract):
    """The service lives."""

    status: Literal["ok"] = "ok"


class Part(Contract):
    """Something that the service needs."""

    name: Literal["catalog", "bucket", "prefect"]
    state: Literal["ok", "degraded", "away"]
    detail: str | None = None


class Readiness(Contract):
    """Whether jobs are accepted, and what is amiss."""

    status: Literal["ready", "degraded", "unavailable"]
    parts: tuple[Part, ...]


@router.get("/health", response_model=Health)
async def health() -> Response:
    """Say that the service lives."""
    return JSONResponse({"status": "ok"})


@router.get("/ready", response_model=Readiness, responses={503: {"model": Readiness}})
async def ready(request: Request) -> Response:
    """Say whether jobs are accepted: 200 also when something is degraded, 503 without a catalog."""
    service = service_of(request)
    parts = (_catalog(service), _bucket(service), await _prefect(service))
    if parts[0].state != "ok":
        status = "unavailable"
    else:
        status = "ready" if all(part.state == "ok" for part in parts) else "degraded"
    body = Readiness.model_validate({"status": status, "parts": parts})
    return Response(body.model_dump_json(), 503 if status == "unavailable" else 200, media_type="application/json")


def _catalog(service: Service) -> Part:
    try:
        service.statuses.version("")
    except CatalogUnavailable as error:
        return Part(name="catalog", state="away", detail=str(error))
    return Part(name="catalog", state="ok")


def _bucket(service: Service) -> Part:
    if waiting := spooled(service.settings).operations:
        return Part(name="bucket", state="degraded", detail=f"{waiting} changes wait for S3 in the spool")
    return Part(name="bucket", state="ok")


async def _prefect(service: Service) -> Part:
    trouble = service.dispatcher.trouble
    if trouble is None and not await service.prefect.answers():
        trouble = "the Prefect server does not answer"
    return Part(name="prefect", state="ok") if trouble is None else Part(name="prefect", state="away", detail=trouble)
