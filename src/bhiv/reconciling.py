"""Reconciling: what is to be done about a job whose run may never end.

Prefect knows which run makes a job and how that stands; the catalog knows whether anybody still holds the job. Neither
knows enough alone: a run killed with its worker stays Running for ever, and a job that waits has no lease to lose.
"""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from bhiv.catalog.views import JobView
from bhiv.plan import Contract

Fate = Literal["leave", "resume", "fail", "cancel", "crash"]

_CANCELLED = ("CANCELLED", "CANCELLING")
_ENDED = ("COMPLETED", "FAILED", "CRASHED")
_GOING = ("PENDING", "RUNNING")


class ReconcileRules(Contract):
    """How long one waits before a run counts as dead, and how often a job is tried."""

    pending_minutes: float = Field(
        5, gt=0, description="A run that was taken by a worker and did not begin for so long."
    )
    silent_minutes: float = Field(1, gt=0, description="A run that goes on, while nobody has held its job for so long.")
    zombie_minutes: float = Field(
        30, gt=0, description="A maintenance run that goes on for so long counts as killed; it holds up the next one."
    )
    since_hours: float = Field(24, gt=0, description="How far back runs are looked for that crashed before they began.")


class Run(Contract):
    """What Prefect knows of a run; `state` is the type, such as RUNNING, and `since` when it got it."""

    id: str
    state: str
    since: datetime
    deployed: bool
    count: int


class Stalled(Contract):
    """A job that will not end by itself, or a run that never came to have one, and what is to be done."""

    job_id: str | None
    run_id: str | None
    fate: Fate
    reason: str

    @property
    def name(self) -> str:
        """What a person calls it by."""
        return self.job_id or f"run {self.run_id}"


class ReconcileReport(Contract):
    """What was done."""

    resumed: int
    failed: int
    cancelled: int
    crashed: int = Field(description="Maintenance runs that counted as killed.")
    recorded: int = Field(description="Ended jobs whose metadata and log were not in the bucket yet.")
    skipped: int = Field(
        description="Maintenance runs that were due while nobody was there, and are made up for by one."
    )


def judge(job: JobView, run: Run | None, now: datetime, rules: ReconcileRules, most_attempts: int) -> Stalled:
    """Say what is to be done about a job that nobody holds: one that waits, or whose lease has run out."""
    fate, reason = _fate(job, run, now, rules, most_attempts)
    return Stalled(job_id=job.id, run_id=run.id if run else None, fate=fate, reason=reason)


def judge_run(run: Run, now: datetime, rules: ReconcileRules, most_attempts: int) -> Stalled:
    """Say what is to be done about a run that has entered no job: its process was killed before it came to that."""
    dead = run.state in _ENDED or now - run.since > timedelta(minutes=_patience(run, rules))
    fate: Fate = "leave" if not dead else "resume" if run.count < most_attempts else "fail"
    return Stalled(job_id=None, run_id=run.id, fate=fate, reason=f"the run was {run.state.lower()} and had no job")


def judge_maintenance(run: Run, now: datetime, rules: ReconcileRules) -> Stalled:
    """Say what is to be done about a run that goes on and makes no video."""
    dead = run.state in _GOING and now - run.since > timedelta(minutes=rules.zombie_minutes)
    reason = f"it was {run.state.lower()} for more than {rules.zombie_minutes:g} minutes"
    return Stalled(job_id=None, run_id=run.id, fate="crash" if dead else "leave", reason=reason)


def _fate(job: JobView, run: Run | None, now: datetime, rules: ReconcileRules, most_attempts: int) -> tuple[Fate, str]:
    if run is None:
        # A job that waits has no run yet: whoever accepted it starts one.
        return ("leave", "") if job.state == "queued" else ("fail", "the process was killed, and its run is not known")
    if run.state in _CANCELLED:
        return "cancel", "cancelled in Prefect"
    if not _is_dead(run, job, now, rules):
        return "leave", ""
    if not run.deployed:
        return "fail", "the process was killed"
    if job.attempts >= most_attempts:
        return "fail", f"its process was killed {job.attempts} times; see the run's page for the last words"
    return "resume", f"the run was {run.state.lower()} and nobody held the job"


def _is_dead(run: Run, job: JobView, now: datetime, rules: ReconcileRules) -> bool:
    if run.state in _ENDED:
        return True
    if run.state not in _GOING:
        return False
    since = run.since if run.state == "PENDING" else job.lease_expires_at or job.updated_at
    return now - since > timedelta(minutes=_patience(run, rules))


def _patience(run: Run, rules: ReconcileRules) -> float:
    return rules.pending_minutes if run.state == "PENDING" else rules.silent_minutes
