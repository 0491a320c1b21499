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
from typing import IO

from bhiv.errors import DiskFull, Interrupted, ToolFailed, ToolTimedOut

_STDERR_TAIL = 4_000
#: Fewer switches between the two ends of a pipe that carries whole pictures; the kernel's limit for users.
_PIPE_BYTES = 1 << 20
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


def run(argv: Sequence[str], *, timeout_seconds: float, stdin: bytes = b"", cwd: Path | None = None) -> Finished:
    """Run a command to its end and return what it printed.

    Raises:
        ToolFailed: it ended with another code than 0.
        ToolTimedOut: it took longer than `timeout_seconds`; it and all it started were killed.
        DiskFull: it ended because no space was left.
        Interrupted: `stop_all()` was called.
    """
    with _started(argv, cwd, stdout=subprocess.PIPE) as (child, stderr), _Deadline(child, timeout_seconds) as deadline:
        try:
            stdout, _ = child.communicate(stdin)
        except BrokenPipeError:  # it ended before it had read everything; its code says why
            stdout = b""
            child.wait()
        text = _read(stderr)
        _check(argv, child, text, deadline.passed)
    return Finished(stdout, text)


@contextmanager
def feed(
    argv: Sequence[str], *, stall_seconds: float, cwd: Path | None = None
) -> Iterator[Callable[[bytes | memoryview], None]]:
    """Start a command and yield what writes to its standard input; on leaving, close it and wait for a good end.

    What is written must not change until the next write has returned, and the last not until the block is left: whole
    pictures are lent to the pipe, not copied. The command may take any time as a whole, but not `stall_seconds` without
    taking a write, or at its end. Raises the same errors as `run`, whether the command or the writing failed first.
    """
    with _started(argv, cwd, stdout=subprocess.DEVNULL) as (child, stderr), _Deadline(child, stall_seconds) as deadline:
        assert child.stdin is not None
        pipe = child.stdin
        put = _putter(pipe)

        def write(data: bytes | memoryview) -> None:
            put(data)
            deadline.restart()

        try:
            yield write
            pipe.close()
        except BrokenPipeError:
            pass  # the child's code and last words say more than a broken pipe
        child.wait()
        _check(argv, child, _read(stderr), deadline.passed)


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

    def __enter__(self) -> "_Deadline":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(max(0.0, self._at - time.monotonic())):
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


def _putter(pipe: IO[bytes]) -> Callable[[bytes | memoryview], object]:
    """Return what writes all of a buffer into a pipe, on Linux without a copy."""
    if sys.platform != "linux":
        return pipe.write
    import fcntl

    descriptor = pipe.fileno()
    with suppress(OSError):  # over the user's limit: slower, not wrong
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    holds = fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.vmsplice.restype = ctypes.c_ssize_t
    can_lend = True

    def put(data: bytes | memoryview) -> None:
        nonlocal can_lend
        # Only what fills the pipe by itself pushes all that was lent before out of it.
        if can_lend and isinstance(data, memoryview) and not data.readonly and data.nbytes >= holds:
            can_lend = _lend(libc, descriptor, data)
            if can_lend:
                return
        pipe.write(data)

    return put


class _IOVector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def _lend(libc: ctypes.CDLL, descriptor: int, data: memoryview) -> bool:
    """Put a buffer's own pages into a pipe (see vmsplice(2)); return whether this system lets us."""
    start, gone = ctypes.addressof(ctypes.c_char.from_buffer(data)), 0
    while gone < data.nbytes:
        vector = _IOVector(start + gone, data.nbytes - gone)
        moved = libc.vmsplice(descriptor, ctypes.byref(vector), ctypes.c_ulong(1), 0)
        if moved >= 0:
            gone += moved
            continue
        number = ctypes.get_errno()
        if gone == 0 and number in {errno.ENOSYS, errno.EPERM, errno.EINVAL}:
            return False
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))
    return True
