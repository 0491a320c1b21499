"""Who makes which job: registering, leases, and the end of a job.

A lease carries a token that every claim raises. The token alone decides who may write: a lease that has expired is good
as long as nobody has claimed the job since, and worth nothing afterwards. Time is the database's.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, cast

import sqlalchemy
from sqlalchemy import Connection, select, update

from bhiv.catalog.columns import cleaned
from bhiv.catalog.database import Catalog, now
from bhiv.catalog.models import Base, Content, Job, Script, State, VideoMetadata
from bhiv.errors import InputRefused, LeaseLost
from bhiv.plan import Contract
from bhiv.record import Failure, Metadata, Stage, StepName
from bhiv.request import RenderRequest

#: States of a job that nobody need make any more.
_CLOSED = ("completed", "cancelled")


class Lease(Contract):
    """The right to write about a job."""

    job_id: str
    token: int


def register(catalog: Catalog, request: RenderRequest) -> None:
    """Enter what is asked for as a queued job; a job that is there already stays as it is.

    Raises:
        InputRefused: its content has another script.
    """
    plan = request.plan
    with catalog.writing() as connection:
        moment = now(connection)
        content = {
            "id": request.content_id,
            "uploader_id": request.uploader_id or (plan.uploader_id if plan else "local"),
            "title": request.shown_title,
            "created_at": moment,
        }
        _add(connection, Content, content)
        if request.script is not None:
            _add_script(connection, request.content_id, request.script, moment)
        job = {
            "id": request.job_id,
            "content_id": request.content_id,
            "state": "queued",
            "step": "storyboard",
            "progress": 0,
            "stages": {},
            "title": request.shown_title,
            "attempts": 0,
            "lease_token": 0,
            "created_at": moment,
            "updated_at": moment,
            "request": request.model_dump(mode="json", exclude={"script"}, exclude_none=True),
        }
        _add(connection, Job, job)


def claim(catalog: Catalog, job_id: str, owner: str, seconds: float, flow_run_id: str | None = None) -> Lease | None:
    """Take the job for `seconds` and make it a running one; `flow_run_id` is the Prefect run that makes it now.

    None when somebody else's lease lasts, and when the job is completed or cancelled. A failed job may be taken again,
    and so may one that `owner` holds already, whose first answer may have been lost.

    Raises:
        InputRefused: there is no such job.
    """
    with catalog.writing() as connection:
        row = connection.execute(
            select(Job.state, Job.lease_owner, Job.lease_token, Job.lease_expires_at)
            .where(Job.id == job_id)
            .with_for_update()
        ).one_or_none()
        if row is None:
            raise InputRefused(f"there is no job {job_id!r}")
        moment = now(connection)
        lasts = row.lease_expires_at is not None and row.lease_expires_at > moment
        if row.state in _CLOSED or (lasts and row.lease_owner != owner):
            return None
        taken = {
            "state": "running",
            "step": "storyboard",
            "progress": 0,
            "stages": {},
            "error": None,
            "attempts": Job.attempts + 1,
            "lease_owner": owner,
            "lease_token": row.lease_token + 1,
            "lease_expires_at": moment + timedelta(seconds=seconds),
            "started_at": moment,
            "finished_at": None,
        }
        if flow_run_id is not None:
            taken["flow_run_id"] = flow_run_id
        _set(connection, job_id, moment, taken)
        return Lease(job_id=job_id, token=row.lease_token + 1)


def renew(catalog: Catalog, lease: Lease, seconds: float) -> None:
    """Have the lease last for `seconds` from now; a job that has ended by this lease stays as it is.

    Raises:
        LeaseLost: somebody else has claimed the job since.
    """
    with catalog.writing() as connection:
        if _held(connection, lease) == "running":
            moment = now(connection)
            _set(connection, lease.job_id, moment, {"lease_expires_at": moment + timedelta(seconds=seconds)})


def advance(catalog: Catalog, lease: Lease, step: StepName, progress: float, stages: Mapping[StepName, Stage]) -> None:
    """Say how far the job is, in percent; at most twice a second, please. Otherwise as `renew`."""
    with catalog.writing() as connection:
        if _held(connection, lease) == "running":
            percent = max(0, min(100, int(progress)))
            values = {"step": step, "progress": percent, "stages": _stages(stages)}
            _set(connection, lease.job_id, now(connection), values)


def finish(
    catalog: Catalog,
    lease: Lease,
    state: Literal["completed", "failed", "cancelled"],
    metadata: Metadata,
    stages: Mapping[StepName, Stage] | None = None,
) -> State:
    """End the job and keep its metadata, in one transaction; return the state that it is in then.

    A job that this lease has ended before stays as it is, so the same call may be made again. `stages` of None leaves
    those that were last told.

    Raises:
        LeaseLost: somebody else has claimed the job since; nothing was written.
    """
    with catalog.writing() as connection:
        before = _held(connection, lease)
        if before != "running":
            return before
        moment = now(connection)
        values: dict[str, Any] = {
            "state": state,
            "title": metadata.title,
            "error": _failure(metadata.error),
            "lease_owner": None,
            "lease_expires_at": None,
            "finished_at": moment,
        }
        if stages is not None:
            values["stages"] = _stages(stages)
        if state == "completed":
            values |= {"step": "completed", "progress": 100}
        elif metadata.error is not None:
            values["step"] = metadata.error.step
        _set(connection, lease.job_id, moment, values)
        _keep(connection, metadata)
        return state


def release(catalog: Catalog, lease: Lease) -> None:
    """Give the job back to the queue, for the next who claims it; otherwise as `renew`."""
    with catalog.writing() as connection:
        if _held(connection, lease) == "running":
            values = {"state": "queued", "lease_owner": None, "lease_expires_at": None, "started_at": None}
            _set(connection, lease.job_id, now(connection), values)


def _held(connection: Connection, lease: Lease) -> State:
    """Return the state of the lease's job, which stays locked until the transaction ends."""
    row = connection.execute(
        select(Job.state, Job.lease_token).where(Job.id == lease.job_id).with_for_update()
    ).one_or_none()
    if row is None or row.lease_token != lease.token:
        raise LeaseLost(f"another run has taken the job {lease.job_id} over; this one wrote nothing more about it")
    return cast(State, row.state)


