"""The process from which runs are forked: Prefect and the flows are imported here once, not in every run.

It has one thread, so that no fork copies a lock that somebody holds. `deployments.forking` starts it and speaks to it
in lines of JSON over the socket that it is handed. When that socket closes, its worker is gone, and so go the runs.
"""

import ctypes
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bhiv.settings import replace_environment

#: What a run imports on its way to the first line of its flow and to its end, beside the flow itself.
_PREFECT = ("prefect.engine", "prefect.flow_engine", "prefect.task_engine", "prefect.deployments.steps.pull")

#: How long the runs of a worker that has gone may take to record that they end.
_GRACE_SECONDS = 5.0
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


@dataclass(frozen=True)
class Job:
    """A module to run as a program in a process of its own; `number` tells the answers apart."""

    number: int
    module: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str
    shows_output: bool


class Nest:
    """Forks a process for each job that comes, and sees to it that none outlives the worker."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._living: dict[int, Job] = {}
        self._unread = b""
        self._woken, wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        # A supervisor may signal every process of a service: what happens to the runs is the worker's to say.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # What a run leaves when it is killed, such as ffmpeg in a session of its own, becomes a child of this process.
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)

    def serve(self) -> Job | None:
        """Return the job in the process that was forked for it; in this one None, once the worker has gone."""
        while True:
            readable, _, _ = select.select([self._connection.fileno(), self._woken], [], [])
            self._reap()
            if self._connection.fileno() not in readable:
                continue
            lines = self._read()
            if lines is None:
                self._end_all()
                return None
            for line in lines:
                job = Job(**json.loads(line))
                if self._fork(job):
                    return job

    def _fork(self, job: Job) -> bool:
        """Whether this is the new process."""
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._leave(parent)
            return True
        self._living[pid] = job
        self._answer(job, pid=pid)
        return False

    def _leave(self, parent: int) -> None:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for kind in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(kind, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before it could be watched
            os._exit(1)
        self._connection.close()

    def _read(self) -> list[bytes] | None:
        try:
            received = self._connection.recv(1 << 20)
        except ConnectionError:
            return None
        *lines, self._unread = (self._unread + received).split(b"\n")
        return lines if received else None

    def _answer(self, job: Job, **said: int) -> None:
        with suppress(ConnectionError):  # the worker has gone, which the next read tells
            self._connection.sendall(json.dumps({"number": job.number} | said).encode() + b"\n")

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._woken, 4096)
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._bury(*ended)

    def _bury(self, pid: int, status: int) -> None:
        for orphan in _children() - self._living.keys():
            _signal(orphan, signal.SIGKILL)
        if job := self._living.pop(pid, None):
            self._answer(job, code=os.waitstatus_to_exitcode(status))

    def _end_all(self) -> None:
        for pid in self._living:
            _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        while self._living and time.monotonic() < deadline:
            select.select([self._woken], [], [], 0.1)
            self._reap()
        for pid in self._living:
            _signal(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while True:
                self._bury(*os.waitpid(-1, 0))


def _children() -> set[int]:
    """Return the ids of this process's children, those included that it has inherited; none where Linux is not."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    return {int(pid) for pid in listed.read_text().split()} if listed.exists() else set()


def _signal(pid: int, kind: signal.Signals) -> None:
    """Signal the group that a process leads, or the process when it leads none."""
    try:
        os.killpg(pid, kind)
    except ProcessLookupError:
        with suppress(ProcessLookupError):
            os.kill(pid, kind)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _import(modules: Collection[str]) -> None:
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001  # whatever it is, the run that needs the module fails of it and says so
            traceback.print_exc()


def _flows() -> list[str]:
    import flows

    return [f"flows.{module.name}" for module in pkgutil.iter_modules(flows.__path__)]


def _run(job: Job) -> None:
    """Become the program: the job's module as `python -m` runs it."""
    from prefect.context import refresh_global_settings_context

    replace_environment(job.environment)
    os.chdir(job.folder)
    if not job.shows_output:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.dup2(nowhere, sys.stderr.fileno())
    sys.path.insert(0, "")
    sys.argv = [job.module, *job.arguments]
    refresh_global_settings_context()
    sys.modules.pop(job.module, None)  # what has been imported as a library is now run
    runpy.run_module(job.module, run_name="__main__")


def main(handed: int) -> None:
    """Import, then serve the worker at the other end of the socket `handed`."""
    connection = socket.socket(fileno=handed)
    _import([*_PREFECT, *_flows()])
    # Pages of objects that the collector never visits stay shared between this process and the runs.
    gc.collect()
    gc.freeze()
    job = Nest(connection).serve()
    if job is not None:
        _run(job)


if __name__ == "__main__":
    main(int(sys.argv[1]))
