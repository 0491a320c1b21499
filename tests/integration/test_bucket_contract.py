"""What every bucket does, on a local folder, on moto, on Ceph over TLS, and on S3 behind an empty spool."""

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from bhiv.bucket import Artifact, Bucket, open_bucket
from bhiv.bucket.local import LocalBucket
from bhiv.bucket.opening import open_s3
from bhiv.bucket.s3 import S3Bucket
from bhiv.bucket.spooled import SpooledBucket
from bhiv.errors import InvalidKey, ObjectDamaged, ObjectExists, ObjectMissing
from tests.integration import hostile
from tests.servers.s3 import PART_BYTES, s3_settings, trust
from tests.servers.starting import S3Server

TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Kind:
    """A kind of bucket; local without a server."""

    name: str
    server: S3Server | None


@pytest.fixture(scope="session", params=["local", "moto", "ceph", "spooled"])
def kind(request: pytest.FixtureRequest) -> Kind:
    # In the session's scope, because a server must start before the first test of those that use it.
    server = {"local": "", "moto": "moto_server", "ceph": "ceph_server", "spooled": "moto_server"}[request.param]
    return Kind(request.param, request.getfixturevalue(server) if server else None)


@pytest.fixture
def bucket(kind: Kind, tmp_path: Path) -> Bucket:
    if kind.server is None:
        return LocalBucket(tmp_path / "bucket")
    settings = s3_settings(kind.server, tmp_path)
    return open_bucket(settings) if kind.name == "spooled" else open_s3(settings)


def keys_of(bucket: Bucket, prefix: str = "", limit: int = 1000) -> list[list[str]]:
    """The keys of all pages."""
    pages, after = [], ""
    while True:
        page = bucket.list_page(prefix, after, limit)
        pages.append([entry.key for entry in page.entries])
        if page.after is None:
            return pages
        after = page.after


def damage(bucket: Bucket, key: str) -> None:
    """Change an object's bytes and nothing else."""
    if isinstance(bucket, LocalBucket):
        data = bucket.path(key).read_bytes()
        bucket.path(key).write_bytes(data[:-1] + b"?")
        return
    remote = bucket.remote if isinstance(bucket, SpooledBucket) else bucket
    assert isinstance(remote, S3Bucket)
    client, name = remote.account.client(), {"Bucket": remote.account.bucket, "Key": remote.account.prefix + key}
    kept = client.get_object(**name)  # type: ignore[arg-type]
    client.put_object(**name, Body=kept["Body"].read()[:-1] + b"?", Metadata=kept["Metadata"])  # type: ignore[arg-type]


def test_an_object_is_read_back(bucket: Bucket) -> None:
    artifact = bucket.put_bytes("scripts/a_script.txt", b"once", TEXT)

    assert bucket.get_bytes("scripts/a_script.txt") == b"once"
    assert artifact == Artifact(
        key="scripts/a_script.txt", sha256=hashlib.sha256(b"once").hexdigest(), size=4, media_type=TEXT
    )
    assert bucket.fetch(artifact).read_bytes() == b"once"
    assert bucket.holds(artifact)


def test_an_empty_object_is_an_object(bucket: Bucket) -> None:
    artifact = bucket.put_bytes("tmp/empty", b"", TEXT)

    assert (bucket.get_bytes("tmp/empty"), bucket.fetch(artifact).read_bytes()) == (b"", b"")
    assert list(bucket.read("tmp/empty")) == []


def test_a_file_is_stored_as_a_copy(bucket: Bucket, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 3_000_000)

    artifact = bucket.put_file("clips/folder/a.mp4", source, "video/mp4")
    source.write_bytes(b"changed")

    assert bucket.holds(artifact)
    assert bucket.fetch(artifact).read_bytes() == bucket.get_bytes("clips/folder/a.mp4") == b"x" * 3_000_000


