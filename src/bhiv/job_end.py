"""The end of a job in the bucket: its metadata and its log, as the catalog has them.

The catalog decides, so it is written first, with a letter in the outbox that says that the bucket must still be told.
Whoever ended the job tells it at once; when that process is killed, or the bucket away, the reconciler does.
"""

import logging

from bhiv.bucket import Bucket
from bhiv.catalog import Catalog, outbox, views
from bhiv.catalog.outbox import Kind
from bhiv.errors import CatalogUnavailable, StorageError
from bhiv.job_log import write_log
from bhiv.record import write_metadata

_RECORD: tuple[Kind, ...] = ("record",)

_log = logging.getLogger(__name__)


def write_end(bucket: Bucket, catalog: Catalog, job_id: str) -> bool:
    """Write of the job's last end into the bucket, in place of what is there; whether there was one and it was written.

    That a bucket or a catalog is away is logged and no error: the job has ended, and the bucket is told later.
    """
    try:
        metadata = views.metadata_of(catalog, job_id)
        if metadata is None:
            return False
        write_metadata(bucket, metadata)
        write_log(bucket, catalog, metadata)
        with catalog.writing() as connection:
            outbox.settle(connection, job_id, "record")
    except (StorageError, CatalogUnavailable) as error:
        _log.warning("the end of the job %s is not in the bucket yet: %s", job_id, error)
        return False
    return True


def write_missing_ends(bucket: Bucket, catalog: Catalog, limit: int = 100) -> int:
    """Write of the ends that the bucket was not told of, at most `limit`; return how many were written.

    Raises:
        CatalogUnavailable: as it says.
    """
    due = outbox.due(catalog, _RECORD, limit)
    return sum(write_end(bucket, catalog, job) for job in dict.fromkeys(letter.job_id for letter in due) if job)
