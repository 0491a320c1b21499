"""What is done about a stalled job."""

from prefect.states import Crashed, Failed

from bhiv.attempt import give_up
from bhiv.reconciling import Stalled
from tasks.prefect_runs import end_run, run_again
from tasks.step import here, run_settings, step


@step("settle_job", "{stalled.fate} {stalled.name}")
def settle_job(stalled: Stalled) -> None:
    """Have the job's run go on, or end the job and its run with the reason."""
    if stalled.fate == "resume" and stalled.run_id:
        run_again(stalled.run_id)
        return
    cancelled = stalled.fate == "cancel"
    if stalled.job_id and not give_up(here(), run_settings(), stalled.job_id, stalled.reason, cancelled=cancelled):
        return
    if stalled.run_id and not cancelled:
        # Failed is what is reported, see prefect.yaml.
        end = Crashed if stalled.fate == "crash" else Failed
        end_run(stalled.run_id, end(message=stalled.reason))
