"""Logs: those of the home's processes are cut and packed, the records of old attempts in the bucket are packed."""

import ctypes
import errno
import fcntl
import gzip
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import IO

from pydantic import Field

from bhiv.bucket import Bucket, entries
from bhiv.errors import ObjectMissing
from bhiv.plan import Contract

_GZIP = "application/gzip"
#: Files are cut at a multiple of this, which is one of the block of every file system.
_BLOCK = 1 << 16
#: FALLOC_FL_COLLAPSE_RANGE of linux/falloc.h.
_COLLAPSE_RANGE = 8


class RotateRules(Contract):
    """Which logs are packed."""

    dry_run: bool = Field(False, description="Only say what would be packed.")
    home_megabytes: float = Field(1.0, ge=0, description="A process's log is cut when it is larger.")
    record_days: float = Field(90, ge=0, description="Records of attempts older than this are packed.")


class Left(Contract):
    """A log that stays whole."""

    log: str
    bytes: int


class RotateReport(Contract):
    """What was packed; bytes are those before packing and after."""

    dry_run: bool
    files: int
    bytes: int
    packed_bytes: int
    left: tuple[Left, ...] = Field((), description="Large logs on a disk that can't shorten a file from its beginning.")


def rotate(bucket: Bucket, folder: Path, rules: RotateRules) -> RotateReport:
    """Pack the large logs of `folder` and the old records of the bucket, all into the bucket's `logs`.

    No line is lost, whoever writes meanwhile: packed parts and log, one after the other, are what was written. A part
    may end within a line. A kill between packing and cutting leaves a part twice.
    """
    logs = sorted(path for path in folder.glob("*.log*") if path.stat().st_size > rules.home_megabytes * 1e6)
    cut = {path.name: _cut(bucket, path, dry_run=rules.dry_run) for path in logs}
    done = [*(packed for packed in cut.values() if packed and packed[0]), *_records(bucket, rules)]
    return RotateReport(
        dry_run=rules.dry_run,
        files=len(done),
        bytes=sum(before for before, _ in done),
        packed_bytes=sum(after for _, after in done),
        left=tuple(Left(log=path.name, bytes=path.stat().st_size) for path in logs if cut[path.name] is None),
    )


def _cut(bucket: Bucket, path: Path, *, dry_run: bool) -> tuple[int, int] | None:
    """Move the log's beginning into the bucket, in whole blocks; None where its disk can't take it out of the file."""
    with path.open("r+b") as log, NamedTemporaryFile(suffix=".gz") as packed:
        # Two that cut at once would take away twice what both have packed. Writers don't look at the lock.
        fcntl.flock(log, fcntl.LOCK_EX)
        # The kernel wants something to be left behind the cut.
        size = (os.fstat(log.fileno()).st_size - 1) // _BLOCK * _BLOCK
        if size <= 0:
            return 0, 0
        if not _can_cut(path.parent):
            return None
        with gzip.open(packed, "wb") as target:
            _copy(log, target, size)
        packed.flush()
        if not dry_run:
            stamp = f"{datetime.now(UTC):%Y%m%dt%H%M%S.%f}"
            bucket.put_file(f"logs/home/{path.name}-{stamp}.gz", Path(packed.name), _GZIP)
            _take_out(log, size)
        return size, packed.tell()


def _copy(source: IO[bytes], target: gzip.GzipFile, size: int) -> None:
    while size and (piece := source.read(min(size, 1 << 20))):
        target.write(piece)
        size -= len(piece)


def _can_cut(folder: Path) -> bool:
    """Whether the folder's disk can take the beginning out of a file: ext4 and XFS can."""
    with TemporaryFile(dir=folder) as trial:
        trial.truncate(2 * _BLOCK)
        try:
            _take_out(trial, _BLOCK)
        except OSError as error:
            if error.errno not in {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}:
                raise
            return False
    return True


def _take_out(file: IO[bytes], size: int) -> None:
    """Remove the first `size` bytes of a file in one step, between two writes of whoever appends to it.

    To read the rest and write it to the front would lose what is appended in between.
    """
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    library = ctypes.CDLL(None, use_errno=True)
    if library.fallocate(file.fileno(), _COLLAPSE_RANGE, ctypes.c_long(0), ctypes.c_long(size)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _records(bucket: Bucket, rules: RotateRules) -> list[tuple[int, int]]:
    before = datetime.now(UTC) - timedelta(days=rules.record_days)
    held = entries(bucket, ["logs"])
    old = (entry.key for entry in held if entry.key.endswith((".json", ".log")) and entry.changed_at < before)
    return [packed for key in old if (packed := _pack_record(bucket, key, dry_run=rules.dry_run))]


def _pack_record(bucket: Bucket, key: str, *, dry_run: bool) -> tuple[int, int] | None:
    try:
        data = bucket.get_bytes(key)
    except ObjectMissing:  # packed by another in between
        return None
    packed = gzip.compress(data)
    if not dry_run:
        bucket.put_bytes(f"{key}.gz", packed, _GZIP)
        bucket.delete(key)
    return len(data), len(packed)
