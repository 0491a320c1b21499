"""Maintenance that was due while nobody was there."""

from tasks.prefect_runs import remove_missed_runs
from tasks.step import step


@step("skip_missed", "skip missed runs")
def skip_missed() -> int:
    """Remove what came due and was not begun, but the newest run of each schedule; return how many went."""
    return remove_missed_runs()
