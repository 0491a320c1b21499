import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.acceptance.conftest import Shop, open_shop, stuck_ffmpeg
from tests.conftest import REQUIRE_ALL
from tests.servers.starting import gone, wait_until

#: Long enough to be caught while it encodes.
LONG = "A Long Day\n\n" + "\n\n".join(
    f"Part {number} of a long and quiet day by the sea goes on." for number in range(8)
)
SIZE = ("--size", "640x360")


def encoders(command: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """The ffmpeg processes that the command has running."""
    found = []
    with suppress(psutil.NoSuchProcess):  # the command, or another child, has just ended
        for child in psutil.Process(command.pid).children(recursive=True):
            found += [child] if "ffmpeg" in child.name() else []
    return found


def encoding(shop: Shop) -> "subprocess.Popen[bytes]":
    """Start a long render and wait until it encodes."""
    shop.write("long.txt", LONG)
    command = shop.start("render", "long.txt", *SIZE)
    wait_until(lambda: list((shop.bucket / "clips").glob("clip-*.json")) and encoders(command), "a running encoder")
    return command


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_at_once_and_leaves_metadata(shop: Shop, kind: signal.Signals) -> None:
    command = encoding(shop)
    running = encoders(command)

    command.send_signal(kind)
    out, err = command.communicate(timeout=60)

    assert command.returncode == 130, err
    assert (out, err.count(b"Traceback")) == (b"", 0)
    assert b"interrupted" in err
    assert gone(*running)
    [metadata] = shop.metadata()
    assert (metadata["processing_status"], metadata["error"]["category"]) == ("failed", "interrupted")
    assert not (shop.folder / "out").exists()


def test_a_killed_run_is_recorded_and_its_work_is_used_by_the_next(shop: Shop) -> None:
    command = encoding(shop)
    command.kill()
    command.communicate(timeout=60)
    finished = {path: path.stat().st_mtime_ns for path in (shop.bucket / "clips").glob("clip-*.json")}
    assert not list((shop.bucket / "videos").glob("*"))

    again = shop.bhiv("render", "long.txt", "--json", *SIZE)

    assert again.code == 0, again.err
    assert finished
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    killed, completed = shop.metadata()
    assert (killed["processing_status"], killed["error"]["message"]) == ("failed", "the process was killed")
    assert completed["processing_status"] == "completed"
    jobs = [shop.bhiv("status", run["job_id"], "--json").summary for run in (killed, completed)]
    assert [job["state"] for job in jobs] == ["failed", "completed"]
    assert not list(shop.bucket.rglob(".unfinished-*"))
    assert not list(Path(shop.environment["BHIV_HOME"], "work").iterdir())


def test_a_stuck_encoder_fails_the_run_with_a_reason(shop: Shop, tmp_path: Path) -> None:
    """An ffmpeg that never reads its frames is killed at its deadline, and tried again before the run gives up."""
    shop.write("s.txt", "A river runs to the sea.")
    stuck = str(stuck_ffmpeg(tmp_path))

    ended = shop.bhiv("render", "s.txt", "--size", "144x144", IMAGEIO_FFMPEG_EXE=stuck, BHIV_STALL_SECONDS="1")

    assert ended.code == 1
    assert "took too long" in ended.err
    assert "Traceback" not in ended.err
    [metadata] = shop.metadata()
    assert metadata["error"]["category"] == "render"
    told = shop.bhiv("status", metadata["job_id"], "--json").summary
    assert (told["state"], told["step"], told["error"]) == ("failed", "render", metadata["error"])
    assert "took too long" in shop.bhiv("status").out


def test_two_commands_at_once_share_one_server(tmp_path: Path, shop: Shop) -> None:
    home = str(tmp_path / "new-home")
    shop.write("s.txt", "A river runs to the sea.")
    try:
        both = [
            shop.start("render", "s.txt", "-o", f"{name}.mp4", "--size", "144x144", BHIV_HOME=home) for name in "ab"
        ]
        pages = [command.communicate(timeout=200)[1].split(b"watch it at ")[1].split(b"/")[2] for command in both]
        servers = [
            process for process in psutil.process_iter(["cmdline"]) if home in " ".join(process.info["cmdline"] or [])
        ]
    finally:
        ended = shop.bhiv("down", BHIV_HOME=home)

    assert [command.returncode for command in both] == [0, 0]
    assert len(set(pages)) == 1
    assert len(servers) == 1
    assert "has ended" in ended.out


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB: room for some of the pictures."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "none", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        assert not REQUIRE_ALL, "a full run must be able to mount a small file system"
        pytest.skip("NOT TESTED: a full disk, because mounting a small file system takes root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_said_and_leaves_nothing_torn(
    small_disk: Path, shared_home: dict[str, str], tmp_path: Path
) -> None:
    shop = open_shop(tmp_path / "shop", shared_home, small_disk / "bucket")
    shop.write("long.txt", LONG)

    ended = shop.bhiv("render", "long.txt", *SIZE)

    assert ended.code == 1
    assert "the disk is full" in ended.err
    assert "Traceback" not in ended.err
    assert not (shop.folder / "out").exists()
    assert not list(small_disk.rglob(".unfinished-*"))
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
    again = shop.bhiv("render", "long.txt", "--json", *SIZE)
    assert again.code == 0, again.err
    assert again.summary["stages"]["images"]["cached"] > 0


def test_a_full_disk_under_the_output_keeps_the_video_in_the_bucket(small_disk: Path, shop: Shop) -> None:
    shop.write("s.txt", "A river runs to the sea.")
    target = small_disk / "a.mp4"
    (small_disk / "filler").write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096 - 8192))

    ended = shop.bhiv("render", "s.txt", "-o", target, *SIZE)

    assert ended.code == 1
    assert "the disk is full" in ended.err
    assert not target.exists()
    assert [metadata["processing_status"] for metadata in shop.metadata()] == ["completed"]
    assert [path.name for path in small_disk.iterdir() if path.name.startswith(".")] == []
