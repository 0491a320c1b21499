"""The bucket on an S3 server: AWS or any other that speaks S3."""

import hashlib
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boto3.s3.transfer import TransferConfig, create_transfer_manager

from bhiv.bucket import keys
from bhiv.bucket.artifact import Artifact
from bhiv.bucket.copies import Copies
from bhiv.bucket.download import Download
from bhiv.bucket.protocol import Entry, Page, Stored
from bhiv.bucket.s3_account import S3Account, explained
from bhiv.errors import ObjectDamaged, ObjectExists, ObjectMissing

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

#: Larger objects are copied by the server in parts, because it answers only when a part is done.
_COPY_PART_BYTES = 256 << 20
#: Two cores and one disk gain nothing from more.
_PARTS_AT_ONCE = 3
#: An upload in parts that is older has no writer any more.
_ABANDONED = timedelta(days=1)
_SHA256, _CREATOR = "sha256", "creator"


class S3Bucket:
    """Objects on S3 with their SHA-256 as metadata; `copies` keeps those that were fetched.

    When an object was last used is not recorded: S3 can't, so a clean-up by last use must ask the catalog.
    """

    def __init__(self, account: S3Account, copies: Copies) -> None:
        self.account = account
        self.copies = copies

    def put_file(self, key: str, source: Path, media_type: str) -> Artifact:
        """Store a copy of `source`; large ones in parts, of which none is left when it fails.

        A local copy is kept too, because the next step will fetch it.
        """
        keys.split(key)
        artifact, path = self.copies.take_in(key, source, media_type)
        config = TransferConfig(
            multipart_threshold=self.account.multipart_bytes,
            multipart_chunksize=self.account.multipart_bytes,
            max_concurrency=_PARTS_AT_ONCE,
        )
        extra = {"ContentType": media_type, "Metadata": {_SHA256: artifact.sha256}}
        with explained(self.account, key), create_transfer_manager(self._client, config) as transfers:
            transfers.upload(str(path), self.account.bucket, self.account.prefix + key, extra_args=extra).result()
        return artifact

    def put_bytes(self, key: str, data: bytes, media_type: str) -> Artifact:
        """Store `data`; otherwise as `put_file`."""
        return self._put(key, data, media_type)

    def create(self, key: str, data: bytes, media_type: str) -> Artifact:
        """Store `data` when nothing is there yet.

        Servers that don't know `If-None-Match` are asked first; there, two at once may both succeed.
        """
        creator = secrets.token_hex(16)
        keys.split(key)
        try:
            if self._head(key):
                raise ObjectExists(f"there is a {self.uri(key)} already")
        except ObjectMissing:
            pass
        try:
            return self._put(key, data, media_type, {_CREATOR: creator}, IfNoneMatch="*")
        except ObjectExists:
            # The first attempt of a request that boto3 repeated may have been the one that got through.
            if self._head(key)["Metadata"].get(_CREATOR) == creator:
                return _artifact_of(key, data, media_type)
            raise

    def copy(self, source: Artifact, key: str) -> Artifact:
        """Store the object under a second key; its bytes stay on the server."""
        keys.split(key)
        head = self._head(source.key)
        if not _fits(head, source):
            raise ObjectDamaged(f"{self.uri(source.key)} is not what was written; delete it and run again")
        extra = {
            "ContentType": source.media_type,
            "Metadata": {_SHA256: source.sha256},
            "MetadataDirective": "REPLACE",
            "CopySourceIfMatch": head["ETag"],
        }
        config = TransferConfig(
            multipart_threshold=_COPY_PART_BYTES, multipart_chunksize=_COPY_PART_BYTES, max_concurrency=_PARTS_AT_ONCE
        )
        origin = {"Bucket": self.account.bucket, "Key": self.account.prefix + source.key}
        with explained(self.account, key), create_transfer_manager(self._client, config) as transfers:
            transfers.copy(origin, self.account.bucket, self.account.prefix + key, extra_args=extra).result()
        return source.model_copy(update={"key": key})

    def get_bytes(self, key: str) -> bytes:
        """Return an object's bytes, checked against its SHA-256 where it has one."""
        keys.split(key)
        download = Download(self.account, key)
        data = b"".join(download.pieces())
        if hashlib.sha256(data).hexdigest() != download.noted.get(_SHA256, hashlib.sha256(data).hexdigest()):
            raise ObjectDamaged(f"{self.uri(key)} is not what was written; delete it and run again")
        return data

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield an object's bytes from `start` on, at most `length`, in pieces."""
        keys.split(key)
        return Download(self.account, key, start, length).pieces()

    def fetch(self, artifact: Artifact) -> Path:
        """Return the path of a checked local copy; the server is only asked when there is none."""
        keys.split(artifact.key)
        return self.copies.obtain(artifact, lambda start: Download(self.account, artifact.key, start).pieces())

    def holds(self, artifact: Artifact) -> bool:
        """Whether the object is there with the recorded size and SHA-256, by the server's word."""
        try:
            return _fits(self._head(artifact.key), artifact)
        except ObjectMissing:
            return False

    def stat(self, key: str) -> Stored:
        """Return what the server says; an object that another program put there is read, for its SHA-256."""
        head = self._head(key)
        sha256 = head["Metadata"].get(_SHA256)
        if sha256 is None:
            digest = hashlib.sha256()
            for piece in self.read(key):
                digest.update(piece)
            sha256 = digest.hexdigest()
        media_type = head.get("ContentType") or keys.media_type(key)
        artifact = Artifact(key=key, sha256=sha256, size=head["ContentLength"], media_type=media_type)
        return Stored(artifact, head["LastModified"].astimezone(UTC))

    def list_page(self, prefix: str = "", after: str = "", limit: int = 1000) -> Page:
        """Return at most `limit` entries whose keys start with `prefix` and come after `after`; 1000 at the most."""
        keys.segments_of(prefix)
        start = self.account.prefix
        with explained(self.account, prefix):
            answer = self._client.list_objects_v2(
                Bucket=self.account.bucket,
                Prefix=start + prefix,
                StartAfter=start + after if after else "",
                MaxKeys=min(limit, 1000),
            )
        found = [(item["Key"].removeprefix(start), item) for item in answer.get("Contents", [])]
        entries = tuple(
            Entry(key, item["Size"], item["LastModified"].astimezone(UTC), None)
            for key, item in found
            if keys.is_key(key)
        )
        return Page(entries, after=found[-1][0] if answer["IsTruncated"] and found else None)

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        keys.split(key)
        with explained(self.account, key):
            self._client.delete_object(Bucket=self.account.bucket, Key=self.account.prefix + key)

    def delete_unused(self, key: str, before: datetime) -> bool:
        """Remove an object unless it has changed since `before`; whether it was removed."""
        try:
            if self.stat(key).changed_at >= before:
                return False
        except ObjectMissing:
            return False
        self.delete(key)
        return True

    def sweep(self) -> int:
        """End uploads in parts that were begun more than a day ago and return how many that were."""
        begun_before = datetime.now(UTC) - _ABANDONED
        with explained(self.account, ""):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.account.bucket, Prefix=self.account.prefix
            )
            left = [
                upload
                for page in pages
                for upload in page.get("Uploads", [])
                if upload["Initiated"] < begun_before and keys.is_key(upload["Key"].removeprefix(self.account.prefix))
            ]
            for upload in left:
                self._client.abort_multipart_upload(
                    Bucket=self.account.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )
        return len(left)

    def presign(self, key: str, seconds: int) -> str | None:
        """Return an address for anybody, at the public endpoint where one is set; nothing is asked of the server."""
        keys.split(key)
        with explained(self.account, key):
            return self.account.client(public=True).generate_presigned_url(
                "get_object",
                Params={"Bucket": self.account.bucket, "Key": self.account.prefix + key},
                ExpiresIn=seconds,
            )

    def uri(self, key: str) -> str:
        """Return the `s3://` address of an object."""
        keys.split(key)
        return self.account.uri(key)

    @property
    def _client(self) -> "S3Client":
        return self.account.client()

    def _put(
        self, key: str, data: bytes, media_type: str, metadata: dict[str, str] | None = None, **conditions: Any
    ) -> Artifact:
        keys.split(key)
        artifact = _artifact_of(key, data, media_type)
        with explained(self.account, key):
            self._client.put_object(
                Bucket=self.account.bucket,
                Key=self.account.prefix + key,
                Body=data,
                ContentType=media_type,
                Metadata={_SHA256: artifact.sha256} | (metadata or {}),
                **conditions,
            )
        return artifact

    def _head(self, key: str) -> "HeadObjectOutputTypeDef":
        keys.split(key)
        with explained(self.account, key):
            return self._client.head_object(Bucket=self.account.bucket, Key=self.account.prefix + key)


def _artifact_of(key: str, data: bytes, media_type: str) -> Artifact:
    return Artifact(key=key, sha256=hashlib.sha256(data).hexdigest(), size=len(data), media_type=media_type)


def _fits(head: "HeadObjectOutputTypeDef", artifact: Artifact) -> bool:
    return head["ContentLength"] == artifact.size and head["Metadata"].get(_SHA256) == artifact.sha256
