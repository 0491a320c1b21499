"""Jobs as other programs drive them: submitted, cancelled, made again; each within a transaction of the caller's."""

import hashlib
import json
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from sqlalchemy import Connection, func, select, update

from bhiv.catalog import Catalog, ledger, outbox
from bhiv.catalog.database import now
from bhiv.catalog.models import Callback, IdempotencyKey, Job
from bhiv.catalog.outbox import Letter
from bhiv.catalog.rows import insert
from bhiv.errors import IdempotencyConflict, JobMissing, JobStateConflict
from bhiv.plan import Contract
from bhiv.record import Failure, Metadata, started_now
from bhiv.request import RenderRequest, new_id

#: The scope of idempotency keys of those who need no key.
_NOBODY = "-"
#: What a job takes as long as none has been made.
_FIRST_GUESS_SECONDS = 60.0
_MEASURED_JOBS = 20


class Order(Contract):
    """What somebody asks for, and who."""

    request: RenderRequest
    #: Of what was given, before identifiers were added: the same for the same order.
    fingerprint: str
    api_key_id: str | None = None
    idempotency_key: str | None = None


class Submitted(Contract):
    """A job that was accepted, now or by an earlier request with the same idempotency key."""

    job_id: str
    content_id: str
    is_new: bool


def fingerprint(values: Any) -> str:
    """Return the SHA-256 of JSON values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def submit(connection: Connection, order: Order) -> Submitted:
    """Accept an order: content, job, callback and the letter that starts the run, all or none.

    Raises:
        IdempotencyConflict: the key was used for another order.
        JobStateConflict: the order names a job that is there and is another.
        InputRefused: the content has another script.
    """
    scope, request = order.api_key_id or _NOBODY, order.request
    if order.idempotency_key is not None:
        same = IdempotencyKey.scope == scope, IdempotencyKey.key == order.idempotency_key
        query = select(IdempotencyKey.fingerprint, Job.id, Job.content_id).join(Job, Job.id == IdempotencyKey.job_id)
        if (before := connection.execute(query.where(*same)).one_or_none()) is not None:
            if before.fingerprint != order.fingerprint:
                raise IdempotencyConflict("this idempotency key was used for another request; take a new one")
            return Submitted(job_id=before.id, content_id=before.content_id, is_new=False)
    if not ledger.enter(connection, request, order.api_key_id):
        if _locked(connection, request.job_id).request != ledger.kept_request(request):
            raise JobStateConflict("there is another job of this id; leave job_id out to make a new one")
        return Submitted(job_id=request.job_id, content_id=request.content_id, is_new=False)
    moment = now(connection)
    if order.idempotency_key is not None:
        values = {"scope": scope, "key": order.idempotency_key, "fingerprint": order.fingerprint}
        insert(connection, IdempotencyKey, values | {"job_id": request.job_id, "created_at": moment})
    outbox.put(connection, "run", {"key": request.job_id}, moment, job_id=request.job_id)
    return Submitted(job_id=request.job_id, content_id=request.content_id, is_new=True)


def is_known(catalog: Catalog, order: Order) -> bool:
    """Whether the order's idempotency key was used before, for this order or another."""
    same = IdempotencyKey.scope == (order.api_key_id or _NOBODY), IdempotencyKey.key == order.idempotency_key
    with catalog.reading() as connection:
        return connection.scalar(select(IdempotencyKey.job_id).where(*same)) is not None


def add_callback(connection: Connection, job_id: str, url: str, secret: str | None) -> str:
    """Have `url` told of the job's end, at once when it has ended already; return the callback's id.

    The same address is registered once; a new secret replaces the one before.

    Raises:
        JobMissing: there is no such job.
    """
    job = _locked(connection, job_id)
    moment = now(connection)
    living = Callback.job_id == job_id, Callback.url == url, Callback.ended_at.is_(None)
    known = connection.scalar(select(Callback.id).where(*living))
    if known is not None:
        connection.execute(update(Callback).where(Callback.id == known).values(secret=secret))
        return known
    callback = new_id()
    values = {"id": callback, "job_id": job_id, "url": url, "secret": secret, "created_at": moment}
    insert(connection, Callback, values)
    if job.state in ledger.ENDED:
        payload = outbox.end_payload(connection, job_id, moment)
        outbox.put(connection, "callback", payload, moment, job_id=job_id, callback_id=callback)
    return callback


def started(connection: Connection, letter: Letter, run_id: str) -> None:
    """Note that a letter's job is with Prefect now.

    A run whose job was cancelled meanwhile is cancelled there, even when the job waits again: another letter starts
    another run.
    """
    assert letter.job_id is not None
    _locked(connection, letter.job_id)
    if outbox.waits(connection, letter.id):
        ledger.note_run(connection, letter.job_id, run_id)
    else:
        outbox.put(connection, "cancel", {"flow_run_id": run_id}, now(connection), job_id=letter.job_id)
    outbox.done(connection, letter.id)


