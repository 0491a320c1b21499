from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bhiv.catalog.views import JobView
from bhiv.reconciling import ReconcileRules, Run, judge, judge_maintenance, judge_run

NOW = datetime(2026, 1, 31, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
RULES = ReconcileRules()


def job(**fields: Any) -> JobView:
    known = {"id": "0" * 24, "content_id": "1" * 24, "title": "T", "state": "running", "step": "render", "progress": 40}
    nothing = dict.fromkeys(JobView.model_fields) | {"stages": {}, "attempts": 1}
    times = {"created_at": LONG_AGO, "updated_at": LONG_AGO, "lease_expires_at": LONG_AGO}
    return JobView.model_validate(nothing | known | times | fields)


def run(state: str, **fields: Any) -> Run:
    return Run.model_validate({"id": "r", "state": state, "since": LONG_AGO, "deployed": True, "count": 1} | fields)


@pytest.mark.parametrize("state", ["CRASHED", "FAILED", "COMPLETED", "RUNNING", "PENDING"])
def test_a_dead_run_is_resumed(state: str) -> None:
    assert judge(job(), run(state), NOW, RULES, 5).fate == "resume"


@pytest.mark.parametrize("state", ["SCHEDULED", "PAUSED"])
def test_a_run_that_will_go_on_is_left_alone(state: str) -> None:
    assert judge(job(), run(state), NOW, RULES, 5).fate == "leave"


def test_a_run_that_has_just_been_taken_is_left_alone() -> None:
    assert judge(job(), run("PENDING", since=NOW), NOW, RULES, 5).fate == "leave"


def test_a_run_whose_lease_has_just_run_out_is_left_alone() -> None:
    assert judge(job(lease_expires_at=NOW), run("RUNNING"), NOW, RULES, 5).fate == "leave"


@pytest.mark.parametrize("state", ["CANCELLED", "CANCELLING"])
def test_a_cancelled_run_cancels_its_job(state: str) -> None:
    assert judge(job(), run(state), NOW, RULES, 5).fate == "cancel"


def test_a_run_of_the_command_is_not_run_by_a_worker() -> None:
    verdict = judge(job(), run("RUNNING", deployed=False), NOW, RULES, 5)

    assert (verdict.fate, verdict.reason) == ("fail", "the process was killed")


def test_a_job_that_kills_its_process_every_time_is_given_up() -> None:
    verdict = judge(job(attempts=5), run("CRASHED"), NOW, RULES, 5)

    assert verdict.fate == "fail"
    assert "5 times" in verdict.reason


def test_a_job_that_waits_for_its_first_run_is_left_alone() -> None:
    assert judge(job(state="queued", lease_expires_at=None), None, NOW, RULES, 5).fate == "leave"


def test_a_job_whose_run_is_not_known_is_ended() -> None:
    assert judge(job(), None, NOW, RULES, 5).fate == "fail"


def test_a_run_that_crashed_before_it_began_is_run_again_a_few_times() -> None:
    assert judge_run(run("CRASHED"), NOW, RULES, 5).fate == "resume"
    assert judge_run(run("CRASHED", count=5), NOW, RULES, 5).fate == "fail"


@pytest.mark.parametrize("state", ["RUNNING", "PENDING"])
def test_a_run_that_goes_on_without_a_job_is_run_again_after_a_while(state: str) -> None:
    assert judge_run(run(state), NOW, RULES, 5).fate == "resume"
    assert judge_run(run(state, since=NOW), NOW, RULES, 5).fate == "leave"


@pytest.mark.parametrize("state", ["RUNNING", "PENDING"])
def test_maintenance_that_goes_on_for_too_long_counts_as_killed(state: str) -> None:
    verdict = judge_maintenance(run(state), NOW, RULES)

    assert (verdict.fate, verdict.name) == ("crash", "run r")
    assert verdict.reason == f"it was {state.lower()} for more than 30 minutes"
    assert judge_maintenance(run(state, since=NOW - timedelta(minutes=29)), NOW, RULES).fate == "leave"
