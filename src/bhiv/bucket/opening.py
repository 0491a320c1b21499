"""Which bucket the settings name, and whether it can be used."""

import secrets

from bhiv.bucket.copies import Copies
from bhiv.bucket.local import LocalBucket
from bhiv.bucket.protocol import Bucket
from bhiv.bucket.spool import Spool
from bhiv.bucket.spooled import SpooledBucket
from bhiv.errors import StorageMisconfigured
from bhiv.settings import Settings


def open_bucket(settings: Settings) -> Bucket:
    """Return the bucket that the settings name; nothing is read or made yet.

    Raises:
        StorageMisconfigured: S3 is chosen without a bucket.
    """
    if settings.storage_backend == "local":
        return LocalBucket(settings.bucket_dir)
    return SpooledBucket(open_s3(settings), open_spool(settings), open_copies(settings))


def open_s3(settings: Settings) -> Bucket:
    """Return the S3 bucket itself, without a spool: what fails fails.

    Raises:
        StorageMisconfigured: no bucket is named.
    """
    # boto3 takes a fifth of a second, which who has a local bucket need not pay.
    from bhiv.bucket.s3 import S3Bucket
    from bhiv.bucket.s3_account import S3Account

    if not settings.s3_bucket:
        raise StorageMisconfigured(
            "BHIV_STORAGE_BACKEND is s3, but no bucket is named: set BHIV_S3_BUCKET, or BHIV_STORAGE_BACKEND=local"
        )
    secret = settings.s3_secret_access_key
    account = S3Account(
        bucket=settings.s3_bucket,
        prefix=f"{settings.s3_prefix}/" if settings.s3_prefix else "",
        endpoint_url=settings.s3_endpoint_url,
        public_endpoint_url=settings.s3_public_endpoint_url,
        region=settings.s3_region,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=secret.get_secret_value() if secret else None,
        ca_bundle=settings.s3_ca_bundle,
        multipart_bytes=settings.s3_multipart_bytes,
    )
    return S3Bucket(account, open_copies(settings))


def open_spool(settings: Settings) -> Spool:
    """Return the home's spool."""
    return Spool(settings.home / "spool")


def open_copies(settings: Settings) -> Copies:
    """Return the home's local copies of S3 objects."""
    return Copies(settings.home / "copies", settings.s3_cache_bytes)


def check_bucket(settings: Settings) -> str:
    """Return where the bucket is, after a small object was written to S3, read and removed; a local one is not touched.

    For start-up and `bhiv doctor`. Never a local bucket in place of the S3 bucket that was asked for.

    Raises:
        StorageMisconfigured: S3 refuses what the settings say; the message names the setting.
        StorageUnavailable: S3 can't be reached now; a run would keep its results in the spool.
    """
    if settings.storage_backend == "local":
        return str(settings.bucket_dir)
    bucket, key = open_s3(settings), f"tmp/check-{secrets.token_hex(8)}"
    bucket.list_page("tmp", limit=1)  # says more than a write does when the bucket does not exist
    bucket.put_bytes(key, b"check", "text/plain")
    try:
        bucket.get_bytes(key)
    finally:
        bucket.delete(key)
    return bucket.uri(key).rpartition("tmp/")[0]
