import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from bhiv.bucket.local import LocalBucket
from bhiv.errors import DiskFull, InvalidKey, ObjectDamaged, ObjectMissing, StorageError

TEXT = "text/plain"

HOSTILE_KEYS = [
    "", "/", ".", "..", "clips", "clips/", "/clips/a", "clips//a", "clips/../a", "clips/./a", "clips/..", "../clips/a",
    "clips/a/b/c", "clips/a/../../b", "clips/A", "clips/é", "clips/a b", "clips/a\x00", "clips/a\n", "clips\\a",
    "clips/.hidden", "clips/-a", "clips/" + "a" * 121, "other/a", "Clips/a", "clips/ａ", "clips/a．．", "clips/%2e%2e",
    "file:///etc/passwd", "clips/a\u202e", "clips/\ud800", "C:/a", "clips/a:b", "clips/~", "clips/.unfinished-a",
]  # fmt: skip


def files(bucket: LocalBucket) -> list[str]:
    return sorted(str(path.relative_to(bucket.root)) for path in bucket.root.rglob("*") if path.is_file())


def test_an_object_is_read_back(bucket: LocalBucket) -> None:
    artifact = bucket.put_bytes("scripts/a_script.txt", b"once", TEXT)

    assert bucket.get_bytes("scripts/a_script.txt") == b"once"
    assert (artifact.size, artifact.media_type) == (4, TEXT)
    assert bucket.fetch(artifact).read_bytes() == b"once"


def test_a_file_is_stored_as_a_copy(bucket: LocalBucket, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 3_000_000)

    artifact = bucket.put_file("clips/folder/a.mp4", source, "video/mp4")
    source.write_bytes(b"changed")

    assert bucket.holds(artifact)


def test_a_second_write_takes_the_place_of_the_first(bucket: LocalBucket) -> None:
    first = bucket.put_bytes("logs/a.json", b"1", TEXT)
    bucket.put_bytes("logs/a.json", b"2", TEXT)

    assert bucket.get_bytes("logs/a.json") == b"2"
    assert not bucket.holds(first)
    with pytest.raises(ObjectDamaged, match="not what was written"):
        bucket.fetch(first)


def test_a_missing_object_is_an_error(bucket: LocalBucket) -> None:
    with pytest.raises(ObjectMissing, match="there is no clips/a"):
        bucket.get_bytes("clips/a")


def test_a_copy_outlives_a_replaced_source(bucket: LocalBucket) -> None:
    source = bucket.put_bytes("clips/a", b"bytes", TEXT)

    copy = bucket.copy(source, "videos/b")
    bucket.put_bytes("clips/a", b"other", TEXT)

    assert bucket.fetch(copy).read_bytes() == b"bytes"


@pytest.mark.parametrize("key", HOSTILE_KEYS)
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