def _set(connection: Connection, job_id: str, moment: datetime, values: Mapping[str, Any]) -> None:
    connection.execute(update(Job).where(Job.id == job_id).values(updated_at=moment, **values))


def _add(connection: Connection, table: type[Base], values: Mapping[str, Any]) -> None:
    """Insert a row unless one of its key is there."""
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        connection.execute(sqlite.insert(table).values(**values).on_conflict_do_nothing())
    else:
        from sqlalchemy.dialects import postgresql  # 40 ms that SQLite's users need not wait for

        connection.execute(postgresql.insert(table).values(**values).on_conflict_do_nothing())


def _add_script(connection: Connection, content_id: str, text: str, moment: datetime) -> None:
    data = text.encode()
    sha256 = hashlib.sha256(data).hexdigest()
    _add(
        connection,
        Script,
        {"content_id": content_id, "text": text, "sha256": sha256, "size_bytes": len(data), "created_at": moment},
    )
    if connection.scalar(select(Script.sha256).where(Script.content_id == content_id)) != sha256:
        raise InputRefused(f"the content {content_id} has another script; leave its id out to make a new content")


def _keep(connection: Connection, metadata: Metadata) -> None:
    values = metadata.model_dump() | {"error": _failure(metadata.error)}
    connection.execute(sqlalchemy.delete(VideoMetadata).where(VideoMetadata.job_id == metadata.job_id))
    connection.execute(sqlalchemy.insert(VideoMetadata).values(**values))


def _failure(failure: Failure | None) -> dict[str, Any] | None:
    return None if failure is None else {name: cleaned(value) for name, value in failure}


def _stages(stages: Mapping[StepName, Stage]) -> dict[str, Any]:
    return {step: stage.model_dump() for step, stage in stages.items()}
