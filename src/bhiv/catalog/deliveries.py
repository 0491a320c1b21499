"""What becomes of letters to callbacks and to the Core service: each try, and how a letter stands after it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Select, func, select, update

from bhiv.callback_rules import Again, Done, Ended, Next, after_attempt
from bhiv.catalog import outbox
from bhiv.catalog.columns import cleaned
from bhiv.catalog.database import Catalog, now
from bhiv.catalog.models import Callback, Delivery, Outbox
from bhiv.catalog.outbox import Letter
from bhiv.catalog.rows import insert
from bhiv.plan import Contract

#: The letters that are sent to services outside.
SentKind = Literal["callback", "core"]
KINDS: tuple[SentKind, ...] = get_args(SentKind)

LetterState = Literal["waiting", "delivered", "given_up"]


class Parcel(Letter):
    """A letter, with where it goes; both None for the Core service."""

    url: str | None
    #: The callback's own; None takes the service's.
    secret: str | None


class Tried(Contract):
    """One try to deliver a parcel."""

    #: Of the answer; None when there was none.
    status: int | None
    #: Why it is not delivered, a sentence; None when it is.
    error: str | None
    seconds: float
    #: The header Retry-After.
    retry_after: str | None = None
    #: Whether nobody was asked, because the address may not be reached: no retry changes that.
    refused: bool = False


class LetterView(Contract):
    """A letter as its owner sees it."""

    id: str
    kind: SentKind
    job_id: str | None
    callback_id: str | None
    state: LetterState
    created_at: datetime
    #: Since it was entered, or replayed.
    attempts: int
    #: When it is tried next.
    due_at: datetime | None
    done_at: datetime | None
    #: Of the last try.
    error: str | None


class CallbackView(Contract):
    """An address that is told of a job's end; its secret is not shown."""

    id: str
    url: str
    state: Literal["active", "ended"]
    created_at: datetime
    ended_at: datetime | None
    #: `gone` when it answered 410, `refused` when it may not be reached.
    ended_reason: str | None
    letters: tuple[LetterView, ...]


class DeliveryView(Contract):
    """One try to deliver a letter to a callback."""

    letter_id: str
    callback_id: str
    at: datetime
    status: int | None
    error: str | None
    seconds: float


def due(catalog: Catalog, kind: SentKind, limit: int) -> list[Parcel]:
    """Return what is to be sent now, of each address in turn, so that none waits for all that another has."""
    turn = func.row_number().over(partition_by=Callback.url, order_by=(Outbox.due_at, Outbox.id))
    columns = [Outbox.__table__.columns[name] for name in Letter.model_fields]
    query = select(*columns, Callback.url, Callback.secret).outerjoin(Callback, Callback.id == Outbox.callback_id)
    with catalog.reading() as connection:
        query = query.where(Outbox.kind == kind, Outbox.due_at <= now(connection))
        rows = connection.execute(query.order_by(turn, Outbox.due_at, Outbox.id).limit(limit)).mappings().all()
    return [Parcel.model_validate(dict(row)) for row in rows]


def note(connection: Connection, parcel: Parcel, tried: Tried, jitter: float) -> Next | None:
    """Keep a try and what follows from it; None when it is not sent any more because nobody may be asked.

    A callback that wants no more, or may not be reached, is ended with all that waits for it.
    """
    moment, error = now(connection), cleaned(tried.error or "")
    if parcel.callback_id is not None:
        values = {"outbox_id": parcel.id, "callback_id": parcel.callback_id, "at": moment, "status": tried.status}
        insert(connection, Delivery, values | {"error": error or None, "seconds": round(tried.seconds, 3)})
    if tried.refused:
        outbox.give_up(connection, parcel.id, error)
        _end(connection, parcel, moment, "refused")
        return None
    decided = after_attempt(
        parcel.attempts + 1, tried.status, moment, jitter=jitter, retry_after=tried.retry_after
    )  # fmt: skip
    match decided:
        case Done():
            outbox.done(connection, parcel.id)
        case Again(at):
            outbox.again(connection, parcel.id, at, error)
        case Ended(reason):
            outbox.give_up(connection, parcel.id, error)
            if reason == "gone":
                _end(connection, parcel, moment, reason)
    return decided


