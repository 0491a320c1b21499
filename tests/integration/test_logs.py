"""Logs are cut and packed while they are written."""

import gzip
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bhiv.bucket.local import LocalBucket
from bhiv.logs import Left, RotateRules, rotate
from tests.conftest import need

EAGER = RotateRules(home_megabytes=0.07)
LINES = 400_000
WRITER = f"""
import os
for number in range({LINES}):
    os.write(1, b"line %d of the log\\n" % number)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder on a disk that can shorten a file from its beginning."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        (Path(name) / "trial.log").write_bytes(b"." * 100_000)
        if rotate(LocalBucket(Path(name) / "bucket"), Path(name), EAGER).left:
            need("a disk of ext4 or XFS under /var/tmp")
        (Path(name) / "logs").mkdir()
        yield Path(name) / "logs"


@contextmanager
def writer(log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that writes numbered lines as fast as it can, as a part of the system does."""
    with log.open("ab") as output:
        process = subprocess.Popen([sys.executable, "-c", WRITER], stdout=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def written(bucket: LocalBucket, log: Path) -> list[bytes]:
    """All lines: those of the packed parts, then those of the log."""
    parts = [gzip.decompress(bucket.get_bytes(entry.key)) for entry in bucket.list_page("logs/home/").entries]
    return (b"".join(parts) + log.read_bytes()).splitlines()


@pytest.mark.parametrize("at_once", [1, 2])
def test_every_line_is_kept_once_however_fast_it_is_written(folder: Path, bucket: LocalBucket, at_once: int) -> None:
    log = folder / "worker.log"
    reports = []
    with writer(log) as process:

        def rotate_until_it_ends() -> None:
            while process.poll() is None:
                reports.append(rotate(bucket, folder, EAGER))

        threads = [threading.Thread(target=rotate_until_it_ends) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert process.returncode == 0

    assert sum(report.files for report in reports) > 3
    assert written(bucket, log) == [b"line %d of the log" % number for number in range(LINES)]


def test_a_rotation_that_is_tried_takes_nothing(folder: Path, bucket: LocalBucket) -> None:
    (folder / "server.log").write_bytes(b"line\n" * 40_000)

    report = rotate(bucket, folder, EAGER.model_copy(update={"dry_run": True}))

    assert (report.files, report.bytes, report.left) == (1, 3 << 16, ())
    assert (folder / "server.log").stat().st_size == 200_000
    assert bucket.list_page().entries == ()


def test_a_small_log_is_left_alone(folder: Path, bucket: LocalBucket) -> None:
    (folder / "server.log").write_bytes(b"line\n" * 10_000)

    assert rotate(bucket, folder, RotateRules()).files == 0
    assert rotate(bucket, folder, RotateRules(home_megabytes=0)).files == 0
    assert (folder / "server.log").stat().st_size == 50_000


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="no disk in memory")
def test_a_log_on_a_disk_that_can_not_cut_it_stays_whole_and_is_named(bucket: LocalBucket) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        log = Path(name) / "server.log"
        log.write_bytes(b"line\n" * 40_000)

        report = rotate(bucket, Path(name), EAGER)

        assert (report.files, report.left) == (0, (Left(log="server.log", bytes=200_000),))
        assert log.stat().st_size == 200_000
    assert bucket.list_page().entries == ()


def test_old_records_are_packed(bucket: LocalBucket, tmp_path: Path) -> None:
    for name in ("old.json", "new.json", "old.log"):
        bucket.put_bytes(f"logs/{name}", b"{}", "application/json")
    then = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    for name in ("old.json", "old.log"):
        os.utime(bucket.path(f"logs/{name}"), (then, then))
    days = (datetime.now(UTC) - datetime(2026, 1, 2, tzinfo=UTC)).days

    report = rotate(bucket, tmp_path, RotateRules(record_days=days))

    assert report.files == 2
    assert [entry.key for entry in bucket.list_page("logs/").entries] == [
        "logs/new.json",
        "logs/old.json.gz",
        "logs/old.log.gz",
    ]
    assert gzip.decompress(bucket.get_bytes("logs/old.json.gz")) == b"{}"
