"""What is shown of jobs: reads that wait for no writer and leave the large columns alone."""

import re
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select

from bhiv.catalog.database import Catalog, now
from bhiv.catalog.models import Content, Job, JobEvent, Script, State, VideoMetadata
from bhiv.errors import InputRefused
from bhiv.plan import Contract
from bhiv.record import Failure, Metadata, Stage
from bhiv.request import RenderRequest

_MOST = 1000
_PAGE = 500


class JobView(Contract):
    """A job as a person sees it; moments are UTC, None for what has not happened."""

    id: str
    content_id: str
    title: str
    state: State
    #: One of `record.STEPS`, or `completed`.
    step: str
    #: In percent.
    progress: int
    stages: dict[str, Stage]
    error: Failure | None
    #: How often it was begun.
    attempts: int
    flow_run_id: str | None
    lease_owner: str | None
    lease_expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Found(JobView):
    """A job that was searched for."""

    uploader_id: str


class JobChange(Contract):
    """A change of a job's state or step."""

    at: datetime
    state: State
    step: str
    #: In percent.
    progress: int
    #: Of the error that it has failed with; None for every other change.
    category: str | None = None


def get(catalog: Catalog, job_id: str) -> JobView | None:
    """Return the job, None when there is none."""
    found = _views(catalog, _select(Job.id == job_id))
    return found[0] if found else None


def of_run(catalog: Catalog, flow_run_id: str) -> JobView | None:
    """Return the job that a Prefect run has made, or makes, or was the last to try; None when there is none."""
    found = _views(catalog, _select(Job.flow_run_id == flow_run_id))
    return found[0] if found else None


def recent(catalog: Catalog, state: State | None = None, limit: int = 20) -> list[JobView]:
    """Return the jobs that changed last, newest first, of one state or of all; never more than 1,000."""
    query = _select() if state is None else _select(Job.state == state)
    return _views(catalog, query.order_by(Job.updated_at.desc(), Job.id.desc()).limit(min(limit, _MOST)))


