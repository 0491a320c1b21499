"""The process that commands are handed to, without any command: how it begins, what it bears, when it ends."""

import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from bhiv import warm_command
from bhiv.settings import Settings, inherited_environment
from bhiv.warm_command import WarmFolder
from tests.servers.starting import gone, wait_until

IDLE_SECONDS = 5.0
NO_COMMANDS = (b"\n", b"{}\n", b'{"umask": 1}\n', b"[", b"[1]\n", b"x" * 300_000)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    warm_command.stop(settings_for(tmp_path / "home"))
    for child in warm_command._children:
        child.wait(timeout=30)


def settings_for(home: Path, **values: Any) -> Settings:
    return Settings(_env_file=None, home=home, keep_warm=True, **values)


def started(settings: Settings) -> psutil.Process:
    """Start the home's process and wait until it takes commands."""
    warm_command.start(settings, inherited_environment())
    folder = WarmFolder(settings.home)
    wait_until((folder.path / "warm.sock").exists, "the process that commands are handed to")
    return psutil.Process(folder.pid() or 0)


def ended(process: psutil.Process) -> bool:
    with suppress(psutil.TimeoutExpired):
        process.wait(0)
    return gone(process)


def test_a_home_has_one_process_with_one_thread(home: Path) -> None:
    first = started(settings_for(home))

    again = started(settings_for(home))

    assert again == first
    assert len(list(Path(f"/proc/{first.pid}/task").iterdir())) == 1
    assert (home / "logs" / "warm_process.log").read_text() == ""
    assert not list(home.glob("prefect/*.db")), "it has begun to use Prefect"


def test_nobody_else_can_reach_it(home: Path) -> None:
    started(settings_for(home))

    mode = (home / "server" / "warm.sock").stat().st_mode
    assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o600)


def test_it_ends_when_nobody_has_used_it(home: Path) -> None:
    process = started(settings_for(home, server_idle_minutes=IDLE_SECONDS / 60))

    wait_until(lambda: ended(process), "its end")

    assert not (home / "server" / "warm.sock").exists()


def test_it_ends_with_its_home(home: Path) -> None:
    process = started(settings_for(home, server_idle_minutes=1))

    shutil.rmtree(home)

    wait_until(lambda: ended(process), "its end")


def test_one_that_was_killed_is_replaced(home: Path) -> None:
    first = started(settings_for(home))
    first.kill()
    wait_until(lambda: ended(first), "its end")

    second = started(settings_for(home))

    assert second != first
    assert not ended(second)


def test_it_is_ended_while_it_starts(home: Path) -> None:
    settings = settings_for(home)
    warm_command.start(settings, inherited_environment())

    assert warm_command.stop(settings)

    assert not warm_command.stop(settings)
    assert not (home / "server" / "warm.sock").exists()


def test_what_is_no_command_is_dropped(home: Path) -> None:
    process, stamp = started(settings_for(home)), warm_command.process_stamp().encode() + b"\n"
    for first, then in ((b"", b""), (b"\n", b""), (b"no end", b""), *((stamp, said) for said in NO_COMMANDS)):
        with WarmFolder(home).address() as address, socket.socket(socket.AF_UNIX) as connection:
            connection.connect(address)
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(first)
                assert connection.recv(1) == (b"+" if then else b"")
                connection.sendall(then)
                assert connection.recv(1) == b""

    assert started(settings_for(home)) == process
    assert process.children() == []
