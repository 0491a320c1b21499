"""The command with its bucket on S3, which goes away in the middle of a run and comes back."""

from pathlib import Path

from bhiv.bucket.opening import open_s3
from bhiv.bucket.replay import replay_failures, spooled
from bhiv.settings import Settings
from tests.acceptance.conftest import Shop
from tests.servers.fault_proxy import fault_proxy
from tests.servers.s3 import as_environment, s3_settings
from tests.servers.starting import S3Server

SCRIPT = "A lotus\n\nIt opens at dawn.\n\nAt dusk it closes.\n"


def on_s3(shop: Shop, settings: Settings) -> tuple[Shop, Settings]:
    """The shop with its bucket on S3, and the settings that its commands have."""
    settings = settings.model_copy(update={"home": Path(shop.environment["BHIV_HOME"])})
    return Shop(shop.folder, {**shop.environment, **as_environment(settings)}), settings


def holding(folder: Path, secret: str) -> list[Path]:
    """The files (logs, databases, notes) that hold the secret as it is."""
    return [file for file in folder.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()]


def test_a_run_outlives_an_outage_of_s3(shop: Shop, ceph_server: S3Server, tmp_path: Path) -> None:
    shop.write("story.txt", SCRIPT)
    with fault_proxy("127.0.0.1", int(ceph_server.endpoint_url.rpartition(":")[2])) as proxy:
        shop, settings = on_s3(shop, s3_settings(ceph_server, tmp_path, proxy.port))
        proxy.down_after_taken = 40_000  # in the middle of the pictures

        ended = shop.bhiv("render", "story.txt", "--quality", "draft", "--json")

        assert ended.code == 0, ended.err
        waiting = spooled(settings).operations
        assert f"{waiting} changes of the bucket wait for S3" in ended.err
        assert "can't be reached" in shop.bhiv("doctor").out

        proxy.heal()
        report = replay_failures(settings)

    assert (report.operations, report.left, report.errors) == (waiting, 0, [])
    remote = open_s3(settings.model_copy(update={"s3_endpoint_url": ceph_server.endpoint_url}))
    content = ended.summary["content_id"]
    assert remote.get_bytes(f"videos/{content}.mp4") == (shop.folder / "out" / "story.mp4").read_bytes()
    for key in (f"scripts/{content}_script.txt", f"storyboards/{content}_storyboard.json", f"logs/{content}.json"):
        assert remote.stat(key).artifact.size > 0
    assert list(shop.bucket.glob("*")) == []
    assert holding(settings.home, ceph_server.secret_access_key) == []


def test_a_bucket_that_is_set_wrong_is_refused_at_once(shop: Shop, ceph_server: S3Server, tmp_path: Path) -> None:
    shop.write("story.txt", SCRIPT)
    shop, _ = on_s3(shop, s3_settings(ceph_server, tmp_path).model_copy(update={"s3_bucket": "bhiv-absent"}))

    ended = shop.bhiv("render", "story.txt")

    assert (ended.code, ended.out) == (1, "")
    assert "there is no bucket 'bhiv-absent'; create it or set BHIV_S3_BUCKET" in ended.err
    assert list(shop.bucket.glob("*")) == []
