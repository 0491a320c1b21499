"""The process that commands are handed to: it has imported all that `bhiv render` needs, and forks one for each.

Started by `bhiv.warm_command` alone, as `python -P -m bhiv.warm_child HOME LOCK_FD IDLE_SECONDS`. It ends when nobody
has used it for a while, when its home is removed, by SIGTERM, and when a command comes that it can't stand for, because
the code has changed, say. By then it has unlocked its place, and it stays until its last command has ended.
"""

import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import TextIOWrapper
from pathlib import Path

from bhiv import heap
from bhiv.nest import Nest, import_all, send
from bhiv.prefect_environment import imported_for_others
from bhiv.settings import replace_environment
from bhiv.warm_command import PATIENCE_SECONDS, READY, Command, WarmFolder, is_ours, is_running, process_stamp

#: What a usual offline render has imported at its end and nothing before it in this list imports.
MODULES = (
    "prefect.main", "prefect.engine", "prefect.flow_engine", "prefect.task_engine", "prefect.utilities.visualization",
    "flows.script_to_video", "bhiv.cli", "bhiv.console", "bhiv.inputs", "bhiv.local_run", "bhiv.bucket.replay",
    "anyio._backends._asyncio", "anyio.streams.tls", "encodings.idna", "encodings.utf_8_sig", "rich._emoji_codes",
    "sqlalchemy.dialects.sqlite", "imageio_ffmpeg.binaries", "numpy.fft",
    "pymupdf_fonts.FiraGO_Bold", "pymupdf_fonts.FiraGO_Regular",
)  # fmt: skip

_LOOK_SECONDS = 15.0


@dataclass(frozen=True)
class Handed:
    """A command with its open files: standard input, output and error, and its folder."""

    command: Command
    descriptors: list[int]

    def close(self) -> None:
        """Close the files."""
        for descriptor in self.descriptors:
            os.close(descriptor)


class Door:
    """Takes in commands, until it closes for good."""

    def __init__(self, folder: WarmFolder, lock: int, idle_seconds: float, stamp: bytes) -> None:
        self._folder, self._lock, self._idle_seconds, self._stamp = folder, lock, idle_seconds, stamp
        # A command may have started the home's Prefect server, which goes on.
        self._nest = Nest(is_kept=partial(is_running, module="bhiv.prefect_child"))
        self._runs: dict[socket.socket, int] = {}
        self._used_at = time.monotonic()
        self._is_closing = False
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._ask_to_close)
        self._listener: socket.socket | None = _listen(folder)

    def serve(self) -> Handed | None:
        """Return a command in the process that was forked for it; in this one None, at the end of all."""
        look_seconds = min(_LOOK_SECONDS, self._idle_seconds / 4)
        while self._listener or not self._nest.is_empty:
            watched: list[socket.socket | int] = [self._nest.woken, *self._runs]
            readable, _, _ = select.select([*watched, *filter(None, [self._listener])], [], [], look_seconds)
            for connection in [one for one in self._runs if one in readable]:
                self._hear(connection)
            self._nest.reap()
            if self._is_closing or self._is_over():
                self._close()
            elif self._listener and self._listener in readable and (handed := self._take(self._listener)):
                return handed
        return None

    def _ask_to_close(self, *_: object) -> None:
        self._is_closing = True

    def _is_over(self) -> bool:
        """Whether nobody has used it for its time, or its home has been removed."""
        is_idle = self._nest.is_empty and time.monotonic() - self._used_at >= self._idle_seconds
        return is_idle or not self._folder.is_held_by(self._lock)

    def _close(self) -> None:
        """Take no more commands, and leave the place to another process."""
        if self._listener:
            with suppress(FileNotFoundError), self._folder.address() as address:
                Path(address).unlink()
            self._listener.close()
            self._listener = None
            fcntl.flock(self._lock, fcntl.LOCK_UN)  # the forked ones have the file open too

    def _take(self, listener: socket.socket) -> Handed | None:
        connection, _ = listener.accept()
        connection.settimeout(PATIENCE_SECONDS)
        handed = _receive(connection) if self._is_agreed(connection) else None
        if handed is None:
            connection.close()
            return None
        try:
            pid = self._nest.fork(partial(self._end, connection))
        except OSError:  # there is no room for another process: the command is made where it comes from
            handed.close()
            connection.close()
            return None
        if pid == 0:
            for other in (listener, connection, *self._runs):
                other.close()
            os.close(self._lock)
            return handed
        handed.close()
        self._runs[connection] = pid
        self._say(connection, pid)
        return None

    def _is_agreed(self, connection: socket.socket) -> bool:
        """Whether this process can stand for the one that asks; when not, another has to take its place."""
        try:
            stamp = _line(connection) if is_ours(connection) else b""
            if stamp and stamp != self._stamp:
                self._close()
            if stamp == self._stamp:
                connection.sendall(READY)
        except OSError:  # it has gone, or takes too long
            return False
        return stamp == self._stamp

    def _hear(self, connection: socket.socket) -> None:
        """Pass on the signals that have come; a command that has gone takes its process along."""
        try:
            kinds = connection.recv(64)
        except ConnectionError:
            kinds = b""
        pid = self._runs[connection]
        for kind in kinds or [signal.SIGKILL]:
            send(pid, kind)
        if not kinds:
            del self._runs[connection]

    def _end(self, connection: socket.socket, code: int) -> None:
        self._say(connection, code)
        self._runs.pop(connection, None)
        connection.close()
        self._used_at = time.monotonic()

    def _say(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError):  # it has gone, which the next read tells
            connection.sendall(b"%d\n" % number)