def replay(connection: Connection, letter: str, kinds: Collection[str] = KINDS) -> bool:
    """Have a letter sent again, under its id and from the schedule's beginning; False when there is none of `kinds`."""
    known = connection.scalar(select(Outbox.id).where(Outbox.id == letter, Outbox.kind.in_(kinds)))
    return known is not None and outbox.revive(connection, letter)


def replay_given_up(connection: Connection) -> int:
    """Have all that was given up sent again; return how many those are."""
    values = {"due_at": now(connection), "attempts": 0}
    return connection.execute(update(Outbox).where(*_given_up()).values(**values)).rowcount


def given_up(catalog: Catalog, limit: int, before: str | None = None) -> list[LetterView]:
    """Return the letters that are not tried any more, the newest first; those older than the letter `before`."""
    query = _letters().where(*_given_up()).order_by(Outbox.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Outbox.id < before)
    return _views(catalog, query)


def unfinished(catalog: Catalog, limit: int) -> list[LetterView]:
    """Return the letters that have not arrived, the newest first: those that wait, and those that were given up."""
    query = _letters().where(Outbox.kind.in_(KINDS), Outbox.done_at.is_(None))
    return _views(catalog, query.order_by(Outbox.id.desc()).limit(limit))


def letter(catalog: Catalog, letter_id: str) -> LetterView | None:
    """Return a letter to a callback or to the Core service, None when there is no such one."""
    return next(iter(_views(catalog, _letters().where(Outbox.id == letter_id, Outbox.kind.in_(KINDS)))), None)


def callbacks(catalog: Catalog, job_id: str) -> list[CallbackView]:
    """Return the callbacks of a job, the oldest first, each with its letters."""
    query = select(*Callback.__table__.columns).where(Callback.job_id == job_id).order_by(Callback.id)
    letters = _views(catalog, _letters().where(Outbox.job_id == job_id, Outbox.kind == "callback").order_by(Outbox.id))
    with catalog.reading() as connection:
        rows = connection.execute(query).mappings().all()
    return [
        CallbackView(
            id=row["id"], url=row["url"], state="active" if row["ended_at"] is None else "ended",
            created_at=row["created_at"], ended_at=row["ended_at"], ended_reason=row["ended_reason"],
            letters=tuple(letter for letter in letters if letter.callback_id == row["id"]),
        )
        for row in rows
    ]  # fmt: skip


def tries(catalog: Catalog, job_id: str, limit: int) -> list[DeliveryView]:
    """Return the tries to deliver to a job's callbacks, the newest first."""
    query = select(*Delivery.__table__.columns).join(Callback, Callback.id == Delivery.callback_id)
    with catalog.reading() as connection:
        rows = connection.execute(
            query.where(Callback.job_id == job_id).order_by(Delivery.id.desc()).limit(limit)
        ).mappings()
        return [
            DeliveryView.model_validate(
                {name: row[name] for name in DeliveryView.model_fields if name != "letter_id"}
                | {"letter_id": row["outbox_id"]}
            )
            for row in rows
        ]


def _end(connection: Connection, parcel: Parcel, moment: datetime, reason: str) -> None:
    living = Callback.id == parcel.callback_id, Callback.ended_at.is_(None)
    connection.execute(update(Callback).where(*living).values(ended_at=moment, ended_reason=reason))
    waiting = Outbox.callback_id == parcel.callback_id, Outbox.due_at.is_not(None)
    connection.execute(update(Outbox).where(*waiting).values(due_at=None, error=f"the callback has ended: {reason}"))


def _given_up() -> tuple[ColumnElement[bool], ...]:
    return Outbox.kind.in_(KINDS), Outbox.due_at.is_(None), Outbox.done_at.is_(None)


def _letters() -> Select[Any]:
    return select(*(Outbox.__table__.columns[name] for name in LetterView.model_fields if name != "state"))


def _views(catalog: Catalog, query: Select[Any]) -> list[LetterView]:
    with catalog.reading() as connection:
        rows = connection.execute(query).mappings().all()
    return [LetterView.model_validate({**row, "state": _state(row["due_at"], row["done_at"])}) for row in rows]


def _state(due_at: datetime | None, done_at: datetime | None) -> LetterState:
    if done_at is not None:
        return "delivered"
    return "waiting" if due_at is not None else "given_up"
