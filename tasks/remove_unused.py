"""Removal of unused objects."""

from bhiv.catalog import open_catalog
from bhiv.cleaning import CleanUpReport, CleanUpRules, clean
from tasks.step import here, run_settings, step


@step("remove_unused", "remove unused objects")
def remove_unused(rules: CleanUpRules) -> CleanUpReport:
    """Remove what the rules name and no job needs."""
    with open_catalog(run_settings()) as catalog:
        return clean(here().bucket, rules, catalog)
