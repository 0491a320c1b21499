"""A bucket on S3 that goes on while S3 does not.

A write that fails goes to the spool, and so does every later write of the same key until the spool is emptied: a key's
writes never overtake each other. Reads look into the spool first, so the later steps of a video find what the earlier
ones made. Nothing here moves the spool to S3; `replay_failures` does.

A refusal (a key that was changed, a bucket that was removed) is kept like an outage, because hours of work must not be
lost to a setting; it is not silent: the note carries the error by name, `spooled` and `bhiv doctor` show it, and no
run starts before `check_bucket` has passed. It doesn't stop others from asking S3: a refusal costs no time, and may
concern one operation only.

What S3 alone knows (an object that was never here, a listing) fails with the error while S3 is away. So does `create`:
that a key is new can't be promised without asking.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TypeVar

from bhiv.bucket import keys
from bhiv.bucket.artifact import Artifact
from bhiv.bucket.copies import Copies
from bhiv.bucket.protocol import Bucket, Page, Stored
from bhiv.bucket.spool import FailedOperation, Spool
from bhiv.errors import (
    ObjectDamaged,
    ObjectExists,
    ObjectMissing,
    StorageError,
    StorageMisconfigured,
    StorageUnavailable,
)

T = TypeVar("T")


class SpooledBucket:
    """The bucket `remote`, and `spool` in its place while it fails; `copies` are local copies of its objects."""

    def __init__(self, remote: Bucket, spool: Spool, copies: Copies) -> None:
        self.remote, self.spool, self.copies = remote, spool, copies

    def put_file(self, key: str, source: Path, media_type: str) -> Artifact:
        """Store a copy of `source`, on S3 or in the spool."""
        return self._write(key, lambda bucket: bucket.put_file(key, source, media_type), media_type)

    def put_bytes(self, key: str, data: bytes, media_type: str) -> Artifact:
        """Store `data`, on S3 or in the spool."""
        return self._write(key, lambda bucket: bucket.put_bytes(key, data, media_type), media_type)

    def create(self, key: str, data: bytes, media_type: str) -> Artifact:
        """Store `data` on S3 when nothing is there yet; never in the spool."""
        keys.split(key)
        if waiting := self.spool.newest(key):
            if waiting.operation == "put":
                raise ObjectExists(f"there is a {self.uri(key)} already")
            raise StorageUnavailable(f"{key} can't be made new while its deletion waits for S3")
        return self._ask(lambda: self.remote.create(key, data, media_type))

    def copy(self, source: Artifact, key: str) -> Artifact:
        """Store the object under a second key; in the spool, when its bytes are at hand here."""
        error = self._reason_to_spool(key)
        if error is None and self.spool.newest(source.key) is None:
            try:
                return self._ask(lambda: self.remote.copy(source, key))
            except (StorageUnavailable, StorageMisconfigured) as failed:
                error = failed
        path = self.fetch(source)
        if error is None:
            return self.put_file(key, path, source.media_type)
        return self.spool.keep(
            key, lambda bucket: bucket.put_file(key, path, source.media_type), source.media_type, error
        )

    def get_bytes(self, key: str) -> bytes:
        """Return an object's bytes."""
        return self._read(key, lambda bucket: bucket.get_bytes(key))

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield an object's bytes from `start` on, at most `length`, in pieces."""
        keys.split(key)
        yield from self._read(key, lambda bucket: _begun(bucket.read(key, start, length)))

    def fetch(self, artifact: Artifact) -> Path:
        """Return the path of a checked local copy, which stays when the spool is emptied."""

        def get(bucket: Bucket) -> Path:
            if bucket is not self.spool.objects:
                return self.copies.find(artifact) or self._ask(lambda: bucket.fetch(artifact))
            try:
                return self.copies.adopt(artifact, bucket.fetch(artifact))
            except FileNotFoundError as error:
                raise ObjectMissing(str(error)) from error

        return self._read(artifact.key, get, asking=False)

    def holds(self, artifact: Artifact) -> bool:
        """Whether the object is there, or in the spool, with the recorded size and SHA-256."""

        def look(bucket: Bucket) -> bool:
            return bool(bucket.fetch(artifact)) if bucket is self.spool.objects else bucket.holds(artifact)

        try:
            return self._read(artifact.key, look)
        except (ObjectMissing, ObjectDamaged):
            return False

    def stat(self, key: str) -> Stored:
        """Return what is known of an object."""
        return self._read(key, lambda bucket: bucket.stat(key))

    def list_page(self, prefix: str = "", after: str = "", limit: int = 1000) -> Page:
        """Return entries of both, what waits in the spool in the place of what S3 has."""
        here = self.spool.objects.list_page(prefix, after, limit)
        there = self._ask(lambda: self.remote.list_page(prefix, after, limit))
        known_to = min(filter(None, (here.after, there.after)), default=None)
        last = {operation.key: operation.operation for operation in self.spool.waiting()}
        merged = {entry.key: entry for entry in there.entries if last.get(entry.key) != "delete"}
        merged |= {entry.key: entry for entry in here.entries if last.get(entry.key) == "put"}
        entries = [merged[key] for key in sorted(merged) if known_to is None or key <= known_to]
        if len(entries) > limit:
            known_to = entries[limit - 1].key
        return Page(tuple(entries[:limit]), known_to)

    def delete(self, key: str) -> None:
        """Remove an object, or note that it must go."""
        error = self._reason_to_spool(key)
        if error is None:
            try:
                return self._ask(lambda: self.remote.delete(key))
            except (StorageUnavailable, StorageMisconfigured) as failed:
                error = failed
        return self.spool.keep_deletion(key, error)

    def delete_unused(self, key: str, before: datetime) -> bool:
        """Remove an object of S3 unless it has changed since `before`; what waits in the spool stays."""
        if self._reason_to_spool(key):
            return False
        return self._ask(lambda: self.remote.delete_unused(key, before))

    def sweep(self) -> int:
        """Remove what killed writers left unfinished, on S3 only when it answers."""
        swept = self.spool.sweep()
        try:
            return swept + self._ask(self.remote.sweep)
        except (StorageUnavailable, StorageMisconfigured):
            return swept

    def presign(self, key: str, seconds: int) -> str | None:
        """Return an address for anybody; None while the object is in the spool."""
        keys.split(key)
        return None if self.spool.newest(key) else self.remote.presign(key, seconds)

    def uri(self, key: str) -> str:
        """Return where the object is: `file://` while it is in the spool, then `s3://`."""
        waiting = self.spool.newest(key)
        return self.spool.objects.uri(key) if waiting and waiting.operation == "put" else self.remote.uri(key)

    def _write(self, key: str, put: Callable[[Bucket], Artifact], media_type: str) -> Artifact:
        error = self._reason_to_spool(key)
        if error is None:
            try:
                return self._ask(lambda: put(self.remote))
            except (StorageUnavailable, StorageMisconfigured) as failed:
                error = failed
        return self.spool.keep(key, put, media_type, error)

    def _reason_to_spool(self, key: str) -> StorageError | None:
        """Return why S3 must not be asked to change `key`, None when it may be."""
        keys.split(key)
        if waiting := self.spool.newest(key):
            return StorageUnavailable(f"an earlier change of it waits: {waiting.error}")
        return None

    def _read(self, key: str, get: Callable[[Bucket], T], *, asking: bool = True) -> T:
        keys.split(key)
        waiting: FailedOperation | None = self.spool.newest(key)
        if waiting and waiting.operation == "put":
            try:
                return get(self.spool.objects)
            except ObjectMissing:  # it has gone to S3 in between, or was never finished
                pass
        elif waiting:
            raise ObjectMissing(f"there is no {self.remote.uri(key)}")
        return self._ask(lambda: get(self.remote)) if asking else get(self.remote)

    def _ask(self, operation: Callable[[], T]) -> T:
        """Do something on S3, unless it failed a moment ago."""
        self.spool.check_open()
        try:
            result = operation()
        except StorageUnavailable as error:
            self.spool.trip(error)
            raise
        self.spool.reset()
        return result


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Ask for the first piece now, so that what is missing is missed here."""
    for piece in pieces:
        return chain([piece], pieces)
    return iter(())
