"""Jobs over HTTP: submit, look, follow, cancel, make again, be told."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from itertools import count
from typing import Any

from anyio import to_thread
from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from bhiv import jobs
from bhiv.api_keys import KeyView
from bhiv.errors import CatalogUnavailable, PlanError
from bhiv.jobs import Order
from bhiv.plan import CALLBACK, Contract, RenderPlan
from bhiv.request import RenderRequest, check_objects, check_request, make_request, named_objects
from bhiv.service.auth import admit
from bhiv.service.bodies import json_body
from bhiv.service.documents import body_of, needs
from bhiv.service.problems import Problem, responses
from bhiv.service.state import Service, service_of
from bhiv.service.status import JobStatus, as_row
from bhiv.webhook_secrets import check_secret

router = APIRouter(tags=["jobs"])
_READS, _WRITES = needs("render:read"), needs("render:write")

_MOST_KEY = 255
_FOLLOW_SECONDS = 0.5
_EVENTS = "text/event-stream"
#: Proxies cut what is silent for a minute.
_LOOKS_A_SIGN = 30
_POLL_SECONDS = "2"
#: A script of this size is checked in ten milliseconds; a megabyte takes half a second.
_QUICK_BYTES = 20_000


class Accepted(Contract):
    """A job that was accepted."""

    job_id: str
    content_id: str
    status: str = Field(description="`pending`, or what has become of the job of the same idempotency key.")
    estimated_wait_seconds: float


class Submission(RenderRequest):
    """A script, or a topic, with options beside it, in place of a plan."""


class CallbackBody(Contract):
    """Who is told of the job's end."""

    url: str = Field(max_length=2_000, pattern=CALLBACK)
    secret: str | None = Field(
        None, pattern=r"^whsec_[A-Za-z0-9+/=]{32,128}$", description="Of the signatures; null takes the service's own."
    )


@router.post(
    "/render",
    status_code=202,
    response_model=Accepted,
    responses=responses(400, 413, 415, 422, 429),
    openapi_extra=body_of(RenderPlan, Submission) | _WRITES,
)
async def submit(request: Request) -> Response:
    """Accept a plan, a script, or a topic for the language model, to be made into a video.

    What is accepted is on the disk when this answers. With an `Idempotency-Key` header the same request may be sent
    again and makes one job.
    """
    key = await admit(request, "render:write")
    values = await json_body(request)
    quick = len(await request.body()) <= _QUICK_BYTES
    return await accept(service_of(request), key, values, request.headers.get("idempotency-key"), quick=quick)


async def accept(
    service: Service, key: KeyView, values: Any, idempotency_key: str | None, *, quick: bool = False
) -> Response:
    """Check what is asked for, accept it and say so; with `quick`, checking it holds nobody else up.

    Raises:
        InputRefused: it can't be rendered; nothing was accepted.
        QueueFull: too many jobs wait.
    """
    checked = partial(order_of, service, key, values, idempotency_key)
    order = checked() if quick else await to_thread.run_sync(checked)
    if order.request.plan is not None and _names_objects(order.request.plan):
        await to_thread.run_sync(check_objects, order.request.plan, service.bucket)
    if not await _is_repeated(service, order):
        service.queue.enter(order.api_key_id)
    submitted = await service.write(partial(jobs.submit, order=order))
    service.dispatcher.wake()
    status = "pending"
    if not submitted.is_new:
        status = service.statuses.state(submitted.job_id)
    body = {
        "job_id": submitted.job_id,
        "content_id": submitted.content_id,
        "status": status,
        "estimated_wait_seconds": round(service.queue.wait().total_seconds(), 1),
    }
    headers = {"Location": f"/render/{submitted.job_id}/status", "Retry-After": _POLL_SECONDS}
    return JSONResponse(body, 202 if submitted.is_new else 200, headers)


def _names_objects(plan: RenderPlan) -> bool:
    return any(named_objects(plan))


async def _is_repeated(service: Service, order: Order) -> bool:
    # Who asks again after a lost answer must learn of the job, also when no more are taken.
    return order.idempotency_key is not None and jobs.is_known(service.catalog, order)


def order_of(service: Service, key: KeyView, values: Any, idempotency_key: str | None) -> Order:
    """Return the checked order that JSON values are: those of a plan, or of a script or a topic with options.

    Raises:
        InputRefused: they can't be rendered.
        Problem: the idempotency key is none.
    """
    if idempotency_key is not None and not (0 < len(idempotency_key) <= _MOST_KEY and idempotency_key.isprintable()):
        raise Problem(400, "refused", f"an Idempotency-Key has 1 to {_MOST_KEY} printable characters")
    if not isinstance(values, dict):
        raise PlanError("is not an object")
    given = {"plan": values} if "scenes" in values else values
    if not given.get("plan") and not given.keys() & {"script", "topic"}:
        raise PlanError("needs `scenes`, those of a plan, or `script`, or `topic`")
    _count_scenes(given.get("plan"), service.settings.max_scenes)
    request = make_request(given)
    check_request(request, service.settings)
    if request.callback is not None:
        service.courier.check_address(request.callback)
    return Order(
        request=request,
        fingerprint=jobs.fingerprint(values),
        api_key_id=None if key.id == "-" else key.id,
        idempotency_key=idempotency_key,
    )


