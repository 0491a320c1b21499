"""What there is to tell of a failed run."""

from prefect.utilities.urls import url_for

from bhiv.catalog import open_catalog, views
from bhiv.failure_note import FailureNote, failure_note
from tasks.prefect_runs import last_words
from tasks.step import run_settings, step


@step("describe_failure", "describe the failure")
def describe_failure(run_id: str) -> FailureNote:
    """Put together what the catalog and Prefect know of the run."""
    with open_catalog(run_settings()) as catalog:
        job = views.of_run(catalog, run_id)
    return failure_note(job, *last_words(run_id), page=str(url_for("flow-run", obj_id=run_id)))
