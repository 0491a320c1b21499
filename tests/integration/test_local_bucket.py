import contextlib
import errno
import os
import secrets
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bhiv.bucket.local import LocalBucket
from bhiv.errors import DiskFull, InvalidKey, StorageError
from tests.integration import hostile

TEXT = "text/plain"


def files(bucket: LocalBucket) -> list[str]:
    return sorted(str(path.relative_to(bucket.root)) for path in bucket.root.rglob("*") if path.is_file())


@pytest.mark.parametrize("key", hostile.KEYS)
def test_a_hostile_key_is_refused(bucket: LocalBucket, key: str) -> None:
    for call in (lambda: bucket.put_bytes(key, b"", TEXT), lambda: bucket.get_bytes(key), lambda: bucket.path(key)):
        with pytest.raises(InvalidKey):
            call()

    assert not bucket.root.exists()


def test_a_link_that_leads_outside_is_not_followed(bucket: LocalBucket, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    bucket.put_bytes("logs/a", b"", TEXT)
    (bucket.root / "logs" / "link").symlink_to(outside / "secret")
    (bucket.root / "clips").symlink_to(outside, target_is_directory=True)

    for call in (
        lambda: bucket.get_bytes("logs/link"),
        lambda: bucket.get_bytes("clips/secret"),
        lambda: bucket.put_bytes("clips/new", b"", TEXT),
    ):
        with pytest.raises(StorageError):
            call()
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_a_full_disk_leaves_the_old_object(bucket: LocalBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put_bytes("videos/a", b"old", TEXT)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match="free some space"):
        bucket.put_bytes("videos/a", b"new", TEXT)

    assert (bucket.get_bytes("videos/a"), files(bucket)) == (b"old", ["videos/a"])


WRITER = """
import sys
from pathlib import Path
from bhiv.bucket.local import LocalBucket
bucket = LocalBucket(Path(sys.argv[1]))
number = 0
while True:
    bucket.put_bytes("videos/a", bytes([number % 256]) * 2_000_000, "video/mp4")
    number += 1
    print(number, flush=True)
"""


def test_a_killed_writer_never_leaves_a_torn_object(bucket: LocalBucket) -> None:
    for delay in (0.0, 0.002, 0.004, 0.007, 0.011):
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(bucket.root)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(delay)  # moves the kill through the write, waits for nothing
            writer.send_signal(signal.SIGKILL)

        data = bucket.get_bytes("videos/a")
        assert (len(data), len(set(data))) == (2_000_000, 1)
    bucket.sweep()
    assert files(bucket) == ["videos/a"]


def test_the_sweep_spares_a_write_that_goes_on(bucket: LocalBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync

    def sweep_then_fsync(descriptor: int) -> None:
        assert LocalBucket(bucket.root).sweep() == 0
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", sweep_then_fsync)

    assert bucket.holds(bucket.put_bytes("tmp/a", b"a", TEXT))


def test_what_lies_in_the_way_is_refused_and_stays(bucket: LocalBucket, tmp_path: Path) -> None:
    (outside := tmp_path / "secret").write_bytes(b"secret")
    (bucket.root / "logs").mkdir(parents=True)
    (bucket.root / "logs" / "link").symlink_to(outside)
    (bucket.root / "logs" / "folder").mkdir()
    os.mkfifo(bucket.root / "logs" / "pipe")

    for call in (
        lambda: bucket.create("logs/link", b"new", TEXT),
        lambda: bucket.stat("logs/link"),
        lambda: bucket.get_bytes("logs/folder"),
        lambda: bucket.delete("logs/folder"),
        lambda: bucket.put_bytes("logs/folder", b"", TEXT),
    ):
        with pytest.raises(StorageError):
            call()
    assert outside.read_bytes() == b"secret"
    assert bucket.list_page("logs").entries == ()


def test_nothing_gets_out_while_folders_become_links(bucket: LocalBucket, tmp_path: Path) -> None:
    (outside := tmp_path / "outside").mkdir()
    (outside / "a").write_bytes(b"secret")
    folder, aside = bucket.root / "logs" / "job", bucket.root / "logs" / "aside"
    bucket.put_bytes("logs/job/a", b"inside", TEXT)
    ended = threading.Event()

    swaps: list[None] = []

    def swap() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError):  # a writer has made the folder anew
                folder.rename(aside)
                folder.symlink_to(outside, target_is_directory=True)
                swaps.append(None)
            with contextlib.suppress(OSError):
                folder.unlink()
            with contextlib.suppress(OSError):
                aside.rename(folder)
            shutil.rmtree(aside, ignore_errors=True)

    attempts: list[Callable[[], object]] = [
        lambda: seen.add(bucket.get_bytes("logs/job/a")),
        lambda: seen.update(bucket.read("logs/job/a")),
        lambda: bucket.put_bytes("logs/job/a", b"inside", TEXT),
        lambda: bucket.create(f"logs/job/{secrets.token_hex(8)}", b"inside", TEXT),
        lambda: bucket.delete("logs/job/a"),
        lambda: seen.update(entry.key.encode() for entry in bucket.list_page("logs").entries if entry.size == 6),
    ]
    seen: set[bytes] = set()
    outcomes: Counter[str] = Counter()
    with ThreadPoolExecutor(1) as pool:
        swapping = pool.submit(swap)
        number = 0
        while number < 900 or len(swaps) < 500:
            number += 1
            try:
                attempts[number % len(attempts)]()
            except StorageError as error:
                outcomes[type(error).__name__] += 1
            else:
                outcomes["done"] += 1
        ended.set()
        swapping.result()

    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"a": b"secret"}
    assert b"secret" not in seen
    assert outcomes["done"] > 50, outcomes
    assert outcomes.total() - outcomes["done"] > 50, outcomes