def refuse(connection: Connection, letter: Letter, reason: str, *, core: bool = False) -> None:
    """End a letter's job as failed, because no run of it can be started; with `core`, the Core service is told."""
    assert letter.job_id is not None
    job = _locked(connection, letter.job_id)
    waits = outbox.waits(connection, letter.id)
    outbox.give_up(connection, letter.id, reason)
    if waits and job.state == "queued":
        lease = ledger.overtake(connection, letter.job_id)
        metadata = _ending(connection, letter.job_id, job, "refused", reason)
        ledger.end(connection, lease, "failed", metadata, core=core)


def cancel(connection: Connection, job_id: str, *, core: bool = False) -> bool:
    """End the job as cancelled, now; False when it was cancelled before.

    A run that makes it loses its lease, and is ended besides.

    Raises:
        JobMissing: there is no such job.
        JobStateConflict: it has ended otherwise.
    """
    job = _locked(connection, job_id)
    if job.state == "cancelled":
        return False
    if job.state in ledger.ENDED:
        raise JobStateConflict(f"the job {job_id} has ended as {job.state}; there is nothing to cancel")
    lease = ledger.overtake(connection, job_id)
    metadata = _ending(connection, job_id, job, "cancelled", "cancelled on request")
    ledger.end(connection, lease, "cancelled", metadata, core=core)
    if not outbox.withdraw(connection, job_id, "run") and job.flow_run_id is not None:
        outbox.put(connection, "cancel", {"flow_run_id": job.flow_run_id}, now(connection), job_id=job_id)
    return True


def retry(connection: Connection, job_id: str) -> None:
    """Put a job that failed or was cancelled back into the queue; what was finished is found again.

    Raises:
        JobMissing: there is no such job.
        JobStateConflict: it waits, is made, or is completed.
    """
    job = _locked(connection, job_id)
    if job.state not in {"failed", "cancelled"}:
        raise JobStateConflict(f"the job {job_id} is {job.state}; only a failed or cancelled one can be made again")
    ledger.requeue(connection, job_id)
    # A run may have begun, and ended, before its start was noted.
    outbox.withdraw(connection, job_id, "run")
    # Another key than the run before, or Prefect would answer with that one.
    letter = {"key": f"{job_id}-{job.lease_token}-{job.attempts}"}
    outbox.put(connection, "run", letter, now(connection), job_id=job_id)


def pace(catalog: Catalog) -> timedelta:
    """Return what a job takes: the median of the last twenty that were completed, a minute as long as there is none."""
    query = select(Job.started_at, Job.finished_at).where(Job.state == "completed", Job.started_at.is_not(None))
    with catalog.reading() as connection:
        rows = connection.execute(query.order_by(Job.updated_at.desc()).limit(_MEASURED_JOBS)).all()
    seconds = [(row.finished_at - row.started_at).total_seconds() for row in rows if row.finished_at]
    return timedelta(seconds=median(seconds) if seconds else _FIRST_GUESS_SECONDS)


def waiting(catalog: Catalog) -> dict[str | None, int]:
    """Return how many jobs wait, by the API key that submitted them."""
    query = select(Job.api_key_id, func.count()).where(Job.state == "queued").group_by(Job.api_key_id)
    with catalog.reading() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def wait_for_new(catalog: Catalog, each: timedelta) -> timedelta:
    """Return when a job that is submitted now will probably be done, when each takes `each`."""
    query = select(Job.state, func.count(), func.sum(Job.progress)).where(Job.state.in_(["queued", "running"]))
    with catalog.reading() as connection:
        rows = {row[0]: (int(row[1]), int(row[2])) for row in connection.execute(query.group_by(Job.state))}
    queued, _ = rows.get("queued", (0, 0))
    running, percent = rows.get("running", (0, 0))
    return each * (1 + (queued + running - percent / 100) / max(running, 1))


class _Row(Contract):
    content_id: str
    state: str
    step: str
    title: str
    attempts: int
    lease_token: int
    flow_run_id: str | None
    request: dict[str, Any]
    created_at: datetime


def _locked(connection: Connection, job_id: str) -> _Row:
    columns = [Job.__table__.columns[name] for name in _Row.model_fields]
    row = connection.execute(select(*columns).where(Job.id == job_id).with_for_update()).mappings().one_or_none()
    if row is None:
        raise JobMissing("there is no such job")
    return _Row.model_validate(dict(row))


def _ending(connection: Connection, job_id: str, job: _Row, category: str, message: str) -> Metadata:
    timestamp, created_at = started_now()
    return Metadata(
        content_id=job.content_id,
        job_id=job_id,
        uploader_id=ledger.uploader_of(connection, job.content_id),
        title=job.title,
        timestamp=timestamp,
        created_at=created_at,
        storyboard_source="plan" if "plan" in job.request else "lm" if "topic" in job.request else "rules",
        processing_status="failed",
        error=Failure(category=category, message=message, step=job.step),
    )
