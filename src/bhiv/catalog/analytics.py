"""Analytics: jobs, their making and their ratings, by day, language or uploader."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, case, func, select

from bhiv.catalog.database import Catalog, now
from bhiv.catalog.models import Content, Feedback, Job
from bhiv.catalog.moments import DayOf, SecondsBetween
from bhiv.plan import Contract

By = Literal["day", "language", "uploader"]
_UNKNOWN = "unknown"


class Share(Contract):
    """What one day, language or uploader has to its name."""

    #: The day in UTC as `2026-01-31`, the language's code or `unknown`, or the uploader's id.
    key: str
    #: Jobs that were submitted.
    jobs: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    #: Of those that have completed or failed; None when there is none.
    success_rate: float | None = None
    #: Of making what was completed.
    total_duration_seconds: float = 0.0
    #: None when nothing was completed.
    average_duration_seconds: float | None = None
    #: Opinions given, by day that day's.
    ratings: int = 0
    #: From 1 to 5; None without ratings.
    average_rating: float | None = None


def shares(catalog: Catalog, by: By, days: int, limit: int) -> list[Share]:
    """Return what the last `days` have brought, at most `limit`: the newest days, or those with most jobs, first."""
    with catalog.reading() as connection:
        since = now(connection) - timedelta(days=days)
        made = _jobs(by).where(Job.created_at >= since)
        rated = _ratings(by).where(Feedback.created_at >= since)
        jobs = {row["key"]: dict(row) for row in connection.execute(made).mappings()}
        ratings = {row["key"]: dict(row) for row in connection.execute(rated).mappings()}
    found = (_share(key, jobs.get(key, {}), ratings.get(key, {})) for key in jobs.keys() | ratings.keys())
    return _first(found, by)[:limit]


def _first(found: Iterable[Share], by: By) -> list[Share]:
    if by == "day":
        return sorted(found, key=lambda share: share.key, reverse=True)
    return sorted(found, key=lambda share: (-share.jobs, share.key))


def _jobs(by: By) -> Any:
    key = _key(by, DayOf(Job.created_at))
    seconds = case((Job.state == "completed", SecondsBetween(Job.started_at, Job.finished_at)))
    query = select(
        key.label("key"),
        func.count().label("jobs"),
        *(func.sum(case((Job.state == state, 1), else_=0)).label(state) for state in ("completed", "failed")),
        func.sum(case((Job.state == "cancelled", 1), else_=0)).label("cancelled"),
        func.coalesce(func.sum(seconds), 0.0).label("seconds"),
    )
    return query.select_from(Job).join(Content, Content.id == Job.content_id).group_by(key)


def _ratings(by: By) -> Any:
    key = _key(by, DayOf(Feedback.created_at))
    query = select(key.label("key"), func.count().label("ratings"), func.sum(Feedback.rating).label("stars"))
    return query.select_from(Feedback).join(Content, Content.id == Feedback.content_id).group_by(key)


def _key(by: By, day: ColumnElement[str]) -> ColumnElement[Any]:
    if by == "day":
        return day
    # Not `coalesce`: PostgreSQL takes its parameter for another one in GROUP BY than in the list of columns.
    return Content.language.expression if by == "language" else Content.uploader_id.expression


def _share(key: str | None, jobs: dict[str, Any], ratings: dict[str, Any]) -> Share:
    completed, failed = int(jobs.get("completed", 0)), int(jobs.get("failed", 0))
    seconds, count = float(jobs.get("seconds", 0)), int(ratings.get("ratings", 0))
    return Share(
        key=key or _UNKNOWN,
        jobs=int(jobs.get("jobs", 0)),
        completed=completed,
        failed=failed,
        cancelled=int(jobs.get("cancelled", 0)),
        success_rate=round(completed / (completed + failed), 4) if completed + failed else None,
        total_duration_seconds=round(seconds, 3),
        average_duration_seconds=round(seconds / completed, 3) if completed else None,
        ratings=count,
        average_rating=round(int(ratings["stars"]) / count, 3) if count else None,
    )
