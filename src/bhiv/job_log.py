"""The log of a content's last attempt, in `logs/<content_id>.log`: what happened, step by step, for a person."""

import logging
from collections.abc import Iterator, Sequence

from bhiv.bucket import Bucket
from bhiv.catalog import Catalog, views
from bhiv.catalog.views import JobChange, JobView
from bhiv.errors import CatalogUnavailable, StorageError
from bhiv.record import STEPS, Metadata, log_key

_log = logging.getLogger(__name__)


def write_log(bucket: Bucket, catalog: Catalog, metadata: Metadata) -> None:
    """Store the log of an attempt that has ended, in place of that of the one before.

    Without the catalog it has only what the metadata says. That it can't be stored is logged and no error: the video is
    what counts.
    """
    try:
        job, changes = views.get(catalog, metadata.job_id), views.history(catalog, metadata.job_id)
    except CatalogUnavailable:
        job, changes = None, []
    text = "".join(f"{line}\n" for line in lines(metadata, job, changes))
    try:
        bucket.put_bytes(log_key(metadata.content_id), text.encode(errors="replace"), "text/plain; charset=utf-8")
    except StorageError as error:
        _log.warning("the log of the job %s is not in the bucket: %s", metadata.job_id, error)


def lines(metadata: Metadata, job: JobView | None, changes: Sequence[JobChange]) -> Iterator[str]:
    """Yield the lines: what it is about, every change of state or step, the time of each step, and the error."""
    yield f"job {metadata.job_id} of content {metadata.content_id}: {' '.join(metadata.title.split())}"
    yield f"uploaded by {' '.join(metadata.uploader_id.split())}, storyboard by {metadata.storyboard_source}"
    if job is not None:
        yield f"begun {job.attempts} times" + (f", run {job.flow_run_id}" if job.flow_run_id else "")
    for change in changes:
        what = f"{change.state}, {change.step}, {change.progress} %"
        yield f"{change.at:%Y-%m-%dT%H:%M:%S.%f}Z {what}" + (f", {change.category} error" if change.category else "")
    for step in STEPS:
        if job is not None and (stage := job.stages.get(step)):
            yield f"{step}: {stage.seconds:.3f} s in {stage.total} runs, {stage.cached} found made before"
    if metadata.error is not None:
        error = metadata.error
        yield f"{error.category} error in {error.step}: {' '.join(error.message.split())}"
    else:
        yield f"{metadata.processing_status}: {metadata.paths.video}"
