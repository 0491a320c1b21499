"""What only a bucket on S3 has: settings that may be wrong, local copies, parts, connections that break."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from bhiv.bucket import check_bucket, open_bucket, s3
from bhiv.bucket.copies import Copies
from bhiv.bucket.opening import open_s3
from bhiv.doctor import examine
from bhiv.errors import ObjectDamaged, StorageMisconfigured, StorageUnavailable
from bhiv.settings import Settings
from tests.servers.fault_proxy import FaultProxy, fault_proxy
from tests.servers.s3 import PART_BYTES, as_environment, impatient, s3_settings, trust
from tests.servers.starting import S3Server, free_port

TEXT = "text/plain"


@pytest.fixture
def settings(ceph_server: S3Server, tmp_path: Path) -> Settings:
    return s3_settings(ceph_server, tmp_path)


@pytest.fixture
def proxy(ceph_server: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy("127.0.0.1", int(ceph_server.endpoint_url.rpartition(":")[2])) as proxy:
        yield proxy


@pytest.fixture
def shaky(settings: Settings, proxy: FaultProxy) -> s3.S3Bucket:
    """A bucket that is reached through the proxy."""
    return impatient(settings.model_copy(update={"s3_endpoint_url": f"https://127.0.0.1:{proxy.port}"}))


def large_file(folder: Path, size: int = 8_000_000) -> Path:
    (path := folder / "large").write_bytes(os.urandom(size))
    return path


def unfinished_uploads(bucket: s3.S3Bucket) -> int:
    account = bucket.account
    found = account.client().list_multipart_uploads(Bucket=account.bucket, Prefix=account.prefix)
    return len(found.get("Uploads", []))


def test_a_bucket_that_can_be_used_passes_the_check_and_is_left_as_it_was(settings: Settings) -> None:
    assert check_bucket(settings) == f"s3://bhiv-tests/{settings.s3_prefix}/"

    assert open_s3(settings).list_page().entries == ()


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ({"s3_bucket": "bhiv-absent"}, "no bucket 'bhiv-absent'; create it or set BHIV_S3_BUCKET"),
        ({"s3_bucket": "no bucket!"}, "BHIV_S3_"),
        ({"s3_bucket": None}, "set BHIV_S3_BUCKET, or BHIV_STORAGE_BACKEND=local"),
        ({"s3_access_key_id": "nobody"}, "does not know the key; set BHIV_S3_ACCESS_KEY_ID"),
        ({"s3_secret_access_key": "guess"}, "does not belong to the key; set BHIV_S3_SECRET_ACCESS_KEY"),
        ({"s3_ca_bundle": None}, "is not trusted: set BHIV_S3_CA_BUNDLE"),
        ({"s3_ca_bundle": Path("/nowhere.pem")}, "BHIV_S3_CA_BUNDLE"),
        ({"s3_endpoint_url": "http://"}, "BHIV_S3_"),
    ],
)
def test_a_wrong_setting_is_named(settings: Settings, wrong: dict[str, object], advice: str) -> None:
    mistaken = Settings.model_validate(settings.model_dump() | wrong)

    with pytest.raises(StorageMisconfigured) as refused:
        check_bucket(mistaken)

    assert advice in str(refused.value)
    assert "test-secret" not in str(refused.value)
    assert not refused.value.retryable
    [finding] = [finding for finding in examine(mistaken) if finding.subject == "bucket"]
    assert (finding.ok, advice in finding.message) == (False, True)
    assert not mistaken.bucket_dir.exists()


def test_a_server_that_is_away_may_come_back(settings: Settings) -> None:
    away = settings.model_copy(update={"s3_endpoint_url": f"https://127.0.0.1:{free_port()}"})

    with pytest.raises(
        StorageUnavailable, match=r"can't be reached at https://127.0.0.1:.*BHIV_S3_ENDPOINT_URL"
    ) as error:
        check_bucket(away)

    assert error.value.retryable


def test_the_secret_is_in_no_representation(settings: Settings) -> None:
    assert "test-secret" not in repr(settings) + repr(impatient(settings).account)


def test_browsers_get_an_address_of_the_public_endpoint(
    settings: Settings, proxy: FaultProxy, ceph_server: S3Server
) -> None:
    public = settings.model_copy(update={"s3_public_endpoint_url": f"https://127.0.0.1:{proxy.port}"})
    open_bucket(public).put_bytes("videos/a.mp4", b"video", "video/mp4")

    address = open_bucket(public).presign("videos/a.mp4", 60)

    assert address
    assert address.startswith(f"https://127.0.0.1:{proxy.port}/bhiv-tests/")
    with httpx.Client(verify=trust(ceph_server)) as browser:
        assert browser.get(address, headers={"Range": "bytes=1-2"}).content == b"id"
        assert browser.get(address.replace("X-Amz-Expires=60", "X-Amz-Expires=600")).status_code == 403
    assert proxy.connections > 0


def test_an_upload_that_nobody_ends_is_swept(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = impatient(settings)
    name = {"Bucket": bucket.account.bucket, "Key": f"{bucket.account.prefix}videos/a.mp4"}
    bucket.account.client().create_multipart_upload(**name)  # type: ignore[arg-type]

    assert bucket.sweep() == 0
    monkeypatch.setattr(s3, "_ABANDONED", timedelta(hours=-1))
    assert bucket.sweep() == 1

    assert unfinished_uploads(bucket) == 0


def test_an_object_of_another_program_is_read(settings: Settings) -> None:
    bucket = impatient(settings)
    name = {"Bucket": bucket.account.bucket, "Key": f"{bucket.account.prefix}images/mine.png"}
    bucket.account.client().put_object(**name, Body=b"picture", ContentType="image/png")  # type: ignore[arg-type]

    mine = bucket.stat("images/mine.png").artifact

    assert (mine.size, mine.media_type) == (7, "image/png")
    assert bucket.fetch(mine).read_bytes() == bucket.get_bytes("images/mine.png") == b"picture"


@pytest.mark.parametrize("fault", ["cut_after", "reset_after"])
def test_a_download_that_breaks_goes_on_where_it_broke(
    shaky: s3.S3Bucket, proxy: FaultProxy, tmp_path: Path, fault: str
) -> None:
    stored = shaky.put_file("videos/a.mp4", large_file(tmp_path), "video/mp4")
    shaky.copies.folder.joinpath(f"{stored.sha256}.mp4").unlink()
    setattr(proxy, fault, 3_000_000)  # from the start again, it would never end

    path = shaky.fetch(stored)

    assert path.read_bytes() == (tmp_path / "large").read_bytes()
    assert proxy.times < 1_000_000


def test_a_download_that_never_gains_a_byte_ends(shaky: s3.S3Bucket, proxy: FaultProxy, tmp_path: Path) -> None:
    shaky.put_file("videos/a.mp4", large_file(tmp_path, 3_000_000), "video/mp4")
    list(shaky.read("videos/a.mp4", 0, 1))
    proxy.cut_after = 100

    with pytest.raises(StorageUnavailable):
        shaky.get_bytes("videos/a.mp4")


def test_an_object_that_is_replaced_while_it_is_read_is_not_mixed(
    settings: Settings, shaky: s3.S3Bucket, proxy: FaultProxy, tmp_path: Path
) -> None:
    shaky.put_file("videos/a.mp4", large_file(tmp_path), "video/mp4")
    proxy.cut_after, proxy.times = 2_000_000, 1
    pieces = shaky.read("videos/a.mp4")
    next(pieces)

    impatient(settings).put_file("videos/a.mp4", large_file(tmp_path), "video/mp4")

    with pytest.raises(ObjectDamaged, match="was replaced while it was read"):
        list(pieces)


def test_an_upload_that_breaks_leaves_nothing_to_see(shaky: s3.S3Bucket, proxy: FaultProxy, tmp_path: Path) -> None:
    source = large_file(tmp_path, 3 * PART_BYTES)
    shaky.put_bytes("videos/a.mp4", b"old", "video/mp4")
    proxy.down_after_taken = proxy.taken + PART_BYTES * 3 // 2

    with pytest.raises(StorageUnavailable):
        shaky.put_file("videos/a.mp4", source, "video/mp4")

    proxy.heal()
    assert shaky.get_bytes("videos/a.mp4") == b"old"
    stored = shaky.put_file("videos/a.mp4", source, "video/mp4")
    assert shaky.holds(stored)


def test_a_server_that_swallows_everything_ends_in_an_error(
    ceph_server: S3Server, proxy: FaultProxy, tmp_path: Path
) -> None:
    shaky = impatient(s3_settings(ceph_server, tmp_path, proxy.port), read_seconds=0.2)
    proxy.black_hole = True

    for call in (
        lambda: shaky.put_bytes("tmp/a", b"b", TEXT),
        lambda: shaky.get_bytes("tmp/a"),
        lambda: shaky.stat("tmp/a"),
    ):
        with pytest.raises(StorageUnavailable, match="can't be reached"):
            call()


def test_what_was_stored_or_fetched_is_not_downloaded_again(
    shaky: s3.S3Bucket, proxy: FaultProxy, tmp_path: Path
) -> None:
    stored = shaky.put_file("clips/a.mp4", large_file(tmp_path, 1_000_000), "video/mp4")
    copied = shaky.copy(stored, "videos/a.mp4")
    proxy.down = True

    assert shaky.fetch(stored) == shaky.fetch(copied)


def test_a_damaged_copy_is_downloaded_again(settings: Settings) -> None:
    bucket = impatient(settings)
    stored = bucket.put_bytes("clips/a.mp4", b"bytes", "video/mp4")
    bucket.fetch(stored).write_bytes(b"bytez")

    assert bucket.fetch(stored).read_bytes() == b"bytes"


def test_a_download_that_was_killed_is_taken_up(shaky: s3.S3Bucket, proxy: FaultProxy, tmp_path: Path) -> None:
    stored = shaky.put_file("clips/a.mp4", large_file(tmp_path), "video/mp4")
    copy = shaky.fetch(stored)
    begun = copy.with_name(f"{copy.name}.part")
    begun.write_bytes(copy.read_bytes()[:7_000_000])
    copy.unlink()
    proxy.answered = 0

    assert shaky.fetch(stored).read_bytes() == (tmp_path / "large").read_bytes()
    assert proxy.answered < 2_000_000

    copy.rename(begun)
    begun.write_bytes(b"anything" * 100)
    assert shaky.fetch(stored).read_bytes() == (tmp_path / "large").read_bytes()


FETCHER = """
import sys
from bhiv.bucket import Artifact, open_bucket
from bhiv.settings import load_settings
artifact = Artifact.model_validate_json(sys.argv[1])
sys.stdin.readline()
print(open_bucket(load_settings()).fetch(artifact))
"""


def test_processes_that_want_the_same_object_load_it_once(
    ceph_server: S3Server, proxy: FaultProxy, tmp_path: Path
) -> None:
    settings = s3_settings(ceph_server, tmp_path, proxy.port)
    bucket = open_s3(settings)
    stored = bucket.put_file("clips/a.mp4", large_file(tmp_path), "video/mp4")
    copy = bucket.fetch(stored)
    copy.unlink()
    environment = os.environ | as_environment(settings)
    proxy.answered = 0

    def fetch(_: int) -> str:
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(FETCHER), stored.model_dump_json()],
            env=environment, input="\n", capture_output=True, text=True, check=True, timeout=60,
        ).stdout.strip()  # fmt: skip

    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(fetch, range(3))) == {str(copy)}

    assert proxy.answered < stored.size * 1.5
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_copies_beyond_the_limit_go_the_longest_unused_first_but_none_of_the_last_hour(tmp_path: Path) -> None:
    copies = Copies(tmp_path / "copies", limit_bytes=2_500)
    kept = {}
    for number, hours in enumerate((5, 4, 3, 0)):
        (source := tmp_path / "source").write_bytes(bytes([number]) * 1_000)
        kept[hours] = copies.take_in("clips/a.mp4", source, "video/mp4")
        ago = time.time() - hours * 3600
        os.utime(kept[hours][1], (ago, ago))
    (tmp_path / "copies" / ".unfinished-of-a-killed-process").write_bytes(b"")
    os.utime(tmp_path / "copies" / ".unfinished-of-a-killed-process", (1, 1))

    (source := tmp_path / "source").write_bytes(b"x" * 1_000)
    _, newest = copies.take_in("clips/a.mp4", source, "video/mp4")

    assert sorted((tmp_path / "copies").iterdir()) == sorted([kept[0][1], newest])


def test_a_damaged_object_leaves_no_copy(settings: Settings) -> None:
    bucket = impatient(settings)
    stored = bucket.put_bytes("clips/a.mp4", b"bytes", "video/mp4")
    bucket.put_bytes("clips/a.mp4", b"bytez", "video/mp4")

    with pytest.raises(ObjectDamaged):
        bucket.fetch(stored)

    assert list(bucket.copies.folder.iterdir()) == []