def test_a_file_of_several_parts_is_stored_whole(bucket: Bucket, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(data := bytes(range(256)) * (PART_BYTES * 5 // 2 // 256))

    bucket.put_file("videos/a.mp4", source, "video/mp4")

    assert hashlib.sha256(b"".join(bucket.read("videos/a.mp4"))).digest() == hashlib.sha256(data).digest()
    assert bucket.stat("videos/a.mp4").artifact.size == len(data)
    assert bucket.sweep() == 0


def test_a_second_write_takes_the_place_of_the_first(bucket: Bucket) -> None:
    first = bucket.put_bytes("logs/a.json", b"1", TEXT)
    bucket.put_bytes("logs/a.json", b"2", TEXT)

    assert bucket.get_bytes("logs/a.json") == b"2"
    assert not bucket.holds(first)
    with pytest.raises(ObjectDamaged, match="not what was written"):
        bucket.fetch(first)


def test_writers_at_once_leave_one_whole_object(bucket: Bucket) -> None:
    texts = [bytes([number]) * 200_000 for number in range(6)]

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda data: bucket.put_bytes("tmp/a", data, TEXT), texts))

    assert bucket.get_bytes("tmp/a") in texts


def test_what_is_missing_is_an_error(bucket: Bucket) -> None:
    gone = bucket.put_bytes("clips/a", b"a", TEXT)
    bucket.delete("clips/a")

    for call in (
        lambda: bucket.get_bytes("clips/a"),
        lambda: list(bucket.read("clips/a")),
        lambda: bucket.fetch(gone),
        lambda: bucket.stat("clips/a"),
        lambda: bucket.copy(gone, "clips/b"),
    ):
        with pytest.raises(ObjectMissing, match=r"there is no .*clips/a"):
            call()
    assert not bucket.holds(gone)
    bucket.delete("clips/a")


def test_an_object_is_created_once(bucket: Bucket) -> None:
    bucket.create("tmp/a", b"first", TEXT)

    with pytest.raises(ObjectExists, match=r"there is a .*tmp/a"):
        bucket.create("tmp/a", b"second", TEXT)

    assert bucket.get_bytes("tmp/a") == b"first"


def test_of_many_that_create_the_same_object_one_succeeds(bucket: Bucket) -> None:
    def create(number: int) -> bytes | None:
        data = b"%d" % number
        try:
            bucket.create("tmp/a", data, TEXT)
        except ObjectExists:
            return None
        return data

    with ThreadPoolExecutor(8) as pool:
        winners = [data for data in pool.map(create, range(16)) if data is not None]

    assert winners == [bucket.get_bytes("tmp/a")]


def test_a_copy_outlives_a_replaced_source(bucket: Bucket) -> None:
    source = bucket.put_bytes("clips/a", b"bytes", TEXT)

    copy = bucket.copy(source, "videos/b")
    bucket.put_bytes("clips/a", b"other", TEXT)

    assert copy == source.model_copy(update={"key": "videos/b"})
    assert bucket.get_bytes("videos/b") == bucket.fetch(copy).read_bytes() == b"bytes"
    assert bucket.stat("videos/b").artifact == copy
    with pytest.raises(ObjectDamaged):
        bucket.copy(source, "videos/c")


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(0, None, b"0123456789"), (3, None, b"3456789"), (3, 4, b"3456"), (8, 5, b"89"), (10, None, b""), (99, 1, b""),
     (0, 0, b""), (9, 1, b"9")],
)  # fmt: skip
def test_a_part_is_read(bucket: Bucket, start: int, length: int | None, expected: bytes) -> None:
    bucket.put_bytes("tmp/a", b"0123456789", TEXT)

    assert b"".join(bucket.read("tmp/a", start, length)) == expected


def test_what_is_known_of_an_object(bucket: Bucket) -> None:
    artifact = bucket.put_bytes("videos/a.vtt", b"WEBVTT", "text/vtt")

    known = bucket.stat("videos/a.vtt")

    assert known.artifact == artifact
    assert abs(datetime.now(UTC) - known.changed_at) < timedelta(minutes=5)
    [entry] = bucket.list_page("videos").entries
    assert (entry.key, entry.size) == ("videos/a.vtt", 6)
    assert abs(entry.changed_at - known.changed_at) <= timedelta(seconds=1)


