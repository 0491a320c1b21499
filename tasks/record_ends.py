"""Ends of jobs that the bucket was not told of."""

from bhiv.catalog import open_catalog
from bhiv.job_end import write_missing_ends
from tasks.step import here, run_settings, step


@step("record_ends", "record ends")
def record_ends() -> int:
    """Write the metadata and logs of ended jobs that are not in the bucket yet."""
    with open_catalog(run_settings()) as catalog:
        return write_missing_ends(here().bucket, catalog)
