"""Webhooks that come in: what of them is a script, and that each makes its jobs once, however often it is sent."""

from typing import Any

from sqlalchemy import Connection, select

from bhiv import jobs
from bhiv.catalog import Catalog
from bhiv.catalog.database import now
from bhiv.catalog.models import IngestEvent
from bhiv.catalog.rows import add
from bhiv.errors import PlanError
from bhiv.jobs import Order
from bhiv.plan import Contract
from bhiv.request import OPTIONS

#: Where the script may be; the first that holds one counts.
SCRIPT_FIELDS = ("script", "text", "content", "message")


class Event(Contract):
    """A webhook that came in."""

    id: str
    #: By its sender's name for it, and only its; None for a sender that gives none.
    webhook_id: str | None
    content_type: str
    #: JSON; scripts are left out, because they are kept with their contents.
    payload: Any


class Receipt(Contract):
    """What was made of a webhook."""

    event_id: str
    #: The jobs that it asked for; empty for one without a script.
    jobs: tuple[str, ...]


def values_of(payload: dict[str, Any]) -> dict[str, Any] | None:
    """Return the fields of a request that a payload is, None when it holds no script.

    Senders add what they like: only options of a video are looked at.

    Raises:
        PlanError: `script` is something other than text.
    """
    if not isinstance(payload.get("script"), str | None):
        raise PlanError("is not text", "script")
    found = (payload[name] for name in SCRIPT_FIELDS if isinstance(payload.get(name), str))
    script = next((text for text in found if text.strip()), None)
    if script is None:
        return None
    return {"script": script} | {name: payload[name] for name in OPTIONS if payload.get(name) not in (None, "")}


def without_script(payload: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of a payload whose script became a content."""
    return {name: value for name, value in payload.items() if name not in SCRIPT_FIELDS}


def seen(catalog: Catalog, webhook_id: str) -> Receipt | None:
    """Return what was made of a webhook of that name, None when none has come."""
    with catalog.reading() as connection:
        return _seen(connection, webhook_id)


def take(connection: Connection, event: Event, orders: list[Order]) -> tuple[Receipt, bool]:
    """Keep a webhook and submit all that it asks for; return the receipt, and whether this was its first time.

    Raises:
        InputRefused: one of the orders can't be accepted; nothing was kept.
    """
    values = event.model_dump() | {"job_ids": [order.request.job_id for order in orders]}
    if not add(connection, IngestEvent, values | {"received_at": now(connection)}):
        assert event.webhook_id is not None, "identifiers are new"
        before = _seen(connection, event.webhook_id)
        assert before is not None, "events are never removed"
        return before, False
    submitted = tuple(jobs.submit(connection, order).job_id for order in orders)
    return Receipt(event_id=event.id, jobs=submitted), True


def _seen(connection: Connection, webhook_id: str) -> Receipt | None:
    query = select(IngestEvent.id, IngestEvent.job_ids).where(IngestEvent.webhook_id == webhook_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else Receipt(event_id=row.id, jobs=tuple(row.job_ids))
