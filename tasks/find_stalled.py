"""The jobs that will not end by themselves."""

from datetime import UTC, datetime

from prefect.runtime import flow_run

from bhiv.catalog import open_catalog, views
from bhiv.reconciling import ReconcileRules, Stalled, judge, judge_maintenance, judge_run
from tasks.prefect_runs import maintenance_runs, runs_of, unsettled_runs
from tasks.step import run_settings, step


@step("find_stalled", "find stalled jobs")
def find_stalled(rules: ReconcileRules) -> list[Stalled]:
    """Compare the catalog's unheld jobs with Prefect's runs, and say what is to be done about each."""
    settings, now = run_settings(), datetime.now(UTC)
    unsettled = unsettled_runs("script_to_video", rules.since_hours)
    with open_catalog(settings) as catalog:
        unheld = [*views.expired(catalog), *views.recent(catalog, "queued", limit=1000)]
        begun = views.known_runs(catalog, [run.id for run in unsettled])
    runs = runs_of(job.flow_run_id for job in unheld if job.flow_run_id)
    judged = [judge(job, runs.get(job.flow_run_id or ""), now, rules, settings.job_attempts) for job in unheld]
    judged += [judge_run(run, now, rules, settings.job_attempts) for run in unsettled if run.id not in begun]
    judged += [judge_maintenance(run, now, rules) for run in maintenance_runs() if run.id != flow_run.id]
    return [one for one in judged if one.fate != "leave"]
