"""Child processes with a deadline: the one place that starts ffmpeg and espeak.

Every child leads a session of its own, so that its whole group can be ended. Prefect's time-outs can't do this: for
a task that was submitted they only take effect when the call returns.
"""

import ctypes
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Protocol

from bhiv.errors import DiskFull, Interrupted, ToolFailed, ToolTimedOut

_STDERR_TAIL = 4_000
#: Fewer switches between the two ends of a pipe that carries whole pictures; the kernel's limit for users.
_PIPE_BYTES = 1 << 20
#: What a pipe holds by itself.
_PIECE_BYTES = 1 << 16
_PR_SET_PDEATHSIG = 1

_lock = threading.Lock()
_children: set["subprocess.Popen[bytes]"] = set()
_stopped = threading.Event()


@dataclass(frozen=True)
class Finished:
    """What a child process left: its output as bytes, and its whole stderr as text."""

    stdout: bytes
    stderr: str


def stop_all() -> None:
    """End every child process of this process now and refuse new ones with `Interrupted`, until `allow()`."""
    _stopped.set()
    with _lock:
        for child in _children:
            _kill(child)


def allow() -> None:
    """Let child processes start again after `stop_all()`."""
    _stopped.clear()


def is_stopped() -> bool:
    """Whether `stop_all()` was called, so that whoever waits for something else may end too."""
    return _stopped.is_set()


def end_with(parent: int) -> None:
    """Have this process be sent SIGTERM when its parent, the process `parent`, dies; at once when it has already.

    On Linux only: elsewhere nothing happens. Linux means the parent's thread, so it must be its main one.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def run(
    argv: Sequence[str],
    *,
    timeout_seconds: float,
    stdin: bytes = b"",
    cwd: Path | None = None,
    take: Callable[[bytes], object] | None = None,
) -> Finished:
    """Run a command to its end and return what it printed.

    Its output is handed to `take` piece by piece, as it comes, and then not kept; such a command is given no input.

    Raises:
        ToolFailed: it ended with another code than 0.
        ToolTimedOut: it took longer than `timeout_seconds`; it and all it started were killed.
        DiskFull: it ended because no space was left.
        Interrupted: `stop_all()` was called.
    """
    with _started(argv, cwd, stdout=subprocess.PIPE) as (child, stderr), _Deadline(child, timeout_seconds) as deadline:
        try:
            stdout = _handed(child, take) if take else child.communicate(stdin)[0]
        except BrokenPipeError:  # it ended before it had read everything; its code says why
            stdout = b""
            child.wait()
        text = _read(stderr)
        _check(argv, child, text, deadline.passed)
    return Finished(stdout, text)


class Write(Protocol):
    """Writes pieces of memory to a command, one after the other."""

    def __call__(self, *pieces: bytes | memoryview) -> None:
        """Write them; returns when all are in the pipe."""


@contextmanager
def feed(argv: Sequence[str], *, stall_seconds: float, cwd: Path | None = None, lent: bool = False) -> Iterator[Write]:
    """Start a command and yield what writes to its standard input; on leaving, close it and wait for a good end.

    What is `lent` is not copied, where that can be done: it must be neither changed nor freed before the next write of
    as much has returned, the last not before the block is left. The command may take any time as a whole, but not
    `stall_seconds` without taking a write, or at its end. Raises the same errors as `run`, whether the command or the
    writing failed first.
    """
    with _started(argv, cwd, stdout=subprocess.DEVNULL) as (child, stderr), _Deadline(child, stall_seconds) as deadline:
        assert child.stdin is not None
        pipe = child.stdin
        lend = _lender(pipe) if lent else _lends_nothing

        def write(*pieces: bytes | memoryview) -> None:
            if not lend(pieces):
                pipe.writelines(pieces)
            deadline.restart()

        try:
            yield write
            pipe.close()
        except BrokenPipeError:
            pass  # the child's code and last words say more than a broken pipe
        child.wait()
        _check(argv, child, _read(stderr), deadline.passed)


@contextmanager
def read(
    argv: Sequence[str], *, stall_seconds: float, cwd: Path | None = None
) -> Iterator[Callable[[memoryview], bool]]:
    """Start a command and yield what fills a buffer from its standard output; on leaving, end the command.

    A buffer that the command's end left unfilled is False, and the command had a good end then. It may take any time as
    a whole, and the reader too, but a buffer must be filled within about `stall_seconds`. Raises the same errors as
    `run`.
    """
    with _started(argv, cwd, stdout=subprocess.PIPE) as (child, stderr), _Deadline(child, stall_seconds) as deadline:
        assert child.stdout is not None
        pipe = child.stdout
        _widen(pipe)

        def fill(buffer: memoryview) -> bool:
            deadline.restart()
            filled = 0
            while filled < len(buffer) and (count := pipe.readinto(buffer[filled:])):  # type: ignore[attr-defined]
                filled += count
            if filled < len(buffer):
                child.wait()
                _check(argv, child, _read(stderr), deadline.passed)
            deadline.pause()
            return filled == len(buffer)

        yield fill


@contextmanager
def _started(
    argv: Sequence[str], cwd: Path | None, stdout: int
) -> Iterator[tuple["subprocess.Popen[bytes]", IO[bytes]]]:
    # A file, not a pipe: nobody has to drain it while frames are written.
    with TemporaryFile() as stderr:
        with _lock:
            if _stopped.is_set():
                raise Interrupted("the run was asked to end")
            child = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=stdout, stderr=stderr, cwd=cwd, start_new_session=True
            )
            _children.add(child)
        try:
            yield child, stderr
        finally:
            _kill(child)
            child.wait()
            with _lock:
                _children.discard(child)
            for pipe in (child.stdin, child.stdout):
                _close(pipe)


class _Deadline:
    """Kills a child's group when `seconds` have passed since the last restart."""

    def __init__(self, child: "subprocess.Popen[bytes]", seconds: float) -> None:
        self.passed = False
        self._child, self._seconds = child, seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.restart()

    def restart(self) -> None:
        """Count from now again."""
        self._at = time.monotonic() + self._seconds

    def pause(self) -> None:
        """Count nothing until the next restart."""
        self._at = time.monotonic() + threading.TIMEOUT_MAX / 2

    def __enter__(self) -> "_Deadline":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        # It looks again after `seconds` at the latest: the moment may have been moved nearer.
        while not self._ended.wait(min(max(0.0, self._at - time.monotonic()), self._seconds)):
            if time.monotonic() >= self._at:
                self.passed = True
                _kill(self._child)
                return


