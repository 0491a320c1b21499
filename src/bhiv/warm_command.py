"""Hands a command over to a process of the home that has imported everything, and starts that process.

The process (`bhiv.warm_child`) holds the lock on `server/warm.lock` and listens on `server/warm.sock`. Over a
connection a command first says what it needs, in one line (`process_stamp`). Only when it has `READY` does it hand over
itself, its standard streams and its folder: files in a queue that nobody reads would stay open. Then come the id and at
last the exit code of the process that makes it, and the other way the signals that are meant for it, a byte each. Until
it has the id, the command can still be made where it is. Linux only.
"""

import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING

import click

from bhiv.errors import RunFailed
from bhiv.prefect_environment import importing_environment
from bhiv.server_folder import ServerFolder, is_place, take_place
from bhiv.settings import inherited_environment

if TYPE_CHECKING:
    from bhiv.settings import Settings

READY = b"+"
#: How long either side waits for the other until the command is on its way.
PATIENCE_SECONDS = 0.5
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.05

_CODE = ("bhiv", "blocks", "tasks", "flows", "deployments")
#: What the interpreter and the loader read when a process starts, and never again.
_READ_ONCE = ("PYTHON", "LANG", "LC_", "LD_")
_GROUP_LIMITS = (
    "cpu.max", "cpu.weight", "memory.max", "memory.high", "pids.max",
    "cpu.cfs_quota_us", "cpu.shares", "memory.limit_in_bytes",
)  # fmt: skip
#: How the kernel writes that there is none, in either version.
_UNLIMITED = ("max", "-1", "92233720368547")
#: Under these names the same argument is another file in another process.
_OWN_FILES = ("/dev/fd/", "/proc/")

#: Kept as long as this process lives: Python warns when it loses sight of a child that is still running.
_children: list["subprocess.Popen[bytes]"] = []


@dataclass(frozen=True)
class Command:
    """What a command was started with, beside its open files."""

    arguments: list[str]
    environment: dict[str, str]
    umask: int


@dataclass(frozen=True)
class WarmFolder:
    """Where a home's warm process is found."""

    home: Path

    @property
    def path(self) -> Path:
        """The folder itself: the process's working folder."""
        return self.home / "server"

    @property
    def log(self) -> Path:
        """What the process printed; hardly ever anything."""
        return self.home / "logs" / "warm_process.log"

    def take(self) -> IO[bytes] | None:
        """Take the place, None when somebody has it; it is free again when it is unlocked, or its last holder ends."""
        return take_place(self.path / "warm.lock")

    def is_held_by(self, lock_fd: int) -> bool:
        """Whether an open lock is still the folder's; not so after somebody removed the home."""
        return is_place(self.path / "warm.lock", lock_fd)

    def pid(self) -> int | None:
        """Return the id of the process that has the place, None when it has not said so yet."""
        return int((self.path / "warm.lock").read_bytes() or 0) or None

    @contextmanager
    def address(self) -> Iterator[str]:
        """Yield a name of the socket that is short enough for one, however deep the home lies."""
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{folder}/warm.sock"
        finally:
            os.close(folder)


def hand_over(arguments: tuple[str, ...], home: Path | None) -> int | None:
    """Have the home's warm process make this command and return its exit code; None when no process takes it.

    What it prints and reads is this process's own, signals that come here are for it, and it ends with this process.
    When a signal has ended it, the same one ends this process.

    Raises:
        RunFailed: it was killed together with the process that it was forked from.
    """
    if home is None or not _can_be_handed(arguments):
        return None
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(_connected(home))
            stack.enter_context(_handed_over(Command([*arguments], inherited_environment(), _umask()), connection))
            answers = stack.enter_context(connection.makefile("rb"))
            if not answers.readline():  # it has ended, and so has whatever it forked
                return None
        except (OSError, ValueError):
            return None
        try:
            said = answers.readline()
        except ConnectionError:
            said = b""
    if not said:
        raise RunFailed("the process that made this video was killed; the same command goes on from what is finished")
    code = int(said)
    return code if code >= 0 else _die(-code)


def start(settings: "Settings", environment: Mapping[str, str]) -> None:
    """Start the home's warm process unless it has one, and return at once; without one, commands import for themselves.

    `environment` is what this process was started with: some modules change their own.
    """
    if not settings.keep_warm or sys.platform != "linux":
        return
    folder = WarmFolder(settings.home)
    with suppress(OSError):
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.log.parent.mkdir(parents=True, exist_ok=True)
        if (lock := folder.take()) is None:
            return
        with lock, folder.log.open("ab") as log:
            lock.truncate(0)
            (folder.path / "warm.sock").unlink(missing_ok=True)  # of one that was killed
            idle_seconds = str(settings.server_idle_minutes * 60)
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", "bhiv.warm_child", str(folder.home), str(lock.fileno()), idle_seconds],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock.fileno(),),
                # Not the user's folder, whose `.env`, `prefect.toml` and `pyproject.toml` Prefect would read.
                cwd=folder.path,
                env=importing_environment(folder.home, environment, ServerFolder(folder.home).last_port()),
                start_new_session=True,
            )
        _children.append(child)


