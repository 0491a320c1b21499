"""Failures: whoever wants to know is told that a video could not be made."""

from uuid import UUID

from prefect import flow

from flows.run_settings import settings_of_run
from tasks.describe_failure import describe_failure
from tasks.send_notice import send_notice
from tasks.step import under


@flow(name="report_failure", persist_result=False)
def report_failure(run_id: UUID) -> str:
    """Send one message about a failed run through the notification block named `bhiv-failures`, if there is one."""
    with under(settings_of_run()):
        return send_notice(describe_failure(str(run_id)))
