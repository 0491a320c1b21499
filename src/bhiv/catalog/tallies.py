"""What there is to count of jobs and mail: the same after a restart, and for every process that asks.

Sums that only grow are of what never changes again (completed jobs, events, deliveries), so none of them goes back.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import orjson
from sqlalchemy import String, cast, func, select

from bhiv.catalog.database import Catalog, now
from bhiv.catalog.models import STATES, Delivery, Job, JobEvent, Outbox
from bhiv.catalog.moments import SecondsBetween
from bhiv.record import STEPS

#: Upper ends of a histogram's buckets, in seconds; what is above them all is in one more.
BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
#: The name of the whole job's seconds beside those of its steps.
WHOLE = "job"
#: No transaction lasts longer, so nothing will be entered that has ended before this.
_SETTLED = timedelta(minutes=2)
_CHUNK = 1000
_EVER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Waiting:
    """What waits, and since when the oldest does, in seconds; 0 when nothing waits."""

    count: int
    oldest_seconds: float


@dataclass(frozen=True)
class Tallies:
    """Jobs and mail, counted."""

    #: By state, each of them.
    jobs: Mapping[str, int]
    #: Jobs that were begun at least once.
    started: int
    #: How often jobs have failed, by category; one that fails again counts again.
    errors: Mapping[str, int]
    queue: Waiting
    #: By kind of letter; only kinds that ever were.
    outbox: Mapping[str, Waiting]
    #: Tries by the status of the answer, None for none.
    deliveries: Mapping[int | None, int]


def tallies(catalog: Catalog) -> Tallies:
    """Count what the catalog holds now."""
    with catalog.reading() as connection:
        moment = now(connection)
        states = select(Job.state, func.count()).group_by(Job.state)
        jobs = dict.fromkeys(STATES, 0) | {row[0]: row[1] for row in connection.execute(states)}
        unfinished = Job.state.in_(["queued", "failed", "cancelled"]), Job.attempts > 0
        begun = connection.scalar(select(func.count()).where(*unfinished)) or 0
        failed = select(JobEvent.category, func.count()).where(JobEvent.category.is_not(None))
        errors = {row[0] or "": row[1] for row in connection.execute(failed.group_by(JobEvent.category))}
        put = select(func.max(JobEvent.at).label("at")).join(Job, Job.id == JobEvent.job_id)
        put = put.where(Job.state == "queued", JobEvent.state == "queued").group_by(JobEvent.job_id)
        oldest = connection.scalar(select(func.min(put.subquery().c.at)))
        # Not `IS NOT NULL`, for which SQLite reads all that was ever sent.
        letters = select(Outbox.kind, func.count(), func.min(Outbox.created_at)).where(Outbox.due_at > _EVER)
        outbox = {
            row[0]: Waiting(row[1], _age(moment, row[2])) for row in connection.execute(letters.group_by(Outbox.kind))
        }
        tries = select(Delivery.status, func.count()).group_by(Delivery.status)
        deliveries = {row[0]: row[1] for row in connection.execute(tries)}
    started = jobs["completed"] + jobs["running"] + begun
    return Tallies(jobs, started, errors, Waiting(jobs["queued"], _age(moment, oldest)), outbox, deliveries)


def _age(moment: datetime, since: datetime | None) -> float:
    return 0.0 if since is None else max(0.0, (moment - since).total_seconds())


@dataclass
class Spread:
    """A histogram: how many values lie in each bucket, not counting those of lower ones, and their sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(BOUNDS, value)] += 1
        self.total += value

    def plus(self, other: "Spread") -> "Spread":
        """Return both together."""
        both = [one + two for one, two in zip(self.counts, other.counts, strict=True)]
        return Spread(both, self.total + other.total)


Spreads = Mapping[str, Spread]


class Durations:
    """How long completed jobs and their steps have taken.

    What has ended two minutes ago is read once and remembered; only the rest is read again. For one thread at a time.
    """

    def __init__(self) -> None:
        self._settled = _spreads()
        self._until: datetime | None = None

    def read(self, catalog: Catalog) -> Spreads:
        """Return the seconds by step, and those of whole jobs as `WHOLE`."""
        with catalog.reading() as connection:
            until = now(connection) - _SETTLED
        if self._until is None or until > self._until:
            new = _read(catalog, self._until, until)
            self._settled = {name: spread.plus(new[name]) for name, spread in self._settled.items()}
            self._until = until
        rest = _read(catalog, self._until, None)
        return {name: spread.plus(rest[name]) for name, spread in self._settled.items()}


def _spreads() -> dict[str, Spread]:
    return {name: Spread() for name in (*STEPS, WHOLE)}


def _read(catalog: Catalog, since: datetime | None, before: datetime | None) -> dict[str, Spread]:
    """Read what was completed between two moments, None for any, a thousand jobs at a time."""
    # The state is looked at here: SQLite would else go through all completed jobs by the index of states.
    query = select(Job.state, SecondsBetween(Job.started_at, Job.finished_at), cast(Job.stages, String))
    query = query.where(Job.finished_at.is_not(None))
    if since is not None:
        query = query.where(Job.finished_at >= since)
    if before is not None:
        query = query.where(Job.finished_at < before)
    found = _spreads()
    with catalog.reading() as connection:
        rows = connection.execution_options(yield_per=_CHUNK).execute(query)
        for state, seconds, stages in rows:
            if state != "completed":
                continue
            if seconds is not None:
                found[WHOLE].add(max(0.0, seconds))
            for name, stage in orjson.loads(stages).items():
                if name in found:
                    found[name].add(stage["seconds"])
    return found


def by_outcome(deliveries: Mapping[int | None, int]) -> Mapping[str, int]:
    """Return tries to deliver by what came of them: `delivered`, `refused` or `unanswered`."""
    counts = Counter(delivered=0, refused=0, unanswered=0)
    for status, count in deliveries.items():
        outcome = "unanswered" if status is None else "delivered" if 200 <= status < 300 else "refused"
        counts[outcome] += count
    return counts
