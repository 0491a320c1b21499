"""S3 is away, in the middle of things: work goes on, nothing is lost, and S3 has it all in the end."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bhiv.bucket import Artifact, open_bucket
from bhiv.bucket.opening import open_copies, open_s3, open_spool
from bhiv.bucket.replay import Replay, _drain, failed_operations, replay_failures, replayed_operations, spooled
from bhiv.bucket.s3 import S3Bucket
from bhiv.bucket.spool import Spool
from bhiv.bucket.spooled import SpooledBucket
from bhiv.cache import Step, recall
from bhiv.cleaning import CleanUpRules, clean_all
from bhiv.doctor import examine
from bhiv.errors import DiskFull, ObjectExists, ObjectMissing, StorageMisconfigured, StorageUnavailable
from bhiv.plan import Contract
from bhiv.settings import Settings
from tests.servers.fault_proxy import FaultProxy, fault_proxy
from tests.servers.s3 import PART_BYTES, as_environment, impatient, s3_settings
from tests.servers.starting import S3Server

TEXT = "text/plain"


@pytest.fixture
def proxy(ceph_server: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy("127.0.0.1", int(ceph_server.endpoint_url.rpartition(":")[2])) as proxy:
        yield proxy


@pytest.fixture
def settings(ceph_server: S3Server, proxy: FaultProxy, tmp_path: Path) -> Settings:
    """Settings that lead to S3 through the proxy."""
    return s3_settings(ceph_server, tmp_path, proxy.port)


@pytest.fixture
def bucket(settings: Settings) -> SpooledBucket:
    """A bucket that asks S3 again at once after a failure."""
    return SpooledBucket(impatient(settings), Spool(settings.home / "spool", 0), open_copies(settings))


@pytest.fixture
def remote(settings: Settings, ceph_server: S3Server) -> S3Bucket:
    """The same part of S3 without proxy and spool: what the rest of the world sees."""
    return impatient(settings.model_copy(update={"s3_endpoint_url": ceph_server.endpoint_url}))


def test_an_outage_in_the_middle_of_writes_loses_nothing(
    bucket: SpooledBucket, remote: S3Bucket, proxy: FaultProxy, settings: Settings, tmp_path: Path
) -> None:
    (source := tmp_path / "clip").write_bytes(os.urandom(3 * PART_BYTES))
    made = [bucket.put_bytes(f"scripts/{number}", b"%d" % number, TEXT) for number in range(3)]
    proxy.down_after_taken = proxy.taken + PART_BYTES  # in the middle of the file's second part

    made.append(bucket.put_file("clips/a.mp4", source, "video/mp4"))
    made += [bucket.put_bytes(f"scripts/{number}", b"%d" % number, TEXT) for number in range(3, 6)]

    assert [bucket.fetch(artifact).read_bytes() for artifact in made[3:]] == [source.read_bytes(), b"3", b"4", b"5"]
    assert all(bucket.holds(artifact) for artifact in made[3:])
    waiting = spooled(settings)
    assert (waiting.operations, waiting.bytes) == (4, 3 * PART_BYTES + 3)
    assert "S3" in str(waiting.error)
    assert [operation.key for operation in failed_operations(settings)] == [artifact.key for artifact in made[3:]]
    [finding] = [finding for finding in examine(settings) if finding.subject == "spool"]
    assert "4 changes wait for S3" in finding.message

    still_down = replay_failures(settings)
    assert (still_down.operations, still_down.left, len(still_down.errors)) == (0, 4, 1)
    assert [operation.attempts for operation in failed_operations(settings)] == [2, 1, 1, 1]

    proxy.heal()
    assert replay_failures(settings) == Replay(operations=4, bytes=3 * PART_BYTES + 3)
    assert all(remote.holds(artifact) for artifact in made)
    assert replay_failures(settings) == Replay()
    assert spooled(settings).operations == 0
    assert [path for path in (settings.home / "spool" / "objects").rglob("*") if path.is_file()] == []


def test_the_later_write_of_a_key_wins_wherever_it_was_made(
    bucket: SpooledBucket, remote: S3Bucket, proxy: FaultProxy, settings: Settings
) -> None:
    proxy.down = True
    bucket.put_bytes("logs/a", b"first", TEXT)
    proxy.heal()
    bucket.put_bytes("logs/a", b"second", TEXT)  # S3 is back, but the first still waits
    bucket.put_bytes("logs/b", b"other", TEXT)

    assert (bucket.get_bytes("logs/a"), remote.get_bytes("logs/b")) == (b"second", b"other")
    assert replay_failures(settings).operations == 2
    assert bucket.get_bytes("logs/a") == remote.get_bytes("logs/a") == b"second"


def test_a_deletion_waits_too_and_its_object_is_gone_at_once(
    bucket: SpooledBucket, remote: S3Bucket, proxy: FaultProxy, settings: Settings
) -> None:
    old = bucket.put_bytes("tmp/old", b"old", TEXT)
    proxy.down = True
    bucket.put_bytes("tmp/new", b"new", TEXT)
    bucket.delete("tmp/old")
    bucket.delete("tmp/new")
    proxy.heal()

    for key in ("tmp/old", "tmp/new"):
        with pytest.raises(ObjectMissing, match=key):
            bucket.get_bytes(key)
    assert not bucket.holds(old)
    assert bucket.list_page().entries == ()
    assert remote.holds(old)

    replay_failures(settings)
    assert remote.list_page().entries == bucket.list_page().entries == ()


def test_what_is_deleted_and_written_again_is_there(
    bucket: SpooledBucket, remote: S3Bucket, proxy: FaultProxy, settings: Settings
) -> None:
    bucket.put_bytes("tmp/a", b"old", TEXT)
    proxy.down = True
    bucket.delete("tmp/a")
    new = bucket.put_bytes("tmp/a", b"new", TEXT)
    proxy.heal()

    assert bucket.get_bytes("tmp/a") == b"new"
    replay_failures(settings)
    assert remote.holds(new)


def test_a_listing_shows_what_waits_between_what_is_there(
    bucket: SpooledBucket, proxy: FaultProxy, settings: Settings
) -> None:
    for key in ("tmp/a", "tmp/c", "tmp/e"):
        bucket.put_bytes(key, b"", TEXT)
    proxy.down = True
    for key in ("tmp/b", "tmp/c", "tmp/f"):
        bucket.put_bytes(key, b"new", TEXT)
    bucket.delete("tmp/e")
    with pytest.raises(StorageUnavailable):
        bucket.list_page("tmp")
    proxy.heal()

    found, after = [], ""
    while page := bucket.list_page("tmp", after, limit=2):
        found += [(entry.key, entry.size) for entry in page.entries]
        if page.after is None:
            break
        after = page.after

    assert found == [("tmp/a", 0), ("tmp/b", 3), ("tmp/c", 3), ("tmp/f", 3)]


def test_a_copy_is_made_of_what_is_at_hand(
    bucket: SpooledBucket, remote: S3Bucket, proxy: FaultProxy, settings: Settings, tmp_path: Path
) -> None:
    (source := tmp_path / "clip").write_bytes(b"clip")
    stored = bucket.put_file("clips/a.mp4", source, "video/mp4")
    elsewhere = remote.put_bytes("clips/b.mp4", b"never here", "video/mp4")
    proxy.down = True
    waiting = bucket.put_bytes("clips/c.mp4", b"waiting", "video/mp4")

    copies = [bucket.copy(stored, "videos/a.mp4"), bucket.copy(waiting, "videos/c.mp4")]
    with pytest.raises(StorageUnavailable):
        bucket.copy(elsewhere, "videos/b.mp4")

    assert [bucket.get_bytes(copy.key) for copy in copies] == [b"clip", b"waiting"]
    proxy.heal()
    assert replay_failures(settings).left == 0
    assert all(remote.holds(copy) for copy in copies)


def test_nothing_is_promised_to_be_new_while_s3_is_away(bucket: SpooledBucket, proxy: FaultProxy) -> None:
    proxy.down = True
    bucket.put_bytes("tmp/a", b"", TEXT)

    with pytest.raises(StorageUnavailable):
        bucket.create("tmp/b", b"", TEXT)
    with pytest.raises(ObjectExists):
        bucket.create("tmp/a", b"", TEXT)


def test_what_waits_has_an_address_here(bucket: SpooledBucket, proxy: FaultProxy, settings: Settings) -> None:
    proxy.down = True
    bucket.put_bytes("videos/a.mp4", b"video", "video/mp4")

    assert bucket.uri("videos/a.mp4").startswith("file://")
    assert bucket.presign("videos/a.mp4", 60) is None
    assert (bucket.stat("videos/a.mp4").artifact.size, b"".join(bucket.read("videos/a.mp4", 1, 2))) == (5, b"id")
    proxy.heal()
    replay_failures(settings)
    assert bucket.uri("videos/a.mp4").startswith("s3://")
    assert bucket.presign("videos/a.mp4", 60)


def test_a_path_stays_when_the_spool_is_emptied(bucket: SpooledBucket, proxy: FaultProxy, settings: Settings) -> None:
    proxy.down = True
    path = bucket.fetch(bucket.put_bytes("images/a.png", b"picture", "image/png"))
    proxy.heal()
    replay_failures(settings)

    assert path.read_bytes() == b"picture"


class Thing(Contract):
    blob: Artifact


def test_a_step_is_made_once_more_when_its_result_can_not_be_asked_for_and_then_found(
    bucket: SpooledBucket, proxy: FaultProxy
) -> None:
    step = Step("thing", 1, "tmp", Thing)
    key = step.key("input")

    def make() -> Thing:
        return Thing(blob=bucket.put_bytes(f"{key}.bin", b"bytes", "application/octet-stream"))

    recall(bucket, step, key, make)
    proxy.down = True

    assert [recall(bucket, step, key, make).cached for _ in range(3)] == [False, True, True]


def test_after_a_failure_s3_is_left_alone_for_a_while(settings: Settings, proxy: FaultProxy) -> None:
    bucket = SpooledBucket(
        impatient(settings, read_seconds=0.2), Spool(settings.home / "spool", 600), open_copies(settings)
    )
    proxy.black_hole = True

    for number in range(20):
        bucket.put_bytes(f"tmp/{number}", b"", TEXT)
    with pytest.raises(StorageUnavailable, match="was not asked"):
        bucket.get_bytes("tmp/elsewhere")

    assert proxy.connections == 2  # the attempts of the first write
    proxy.heal()
    assert replay_failures(settings).operations == 20
    bucket.put_bytes("tmp/20", b"", TEXT)
    assert spooled(settings).operations == 0


def test_a_refusal_is_kept_and_named_until_a_person_has_changed_the_setting(
    settings: Settings, remote: S3Bucket
) -> None:
    refused = settings.model_copy(update={"s3_bucket": "bhiv-absent"})

    stored = open_bucket(refused).put_bytes("logs/a", b"a", TEXT)

    assert open_bucket(refused).get_bytes("logs/a") == b"a"
    [operation] = failed_operations(refused)
    assert operation.error_type == "StorageMisconfigured"
    assert "set BHIV_S3_BUCKET" in operation.error
    assert "set BHIV_S3_BUCKET" in replay_failures(refused).errors[0]
    with pytest.raises(StorageMisconfigured, match="BHIV_STORAGE_BACKEND is local"):
        replay_failures(settings.model_copy(update={"storage_backend": "local"}))
    assert replay_failures(settings).operations == 1
    assert remote.holds(stored)


class Meddled(S3Bucket):
    """Does something else first whenever a file is stored or an object deleted."""

    before: Callable[[], object]

    def put_file(self, key: str, source: Path, media_type: str) -> Artifact:
        self.before()
        return super().put_file(key, source, media_type)


def test_a_write_during_the_replay_of_its_key_is_not_lost(
    bucket: SpooledBucket, remote: S3Bucket, proxy: FaultProxy, settings: Settings
) -> None:
    proxy.down = True
    bucket.put_bytes("logs/a", b"old", TEXT)
    proxy.heal()
    meddled = Meddled(remote.account, open_copies(settings))
    meddled.before = lambda: bucket.put_bytes("logs/a", b"new", TEXT)

    report = _drain(open_spool(settings), meddled, open_copies(settings))

    assert (report.operations, report.left) == (1, 1)
    assert (remote.get_bytes("logs/a"), bucket.get_bytes("logs/a")) == (b"old", b"new")
    assert replay_failures(settings).left == 0
    assert (remote.get_bytes("logs/a"), bucket.get_bytes("logs/a")) == (b"new", b"new")


def test_of_two_replays_at_once_one_works(
    bucket: SpooledBucket, remote: S3Bucket, settings: Settings, proxy: FaultProxy
) -> None:
    proxy.down = True
    bucket.put_bytes("logs/a", b"a", TEXT)
    proxy.heal()
    seen: list[Replay] = []
    meddled = Meddled(remote.account, open_copies(settings))
    meddled.before = lambda: seen.append(replay_failures(settings))

    with open_spool(settings).draining() as alone:
        assert alone
        _drain(open_spool(settings), meddled, open_copies(settings))

    assert seen == [Replay(busy=True, left=1)]
    assert spooled(settings).operations == 0


def test_a_write_that_was_killed_before_it_was_kept_counts_as_never_made(
    bucket: SpooledBucket, remote: S3Bucket, settings: Settings, proxy: FaultProxy
) -> None:
    bucket.put_bytes("logs/a", b"on S3", TEXT)
    proxy.down = True
    bucket.put_bytes("logs/a", b"to be killed", TEXT)
    (settings.home / "spool" / "objects" / "logs" / "a").unlink()
    proxy.heal()

    assert bucket.get_bytes("logs/a") == b"on S3"
    assert replay_failures(settings) == Replay(dropped=["logs/a"])
    assert remote.get_bytes("logs/a") == b"on S3"


def test_a_spool_without_room_says_so_and_keeps_no_note(
    bucket: SpooledBucket, settings: Settings, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.down = True

    def full(*_: object) -> Artifact:
        raise DiskFull("the disk is full")

    monkeypatch.setattr(bucket.spool.objects, "put_bytes", full)

    with pytest.raises(DiskFull):
        bucket.put_bytes("logs/a", b"a", TEXT)
    assert spooled(settings).operations == 0


WRITER = """
import sys
from bhiv.bucket import open_bucket
from bhiv.settings import load_settings
bucket = open_bucket(load_settings())
for number in range(1000):
    bucket.put_bytes(f"tmp/{sys.argv[1]}-{number}", str(number).encode() * 1000, "text/plain")
    print(number, flush=True)
