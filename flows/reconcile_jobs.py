"""Reconciliation: jobs whose run will never end are resumed, or ended with a reason."""

from collections import Counter

from prefect import flow

from bhiv.reconciling import ReconcileReport, ReconcileRules
from flows.report import show_report
from flows.run_settings import settings_of_run
from tasks.find_stalled import find_stalled
from tasks.record_ends import record_ends
from tasks.settle_job import settle_job
from tasks.skip_missed import skip_missed
from tasks.step import under


@flow(name="reconcile_jobs", persist_result=False)
def reconcile_jobs(rules: ReconcileRules = ReconcileRules()) -> ReconcileReport:
    """Find the jobs that nobody makes any more, and have them made or end them; the same for maintenance itself."""
    with under(settings_of_run()):
        skipped = skip_missed()
        stalled = find_stalled(rules)
        for one in stalled:
            settle_job(one)
        recorded = record_ends()
    fates = Counter(one.fate for one in stalled)
    report = ReconcileReport(
        resumed=fates["resume"],
        failed=fates["fail"],
        cancelled=fates["cancel"],
        crashed=fates["crash"],
        recorded=recorded,
        skipped=skipped,
    )
    if stalled or recorded or skipped:
        show_report("reconcile-jobs", report, stalled)
    return report
