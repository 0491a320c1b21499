"""The worker's side of its forkserver: starts it, has it fork, hears how each process ended."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import anyio

from bhiv.settings import inherited_environment
from bhiv.warm_command import code_stamp
from deployments.forkserver import Job

#: The checkout that this module is part of; its flows are what the forkserver imports.
CHECKOUT = Path(__file__).resolve().parent.parent

#: How long runs may take to record that they end when their worker stops.
_STOP_SECONDS = 10.0


@dataclass(eq=False)
class Fork:
    """A forked process; `returncode` is None while it lives, and negative when a signal has ended it."""

    pid: int | None = None
    returncode: int | None = None
    born: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    _asked: bool = False

    def ask_to_end(self) -> None:
        """Send SIGTERM to its group, once: a second one would interrupt what it does on the first."""
        if not self._asked:
            self._asked = True
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to its group."""
        self._signal(signal.SIGKILL)

    def heard(self, said: dict[str, int]) -> None:
        """Take in what the forkserver says: its `pid`, or the `code` with which it has ended."""
        self.pid = said.get("pid", self.pid)
        self.born.set()
        if "code" in said:
            self.returncode = said["code"]
            self.over.set()

    def _signal(self, kind: signal.Signals) -> None:
        if self.pid is not None and self.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, kind)


class Forkserver:
    """A forkserver with all flows of the checkout, as they were when it was started."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        stamp: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process, self._stamp, self._reader, self._writer = process, stamp, reader, writer
        self._forks: dict[int, Fork] = {}
        self._count = 0
        self._retired = False
        self._listener = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls) -> "Forkserver":
        """Start one and return at once; it forks when it has imported everything."""
        stamp = code_stamp()
        ours, its = socket.socketpair()
        with its:
            process = subprocess.Popen(
                [sys.executable, "-m", "deployments.forkserver", str(its.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                cwd=CHECKOUT,
                # Importing numpy would start its library's threads, and no fork would have them.
                env=inherited_environment() | {"OPENBLAS_NUM_THREADS": "1"},
                # Ctrl-C in the worker's terminal is for the worker alone.
                start_new_session=True,
            )
        return cls(process, stamp, *await asyncio.open_connection(sock=ours))

    @property
    def has_ended(self) -> bool:
        """Whether it can fork no more."""
        return self._listener.done()

    @property
    def is_current(self) -> bool:
        """Whether the code is still what it has imported."""
        return self._stamp == code_stamp()

    async def fork(
        self, module: str, *arguments: str, environment: dict[str, str], folder: Path, shows_output: bool
    ) -> Fork:
        """Run a module as a program in a new process, and return that process once it exists.

        Raises:
            RuntimeError: the forkserver has ended before it forked.
        """
        self._count += 1
        fork = self._forks[self._count] = Fork()
        job = Job(self._count, module, [*arguments], environment, str(folder), shows_output)
        self._writer.write(json.dumps(asdict(job)).encode() + b"\n")
        if self.has_ended:
            self._forget_all()
        await fork.born.wait()
        if fork.pid is None:
            raise RuntimeError("the process that runs are forked from has ended: its last words are in this output")
        return fork

    def retire(self) -> None:
        """End when the last of its processes has ended."""
        self._retired = True
        if not self._forks:
            self._writer.close()

    async def close(self) -> None:
        """End all its processes, by force when they take longer than 10 s, and then itself."""
        forks = [*self._forks.values()]
        for fork in forks:
            fork.ask_to_end()
        with anyio.move_on_after(_STOP_SECONDS):
            for fork in forks:
                await fork.over.wait()
        for fork in forks:
            fork.kill()
        self._writer.close()
        await self._listener

    async def _listen(self) -> None:
        with suppress(ConnectionError):
            while line := await self._reader.readline():
                said = json.loads(line)
                number = said.pop("number")
                self._forks[number].heard(said)
                if "code" in said:
                    del self._forks[number]
                if self._retired and not self._forks:
                    self._writer.close()
        await asyncio.to_thread(self._process.wait)
        self._forget_all()

    def _forget_all(self) -> None:
        """Whatever was left has died with the forkserver: the kernel sees to that."""
        for fork in self._forks.values():
            fork.heard({"code": -signal.SIGKILL})
        self._forks.clear()
