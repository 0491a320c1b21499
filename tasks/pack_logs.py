"""Packing of logs."""

from bhiv.logs import RotateReport, RotateRules, rotate
from tasks.step import here, run_settings, step


@step("pack_logs", "pack logs")
def pack_logs(rules: RotateRules) -> RotateReport:
    """Pack large logs and old records."""
    return rotate(here().bucket, run_settings().home / "logs", rules)