def test_a_listing_is_in_order_and_comes_in_pages(bucket: Bucket) -> None:
    keys = ["tmp/a", "tmp/a-b", "tmp/a.b", "tmp/a/b", "tmp/a/c", "tmp/b", "videos/a"]
    keys.remove("tmp/a")  # a folder and an object can't share a name in a local folder
    for key in reversed(keys):
        bucket.put_bytes(key, b"", TEXT)

    assert keys_of(bucket) == [keys]
    assert keys_of(bucket, limit=2) == [keys[0:2], keys[2:4], keys[4:6]]
    assert keys_of(bucket, "tmp/a/") == [["tmp/a/b", "tmp/a/c"]]
    assert keys_of(bucket, "tmp/a") == [["tmp/a-b", "tmp/a.b", "tmp/a/b", "tmp/a/c"]]
    assert keys_of(bucket, "clips") == [[]]


def test_a_damaged_object_is_found(bucket: Bucket) -> None:
    artifact = bucket.put_bytes("audio/a", b"sound", TEXT)
    damage(bucket, "audio/a")

    for call in (lambda: bucket.get_bytes("audio/a"), lambda: bucket.fetch(artifact)):
        with pytest.raises(ObjectDamaged, match=r"audio/a is not what was written; delete it"):
            call()


def test_hostile_keys_are_refused(bucket: Bucket, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"")
    good = bucket.put_bytes("tmp/a", b"", TEXT)

    calls: list[Callable[[str], object]] = [
        lambda key: bucket.put_bytes(key, b"", TEXT),
        lambda key: bucket.put_file(key, source, TEXT),
        lambda key: bucket.create(key, b"", TEXT),
        lambda key: bucket.copy(good, key),
        lambda key: bucket.copy(good.model_copy(update={"key": key}), "tmp/b"),
        lambda key: bucket.fetch(good.model_copy(update={"key": key})),
        lambda key: bucket.holds(good.model_copy(update={"key": key})),
        lambda key: list(bucket.read(key)),
        lambda key: bucket.presign(key, 60),
        bucket.get_bytes, bucket.stat, bucket.delete, bucket.uri,
    ]  # fmt: skip
    for key in hostile.KEYS:
        for call in calls:
            with pytest.raises(InvalidKey):
                call(key)

    assert keys_of(bucket) == [["tmp/a"]]


def test_hostile_prefixes_are_refused(bucket: Bucket) -> None:
    for prefix in hostile.PREFIXES:
        with pytest.raises(InvalidKey, match="no key starts with"):
            bucket.list_page(prefix)


def test_an_object_has_an_address_for_people(bucket: Bucket, kind: Kind) -> None:
    assert bucket.uri("videos/a.mp4").startswith("s3://bhiv-tests/" if kind.server else "file:///")
    assert bucket.uri("videos/a.mp4").endswith("/videos/a.mp4")


def test_a_presigned_address_is_for_anybody_and_for_this_object_only(bucket: Bucket, kind: Kind) -> None:
    bucket.put_bytes("videos/a.mp4", b"video", "video/mp4")
    bucket.put_bytes("videos/b.mp4", b"other", "video/mp4")

    address = bucket.presign("videos/a.mp4", 60)

    if kind.server is None:
        assert address is None
        return
    assert address
    with httpx.Client(verify=trust(kind.server)) as browser:
        answer = browser.get(address)
        assert (answer.content, answer.headers["content-type"]) == (b"video", "video/mp4")
        if kind.name == "ceph":  # moto takes any signature
            assert browser.get(address.replace("a.mp4", "b.mp4")).status_code == 403


def test_a_fetched_file_stays_when_the_object_is_replaced(bucket: Bucket, kind: Kind) -> None:
    artifact = bucket.put_bytes("images/a.png", b"old", "image/png")
    path = bucket.fetch(artifact)
    bucket.put_bytes("images/a.png", b"new", "image/png")

    assert path.suffix == ".png"
    assert path.read_bytes() == (b"old" if kind.server else b"new")
    assert time.time() - path.stat().st_mtime < 300
