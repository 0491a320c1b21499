"""A nest: one process that forks others which start with all that it has imported, and outlives none of them.

It must have a single thread: those that live while a process forks are missing in the copy, with whatever they had
locked. `bhiv.warm_child` forks commands so, `deployments.forkserver` the runs of a worker.
"""

import ctypes
import gc
import importlib
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36

#: What a process may be asked by; held back while it is born, so that it is neither lost nor taken by its parent.
ASKS = (signal.SIGINT, signal.SIGTERM)


class Nest:
    """Forks processes, hears how each ends, and kills what a process leaves when it ends."""

    def __init__(self, is_kept: Callable[[int], bool] = lambda _: False) -> None:
        """Take in orphans from now on; `is_kept` says of one, by its id, that it is to outlive who has started it."""
        self._is_kept = is_kept
        self._living: dict[int, Callable[[int], None]] = {}
        #: Readable when a process may have ended, or a signal has come; see `reap`.
        self.woken, self._wake = os.pipe()
        os.set_blocking(self.woken, False)
        os.set_blocking(self._wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        # What a process leaves when it is killed, such as ffmpeg in a session of its own, becomes a child of this one.
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)

    @property
    def is_empty(self) -> bool:
        """Whether all its processes have ended."""
        return not self._living

    def fork(self, when_over: Callable[[int], None]) -> int:
        """Return the new process's id, 0 in that process; `when_over` is called with its code, negative for a signal.

        The new process leads a session, and the kernel kills it with this one. `ASKS` are blocked there until it is
        ready for them. Raises OSError when there is no room for another process.
        """
        parent, before, pid = os.getpid(), signal.pthread_sigmask(signal.SIG_BLOCK, ASKS), -1
        try:
            pid = os.fork()
        finally:
            if pid:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if pid == 0:
            self._leave(parent)
        else:
            self._living[pid] = when_over
        return pid

    def _leave(self, parent: int) -> None:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for kind in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(kind, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before it could be watched
            os._exit(1)
        for descriptor in (self.woken, self._wake):
            os.close(descriptor)

    def reap(self) -> None:
        """Take note of all that have ended."""
        with suppress(BlockingIOError):
            os.read(self.woken, 4096)
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._bury(*ended)

    def _bury(self, pid: int, status: int) -> None:
        for orphan in _children() - self._living.keys():
            if not self._is_kept(orphan):
                send(orphan, signal.SIGKILL)
        if when_over := self._living.pop(pid, None):
            when_over(os.waitstatus_to_exitcode(status))

    def end_all(self, grace_seconds: float) -> None:
        """Ask all to end, kill those that take longer, and return when none is left."""
        for pid in self._living:
            send(pid, signal.SIGTERM)
        deadline = time.monotonic() + grace_seconds
        while self._living and time.monotonic() < deadline:
            select.select([self.woken], [], [], 0.1)
            self.reap()
        for pid in self._living:
            send(pid, signal.SIGKILL)
        while self._living:
            self._bury(*os.waitpid(-1, 0))


def send(pid: int, kind: int) -> None:
    """Signal the group that a process leads, or the process when it leads none."""
    try:
        os.killpg(pid, kind)
    except ProcessLookupError:
        with suppress(ProcessLookupError):
            os.kill(pid, kind)


def import_all(modules: Iterable[str]) -> None:
    """Import the modules and build what they put off; no fork's collector touches it: the pages stay shared.

    One that fails is told on stderr: what needs it fails of it and says so.
    """
    gc.disable()
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001  # whatever a module raises, the others may be all that is needed
            traceback.print_exc()
    _build()
    gc.collect()
    gc.freeze()
    gc.enable()


def _build() -> None:
    """Have built what libraries build when it is first used, which each fork would do for itself."""
    if "pydantic" in sys.modules:
        from pydantic import BaseModel, PydanticUserError

        for model in _classes_of(BaseModel):
            if not model.__pydantic_complete__:
                with suppress(PydanticUserError):  # one that can't be built may never be used
                    model.model_rebuild(raise_errors=False)
    if "sqlalchemy.orm" in sys.modules:
        from sqlalchemy.orm import configure_mappers

        configure_mappers()


def _classes_of(base: type[T]) -> list[type[T]]:
    found = list[type[T]]()
    for kind in base.__subclasses__():
        found += (kind, *_classes_of(kind))
    return found


def _children() -> set[int]:
    """Return the ids of this process's children, those included that it has inherited; none where Linux is not."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    return {int(pid) for pid in listed.read_text().split()} if listed.exists() else set()


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
