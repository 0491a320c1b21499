"""What all servers of the tests share: a free port, waiting for an answer, an end that is sure."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import psutil

T = TypeVar("T")


@dataclass(frozen=True)
class S3Server:
    """Where a running S3 server is and who may use it."""

    name: str
    endpoint_url: str
    access_key_id: str
    secret_access_key: str
    #: The certificate to trust; None without TLS.
    ca_bundle: Path | None


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until(
    happened: Callable[[], T | Literal[False] | None], what: str, seconds: float = 60, every: float = 0.05
) -> T:
    """Ask until the answer is true and return it; the time is only there to end a test that fails."""
    deadline = time.monotonic() + seconds
    while not (answer := happened()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(every)
    return answer


def gone(*processes: psutil.Process) -> bool:
    """Return whether all have ended; one that its parent has not asked about yet counts."""
    return not any(map(_goes_on, processes))


def _goes_on(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between the two questions
        return False


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextmanager
def running(argv: list[str], log: Path, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server, its words in `log`, and end it on leaving; nothing of it needs to be saved."""
    with log.open("wb") as words:
        server = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=words, stderr=words, env=environment)
    try:
        yield server
    finally:
        server.kill()
        server.wait()
