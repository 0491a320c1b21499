"""The process from which runs are forked: Prefect and the flows are imported here once, not in every run.

It has one thread, so that no fork copies a lock that somebody holds. `deployments.forking` starts it and speaks to it
in lines of JSON over the socket that it is handed. When that socket closes, its worker is gone, and so go the runs.
"""

import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from bhiv import heap
from bhiv.nest import ASKS, Nest, import_all
from bhiv.settings import replace_environment

#: What a run imports on its way to the first line of its flow and to its end, beside the flow itself.
_PREFECT = ("prefect.engine", "prefect.flow_engine", "prefect.task_engine", "prefect.deployments.steps.pull")

#: How long the runs of a worker that has gone may take to record that they end.
_GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Job:
    """A module to run as a program in a process of its own; `number` tells the answers apart."""

    number: int
    module: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str
    shows_output: bool


class Line:
    """The line to the worker: jobs come in, and what becomes of each goes out."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._unread = b""

    def serve(self) -> Job | None:
        """Return the job in the process that was forked for it; in this one None, once the worker has gone."""
        nest = Nest()
        # A supervisor may signal every process of a service: what happens to the runs is the worker's to say.
        for kind in ASKS:
            signal.signal(kind, signal.SIG_IGN)
        while True:
            readable, _, _ = select.select([self._connection.fileno(), nest.woken], [], [])
            nest.reap()
            if self._connection.fileno() not in readable:
                continue
            lines = self._read()
            if lines is None:
                nest.end_all(_GRACE_SECONDS)
                return None
            for line in lines:
                job = Job(**json.loads(line))
                pid = nest.fork(partial(self._tell_code, job))
                if pid == 0:
                    self._connection.close()
                    return job
                self._answer(job, pid=pid)

    def _read(self) -> list[bytes] | None:
        try:
            received = self._connection.recv(1 << 20)
        except ConnectionError:
            return None
        *lines, self._unread = (self._unread + received).split(b"\n")
        return lines if received else None

    def _tell_code(self, job: Job, code: int) -> None:
        self._answer(job, code=code)

    def _answer(self, job: Job, **said: int) -> None:
        with suppress(ConnectionError):  # the worker has gone, which the next read tells
            self._connection.sendall(json.dumps({"number": job.number} | said).encode() + b"\n")


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
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ASKS)
    runpy.run_module(job.module, run_name="__main__")


def main(handed: int) -> None:
    """Import, then serve the worker at the other end of the socket `handed`."""
    heap.share()  # kept by all that are forked from it
    connection = socket.socket(fileno=handed)
    import_all([*_PREFECT, *_flows()])
    job = Line(connection).serve()
    if job is not None:
        _run(job)


if __name__ == "__main__":
    main(int(sys.argv[1]))
