"""Rotation of logs: large ones and old records are packed into the bucket."""

from prefect import flow

from bhiv.logs import RotateReport, RotateRules
from flows.report import show_report
from flows.run_settings import settings_of_run
from tasks.pack_logs import pack_logs
from tasks.step import under


@flow(name="rotate_logs", persist_result=False)
def rotate_logs(rules: RotateRules = RotateRules()) -> RotateReport:
    """Pack large logs of this machine and old records of the bucket."""
    with under(settings_of_run()):
        report = pack_logs(rules)
    show_report("rotate-logs", report, report.left)
    return report
