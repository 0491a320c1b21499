"""What is done about a stalled job."""

from bhiv.attempt import give_up
from bhiv.reconciling import Stalled
from tasks.prefect_runs import run_again
from tasks.step import here, run_settings, step


@step("settle_job", "{stalled.fate} {stalled.job_id}")
def settle_job(stalled: Stalled) -> None:
    """Have the job's run go on, or end the job with its reason."""
    if stalled.fate == "resume" and stalled.run_id:
        run_again(stalled.run_id)
    elif stalled.job_id:
        give_up(here(), run_settings(), stalled.job_id, stalled.reason, cancelled=stalled.fate == "cancel")