def _kill(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:  # it ended in between
            return


def _check(argv: Sequence[str], child: "subprocess.Popen[bytes]", stderr: str, late: bool) -> None:
    tail = stderr[-_STDERR_TAIL:]
    if late:
        raise ToolTimedOut(argv, child.returncode, tail, "was killed because it took too long")
    if child.returncode == 0:
        return
    if _stopped.is_set():
        raise Interrupted("the run was asked to end")
    if "No space left on device" in tail:
        raise DiskFull("the disk is full: free some space and run the same command again")
    raise ToolFailed(argv, child.returncode, tail)


def _handed(child: "subprocess.Popen[bytes]", take: Callable[[bytes], object]) -> bytes:
    """Hand all that a child prints to `take`, wait for its end, and return that nothing is left of it."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.close()
    while piece := child.stdout.read1(_PIECE_BYTES):  # type: ignore[attr-defined]
        take(piece)
    child.wait()
    return b""


def _read(stderr: IO[bytes]) -> str:
    stderr.seek(0)
    return stderr.read().decode(errors="replace")


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is None or pipe.closed:
        return
    try:
        pipe.close()
    except BrokenPipeError:  # what was still buffered has no reader any more
        return


def _lends_nothing(_pieces: Sequence[bytes | memoryview]) -> bool:
    return False


def _lender(pipe: IO[bytes]) -> Callable[[Sequence[bytes | memoryview]], bool]:
    """Return what puts all of some pieces' own pages into a pipe, or none of them, and says which."""
    if sys.platform != "linux":
        return _lends_nothing
    descriptor, holds = pipe.fileno(), _widen(pipe)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.vmsplice.restype = ctypes.c_ssize_t
    can_lend = True

    def lend(pieces: Sequence[bytes | memoryview]) -> bool:
        nonlocal can_lend
        views = [piece for piece in pieces if isinstance(piece, memoryview) and not piece.readonly]
        # Only what fills the pipe by itself pushes all that was lent before out of it.
        if not can_lend or len(views) < len(pieces) or sum(view.nbytes for view in views) < holds:
            return False
        can_lend = _lend(libc, descriptor, views)
        return can_lend

    return lend


def _widen(pipe: IO[bytes]) -> int:
    """Have a pipe hold more, on Linux, and return how many bytes it holds; 0 elsewhere."""
    if sys.platform != "linux":
        return 0
    import fcntl

    with suppress(OSError):  # over the user's limit: slower, not wrong
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return fcntl.fcntl(pipe.fileno(), fcntl.F_GETPIPE_SZ)


class _IOVector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def _lend(libc: ctypes.CDLL, descriptor: int, views: Sequence[memoryview]) -> bool:
    """Put the views' own pages into a pipe (see vmsplice(2)); return whether this system lets us."""
    places = [(ctypes.addressof(ctypes.c_char.from_buffer(view)), view.nbytes) for view in views if view.nbytes]
    vectors, first, begun = (_IOVector * len(places))(*(_IOVector(*place) for place in places)), 0, False
    while first < len(places):
        rest = ctypes.byref(vectors, first * ctypes.sizeof(_IOVector))
        moved = libc.vmsplice(descriptor, rest, ctypes.c_ulong(len(places) - first), 0)
        if moved < 0:
            number = ctypes.get_errno()
            if not begun and number in {errno.ENOSYS, errno.EPERM, errno.EINVAL}:
                return False
            if number != errno.EINTR:
                raise OSError(number, os.strerror(number))
            continue
        begun = True
        while first < len(places) and moved >= vectors[first].length:
            moved -= vectors[first].length
            first += 1
        if moved:
            vectors[first].base += moved
            vectors[first].length -= moved
    return True