"""


def test_killed_writers_lose_nothing_that_they_were_told_was_kept(
    settings: Settings, remote: S3Bucket, proxy: FaultProxy
) -> None:
    proxy.down = True
    open_spool(settings).trip(StorageUnavailable("it is away"))
    environment = os.environ | as_environment(settings)

    def write(writer: int) -> int:
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(writer)], stdout=subprocess.PIPE, env=environment
        ) as process:
            assert process.stdout is not None
            for _ in range(8 + writer):
                last = process.stdout.readline()
            process.kill()
        return int(last)

    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(write, range(3)))
    proxy.heal()
    report = replay_failures(settings)

    assert (report.left, report.errors) == (0, [])
    for writer, last in enumerate(told):
        for number in range(last + 1):
            assert remote.get_bytes(f"tmp/{writer}-{number}") == str(number).encode() * 1000


def test_a_note_is_json_that_says_it_all(bucket: SpooledBucket, settings: Settings, proxy: FaultProxy) -> None:
    proxy.down = True
    bucket.put_bytes("videos/a.mp4", b"video", "video/mp4")

    [path] = (settings.home / "spool" / "failures" / "logs").iterdir()
    note = json.loads(path.read_text())

    assert (note["operation"], note["key"], note["media_type"], note["attempts"]) == (
        "put", "videos/a.mp4", "video/mp4", 1,
    )  # fmt: skip
    assert note["error_type"] == "StorageUnavailable"
    assert "test-secret" not in path.read_text()


def files(settings: Settings) -> list[str]:
    """What lies in the spool, without locks."""
    folder = settings.home / "spool"
    return [
        str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".lock"
    ]


def test_what_failed_and_is_done_is_listed_and_leaves_nothing_else(
    bucket: SpooledBucket, settings: Settings, proxy: FaultProxy
) -> None:
    bucket.put_bytes("tmp/b", b"b", TEXT)
    proxy.down = True
    bucket.put_bytes("logs/a", b"old", TEXT)
    bucket.put_bytes("logs/a", b"new", TEXT)
    bucket.delete("tmp/b")
    failed = failed_operations(settings)
    proxy.heal()
    assert replayed_operations(settings) == []
    replay_failures(settings)

    done = replayed_operations(settings)

    assert [(one.operation, one.key) for one in done] == [("put", "logs/a"), ("put", "logs/a"), ("delete", "tmp/b")]
    assert [one.failed_at for one in done] == [one.failed_at for one in failed]
    assert all(one.replayed_at >= one.failed_at for one in done)
    assert files(settings) == [f"replayed/{one.name}" for one in done]


def test_what_is_done_is_forgotten_after_a_while_and_what_waits_never(
    bucket: SpooledBucket, settings: Settings, proxy: FaultProxy
) -> None:
    proxy.down = True
    bucket.put_bytes("logs/a", b"a", TEXT)
    proxy.heal()
    replay_failures(settings)
    proxy.down = True
    bucket.put_bytes("logs/b", b"b", TEXT)
    waiting = files(settings)[:2]
    spool, now = open_spool(settings), datetime.now(UTC)

    assert spool.forget_replayed(now - timedelta(days=1), dry_run=False) == (0, 0)
    assert spool.forget_replayed(now + timedelta(days=900), dry_run=True)[0] == 1
    assert spool.forget_replayed(now + timedelta(days=900), dry_run=False)[0] == 1
    assert replayed_operations(settings) == []
    assert [name for name in files(settings) if name != "unreachable"] == waiting
    proxy.heal()
    assert replay_failures(settings).left == 0
    assert bucket.get_bytes("logs/b") == b"b"


def test_a_clean_up_forgets_what_is_done(bucket: SpooledBucket, settings: Settings, proxy: FaultProxy) -> None:
    proxy.down = True
    bucket.put_bytes("logs/a", b"a", TEXT)
    proxy.heal()
    replay_failures(settings)

    assert clean_all(settings, CleanUpRules()).removed == ()
    [removed] = clean_all(settings, CleanUpRules(failed_days=0)).removed

    assert (removed.rule, removed.objects) == ("failed", 1)
    assert files(settings) == []


def test_a_home_without_s3_has_nothing_waiting(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")

    assert replay_failures(settings) == Replay()
    assert spooled(settings).since is None
    assert not settings.home.exists()


def test_the_settings_open_a_bucket_with_a_spool(settings: Settings) -> None:
    assert isinstance(open_bucket(settings), SpooledBucket)
    assert isinstance(open_s3(settings), S3Bucket)
