"""Where everything that lasts is kept: objects under strict keys, in a local folder."""

from bhiv.bucket.artifact import Artifact
from bhiv.bucket.local import LocalBucket
from bhiv.settings import Settings

#: The bucket's interface; a second kind of store will take it over as a protocol.
Bucket = LocalBucket


def open_bucket(settings: Settings) -> Bucket:
    """Return the bucket that the settings name; nothing is read or made yet."""
    return LocalBucket(settings.bucket_dir)


__all__ = ["Artifact", "Bucket", "open_bucket"]
