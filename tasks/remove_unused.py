"""Removal of unused objects."""

from bhiv.cleaning import CleanUpReport, CleanUpRules, clean_all
from tasks.step import run_settings, step


@step("remove_unused", "remove unused objects")
def remove_unused(rules: CleanUpRules) -> CleanUpReport:
    """Remove what the rules name and no job needs."""
    return clean_all(run_settings(), rules)
