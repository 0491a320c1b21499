"""Where an S3 bucket is, who uses it, and how long it may take; the client for it, and what its errors mean."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import boto3
from botocore import exceptions as boto
from botocore.config import Config

from bhiv.errors import (
    BhivError,
    DiskFull,
    ObjectExists,
    ObjectMissing,
    StorageError,
    StorageMisconfigured,
    StorageUnavailable,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class S3Account:
    """What the settings say about S3, and the time limits, which are no settings: tests set them smaller."""

    bucket: str
    #: Starts the name of every object; empty, or ends in a slash.
    prefix: str = ""
    #: None for AWS.
    endpoint_url: str | None = None
    #: For presigned addresses; None for the endpoint itself.
    public_endpoint_url: str | None = None
    region: str | None = None
    #: None for what boto3 finds by itself: its environment, files, the machine's role.
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    ca_bundle: Path | None = None
    #: Larger objects are sent in parts of this size.
    multipart_bytes: int = 16 << 20
    connect_seconds: float = 3
    #: The longest silence.
    read_seconds: float = 30
    attempts: int = 4

    def client(self, *, public: bool = False) -> "S3Client":
        """Return this process's client for the account; with `public`, the one that signs for browsers."""
        endpoint_url = (public and self.public_endpoint_url) or self.endpoint_url
        # A connection must not be shared with a forked process.
        return _client(replace(self, prefix="", multipart_bytes=0), endpoint_url, os.getpid())

    def uri(self, key: str = "") -> str:
        """Return the address of an object, or of the whole, for people."""
        return f"s3://{self.bucket}/{self.prefix}{key}"


@cache  # a process has one account, or a few; a client that is dropped leaves its connections open
def _client(account: S3Account, endpoint_url: str | None, _process: int) -> "S3Client":
    # Newer checksums make AWS's own server safer and break every PUT over TLS on most others.
    checksums: Literal["when_required", "when_supported"] = "when_required" if endpoint_url else "when_supported"
    config = Config(
        signature_version="s3v4",  # without it, presigned addresses are of the old kind that servers refuse
        connect_timeout=account.connect_seconds,
        read_timeout=account.read_seconds,
        retries={"total_max_attempts": account.attempts, "mode": "standard"},
        request_checksum_calculation=checksums,
        response_checksum_validation=checksums,
        max_pool_connections=16,
        # A server that gets no checksum compares what arrives with the signature's.
        s3={"addressing_style": "path" if endpoint_url else "auto", "payload_signing_enabled": bool(endpoint_url)},
    )
    _check_certificates(account)
    with explained(account, account.bucket):
        return boto3.session.Session().client(
            "s3",
            endpoint_url=endpoint_url,
            region_name=account.region or ("us-east-1" if endpoint_url else None),
            aws_access_key_id=account.access_key_id,
            aws_secret_access_key=account.secret_access_key,
            verify=str(account.ca_bundle) if account.ca_bundle else None,
            config=config,
        )


def _check_certificates(account: S3Account) -> None:
    # botocore reads them with the first request, and calls whatever is wrong a broken connection.
    if account.ca_bundle:
        try:
            ssl.create_default_context(cafile=str(account.ca_bundle))
        except OSError as error:
            raise StorageMisconfigured(
                f"{account.ca_bundle} holds no certificates ({error.strerror or error}); set BHIV_S3_CA_BUNDLE"
            ) from error


#: What S3 says when a setting is wrong, and which one that is.
_REFUSALS = {
    "NoSuchBucket": "there is no bucket {bucket!r}; create it or set BHIV_S3_BUCKET to one that exists",
    "InvalidBucketName": "{bucket!r} can't be the name of a bucket; set BHIV_S3_BUCKET to one that exists",
    "InvalidAccessKeyId": "the server does not know the key; set BHIV_S3_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret does not belong to the key; set BHIV_S3_SECRET_ACCESS_KEY",
    "AccessDenied": "the key may not do this; allow it to read, write, list and delete, or set BHIV_S3_ACCESS_KEY_ID",
    "PermanentRedirect": "the bucket is in another region; set BHIV_S3_REGION",
    "AuthorizationHeaderMalformed": "the bucket is in another region; set BHIV_S3_REGION",
    "IllegalLocationConstraintException": "the bucket is in another region; set BHIV_S3_REGION",
    "RequestTimeTooSkewed": "this machine's clock differs from the server's; set it",
    "ExpiredToken": "the credentials have expired; set BHIV_S3_ACCESS_KEY_ID and BHIV_S3_SECRET_ACCESS_KEY",
    "InvalidToken": "the credentials are not the server's; set BHIV_S3_ACCESS_KEY_ID and BHIV_S3_SECRET_ACCESS_KEY",
    "403": "access is denied; set BHIV_S3_ACCESS_KEY_ID and BHIV_S3_SECRET_ACCESS_KEY",
    "301": "the bucket is in another region; set BHIV_S3_REGION",
}
_NO_ROOM = {"QuotaExceeded", "XMinioStorageFull"}
_THROTTLED = {"RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "429"}


@contextmanager
def explained(account: S3Account, key: str) -> Iterator[None]:
    """Raise what goes wrong with S3 inside as the error of BHIV's that it is; unknown errors pass."""
    try:
        yield
    except boto.ClientError as error:
        raise _answer(error, account, key) from error
    except boto.SSLError as error:
        raise _tls(error, account) from error
    except (boto.NoCredentialsError, boto.PartialCredentialsError) as error:
        raise StorageMisconfigured(
            "there are no credentials for S3: set BHIV_S3_ACCESS_KEY_ID and BHIV_S3_SECRET_ACCESS_KEY"
        ) from error
    except (boto.ConnectionError, boto.HTTPClientError, boto.IncompleteReadError) as error:
        raise StorageUnavailable(
            f"S3 can't be reached at {where(account)} ({_plain(error)}); try again, or check BHIV_S3_ENDPOINT_URL"
        ) from error
    except (boto.BotoCoreError, ValueError) as error:
        if isinstance(error, BhivError):
            raise
        raise StorageMisconfigured(
            f"{account.uri()} can't be used: {_plain(error)}; check the settings BHIV_S3_…"
        ) from error


def where(account: S3Account) -> str:
    """Return the server's address, for people."""
    return account.endpoint_url or "AWS"


def _answer(error: boto.ClientError, account: S3Account, key: str) -> StorageError:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _REFUSALS:
        return StorageMisconfigured(f"S3 at {where(account)}: {_REFUSALS[code].format(bucket=account.bucket)}")
    if code in {"NoSuchKey", "404"}:
        return ObjectMissing(f"there is no {account.uri(key)}")
    if code in {"PreconditionFailed", "ConditionalRequestConflict"}:
        return ObjectExists(f"there is a {account.uri(key)} already")
    if code in _NO_ROOM or status == 507:
        return DiskFull(f"S3 at {where(account)} has no room left: make some and run the same command again")
    if status >= 500 or code in _THROTTLED:
        return StorageUnavailable(f"S3 at {where(account)} fails ({code or status}); try again later")
    return StorageError(f"{account.uri(key)} can't be used: {error}")


def _tls(error: boto.SSLError, account: S3Account) -> StorageError:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return StorageMisconfigured(
            f"the certificate of {where(account)} is not trusted: set BHIV_S3_CA_BUNDLE to the file of who signed it"
        )
    return StorageUnavailable(f"S3 can't be reached at {where(account)} ({_plain(error)}); try again")


def _plain(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
