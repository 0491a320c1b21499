"""Clean-up of the bucket, by rules that an operator can set for one run."""

from prefect import flow

from bhiv.cleaning import CleanUpReport, CleanUpRules
from flows.report import show_report
from flows.run_settings import settings_of_run
from tasks.remove_unused import remove_unused
from tasks.step import under


@flow(name="clean_up", persist_result=False)
def clean_up(rules: CleanUpRules = CleanUpRules()) -> CleanUpReport:
    """Remove from the bucket what the rules name and no job needs."""
    with under(settings_of_run()):
        report = remove_unused(rules)
    show_report("clean-up", report, report.removed)
    if report.unmatched:
        show_report("clean-up-unmatched", [(one.kind, one.objects) for one in report.unmatched], report.unmatched)
    return report
