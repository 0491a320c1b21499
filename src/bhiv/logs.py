"""Logs: those of the home's processes are cut and packed, the records of old attempts in the bucket are packed."""

import gzip
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import Field

from bhiv.bucket import Bucket, entries
from bhiv.errors import ObjectMissing
from bhiv.plan import Contract

_GZIP = "application/gzip"


class RotateRules(Contract):
    """Which logs are packed."""

    dry_run: bool = Field(False, description="Only say what would be packed.")
    home_megabytes: float = Field(1.0, ge=0, description="A process's log is cut when it is larger.")
    record_days: float = Field(90, ge=0, description="Records of attempts older than this are packed.")


class RotateReport(Contract):
    """What was packed; bytes are those before packing and after."""

    dry_run: bool
    files: int
    bytes: int
    packed_bytes: int


def rotate(bucket: Bucket, folder: Path, rules: RotateRules) -> RotateReport:
    """Pack the large logs of `folder` and the old records of the bucket, all into the bucket's `logs`."""
    done = [*_home_logs(bucket, folder, rules), *_records(bucket, rules)]
    return RotateReport(
        dry_run=rules.dry_run,
        files=len(done),
        bytes=sum(before for before, _ in done),
        packed_bytes=sum(after for _, after in done),
    )


def _home_logs(bucket: Bucket, folder: Path, rules: RotateRules) -> list[tuple[int, int]]:
    stamp = f"{datetime.now(UTC):%Y%m%dt%H%M%S}"
    large = (path for path in sorted(folder.glob("*.log*")) if path.stat().st_size > rules.home_megabytes * 1e6)
    return [_pack_file(bucket, path, f"logs/home/{path.name}-{stamp}.gz", dry_run=rules.dry_run) for path in large]


def _pack_file(bucket: Bucket, path: Path, key: str, *, dry_run: bool) -> tuple[int, int]:
    data = path.read_bytes()
    packed = gzip.compress(data)
    if not dry_run:
        bucket.put_bytes(key, packed, _GZIP)
        with path.open("r+b") as log:
            # Its writer appends, so it goes on at the new end. What it wrote since the read is moved to the front.
            log.seek(len(data))
            rest = log.read()
            log.seek(0)
            log.write(rest)
            os.ftruncate(log.fileno(), len(rest))
    return len(data), len(packed)


def _records(bucket: Bucket, rules: RotateRules) -> list[tuple[int, int]]:
    before = datetime.now(UTC) - timedelta(days=rules.record_days)
    held = entries(bucket, ["logs"])
    old = (entry.key for entry in held if entry.key.endswith(".json") and entry.changed_at < before)
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