def _listen(folder: WarmFolder) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    with folder.address() as address:
        listener.bind(address)
    os.umask(before)
    listener.listen()
    return listener


def _line(connection: socket.socket, data: bytes = b"") -> bytes:
    """Return what comes up to the end of a line, nothing when there is no such end."""
    while not data.endswith(b"\n"):
        if not (more := connection.recv(1 << 20)):
            return b""
        data += more
    return data[:-1]


def _receive(connection: socket.socket) -> Handed | None:
    """Return what comes, None when it is not whole or not in time."""
    descriptors: list[int] = []
    try:
        data, descriptors, _, _ = socket.recv_fds(connection, 1 << 16, 4)
        return Handed(Command(**json.loads(_line(connection, data))), descriptors)
    except (OSError, ValueError, TypeError):
        for descriptor in descriptors:
            os.close(descriptor)
        return None


def _make(handed: Handed) -> None:
    """Become the command: what the process was that has handed it over, this one is from here on."""
    from bhiv.cli import HERE, main

    command = handed.command
    for target, descriptor in enumerate(handed.descriptors[:3]):
        os.dup2(descriptor, target)
    os.fchdir(handed.descriptors[3])
    handed.close()
    os.umask(command.umask)
    replace_environment(command.environment)
    time.tzset()
    assert isinstance(sys.stdout, TextIOWrapper)
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())
    sys.argv = ["bhiv", *command.arguments]
    main.main(command.arguments, prog_name="bhiv", obj=HERE)


def serve(home: str, lock: str, idle_seconds: str) -> None:
    """Import everything, then fork a process for each command that comes."""
    stamp = process_stamp().encode()  # first: what changes from now on may or may not be what is imported
    os.set_inheritable(int(lock), False)
    os.write(int(lock), b"%d" % os.getpid())
    heap.share()  # kept by all that are forked from it
    imported_for_others()
    import_all(MODULES)
    handed = Door(WarmFolder(Path(home)), int(lock), float(idle_seconds), stamp).serve()
    if handed is None:
        os._exit(0)  # nothing is left to be done, and taking everything apart takes a tenth of a second
    _make(handed)


if __name__ == "__main__":
    serve(*sys.argv[1:])
