"""The spool: what could not be done on S3, kept in a local folder until it can.

`objects` holds the newest bytes of every key with a waiting write; `failures` holds one JSON file per failed operation,
named so that their order is the order in which they were made; `replayed` holds the files of operations that are done,
until a clean-up finds them old. An operation is noted before its bytes are kept and done after they have gone: whatever
is killed in between leaves a note too many, never bytes that nobody knows of.
"""

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

from bhiv.bucket.artifact import Artifact
from bhiv.bucket.listing import entries
from bhiv.bucket.local import LocalBucket
from bhiv.errors import ObjectMissing, StorageError, StorageUnavailable
from bhiv.plan import Contract

#: For so long after a failure S3 is not asked, so that each of many writes doesn't wait for the whole time-out.
COOL_DOWN_SECONDS = 10.0


class FailedOperation(Contract):
    """An operation that waits for S3."""

    #: Key of its file below `failures`; the order of names is the order of time.
    name: str
    operation: Literal["put", "delete"]
    #: Of the object concerned.
    key: str
    #: None for a deletion.
    media_type: str | None
    failed_at: datetime
    #: How often it was tried, and what was said the last time.
    attempts: int
    error: str
    #: Class of the error: StorageMisconfigured waits for a person, StorageUnavailable for time.
    error_type: str


class ReplayedOperation(FailedOperation):
    """An operation that failed and is on S3 now, or that a later one of its key has made needless."""

    #: UTC.
    replayed_at: datetime


class Spool:
    """The spool below `folder`; any number of processes may use it at once."""

    def __init__(self, folder: Path, cool_down_seconds: float = COOL_DOWN_SECONDS) -> None:
        self.objects = LocalBucket(folder / "objects")
        self._failures = LocalBucket(folder / "failures")
        self._replayed = LocalBucket(folder / "replayed")
        self._folder = folder
        self._cool_down_seconds = cool_down_seconds

    def waiting(self, key: str = "") -> list[FailedOperation]:
        """Return the operations on `key` that wait, or all; the oldest first."""
        names = [name for name in self._names() if not key or _mark(key) in name]
        return [found for name in names for found in self._read(name)]

    def newest(self, key: str) -> FailedOperation | None:
        """Return the last operation on `key` that waits: what the key holds, whatever S3 says."""
        waiting = self.waiting(key)
        return waiting[-1] if waiting else None

    def keep(self, key: str, put: Callable[[LocalBucket], Artifact], media_type: str, error: StorageError) -> Artifact:
        """Keep a write that failed with `error`; `put` stores its bytes in the bucket it is given.

        Raises:
            DiskFull, StorageError: not here either; what waited before still does.
        """
        with self.locked():
            name = self._add("put", key, media_type, error)
            try:
                return put(self.objects)
            except BaseException:  # not handled: cleaned up after, then passed on
                self.forget([name])
                raise

    def keep_deletion(self, key: str, error: StorageError) -> None:
        """Keep a deletion that failed with `error`; to readers the object is gone."""
        with self.locked():
            self._add("delete", key, None, error)
            self.objects.delete(key)

    def note_attempt(self, operation: FailedOperation, error: StorageError) -> None:
        """Note that another attempt failed."""
        told = {"attempts": operation.attempts + 1, "error": str(error), "error_type": type(error).__name__}
        self._write(operation.model_copy(update=told))

    def forget(self, names: list[str]) -> None:
        """Drop the notes of operations that were never made."""
        for name in names:
            self._failures.delete(name)

    def archive(self, names: list[str]) -> None:
        """Move the notes of operations that are done to those that `replayed` lists."""
        for name in names:
            target = self._replayed.path(name)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                os.utime(self._failures.path(name))  # its time says when it was done
                self._failures.path(name).replace(target)
            except FileNotFoundError:
                continue
            except OSError:  # no room: that nothing waits is worth more than the memory of it
                self._failures.delete(name)

    def replayed(self) -> Iterator[ReplayedOperation]:
        """Yield the operations that failed once and are done, in the order in which they failed."""
        for entry in entries(self._replayed, ["logs"]):
            with contextlib.suppress(ObjectMissing):  # removed in between
                told = FailedOperation.model_validate_json(self._replayed.get_bytes(entry.key))
                yield ReplayedOperation(**told.model_dump(), replayed_at=entry.changed_at)

    def forget_replayed(self, before: datetime, *, dry_run: bool) -> tuple[int, int]:
        """Remove the notes of operations that were done before, and return how many and their bytes.

        What waits stays, however old. With `dry_run` nothing goes.
        """
        count, size = 0, 0
        for entry in entries(self._replayed, ["logs"]):
            if entry.changed_at < before:
                count, size = count + 1, size + entry.size
                if not dry_run:
                    self._replayed.delete(entry.key)
        return count, size

    def sweep(self) -> int:
        """Remove what killed writers left unfinished and return how many files that were."""
        return self.objects.sweep() + self._failures.sweep()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from changing the spool; for moments, never while S3 is asked."""
        with self._lock("changing.lock") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def draining(self) -> Iterator[bool]:
        """Yield whether this is the only one that empties the spool; the kernel frees the place of a killed one."""
        with self._lock("draining.lock") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def check_open(self) -> None:
        """Let one caller through when S3 may be asked again after a failure.

        Raises:
            StorageUnavailable: it failed a moment ago.
        """
        try:
            passed = time.time() - self._mark_of_failure.stat().st_mtime
            reason = self._mark_of_failure.read_text()
            if not 0 <= passed < self._cool_down_seconds:
                os.utime(self._mark_of_failure)  # whoever comes next waits for what this one learns
                return
        except FileNotFoundError:
            return
        raise StorageUnavailable(f"{reason} (S3 was not asked, {passed:.0f} s after this)")

    def trip(self, error: StorageUnavailable) -> None:
        """Note that S3 has just failed, for all processes of this home."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._mark_of_failure.write_text(str(error))

    def reset(self) -> None:
        """Note that S3 has answered."""
        self._mark_of_failure.unlink(missing_ok=True)

    @property
    def _mark_of_failure(self) -> Path:
        return self._folder / "unreachable"

    @contextmanager
    def _lock(self, name: str) -> Iterator[IO[bytes]]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / name).open("ab") as file:
            yield file

    def _names(self) -> list[str]:
        return [entry.key for entry in entries(self._failures, ["logs"])]

    def _read(self, name: str) -> Iterator[FailedOperation]:
        try:
            yield FailedOperation.model_validate_json(self._failures.get_bytes(name))
        except ObjectMissing:  # done in between
            return

    def _add(self, operation: Literal["put", "delete"], key: str, media_type: str | None, error: StorageError) -> str:
        """Note an operation, behind all others even when the clock was set back; only for who holds the lock."""
        last = (self._names() or ["logs/0"])[-1]
        number = max(time.time_ns(), int(last.removeprefix("logs/").partition("-")[0]) + 1)
        name = f"logs/{number:020d}-{_mark(key)}.json"
        self._write(
            FailedOperation(
                name=name,
                operation=operation,
                key=key,
                media_type=media_type,
                failed_at=datetime.now(UTC),
                attempts=1,
                error=str(error),
                error_type=type(error).__name__,
            )
        )
        return name

    def _write(self, operation: FailedOperation) -> None:
        self._failures.put_bytes(operation.name, operation.model_dump_json(indent=2).encode(), "application/json")


def _mark(key: str) -> str:
    """Return what the names of all operations on a key have in common."""
    return hashlib.sha256(key.encode()).hexdigest()[:24]
