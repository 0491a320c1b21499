"""The folder `server` of a home: who owns the home's Prefect server, where it listens, what it said last.

The owner holds the lock on `server.lock` for as long as it lives; the kernel frees it. So `server.json` counts only
while the lock is held, and what a killed server or the time before a reboot left behind is never believed.
"""

import fcntl
import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from bhiv.errors import ServerUnavailable

#: How a traceback's last line begins; other last lines (hints, "exiting") say less.
_ERROR_LINE = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception)\b")


@dataclass(frozen=True)
class Owner:
    """The process of a running server; `born` is its start time in the kernel's ticks, empty where unknown."""

    pid: int
    port: int
    born: str

    def is_alive(self) -> bool:
        """Whether the process is still the one that said so, and not another under a used number."""
        return _born(self.pid) == self.born


@dataclass(frozen=True)
class ServerFolder:
    """The paths of one home's server and the few things done with them."""

    home: Path

    @property
    def path(self) -> Path:
        """The folder itself: the server's working folder."""
        return self.home / "server"

    @property
    def log(self) -> Path:
        """What the server's process printed since it was started; that of the one before ends in `.1`."""
        return self.home / "logs" / "prefect_server.log"

    def create(self) -> None:
        """Make the folders that a server needs."""
        for folder in (self.path, self.log.parent, self.home / "prefect"):
            folder.mkdir(parents=True, exist_ok=True)

    def take(self) -> IO[bytes] | None:
        """Take the ownership, None when somebody has it; it ends when the last process with the file open ends."""
        return take_place(self.path / "server.lock")

    def owner(self) -> Owner | None:
        """Who says to be the server; None while there is none, or one that just starts or ends."""
        try:
            return Owner(**json.loads((self.path / "server.json").read_text()))
        except (FileNotFoundError, ValueError, TypeError):  # absent, or not of our making
            return None

    def announce(self, port: int) -> None:
        """Say that this process is the server; only for who holds the lock."""
        new = self.path / "server.json.new"
        new.write_text(json.dumps(asdict(Owner(os.getpid(), port, _born(os.getpid())))))
        new.replace(self.path / "server.json")

    def withdraw(self) -> None:
        """Take back what `announce` said; only for who holds the lock."""
        (self.path / "server.json").unlink(missing_ok=True)

    @contextmanager
    def using(self) -> Iterator[None]:
        """Mark the server as in use by this process; the kernel takes the mark away when it is killed."""
        with (self.path / "in-use.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield

    def is_used(self) -> bool:
        """Whether any process is within `using`."""
        with (self.path / "in-use.lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def is_held_by(self, lock_fd: int) -> bool:
        """Whether an open lock is still the folder's; not so after somebody removed the home."""
        return is_place(self.path / "server.lock", lock_fd)

    def listen(self, port: int) -> socket.socket:
        """Listen on a port of this machine; 0 takes the one the home had last, so that the pages keep their address.

        Raises:
            ServerUnavailable: the port is taken or not allowed.
        """
        try:
            listener = _listening(port or self.last_port())
        except OSError as error:
            if port:
                raise ServerUnavailable(f"port {port} (BHIV_SERVER_PORT) can't be used: {error}") from error
            listener = _listening(0)
        (self.path / "port").write_text(str(listener.getsockname()[1]))
        return listener

    def last_port(self) -> int:
        """Return the port that the home's server has, or had last; 0 when it had none yet."""
        try:
            return int((self.path / "port").read_text()) % 65_536
        except (FileNotFoundError, ValueError):
            return 0

    def fresh_log(self) -> IO[bytes]:
        """Open an empty log and keep the one before."""
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        return self.log.open("ab")  # appended to, so that it can be cut while it is in use

    def last_words(self) -> str:
        """The last line of the log that names an error, else its last line."""
        try:
            lines = self.log.read_text(errors="replace").split("\n")
        except FileNotFoundError:
            lines = []
        said = [line.strip() for line in lines if line.strip()] or ["it said nothing"]
        return next((line for line in reversed(said) if _ERROR_LINE.match(line)), said[-1])


def take_place(lock_file: Path) -> IO[bytes] | None:
    """Take what one process of a home may be, None when somebody is it; free again when its last holder ends."""
    lock = lock_file.open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def is_place(lock_file: Path, lock_fd: int) -> bool:
    """Whether an open lock is still the file of that name; not so after somebody removed the home."""
    try:
        return os.path.samestat(os.fstat(lock_fd), lock_file.stat())
    except FileNotFoundError:
        return False


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except BaseException:  # not handled: cleaned up after, then passed on
        listener.close()
        raise
    return listener


def _born(pid: int) -> str:
    try:
        # The name, in brackets, may hold anything; the start time is the 20th field after it.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:  # gone, or a system without /proc: there the lock alone must do
        return ""
