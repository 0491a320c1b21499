"""Where everything that lasts is kept: objects under strict keys, in a local folder or on an S3 server."""

from bhiv.bucket.artifact import Artifact
from bhiv.bucket.listing import entries
from bhiv.bucket.opening import check_bucket, open_bucket
from bhiv.bucket.protocol import Bucket, Entry, Page, Stored

__all__ = ["Artifact", "Bucket", "Entry", "Page", "Stored", "check_bucket", "entries", "open_bucket"]
