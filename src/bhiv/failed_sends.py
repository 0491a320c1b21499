"""The file of what Core did not take: JSON lines that any number of processes append to while one replays them.

A line is one write to the end of the file, then an fsync. A writer that is killed leaves at most one torn line, which
the next writer ends before its own and every reader skips.
"""

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from bhiv.bucket.files import explain


@dataclass(frozen=True)
class FailedSend:
    """A message that Core did not take."""

    #: Of the message; Core is told it as Idempotency-Key.
    id: str
    #: JSON, the id included.
    payload: dict[str, Any]
    #: Where it was to go; None for wherever the settings say at the time.
    url: str | None
    #: ISO 8601, UTC.
    failed_at: str
    #: How often it has failed for good, replays included.
    attempts: int
    #: A sentence.
    error: str


@dataclass(frozen=True)
class Waiting:
    """The file as it was at one moment."""

    #: The newest line of each id, in the order of the file.
    sends: tuple[FailedSend, ...]
    #: Lines that are no messages, as they are.
    unreadable: tuple[bytes, ...]
    #: Of the file, in bytes; what comes behind was appended later.
    size: int


def append(file: Path, send: FailedSend) -> None:
    """Append a line, durable before this returns.

    Raises:
        DiskFull, StorageError: it could not be written; what was in the file is untouched.
    """
    line = _line(send)
    try:
        with _locked(file):
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                _append(descriptor, line)
            finally:
                os.close(descriptor)
    except OSError as error:
        raise explain(error, str(file)) from error


def waiting(file: Path) -> Waiting:
    """Return what waits in the file, nothing when there is none.

    Raises:
        StorageError: it can't be read.
    """
    try:
        with _locked(file):
            data = file.read_bytes()
    except FileNotFoundError:
        return Waiting((), (), 0)
    except OSError as error:
        raise explain(error, str(file)) from error
    sends: dict[str, FailedSend] = {}
    unreadable = []
    for line in filter(None, data.split(b"\n")):
        if send := _read(line):
            sends.pop(send.id, None)
            sends[send.id] = send
        else:
            unreadable.append(line)
    return Waiting(tuple(sends.values()), tuple(unreadable), len(data))


def settle(file: Path, before: Waiting, kept: Sequence[FailedSend]) -> None:
    """Put `kept` in place of the lines that `before` had read; those appended since stay.

    Raises:
        DiskFull, StorageError: the file is as it was.
    """
    unfinished = _beside(file, ".unfinished")
    try:
        with _locked(file):
            later = file.read_bytes()[before.size :]
            with unfinished.open("wb") as new:
                os.fchmod(new.fileno(), 0o600)
                new.write(b"".join(line + b"\n" for line in before.unreadable))
                new.write(b"".join(map(_line, kept)) + later)
                new.flush()
                os.fsync(new.fileno())
            unfinished.replace(file)
            _sync_folder(file)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise explain(error, str(file)) from error


@contextmanager
def replaying(file: Path) -> Iterator[bool]:
    """Yield whether this is the only one that replays; the kernel frees the place of a killed one."""
    with _opened(_beside(file, ".replay")) as place:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Keep others from appending and settling, for moments; the file itself is replaced, so its lock is beside it."""
    with _opened(_beside(file, ".lock")) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _opened(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")


def _beside(file: Path, ending: str) -> Path:
    return file.with_name(file.name + ending)


def _append(descriptor: int, line: bytes) -> None:
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        line = b"\n" + line
    written = os.write(descriptor, line)
    if written < len(line):  # a full disk takes a part and says nothing
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(descriptor)


def _sync_folder(file: Path) -> None:
    descriptor = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _line(send: FailedSend) -> bytes:
    # ASCII, so that no half of a surrogate pair keeps a message from being written.
    return json.dumps(asdict(send)).encode() + b"\n"


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _read(line: bytes) -> FailedSend | None:
    try:
        send = FailedSend(**json.loads(line, parse_constant=_refuse))
    except (ValueError, TypeError, RecursionError):
        return None
    known = isinstance(send.id, str) and isinstance(send.payload, dict) and isinstance(send.attempts, int)
    web = send.url is None or str(send.url).startswith(("http://", "https://"))
    return send if known and web else None
