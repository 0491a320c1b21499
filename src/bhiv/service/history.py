"""What was made: jobs searched for, and analytics."""

from datetime import datetime
from functools import partial
from typing import get_args

import anyio
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from bhiv.catalog import analytics, views
from bhiv.catalog.analytics import By, Share
from bhiv.catalog.models import State as JobState
from bhiv.plan import Contract
from bhiv.record import Failure
from bhiv.service.auth import admit
from bhiv.service.documents import needs
from bhiv.service.problems import Problem, responses
from bhiv.service.queries import choice, described, number, text
from bhiv.service.state import service_of
from bhiv.service.status import STATES, State

router = APIRouter(tags=["history"])
_READS = needs("render:read")
_ID = "^[0-9a-f]{24}$"
_MOST_JOBS, _MOST_SHARES, _MOST_DAYS = 200, 1000, 3650
_CATALOG_STATES: dict[str, JobState] = {shown: kept for kept, shown in STATES.items()}


class JobLine(Contract):
    """A job in a list."""

    job_id: str
    content_id: str
    title: str
    uploader_id: str
    state: State
    step: str
    progress_pct: int
    error: Failure | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobPage(Contract):
    """Some jobs, the newest first."""

    jobs: tuple[JobLine, ...]
    #: Give it as `after` for the next page; null when this is the last.
    next: str | None


class Analytics(Contract):
    """What the last days have brought, the newest days or those with most jobs first."""

    by: By
    days: int
    shares: tuple[Share, ...]


_JOBS = [
    described("state", "Only jobs in this state.", type="string", enum=[*_CATALOG_STATES]),
    described("uploader_id", "Only jobs of this uploader.", type="string", maxLength=500),
    described("title", "A part of the title, in any case.", type="string", maxLength=500),
    described("after", "The last job of the page before.", type="string", pattern=_ID),
    described("limit", "Jobs at most.", type="integer", minimum=1, maximum=_MOST_JOBS, default=50),
]
_ANALYTICS = [
    described("by", "What is summed up.", type="string", enum=[*get_args(By)], default="day"),
    described("days", "How many days back.", type="integer", minimum=1, maximum=_MOST_DAYS, default=90),
    described("limit", "Shares at most.", type="integer", minimum=1, maximum=_MOST_SHARES, default=100),
]


@router.get("/jobs", response_model=JobPage, responses=responses(422), openapi_extra=_READS | {"parameters": _JOBS})
async def jobs(request: Request) -> Response:
    """List jobs, the newest first, page by page; by state, uploader or a part of the title."""
    await admit(request, "render:read")
    state = choice(request, "state", _CATALOG_STATES)
    limit = number(request, "limit", 50, _MOST_JOBS)
    look = partial(
        views.search,
        service_of(request).catalog,
        None if state is None else _CATALOG_STATES[state],
        text(request, "uploader_id"),
        text(request, "title"),
        text(request, "after", _ID),
        limit + 1,
    )
    found = await anyio.to_thread.run_sync(look)
    lines = tuple(_line(job) for job in found[:limit])
    page = JobPage(jobs=lines, next=lines[-1].job_id if len(found) > limit else None)
    return Response(page.model_dump_json(), media_type="application/json")


def _line(job: views.Found) -> JobLine:
    return JobLine(
        job_id=job.id, content_id=job.content_id, title=job.title, uploader_id=job.uploader_id,
        state=STATES[job.state], step=job.step, progress_pct=job.progress, error=job.error,
        created_at=job.created_at, started_at=job.started_at, finished_at=job.finished_at,
    )  # fmt: skip


@router.get(
    "/analytics", response_model=Analytics, responses=responses(422), openapi_extra=_READS | {"parameters": _ANALYTICS}
)
async def sums(request: Request) -> Response:
    """Sum up counts, durations, success and ratings by day, language or uploader."""
    await admit(request, "render:read")
    by = choice(request, "by", get_args(By)) or "day"
    days, limit = number(request, "days", 90, _MOST_DAYS), number(request, "limit", 100, _MOST_SHARES)
    match by:
        case "day" | "language" | "uploader":
            look = partial(analytics.shares, service_of(request).catalog, by, days, limit)
        case _:
            raise Problem(422, "refused")
    found = Analytics(by=by, days=days, shares=tuple(await anyio.to_thread.run_sync(look)))
    return Response(found.model_dump_json(), media_type="application/json")