def _count_scenes(plan: Any, most: int) -> None:
    # Before they are looked at one by one.
    scenes = plan.get("scenes") if isinstance(plan, dict) else None
    if isinstance(scenes, list) and len(scenes) > most:
        raise PlanError(f"has {len(scenes)} scenes; at most {most} are allowed", "scenes")


STATUS_PATH = "/render/{job_id}/status"
_STATUS_PARAMETERS = [
    {"name": "job_id", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[0-9a-f]{24}$"}},
    {
        "name": "include_history",
        "in": "query",
        "schema": {"type": "boolean", "default": False},
        "description": "Add every change of state and step.",
    },
]
_TRUTHS = {None: False, "false": False, "0": False, "true": True, "1": True}


@router.get(
    STATUS_PATH,
    response_model=JobStatus,
    responses={**responses(404, 422), 304: {"description": "It is as the ETag in If-None-Match says."}},
    openapi_extra=_READS | {"parameters": _STATUS_PARAMETERS},
)
async def status(request: Request) -> Response:
    """Tell how a job stands; send the ETag back in If-None-Match to be told only of changes."""
    # Thousands poll this: FastAPI's reading of two parameters would take as long as all the rest.
    await admit(request, "render:read")
    job_id, given = request.path_params["job_id"], request.query_params.get("include_history")
    if given not in _TRUTHS:
        raise Problem(422, "refused", "include_history is true or false")
    include_history = _TRUTHS[given]
    service = service_of(request)
    answer = service.statuses.get(job_id, service.ui_url, history=include_history)
    headers = {"ETag": answer.etag, "Cache-Control": "no-cache"}
    if not answer.is_final:
        headers["Retry-After"] = _POLL_SECONDS
    if _has(request.headers.get("if-none-match"), answer.etag):
        return Response(None, 304, headers)
    return Response(answer.body, 200, headers, "application/json")


def _has(etags: str | None, etag: str) -> bool:
    """Whether an If-None-Match names the ETag; proxies make it a weak one."""
    return etags is not None and (
        etags == etag or any(one.strip().removeprefix("W/") in {etag, "*"} for one in etags.split(","))
    )


@router.get(
    "/render/{job_id}/events",
    response_class=Response,
    responses={**responses(404), 200: {"content": {_EVENTS: {"schema": {"type": "string"}}}}},
    openapi_extra=_READS,
)
async def events(request: Request, job_id: str) -> Response:
    """Follow a job: its status now, and again at every change, as server-sent events, until it has ended."""
    await admit(request, "render:read")
    service = service_of(request)
    service.statuses.get(job_id, service.ui_url)
    following = _follow(service, job_id, request.headers.get("last-event-id"))
    # Not FastAPI's own: its routes answer an error inside the stream, after a 200.
    return StreamingResponse(following, 200, {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}, _EVENTS)


async def _follow(service: Service, job_id: str, seen: str | None) -> AsyncIterator[str]:
    for look in count(1):
        try:
            answer = service.statuses.get(job_id, service.ui_url)
        except CatalogUnavailable:
            return  # who follows comes again
        row = as_row(answer)
        if row["id"] != seen:
            seen = row["id"]
            yield f"id: {row['id']}\ndata: {row['data']}\n\n"
        if answer.is_final:
            return
        if look % _LOOKS_A_SIGN == 0:
            yield ": here\n\n"
        await asyncio.sleep(_FOLLOW_SECONDS)


@router.post(
    "/render/{job_id}/cancel",
    response_model=JobStatus,
    responses=responses(404, 409),
    openapi_extra=_WRITES,
)
async def cancel(request: Request, job_id: str) -> Response:
    """End a job that waits or is made; asking again changes nothing."""
    await admit(request, "render:write")
    service = service_of(request)
    await service.write(partial(jobs.cancel, job_id=job_id, core=service.settings.core_url is not None))
    return _now(service, job_id)


@router.post(
    "/render/{job_id}/retry",
    status_code=202,
    response_model=JobStatus,
    responses=responses(404, 409),
    openapi_extra=_WRITES,
)
async def retry(request: Request, job_id: str) -> Response:
    """Have a job that failed or was cancelled made again; what was finished is found again."""
    await admit(request, "render:write")
    service = service_of(request)
    await service.write(partial(jobs.retry, job_id=job_id))
    return _now(service, job_id, 202)


@router.put(
    "/render/{job_id}/webhook",
    responses=responses(400, 404, 413, 415, 422),
    response_model=JobStatus,
    openapi_extra=body_of(CallbackBody) | _WRITES,
)
async def register_callback(request: Request, job_id: str) -> Response:
    """Have an address told of the job's end, by a POST signed after Standard Webhooks."""
    await admit(request, "render:write")
    service = service_of(request)
    body = CallbackBody.model_validate(await json_body(request))
    service.courier.check_address(body.url)
    if body.secret is not None:
        check_secret(body.secret)
    await service.write(partial(jobs.add_callback, job_id=job_id, url=body.url, secret=body.secret))
    return _now(service, job_id)


def _now(service: Service, job_id: str, status: int = 200) -> Response:
    service.dispatcher.wake()
    answer = service.statuses.get(job_id, service.ui_url)
    return Response(answer.body, status, {"ETag": answer.etag}, "application/json")
