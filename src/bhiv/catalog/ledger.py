"""Who makes which job: registering, leases, and the end of a job.

A lease carries a token that every claim raises. The token alone decides who may write: a lease that has expired is good
as long as nobody has claimed the job since, and worth nothing afterwards. Time is the database's.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import sqlalchemy
from sqlalchemy import Connection, select, update

from bhiv.catalog import outbox
from bhiv.catalog.columns import cleaned
from bhiv.catalog.database import Catalog, now
from bhiv.catalog.models import Callback, Content, Job, JobEvent, Script, State, User, VideoMetadata
from bhiv.catalog.rows import add, insert
from bhiv.errors import InputRefused, LeaseLost
from bhiv.plan import Contract
from bhiv.record import STEPS, Failure, Metadata, Stage, StepName
from bhiv.request import RenderRequest, new_id

#: States of a job that nobody need make any more.
_CLOSED = ("completed", "cancelled")
#: States that a job stays in unless somebody asks for it again.
ENDED = (*_CLOSED, "failed")


class Lease(Contract):
    """The right to write about a job."""

    job_id: str
    token: int


def register(catalog: Catalog, request: RenderRequest) -> None:
    """Enter what is asked for as a queued job; a job that is there already stays as it is.

    Raises:
        InputRefused: its content has another script.
    """
    with catalog.writing() as connection:
        enter(connection, request)


def enter(connection: Connection, request: RenderRequest, api_key_id: str | None = None) -> bool:
    """Do what `register` does within the caller's transaction; return whether the job is new."""
    moment = now(connection)
    plan = request.plan
    uploader = request.uploader_id or (plan.uploader_id if plan else "local")
    content = {
        "id": request.content_id,
        "uploader_id": uploader,
        "title": request.shown_title,
        "language": request.spoken_language,
        "created_at": moment,
    }
    add(connection, User, {"id": uploader, "created_at": moment})
    add(connection, Content, content)
    if request.script is not None:
        _add_script(connection, request.content_id, request.script, moment)
    job = {
        "id": request.job_id,
        "content_id": request.content_id,
        "state": "queued",
        "step": STEPS[0],
        "progress": 0,
        "stages": {},
        "title": request.shown_title,
        "attempts": 0,
        "lease_token": 0,
        "created_at": moment,
        "updated_at": moment,
        "request": kept_request(request),
        "api_key_id": api_key_id,
    }
    is_new = add(connection, Job, job)
    if is_new:
        _note(connection, request.job_id, moment, "queued", STEPS[0], 0)
        if request.callback is not None:
            callback = {"id": new_id(), "job_id": request.job_id, "url": request.callback, "created_at": moment}
            insert(connection, Callback, callback)
    return is_new


def kept_request(request: RenderRequest) -> dict[str, Any]:
    """Return a request as its job keeps it: without the script, which its content has."""
    return request.model_dump(mode="json", exclude={"script"}, exclude_none=True)


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
        _note(connection, job_id, moment, "running", STEPS[0], 0)
        return Lease(job_id=job_id, token=row.lease_token + 1)


def renew(catalog: Catalog, lease: Lease, seconds: float) -> None:
    """Have the lease last for `seconds` from now; a job that has ended by this lease stays as it is.

    Raises:
        LeaseLost: somebody else has claimed the job since.
    """
    with catalog.writing() as connection:
        if _held(connection, lease).state == "running":
            moment = now(connection)
            _set(connection, lease.job_id, moment, {"lease_expires_at": moment + timedelta(seconds=seconds)})


def advance(catalog: Catalog, lease: Lease, step: StepName, progress: float, stages: Mapping[StepName, Stage]) -> None:
    """Say how far the job is, in percent; at most twice a second, please. Otherwise as `renew`."""
    with catalog.writing() as connection:
        held = _held(connection, lease)
        if held.state == "running":
            moment, percent = now(connection), max(0, min(100, int(progress)))
            values = {"step": step, "progress": percent, "stages": _stages(stages)}
            _set(connection, lease.job_id, moment, values)
            if held.step != step:
                _note(connection, lease.job_id, moment, "running", step, percent)


def finish(
    catalog: Catalog,
    lease: Lease,
    state: Literal["completed", "failed", "cancelled"],
    metadata: Metadata,
    stages: Mapping[StepName, Stage] | None = None,
    *,
    core: bool = False,
) -> State:
    """End the job, keep its metadata, and put who must be told into the outbox, in one transaction.

    Returns the state that it is in then. With `core`, the Core service is told besides the job's callbacks.

    A job that this lease has ended before stays as it is, so the same call may be made again. `stages` of None leaves
    those that were last told.

    Raises:
        LeaseLost: somebody else has claimed the job since; nothing was written.
    """
    with catalog.writing() as connection:
        return end(connection, lease, state, metadata, stages, core=core)


