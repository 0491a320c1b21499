"""What every bucket can do, wherever it keeps its objects."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bhiv.bucket.artifact import Artifact


@dataclass(frozen=True)
class Entry:
    """One line of a listing."""

    key: str
    #: In bytes.
    size: int
    #: UTC.
    changed_at: datetime
    #: UTC, to the hour; None on S3, which does not know: the catalog must.
    used_at: datetime | None


@dataclass(frozen=True)
class Page:
    """Some entries in the order of their keys, possibly none; `after` asks for the next page, None at the end."""

    entries: tuple[Entry, ...]
    after: str | None


@dataclass(frozen=True)
class Stored:
    """What is known of an object without reading it, as it was when it was written."""

    artifact: Artifact
    #: UTC.
    changed_at: datetime


class Bucket(Protocol):
    """Objects under strict keys; each is whole and durable, or not there.

    Every method refuses a key that is not of the grammar with `InvalidKey`, before anything is touched. S3 raises
    `StorageUnavailable` when it can't be reached and `StorageMisconfigured` when it refuses what the settings say.
    """

    def put_file(self, key: str, source: Path, media_type: str) -> Artifact:
        """Store a copy of `source` under `key`, durable before this returns, in place of what was there.

        Raises:
            DiskFull, StorageError: nothing was stored; an older object under the key is untouched.
        """
        ...

    def put_bytes(self, key: str, data: bytes, media_type: str) -> Artifact:
        """Store `data` under `key`; otherwise as `put_file`."""
        ...

    def create(self, key: str, data: bytes, media_type: str) -> Artifact:
        """Store `data` under `key` when nothing is there yet; of several at once, one succeeds.

        Not every S3 server keeps the last promise, so it is no lock.

        Raises:
            ObjectExists: there is an object, which stays as it is.
        """
        ...

    def copy(self, source: Artifact, key: str) -> Artifact:
        """Store the object `source` under a second key too, without moving its bytes where that can be avoided.

        Raises:
            ObjectMissing, ObjectDamaged: `source` is not there whole.
        """
        ...

    def get_bytes(self, key: str) -> bytes:
        """Return an object's bytes.

        Raises:
            ObjectMissing: there is none under the key.
            ObjectDamaged: they are not what was written.
        """
        ...

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield an object's bytes from `start` on, at most `length`, in pieces; none past the end.

        They are not checked against the SHA-256: that is what `get_bytes` and `fetch` are for.

        Raises:
            ObjectMissing: there is none under the key; raised when the first piece is asked for.
        """
        ...

    def fetch(self, artifact: Artifact) -> Path:
        """Return a local path to read the whole, checked object from; the file must not be changed.

        On S3 it is a copy that stays for an hour at least after its last fetch, and may outlive the object.

        Raises:
            ObjectMissing, ObjectDamaged: it is not there, or not what was written.
        """
        ...

    def holds(self, artifact: Artifact) -> bool:
        """Whether the object is there with the recorded size and SHA-256."""
        ...

    def stat(self, key: str) -> Stored:
        """Return what is known of an object.

        Raises:
            ObjectMissing: there is none under the key.
        """
        ...

    def list_page(self, prefix: str = "", after: str = "", limit: int = 1000) -> Page:
        """Return at most `limit` entries whose keys start with `prefix` and come after `after`.

        A prefix is a segment, or a segment, `/` and the start of the rest; empty for all.

        Raises:
            InvalidKey: no key can start with `prefix`.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        ...

    def delete_unused(self, key: str, before: datetime) -> bool:
        """Remove an object unless it has been used since `before`; whether it was removed.

        Locally a use that comes at the same moment either keeps the object or finds it gone. On S3, which notes no
        uses, the last change counts, and the answer may be a moment old.
        """
        ...

    def sweep(self) -> int:
        """Remove what killed writers left unfinished and return how many things that were."""
        ...

    def presign(self, key: str, seconds: int) -> str | None:
        """Return an address from which anybody may read the object for so long; None where there is none (local)."""
        ...

    def uri(self, key: str) -> str:
        """Return where the object is, or would be, for people: `file://…` or `s3://…`."""
        ...
