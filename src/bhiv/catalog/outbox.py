"""What other services must be told: entered with what makes it true, so that neither is ever without the other.

One dispatcher sends it, again and again until it has arrived or is given up. Every try carries the same id, by which
the receiver knows that it has had it.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, and_, func, or_, select, update

from bhiv.catalog.columns import cleaned
from bhiv.catalog.database import Catalog, now
from bhiv.catalog.models import Callback, Job, Outbox, VideoMetadata
from bhiv.catalog.rows import insert
from bhiv.plan import Contract
from bhiv.record import Metadata
from bhiv.request import new_id

#: Start a job's run; end a job's run; tell a callback; tell the Core service; write of a job's end into the bucket.
Kind = Literal["run", "cancel", "callback", "core", "record"]


class Letter(Contract):
    """Something in the outbox."""

    id: str
    kind: Kind
    job_id: str | None
    callback_id: str | None
    payload: dict[str, Any]
    created_at: datetime
    #: How often it was tried.
    attempts: int


def put(
    connection: Connection,
    kind: Kind,
    payload: dict[str, Any],
    moment: datetime,
    *,
    job_id: str | None = None,
    callback_id: str | None = None,
) -> str:
    """Enter something to be sent at once, within the caller's transaction; return its id."""
    letter = new_id()
    values = {"id": letter, "kind": kind, "job_id": job_id, "callback_id": callback_id, "payload": payload}
    insert(connection, Outbox, values | {"created_at": moment, "due_at": moment, "attempts": 0})
    return letter


def tell_of_end(
    connection: Connection, job_id: str, state: str, metadata: Metadata, moment: datetime, *, core: bool
) -> None:
    """Enter the end of a job for the bucket, for each callback that it has, and for the Core service."""
    put(connection, "record", {}, moment, job_id=job_id)
    payload = _payload(state, metadata, moment)
    living = select(Callback.id).where(Callback.job_id == job_id, Callback.ended_at.is_(None)).order_by(Callback.id)
    for callback_id in connection.scalars(living).all():
        put(connection, "callback", payload, moment, job_id=job_id, callback_id=callback_id)
    if core:
        put(connection, "core", payload, moment, job_id=job_id)


def end_payload(connection: Connection, job_id: str, moment: datetime) -> dict[str, Any]:
    """Return what those are told who ask after the end of a job only when it has ended."""
    columns = VideoMetadata.__table__.columns
    row = connection.execute(select(*columns).where(VideoMetadata.job_id == job_id)).mappings().one()
    state = connection.scalars(select(Job.state).where(Job.id == job_id)).one()
    return _payload(state, Metadata.model_validate(dict(row)), moment)


def due(catalog: Catalog, kinds: Collection[Kind], limit: int) -> list[Letter]:
    """Return what is to be sent now, what has waited longest first."""
    columns = [Outbox.__table__.columns[name] for name in Letter.model_fields]
    with catalog.reading() as connection:
        query = select(*columns).where(Outbox.kind.in_(kinds), Outbox.due_at <= now(connection))
        rows = connection.execute(query.order_by(Outbox.due_at, Outbox.id).limit(limit)).mappings().all()
    return [Letter.model_validate(dict(row)) for row in rows]


def fair_runs(catalog: Catalog, limit: int) -> list[Letter]:
    """Return the runs to be started next: of each API key in turn, counting what it has in Prefect already.

    So somebody who submits a thousand jobs delays nobody else by more than one of them.
    """
    if limit <= 0:
        return []
    busy = (
        select(Job.api_key_id, func.count().label("jobs"))
        .where(Job.state.in_(["queued", "running"]), Job.flow_run_id.is_not(None))
        .group_by(Job.api_key_id)
        .subquery()
    )
    same = or_(busy.c.api_key_id == Job.api_key_id, and_(busy.c.api_key_id.is_(None), Job.api_key_id.is_(None)))
    turn = func.row_number().over(partition_by=Job.api_key_id, order_by=(Outbox.created_at, Outbox.id))
    columns = [Outbox.__table__.columns[name] for name in Letter.model_fields]
    with catalog.reading() as connection:
        query = (
            select(*columns)
            .join(Job, Job.id == Outbox.job_id)
            .outerjoin(busy, same)
            .where(Outbox.kind == "run", Outbox.due_at <= now(connection))
            .order_by(turn + func.coalesce(busy.c.jobs, 0), Outbox.created_at, Outbox.id)
        )
        rows = connection.execute(query.limit(limit)).mappings().all()
    return [Letter.model_validate(dict(row)) for row in rows]


def done(connection: Connection, letter: str) -> None:
    """Note that it has arrived."""
    _note(connection, letter, due_at=None, done_at=now(connection), error=None)


def again(connection: Connection, letter: str, at: datetime, error: str) -> None:
    """Note that it has not arrived, why, and when it is to be tried next."""
    _note(connection, letter, due_at=at, error=cleaned(error))


def give_up(connection: Connection, letter: str, error: str) -> None:
    """Note that it will not be tried any more by itself, and why."""
    _note(connection, letter, due_at=None, error=cleaned(error))


def revive(connection: Connection, letter: str) -> bool:
    """Have it sent once more, under the same id; False when there is no such one."""
    values = {"due_at": now(connection), "done_at": None, "attempts": 0}
    return connection.execute(update(Outbox).where(Outbox.id == letter).values(**values)).rowcount == 1


def waits(connection: Connection, letter: str) -> bool:
    """Whether it is still to be sent, and was neither sent nor withdrawn."""
    query = select(Outbox.due_at).where(Outbox.id == letter)
    return connection.scalar(query) is not None


def settle(connection: Connection, job_id: str, kind: Kind) -> None:
    """Note that what of that kind a job has waiting has arrived."""
    waiting = Outbox.job_id == job_id, Outbox.kind == kind, Outbox.due_at.is_not(None)
    values = {"due_at": None, "done_at": now(connection), "attempts": Outbox.attempts + 1}
    connection.execute(update(Outbox).where(*waiting).values(**values))


def withdraw(connection: Connection, job_id: str, kind: Kind) -> bool:
    """Take back what of that kind a job has waiting; return whether there was any."""
    waiting = Outbox.job_id == job_id, Outbox.kind == kind, Outbox.due_at.is_not(None)
    values = {"due_at": None, "error": "withdrawn"}
    return connection.execute(update(Outbox).where(*waiting).values(**values)).rowcount > 0


def _payload(state: str, metadata: Metadata, moment: datetime) -> dict[str, Any]:
    data = {
        "job_id": metadata.job_id,
        "content_id": metadata.content_id,
        "uploader_id": metadata.uploader_id,
        "title": metadata.title,
        "state": state,
        "video": metadata.paths.video,
        "error": None if metadata.error is None else {name: cleaned(value) for name, value in metadata.error},
    }
    return {"type": f"job.{state}", "timestamp": moment.isoformat(), "data": data}


def _note(connection: Connection, letter: str, **values: Any) -> None:
    connection.execute(update(Outbox).where(Outbox.id == letter).values(attempts=Outbox.attempts + 1, **values))
