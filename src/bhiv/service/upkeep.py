"""Upkeep of the bucket over HTTP: each starts the deployment of that name and returns at once."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bhiv.cleaning import CleanUpRules
from bhiv.logs import RotateRules
from bhiv.plan import Contract
from bhiv.prefect_api import RunRefused
from bhiv.request import new_id
from bhiv.service.auth import admit
from bhiv.service.bodies import json_body, validated
from bhiv.service.documents import body_of, needs
from bhiv.service.problems import Problem, responses
from bhiv.service.state import service_of

router = APIRouter(tags=["bucket"])
_ADMIN = needs("bucket:admin")


class Started(Contract):
    """A run that was started; its report is an artifact in Prefect."""

    run_id: str
    #: The run's page, for operators.
    prefect_url: str | None


def _optional(*models: type[Contract]) -> dict[str, Any]:
    described = body_of(*models)
    described["requestBody"]["required"] = False
    return described


@router.post(
    "/bucket/clean-up",
    status_code=202,
    response_model=Started,
    responses=responses(400, 413, 415, 422),
    openapi_extra=_optional(CleanUpRules) | _ADMIN,
)
async def clean_up(request: Request) -> Response:
    """Start a clean-up, by rules that may be left out."""
    await admit(request, "bucket:admin")
    return await _start(request, "clean_up", CleanUpRules)


@router.post(
    "/bucket/rotate-logs",
    status_code=202,
    response_model=Started,
    responses=responses(400, 413, 415, 422),
    openapi_extra=_optional(RotateRules) | _ADMIN,
)
async def rotate_logs(request: Request) -> Response:
    """Start the packing of large logs and old records, by rules that may be left out."""
    await admit(request, "bucket:admin")
    return await _start(request, "rotate_logs", RotateRules)


@router.post(
    "/bucket/replay-failures", status_code=202, response_model=Started, responses=responses(422), openapi_extra=_ADMIN
)
async def replay_failures(request: Request) -> Response:
    """Start to bring to S3 what waits for it."""
    await admit(request, "bucket:admin")
    return await _start(request, "replay_failures", None)


async def _start(request: Request, deployment: str, rules: type[Contract] | None) -> Response:
    service, parameters = service_of(request), {}
    if rules is not None and await request.body():
        given = validated(rules, await json_body(request))
        parameters = {"rules": given.model_dump(mode="json", exclude_unset=True)}
    try:
        run_id = await service.prefect.start_run(deployment, parameters, new_id())
    except RunRefused as error:
        raise Problem(422, "refused", str(error)) from None
    page = f"{service.ui_url}/runs/flow-run/{run_id}" if service.ui_url else None
    started = Started(run_id=run_id, prefect_url=page)
    return JSONResponse(started.model_dump(), 202, {"Location": page} if page else {})