def test_the_last_use_of_an_object_is_known_to_the_hour(bucket: LocalBucket) -> None:
    artifact = bucket.put_bytes("clips/a", b"a", TEXT)
    long_ago = time.time() - 100_000
    os.utime(bucket.path("clips/a"), (long_ago, long_ago))

    [before] = bucket.list_page("clips").entries
    bucket.fetch(artifact)
    [after] = bucket.list_page("clips").entries

    assert before.used_at == before.changed_at == after.changed_at == datetime.fromtimestamp(long_ago, UTC)
    assert after.used_at is not None
    assert datetime.now(UTC) - after.used_at < timedelta(minutes=5)


def test_a_copy_counts_as_changed_when_it_was_made(bucket: LocalBucket) -> None:
    artifact = bucket.put_bytes("clips/a", b"a", TEXT)
    os.utime(bucket.path("clips/a"), (1, 1))

    copy = bucket.copy(artifact, "videos/a")

    assert datetime.now(UTC) - bucket.stat(copy.key).changed_at < timedelta(minutes=5)
    assert bucket.path("clips/a").stat().st_nlink == 2


def test_a_file_that_somebody_put_there_is_an_object(bucket: LocalBucket) -> None:
    bucket.put_bytes("images/a.png", b"", TEXT)
    (bucket.root / "images" / "mine.png").write_bytes(b"picture")
    (bucket.root / "images" / "NOT A KEY.png").write_bytes(b"picture")

    mine = bucket.stat("images/mine.png").artifact

    assert (mine.size, mine.media_type) == (7, "image/png")
    assert bucket.fetch(mine).read_bytes() == bucket.get_bytes("images/mine.png") == b"picture"
    assert [entry.key for entry in bucket.list_page("images").entries] == ["images/a.png", "images/mine.png"]


def test_a_file_system_without_attributes_will_do(bucket: LocalBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", refuse)

    artifact = bucket.put_bytes("videos/a.mp4", b"video", "video/mp4")

    assert bucket.stat("videos/a.mp4").artifact == artifact
    assert bucket.get_bytes("videos/a.mp4") == b"video"
