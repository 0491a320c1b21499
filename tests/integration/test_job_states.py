"""The states of a job, under every order of what can happen to it: no illegal change, and ends are ends."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bhiv import jobs
from bhiv.catalog import Catalog, ledger, outbox, views
from bhiv.catalog.ledger import Lease
from bhiv.errors import JobStateConflict, LeaseLost
from tests.integration.test_jobs import cancel, metadata, retry, submit

#: What may follow each state, itself aside.
LEGAL = {
    "queued": {"running", "cancelled", "failed"},
    "running": {"queued", "completed", "failed", "cancelled"},
    "failed": {"running", "queued"},
    "cancelled": {"queued"},
    "completed": set(),
}  # fmt: skip


class JobStates(RuleBasedStateMachine):
    """One job, whose leases may be held by any number of runs, most of which have lost it."""

    catalog: Catalog
    leases = Bundle("leases")

    @initialize()
    def submitted(self) -> None:
        self.job = submit(self.catalog).job_id
        self.seen = ["queued"]
        self.retried = 0

    def state(self) -> str:
        found = views.get(self.catalog, self.job)
        assert found is not None
        return found.state

    @rule(target=leases, owner=st.sampled_from(["one", "two", "three"]), seconds=st.sampled_from([0.0, 60.0]))
    def claim(self, owner: str, seconds: float) -> Any:
        before = self.state()
        lease = ledger.claim(self.catalog, self.job, owner, seconds)
        assert lease is None or before in {"queued", "running", "failed"}
        assert lease is None or self.state() == "running"
        return multiple() if lease is None else lease

    @rule(lease=leases, step=st.sampled_from(["images", "render"]), progress=st.integers(-10, 200))
    def advance(self, lease: Lease, step: Any, progress: int) -> None:
        self.with_lease(lease, lambda: ledger.advance(self.catalog, lease, step, progress, {}), changes=False)

    @rule(lease=leases, seconds=st.sampled_from([0.0, 60.0]))
    def renew(self, lease: Lease, seconds: float) -> None:
        self.with_lease(lease, lambda: ledger.renew(self.catalog, lease, seconds), changes=False)

    @rule(lease=leases)
    def release(self, lease: Lease) -> None:
        self.with_lease(lease, lambda: ledger.release(self.catalog, lease))

    @rule(lease=leases, how=st.sampled_from(["completed", "failed", "cancelled"]))
    def finish(self, lease: Lease, how: Any) -> None:
        self.with_lease(lease, lambda: ledger.finish(self.catalog, lease, how, metadata(self.catalog, self.job, how)))

    @rule(lease=consumes(leases))
    def killed(self, lease: Lease) -> None:
        """A run that is killed says nothing any more."""

    def with_lease(self, lease: Lease, do: Any, *, changes: bool = True) -> None:
        before, newest = self.state(), self.token()
        try:
            do()
        except LeaseLost:
            assert lease.token != newest
            assert self.state() == before
        else:
            assert lease.token == newest
            assert self.state() == before or (changes and before == "running")

    def token(self) -> int:
        with self.catalog.reading() as connection:
            return jobs._locked(connection, self.job).lease_token

    @rule()
    def cancel(self) -> None:
        before = self.state()
        try:
            changed = cancel(self.catalog, self.job)
        except JobStateConflict:
            assert before in {"completed", "failed"}
        else:
            assert changed == (before != "cancelled")
            assert self.state() == "cancelled"

    @rule()
    def retry(self) -> None:
        before = self.state()
        try:
            retry(self.catalog, self.job)
        except JobStateConflict:
            assert before not in {"failed", "cancelled"}
        else:
            assert before in {"failed", "cancelled"}
            assert self.state() == "queued"
            self.retried += 1

    @rule(how=st.sampled_from(["started", "refused"]))
    def dispatch(self, how: str) -> None:
        before = self.state()
        for letter in outbox.fair_runs(self.catalog, 5):
            with self.catalog.writing() as connection:
                if how == "started":
                    jobs.started(connection, letter, letter.payload["key"])
                else:
                    jobs.refuse(connection, letter, "no")
        after = self.state()
        assert after == before or (before, after, how) == ("queued", "failed", "refused")

    @precondition(lambda self: self.state() == "running")
    @rule(how=st.sampled_from(["failed", "cancelled"]))
    def reconciled(self, how: Any) -> None:
        """A job whose run is gone is taken over and ended."""
        with self.catalog.writing() as connection:
            lease = ledger.overtake(connection, self.job)
            ledger.end(connection, lease, how, metadata(self.catalog, self.job, how))
        assert self.state() == how

    @invariant()
    def changes_are_legal(self) -> None:
        if not hasattr(self, "job"):
            return
        told = [change.state for change in views.history(self.catalog, self.job)]
        assert told[0] == "queued"
        for before, after in pairwise(told):
            assert after == before == "running" or after in LEGAL[before], told
        assert told[-1] == self.state()
        assert told.count("queued") >= 1 + self.retried

    @invariant()
    def what_waits_to_be_started_is_there_once(self) -> None:
        if hasattr(self, "job"):
            waiting = [letter for letter in outbox.due(self.catalog, ["run"], 100) if letter.job_id == self.job]
            assert len(waiting) <= 1


@pytest.fixture
def machine(catalog: Catalog) -> type[JobStates]:
    return type("Machine", (JobStates,), {"catalog": catalog})


def test_no_order_of_events_brings_a_job_into_an_illegal_state(machine: type[JobStates]) -> None:
    # Nothing is cleared in between: each run has a job of its own.
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30, stateful_step_count=25, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
