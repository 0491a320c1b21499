from bhiv.catalog.views import JobView
from bhiv.failure_note import failure_note
from bhiv.record import Failure
from tests.unit.test_reconciling import job

FAILED = {"state": "failed", "error": Failure(category="lm", message="no such voice", step="storyboard")}


def told(job: JobView | None) -> tuple[str, str]:
    note = failure_note(job, "Fable · 123456", "it was killed", "http://127.0.0.1/run")
    return note.subject, note.body


def test_a_failed_job_is_told_of_in_the_words_of_the_catalog() -> None:
    assert told(job(**FAILED)) == (
        "BHIV could not make 'T'",
        "job: 000000000000000000000000\nstep: storyboard\nerror: no such voice\npage: http://127.0.0.1/run",
    )


def test_a_run_without_a_job_is_told_of_in_its_own_words() -> None:
    assert told(None) == (
        "BHIV could not make a video: Fable · 123456",
        "job: none yet\nstep: before the first\nerror: it was killed\npage: http://127.0.0.1/run",
    )


def test_a_job_that_another_run_goes_on_with_is_told_of_with_this_runs_words() -> None:
    assert "step: render\nerror: it was killed\n" in told(job())[1]