def end(
    connection: Connection,
    lease: Lease,
    state: Literal["completed", "failed", "cancelled"],
    metadata: Metadata,
    stages: Mapping[StepName, Stage] | None = None,
    *,
    core: bool = False,
) -> State:
    """Do what `finish` does within the caller's transaction."""
    held = _held(connection, lease)
    if held.state != "running":
        return held.state
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
    _note(
        connection,
        lease.job_id,
        moment,
        state,
        values.get("step", held.step),
        values.get("progress", held.progress),
        (metadata.error.category if metadata.error else "other") if state == "failed" else None,
    )
    _keep(connection, metadata)
    outbox.tell_of_end(connection, lease.job_id, state, metadata, moment, core=core)
    return state


def release(catalog: Catalog, lease: Lease) -> None:
    """Give the job back to the queue, for the next who claims it; otherwise as `renew`."""
    with catalog.writing() as connection:
        held, moment = _held(connection, lease), now(connection)
        if held.state == "running":
            values = {"state": "queued", "lease_owner": None, "lease_expires_at": None, "started_at": None}
            _set(connection, lease.job_id, moment, values)
            _note(connection, lease.job_id, moment, "queued", held.step, held.progress)


def overtake(connection: Connection, job_id: str) -> Lease:
    """Take the job from whoever has it, so that it can be ended: a running run loses its lease."""
    values = {"state": "running", "lease_token": Job.lease_token + 1, "lease_owner": None, "lease_expires_at": None}
    _set(connection, job_id, now(connection), values)
    token = connection.scalar(select(Job.lease_token).where(Job.id == job_id))
    return Lease(job_id=job_id, token=token or 0)


def requeue(connection: Connection, job_id: str) -> None:
    """Have an ended job made again: it waits, as one that was just submitted."""
    moment = now(connection)
    values: dict[str, Any] = {
        "state": "queued", "step": STEPS[0], "progress": 0, "stages": {}, "error": None,
        "flow_run_id": None, "started_at": None, "finished_at": None,
    }  # fmt: skip
    _set(connection, job_id, moment, values)
    _note(connection, job_id, moment, "queued", STEPS[0], 0)


def note_run(connection: Connection, job_id: str, run_id: str) -> None:
    """Note which Prefect run is to make the job, or makes it."""
    _set(connection, job_id, now(connection), {"flow_run_id": run_id})


def uploader_of(connection: Connection, content_id: str) -> str:
    """Return who uploaded a content."""
    return connection.scalars(select(Content.uploader_id).where(Content.id == content_id)).one()


class _Held(NamedTuple):
    state: State
    step: str
    progress: int


def _held(connection: Connection, lease: Lease) -> _Held:
    """Return how the lease's job stands, which stays locked until the transaction ends."""
    row = connection.execute(
        select(Job.state, Job.step, Job.progress, Job.lease_token).where(Job.id == lease.job_id).with_for_update()
    ).one_or_none()
    if row is None or row.lease_token != lease.token:
        raise LeaseLost(f"another run has taken the job {lease.job_id} over; this one wrote nothing more about it")
    return _Held(row.state, row.step, row.progress)


def _set(connection: Connection, job_id: str, moment: datetime, values: Mapping[str, Any]) -> None:
    connection.execute(update(Job).where(Job.id == job_id).values(updated_at=moment, **values))


def _note(
    connection: Connection,
    job_id: str,
    moment: datetime,
    state: str,
    step: str,
    progress: int,
    category: str | None = None,
) -> None:
    values = {"job_id": job_id, "at": moment, "state": state, "step": step, "progress": progress, "category": category}
    insert(connection, JobEvent, values)


def _add_script(connection: Connection, content_id: str, text: str, moment: datetime) -> None:
    data = text.encode()
    sha256 = hashlib.sha256(data).hexdigest()
    script = {"content_id": content_id, "text": text, "sha256": sha256, "size_bytes": len(data), "created_at": moment}
    if add(connection, Script, script):
        return
    if connection.scalar(select(Script.sha256).where(Script.content_id == content_id)) != sha256:
        raise InputRefused(f"the content {content_id} has another script; leave its id out to make a new content")


def _keep(connection: Connection, metadata: Metadata) -> None:
    values = metadata.model_dump() | {"error": _failure(metadata.error)}
    connection.execute(sqlalchemy.delete(VideoMetadata).where(VideoMetadata.job_id == metadata.job_id))
    insert(connection, VideoMetadata, values)


def _failure(failure: Failure | None) -> dict[str, Any] | None:
    return None if failure is None else {name: cleaned(value) for name, value in failure}


def _stages(stages: Mapping[StepName, Stage]) -> dict[str, Any]:
    return {step: stage.model_dump() for step, stage in stages.items()}
