"""What holds for every test: a clean environment, no way out to the network, nothing left behind."""

import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bhiv import process, vendors
from bhiv.bucket.local import LocalBucket
from bhiv.photos import fetching
from bhiv.settings import Settings
from bhiv.workplace import Workplace, open_workplace
from tests.servers.ceph import ceph, missing
from tests.servers.moto_s3 import moto
from tests.servers.starting import S3Server, gone, wait_until

#: Under it a service that is missing fails a test; without it, it skips.
REQUIRE_ALL = bool(os.environ.get("BHIV_REQUIRE_ALL"))

_LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start in an empty folder, without the settings or the home of whoever runs the tests, nor what was before."""
    process.allow()
    # Who was down before: the next test's server may have the same port.
    monkeypatch.setattr(vendors, "_down", {})
    monkeypatch.setattr(fetching, "_silent", {})
    for name in os.environ:
        if name.startswith(("BHIV_", "PREFECT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("BHIV_KEEP_WARM", "false")  # but where it is tested: a process for each home is too many
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(_LOOPBACK):
            raise AssertionError(f"a test tried to reach {address!r}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    before = psutil.Process().children(recursive=True)
    yield
    # What a system of several tests starts again is its own to end.
    theirs = {one.pid for known in before for one in (known, *_descendants(known))}
    left = [child for child in psutil.Process().children(recursive=True) if child.pid not in theirs]
    wait_until(lambda: gone(*left), f"the end of {left}", 20)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@pytest.fixture(autouse=True)
def _no_error_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    errors = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert not errors, f"logged as errors: {[record.getMessage() for record in errors]}"


@pytest.fixture(scope="session")
def moto_server() -> Iterator[S3Server]:
    """moto's S3 server, for the whole session."""
    with tempfile.TemporaryDirectory(prefix="moto-") as folder, moto(Path(folder)) as server:
        yield server


@pytest.fixture(scope="session")
def ceph_server() -> Iterator[S3Server]:
    """Ceph's S3 gateway behind TLS, for the whole session."""
    if absent := missing():
        need(f"{', '.join(absent)} (see .ci/run); S3 IS NOT TESTED ON A REAL SERVER")
    # The paths of its sockets must be short.
    with tempfile.TemporaryDirectory(prefix="ceph-") as folder, ceph(Path(folder)) as server:
        yield server


def need(what: str) -> None:
    """Skip the test because `what` is missing, or fail it where everything is required."""
    if REQUIRE_ALL:
        pytest.fail(f"missing: {what}")
    pytest.skip(f"missing: {what}")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a home and a bucket of the test's own."""
    return Settings(home=tmp_path / "home", bucket_dir=tmp_path / "bucket")


@pytest.fixture
def bucket(settings: Settings) -> LocalBucket:
    """An empty bucket."""
    return LocalBucket(settings.bucket_dir)


@pytest.fixture
def workplace(settings: Settings) -> Workplace:
    """A workplace with an empty bucket and fonts."""
    return open_workplace(settings)