def search(
    catalog: Catalog,
    state: State | None = None,
    uploader_id: str | None = None,
    title: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> list[Found]:
    """Return jobs, those with the highest ids (the newest) first, that come after the job `after`.

    `title` is a part of the title in any case. PostgreSQL knows the cases that its locale knows.
    """
    columns = [Job.__table__.columns[name] for name in JobView.model_fields]
    query = select(Job.id)
    if state is not None:
        query = query.where(Job.state == state)
    if uploader_id is not None:
        query = query.join(Content, Content.id == Job.content_id).where(Content.uploader_id == uploader_id)
    if title is not None:
        query = query.where(func.lower(Job.title).contains(title.lower(), autoescape=True))
    if after is not None:
        query = query.where(Job.id < after)
    # The large columns are read of those only that are shown.
    page = query.order_by(Job.id.desc()).limit(min(limit, _MOST)).subquery()
    shown = select(*columns, Content.uploader_id).join(Content, Content.id == Job.content_id)
    with catalog.reading() as connection:
        rows = connection.execute(shown.join(page, page.c.id == Job.id).order_by(Job.id.desc())).mappings().all()
    return [Found.model_validate(dict(row)) for row in rows]


def title_of(catalog: Catalog, content_id: str) -> str | None:
    """Return the title of a content's newest job, None when there is none."""
    query = select(Job.title).where(Job.content_id == content_id).order_by(Job.id.desc()).limit(1)
    with catalog.reading() as connection:
        return connection.scalar(query)


def is_live(catalog: Catalog, content_id: str) -> bool:
    """Whether a job of the content waits or is made."""
    query = select(Job.id).where(Job.content_id == content_id, Job.state.in_(["queued", "running"])).limit(1)
    with catalog.reading() as connection:
        return connection.scalar(query) is not None


def expired(catalog: Catalog) -> list[JobView]:
    """Return the running jobs whose lease has run out, longest first: whoever made them is gone, or out of reach."""
    with catalog.reading() as connection:
        query = _select(Job.state == "running", Job.lease_expires_at <= now(connection))
        rows = connection.execute(query.order_by(Job.lease_expires_at).limit(_MOST)).mappings().all()
    return [JobView.model_validate(dict(row)) for row in rows]


def known_runs(catalog: Catalog, ids: Collection[str]) -> set[str]:
    """Return those of the Prefect runs that have made a job, or make one."""
    with catalog.reading() as connection:
        found = connection.execute(select(Job.flow_run_id).where(Job.flow_run_id.in_(ids)))
        return {row.flow_run_id for row in found}


def known_contents(catalog: Catalog, ids: Collection[str]) -> set[str]:
    """Return those of the contents that are entered."""
    with catalog.reading() as connection:
        return set(connection.scalars(select(Content.id).where(Content.id.in_(ids))))


def completed_contents(catalog: Catalog, since: datetime | None, before: datetime) -> Iterator[list[str]]:
    """Yield, some hundred at a time, the ids of contents with a job completed between two moments, None for any."""
    query = select(Job.content_id).distinct().where(Job.state == "completed", Job.finished_at < before)
    if since is not None:
        query = query.where(Job.finished_at >= since)
    last = ""
    while True:
        with catalog.reading() as connection:
            found = connection.scalars(query.where(Job.content_id > last).order_by(Job.content_id).limit(_PAGE)).all()
        if not found:
            return
        yield list(found)
        last = found[-1]


def live_since(catalog: Catalog) -> datetime | None:
    """Return when the oldest job that waits or is made was accepted, None when there is none."""
    with catalog.reading() as connection:
        query = select(Job.created_at).where(Job.state.in_(["queued", "running"])).order_by(Job.created_at).limit(1)
        return connection.scalar(query)


def history(catalog: Catalog, job_id: str) -> list[JobChange]:
    """Return every change of the job's state or step, oldest first."""
    columns = [JobEvent.__table__.columns[name] for name in JobChange.model_fields]
    with catalog.reading() as connection:
        query = select(*columns).where(JobEvent.job_id == job_id).order_by(JobEvent.id)
        return [JobChange.model_validate(dict(row)) for row in connection.execute(query).mappings()]


def in_prefect(catalog: Catalog) -> int:
    """Return how many jobs wait or are made that Prefect has a run for."""
    with catalog.reading() as connection:
        open_ = Job.state.in_(["queued", "running"]), Job.flow_run_id.is_not(None)
        return connection.scalar(select(func.count()).where(*open_)) or 0


def find(catalog: Catalog, given: str) -> JobView:
    """Return the one job whose id is `given`, or begins or ends with it.

    Raises:
        InputRefused: no job's does, or several do.
    """
    ids = re.fullmatch(r"[0-9a-f]{1,24}", given.strip().lower())
    found = []
    if ids:
        found = _views(catalog, _select(or_(Job.id.startswith(ids[0]), Job.id.endswith(ids[0]))).limit(2))
    if not found:
        raise InputRefused(f"there is no job {given!r}; `bhiv status` lists the recent ones")
    if len(found) > 1:
        raise InputRefused(f"several jobs begin or end with {given!r}; give more of the id")
    return found[0]


def request_of(catalog: Catalog, job_id: str) -> RenderRequest:
    """Return what a job was asked to make, so that it can be run (again).

    Raises:
        InputRefused: there is no such job.
    """
    query = select(Job.request, Script.text).outerjoin(Script, Script.content_id == Job.content_id)
    with catalog.reading() as connection:
        row = connection.execute(query.where(Job.id == job_id)).one_or_none()
    if row is None:
        raise InputRefused(f"there is no job {job_id!r}")
    script = {} if row.request.keys() & {"plan", "topic"} else {"script": row.text}
    return RenderRequest.model_validate(row.request | script)


def metadata_of(catalog: Catalog, job_id: str) -> Metadata | None:
    """Return the metadata of the job's last attempt that has ended, None when none has."""
    columns = VideoMetadata.__table__.columns
    with catalog.reading() as connection:
        row = connection.execute(select(*columns).where(VideoMetadata.job_id == job_id)).mappings().one_or_none()
    return None if row is None else Metadata.model_validate(dict(row))


def _select(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(*(Job.__table__.columns[name] for name in JobView.model_fields)).where(*conditions)


def _views(catalog: Catalog, query: Select[Any]) -> list[JobView]:
    with catalog.reading() as connection:
        rows = connection.execute(query).mappings().all()
    return [JobView.model_validate(dict(row)) for row in rows]