def stop(settings: "Settings") -> bool:
    """Have the home's warm process take no more commands, so that it ends with the last; False when there is none."""
    folder, asked = WarmFolder(settings.home), None
    deadline = time.monotonic() + _STOP_SECONDS
    while folder.path.is_dir() and time.monotonic() < deadline:
        if lock := folder.take():
            lock.close()
            break
        if (pid := folder.pid()) and pid != asked and is_running(pid, "bhiv.warm_child"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            asked = pid
        time.sleep(_POLL_SECONDS)
    return asked is not None


def is_running(pid: int, module: str) -> bool:
    """Whether the process of that id is a Python that runs this module, as far as this one sees it."""
    try:
        return module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:  # it has ended, or runs in another container
        return False


def code_stamp() -> str:
    """Return what changes with any module of BHIV, wherever it lies; 300 files take 3 ms."""
    specs = [find_spec(name) for name in _CODE]
    folders = [Path(spec.origin).parent for spec in specs if spec and spec.origin]
    found = sorted(stamped for folder in folders for stamped in _modules(str(folder)))
    return hashlib.sha256(repr(found).encode()).hexdigest()


def process_stamp() -> str:
    """Return what differs between two processes when one can't stand for the other: code, limits, rights, view."""
    packages = Path(click.__file__).parents[1]
    namespaces, own = Path("/proc/self/ns"), Path("/proc/self/cgroup")
    return repr((
        code_stamp(), sys.version, sys.executable, str(packages), packages.stat().st_mtime_ns,
        sorted((name, value) for name, value in inherited_environment().items() if name.startswith(_READ_ONCE)),
        os.getresuid(), os.getresgid(), sorted(os.getgroups()), Path("/").stat()[:3],
        sorted(str(namespace.readlink()) for namespace in namespaces.iterdir()), group_limits(own.read_text()),
        os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0), sorted(os.sched_getaffinity(0)),
        Path("/proc/self/limits").read_text(),
    ))  # fmt: skip


def group_limits(membership: str, groups: Path = Path("/sys/fs/cgroup")) -> list[tuple[str, str]]:
    """Return what the control groups of a process keep it from taking; `membership` is its `/proc/self/cgroup`.

    Their names say nothing: each terminal is a group of its own, and all are allowed the same.
    """
    limits = set()
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        for top in (groups / controllers, groups / "unified") if controllers else (groups, groups / "unified"):
            group = top / path.lstrip("/")
            for folder in (group, *group.parents[: len(group.relative_to(top).parts)]):
                limits |= {(name, (folder / name).read_text()) for name in _GROUP_LIMITS if (folder / name).is_file()}
    return sorted(limit for limit in limits if not limit[1].startswith(_UNLIMITED))


def is_ours(connection: socket.socket) -> bool:
    """Whether the process at the other end runs under this one's user."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", credentials)[1] == os.geteuid())


def _modules(folder: str) -> Iterator[tuple[str, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                yield entry.path, entry.stat().st_mtime_ns
            elif entry.name != "__pycache__" and entry.is_dir():
                yield from _modules(entry.path)


def _can_be_handed(arguments: tuple[str, ...]) -> bool:
    if sys.platform != "linux" or any(name in argument for argument in arguments for name in _OWN_FILES):
        return False
    try:
        return [stream.fileno() for stream in (sys.stdin, sys.stdout, sys.stderr)] == [0, 1, 2]
    except (AttributeError, OSError):  # one is closed, or no file
        return False


@contextmanager
def _connected(home: Path) -> Iterator[socket.socket]:
    """Yield the connection to the home's process when it can make this one's command; raises OSError otherwise."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        with WarmFolder(home).address() as address:
            connection.connect(address)
        connection.sendall(process_stamp().encode() + b"\n")
        if not is_ours(connection) or connection.recv(1) != READY:
            raise ConnectionRefusedError("it can't stand for this process")
        connection.settimeout(None)
        yield connection


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


@contextmanager
def _handed_over(command: Command, connection: socket.socket) -> Iterator[None]:
    """Hand the command over, with the files that it has open, and pass on what is meant for it from then on."""

    def pass_on(kind: int, _: FrameType | None = None) -> None:
        with suppress(OSError):  # the process has gone, which the next read tells
            connection.send(bytes([kind]))

    def suspend(_: int, __: FrameType | None) -> None:
        pass_on(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)  # until somebody sends SIGCONT
        pass_on(signal.SIGCONT)

    handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]]
    handlers = {signal.SIGINT: pass_on, signal.SIGTERM: pass_on, signal.SIGTSTP: suspend}
    signal.pthread_sigmask(signal.SIG_BLOCK, handlers)
    before = {kind: signal.signal(kind, handler) for kind, handler in handlers.items()}
    try:
        _send(command, connection)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, handlers)
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, handlers)


def _send(command: Command, connection: socket.socket) -> None:
    message = json.dumps(asdict(command)).encode() + b"\n"
    sys.stdout.flush()
    sys.stderr.flush()
    folder = os.open(".", os.O_PATH)
    try:
        socket.send_fds(connection, [message[:1]], [0, 1, 2, folder])
    finally:
        os.close(folder)
    connection.sendall(message[1:])


def _die(number: int) -> int:
    with suppress(OSError):  # SIGKILL has no handler
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number
