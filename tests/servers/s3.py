"""What tests do with a running S3 server: a bucket to share, and a part of it for each test."""

import secrets
import ssl
from functools import cache
from pathlib import Path

import boto3
from botocore.config import Config

from bhiv.bucket.copies import Copies
from bhiv.bucket.s3 import S3Bucket
from bhiv.bucket.s3_account import S3Account
from bhiv.settings import Settings
from tests.servers.starting import S3Server

BUCKET = "bhiv-tests"
#: The least that S3 allows.
PART_BYTES = 5 << 20


@cache
def make_bucket(server: S3Server) -> None:
    """Create the bucket that all tests share."""
    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint_url,
        aws_access_key_id=server.access_key_id,
        aws_secret_access_key=server.secret_access_key,
        region_name="us-east-1",
        verify=str(server.ca_bundle) if server.ca_bundle else None,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    client.create_bucket(Bucket=BUCKET)
    client.close()


def s3_settings(server: S3Server, folder: Path, port: int | None = None) -> Settings:
    """Settings of a home below `folder` and an empty part of the shared bucket; `port` leads through a proxy."""
    make_bucket(server)
    scheme, _, own_port = server.endpoint_url.partition("://127.0.0.1:")
    return Settings(
        home=folder / "home",
        storage_backend="s3",
        s3_bucket=BUCKET,
        s3_prefix=secrets.token_hex(8),
        s3_endpoint_url=f"{scheme}://127.0.0.1:{port or own_port}",
        s3_access_key_id=server.access_key_id,
        s3_secret_access_key=server.secret_access_key,
        s3_ca_bundle=server.ca_bundle,
        s3_multipart_bytes=PART_BYTES,
    )


def as_environment(settings: Settings) -> dict[str, str]:
    """Return the variables that make a command have these settings."""
    assert settings.s3_secret_access_key
    secret = settings.s3_secret_access_key.get_secret_value()
    values = settings.model_dump(exclude_none=True, exclude_unset=True) | {"s3_secret_access_key": secret}
    return {f"BHIV_{name.upper()}": str(value) for name, value in values.items()}


def impatient(settings: Settings, *, read_seconds: float = 10) -> S3Bucket:
    """Return the bucket of the settings without a spool; it tries twice and waits for so long."""
    assert settings.s3_bucket
    assert settings.s3_secret_access_key
    account = S3Account(
        bucket=settings.s3_bucket,
        prefix=f"{settings.s3_prefix}/",
        endpoint_url=settings.s3_endpoint_url,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=settings.s3_secret_access_key.get_secret_value(),
        ca_bundle=settings.s3_ca_bundle,
        multipart_bytes=settings.s3_multipart_bytes,
        connect_seconds=min(2, read_seconds),
        read_seconds=read_seconds,
        attempts=2,
    )
    return S3Bucket(account, Copies(settings.home / "copies", settings.s3_cache_bytes))


def trust(server: S3Server) -> ssl.SSLContext:
    """Return what a browser would trust to reach the server."""
    return ssl.create_default_context(cafile=str(server.ca_bundle) if server.ca_bundle else None)
