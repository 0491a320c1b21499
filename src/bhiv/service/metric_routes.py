"""Metrics over HTTP."""

import anyio
from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bhiv import metrics
from bhiv.plan import Contract
from bhiv.service.auth import admit
from bhiv.service.documents import needs
from bhiv.service.problems import responses
from bhiv.service.state import service_of

router = APIRouter(tags=["metrics"])
_READS = needs("metrics")


class JobFigures(Contract):
    """What became of all jobs; an error counts each time that a job fails."""

    jobs_started: int
    jobs_completed: int
    jobs_failed: int = Field(description="How often a job has failed; one that fails again counts again.")
    total_duration_seconds: float = Field(description="Of making what was completed.")
    success_rate: float | None = Field(description="Of all ends, those that were good; null before the first.")
    image_errors: int
    tts_errors: int
    subtitle_errors: int
    render_errors: int
    stitch_errors: int
    upload_errors: int
    youtube_errors: int
    lm_errors: int
    other_errors: int = Field(description="Runs that were interrupted or refused.")


@router.get("/metrics", response_model=JobFigures, responses=responses(), openapi_extra=_READS)
async def json_metrics(request: Request) -> Response:
    """Tell what became of all jobs, and of what kind their errors were."""
    await admit(request, "metrics")
    return JSONResponse(metrics.as_json(await service_of(request).scrapes.figures()))


@router.get(
    "/metrics/prometheus",
    response_class=Response,
    responses={**responses(), 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    openapi_extra=_READS,
)
async def prometheus_metrics(request: Request) -> Response:
    """Tell all that is measured, in Prometheus' text format; docs/grafana.json shows it."""
    await admit(request, "metrics")
    figures = await service_of(request).scrapes.figures()
    text = await anyio.to_thread.run_sync(metrics.as_text, figures)
    return Response(text, headers={"Content-Type": metrics.MEDIA_TYPE})
