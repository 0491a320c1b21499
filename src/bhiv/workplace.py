"""Where a run works: its bucket and folders of its own that nobody mistakes for results.

A run's folder is locked by its process as long as that lives, however it ends. What a dead one left, the next run finds
by the free lock, removes, and reports.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import BoundedSemaphore
from typing import IO

from bhiv import fonts
from bhiv.bucket import Bucket, open_bucket
from bhiv.settings import Settings

_LOCK = "lock"
_NOTE = "note.json"


@dataclass(frozen=True)
class Workplace:
    """What the steps of a run share."""

    bucket: Bucket
    #: Parent of the runs' folders.
    runs: Path
    #: An encoder that takes no frame for so long is ended.
    stall_seconds: float
    #: How many encoders may be at work at once.
    encoders: int

    @contextmanager
    def encoder(self) -> Iterator[None]:
        """Be one of the encoders of this process for the time of the block, as soon as there are fewer than allowed."""
        with _room(self.encoders):
            yield

    @contextmanager
    def folder(self, run: str, step: str) -> Iterator[Path]:
        """Yield a new empty folder for one step of the run; it is removed on leaving."""
        with tempfile.TemporaryDirectory(prefix=f"{step}-", dir=self.runs / run, ignore_cleanup_errors=True) as name:
            yield Path(name)


def open_workplace(settings: Settings) -> Workplace:
    """Return the workplace that the settings describe."""
    fonts.look_in(settings.font_dirs, settings.home)
    return Workplace(
        bucket=open_bucket(settings),
        runs=settings.home / "work",
        stall_seconds=settings.stall_seconds,
        encoders=settings.encoders,
    )


@lru_cache(maxsize=8)
def _room(encoders: int) -> BoundedSemaphore:
    return BoundedSemaphore(encoders)


@contextmanager
def claimed(workplace: Workplace, run: str, note: bytes) -> Iterator[None]:
    """Hold the run's folder for the time of the block, then remove it; `note` tells who finds it what was going on."""
    folder = workplace.runs / run
    with _lock(folder):
        (folder / _NOTE).write_bytes(note)
        try:
            yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def sweep(workplace: Workplace) -> Iterator[bytes]:
    """Remove what dead runs left, folders and unfinished objects, and yield the note of each dead run."""
    workplace.bucket.sweep()
    for folder in workplace.runs.glob("*"):
        # A folder whose removal met a child's last write has lost its lock: opened for writing, it gets one.
        with contextlib.suppress(FileNotFoundError, BlockingIOError), (folder / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield _note(folder)
            shutil.rmtree(folder, ignore_errors=True)


def _lock(folder: Path) -> IO[bytes]:
    """Make the folder and return its lock, held; again, when a sweep has taken it for a dead one in between."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            lock = (folder / _LOCK).open("wb")
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.fstat(lock.fileno()).st_nlink:
                return lock
            lock.close()


def _note(folder: Path) -> bytes:
    try:
        return (folder / _NOTE).read_bytes()
    except FileNotFoundError:  # killed before it was written
        return b""
