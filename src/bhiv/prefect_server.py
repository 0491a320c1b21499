"""The Prefect server that a home keeps: the first command that needs it starts it, all others share it.

The command that starts a server takes the folder's lock, listens on the port, and hands both to the child
(`bhiv.prefect_child`). A command that is killed half-way leaves either a free lock or a server that goes on starting,
never a second server.
"""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import IO

from bhiv.errors import ServerUnavailable
from bhiv.prefect_environment import server_environment
from bhiv.server_folder import Owner, ServerFolder
from bhiv.settings import Settings

_POLL_SECONDS = 0.05
_STOP_SECONDS = 10.0
_EXTERNAL_SECONDS = 10.0
_FIND_SECONDS = 3.0
_REPLACE_SECONDS = 0.5
#: A server that dies so often in one run dies of the run.
_REPLACEMENTS = 5

#: Kept as long as this process lives: Python warns when it loses sight of a child that is still running.
_children: list["subprocess.Popen[bytes]"] = []


@dataclass(frozen=True)
class Server:
    """A Prefect server that answers; `pid` and `settings` are None when it is not one that BHIV keeps."""

    api_url: str
    pid: int | None = None
    settings: Settings | None = None

    @property
    def ui_url(self) -> str:
        """Where a person watches the runs."""
        return self.api_url.removesuffix("/api")

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the server from ending for want of work, until the block is left or this process ends.

        A server that is killed meanwhile is replaced, under the same address: what waits for it goes on.
        """
        if self.settings is None:
            yield
            return
        with ServerFolder(self.settings.home).using(), _replaced_when_killed(self.settings):
            yield


class Starting:
    """A server on its way; `wait()` gives it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = ServerFolder(settings.home)
        self._deadline = time.monotonic() + settings.server_start_seconds
        self._spawned = False

    @property
    def is_new(self) -> bool:
        """Whether it was this call that started the server."""
        return self._spawned

    def spawn_if_none(self) -> None:
        """Start the server unless somebody owns it; for `start_server`, which see."""
        try:
            self._folder.create()
            lock = self._folder.take()
        except OSError as error:
            raise ServerUnavailable(f"the Prefect server can't start: {error}") from error
        if lock is None:
            return
        with lock:
            if self._spawned:
                raise self._unavailable("ended before it answered")
            self._spawned = True
            _spawn(self._settings, self._folder, lock)

    def wait(self) -> Server:
        """Return the server once it answers.

        Raises:
            ServerUnavailable: it ended, or does not answer in time; the message holds the last words of its log.
        """
        if self._settings.prefect_api_url is not None:
            return _external(self._settings.prefect_api_url)
        while time.monotonic() < self._deadline:
            owner = self._folder.owner()
            # Read again after the answer: a server that is to end withdraws before it ceases to listen.
            if owner and _answers(owner, self._deadline - time.monotonic()) and self._folder.owner() == owner:
                return _kept(owner, self._settings)
            self.spawn_if_none()
            time.sleep(_POLL_SECONDS)
        raise self._unavailable(f"did not answer within {self._settings.server_start_seconds:g} s")

    def _unavailable(self, what: str) -> ServerUnavailable:
        return ServerUnavailable(f"the Prefect server {what}: {self._folder.last_words()} (see {self._folder.log})")


def start_server(settings: Settings) -> Starting:
    """Start the home's server unless it runs or another is set, and return at once.

    Raises:
        ServerUnavailable: the port that is set is taken, or the home can't be written.
    """
    starting = Starting(settings)
    if settings.prefect_api_url is None:
        starting.spawn_if_none()
    return starting


def find_server(settings: Settings) -> Server | None:
    """Return the server that is there now, None when there is none; starts nothing.

    Raises:
        ServerUnavailable: one is set (`PREFECT_API_URL`) that does not answer.
    """
    if settings.prefect_api_url is not None:
        return _external(settings.prefect_api_url)
    folder = ServerFolder(settings.home)
    owner = None if _is_free(folder) else folder.owner()
    return _kept(owner, settings) if owner and _answers(owner, _FIND_SECONDS) else None


def stop_server(settings: Settings) -> bool:
    """End the home's server, by force when it takes more than 10 s; True when there was one.

    Raises:
        ServerUnavailable: it is still there.
    """
    folder = ServerFolder(settings.home)
    if _is_free(folder):
        return False
    if not (_ended_after(signal.SIGTERM, folder) or _ended_after(signal.SIGKILL, folder)):
        raise ServerUnavailable(f"the Prefect server in {folder.path} does not end")
    for child in _children:
        child.poll()  # takes the dead out of the process table
    return True


@contextmanager
def _replaced_when_killed(settings: Settings) -> Iterator[None]:
    over = threading.Event()

    def replace() -> None:
        left = _REPLACEMENTS
        while left and not over.wait(_REPLACE_SECONDS):
            try:
                left -= start_server(settings).is_new
            except ServerUnavailable:  # no disk, no home: whatever waits for the server says so
                return

    thread = threading.Thread(target=replace, name="bhiv-server", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _ended_after(kind: signal.Signals, folder: ServerFolder) -> bool:
    asked: Owner | None = None
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline:
        if _is_free(folder):
            return True
        owner = folder.owner()  # None for a moment, when it has just been started
        if owner and owner != asked and owner.is_alive():
            os.kill(owner.pid, kind)
            asked = owner
        time.sleep(_POLL_SECONDS)
    return False


def _is_free(folder: ServerFolder) -> bool:
    if not folder.path.is_dir():
        return True
    lock = folder.take()
    if lock is not None:
        lock.close()
    return lock is not None


def _spawn(settings: Settings, folder: ServerFolder, lock: IO[bytes]) -> None:
    folder.withdraw()
    with folder.listen(settings.server_port) as listener, folder.fresh_log() as log:
        port = listener.getsockname()[1]
        handed = (lock.fileno(), listener.fileno())
        idle_seconds = str(settings.server_idle_minutes * 60)
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "bhiv.prefect_child", str(folder.home), *map(str, handed), idle_seconds],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=handed,
            # Not the user's folder, whose `.env`, `prefect.toml` and `pyproject.toml` Prefect would read.
            cwd=folder.path,
            env=server_environment(folder.home, port),
            start_new_session=True,
        )
    _children.append(child)


def _kept(owner: Owner, settings: Settings) -> Server:
    return Server(f"http://127.0.0.1:{owner.port}/api", owner.pid, settings)


def _answers(owner: Owner, seconds: float) -> bool:
    # The port listens from the start, so one request waits here until the server is ready or gone.
    with closing(http.client.HTTPConnection("127.0.0.1", owner.port, timeout=max(0.1, seconds))) as connection:
        try:
            connection.request("GET", "/api/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def _external(api_url: str) -> Server:
    try:
        # Whatever scheme the operator has set: it is the operator's own machine that it is read on.
        with urllib.request.urlopen(f"{api_url}/health", timeout=_EXTERNAL_SECONDS):  # noqa: S310
            return Server(api_url)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ServerUnavailable(f"no Prefect server answers at {api_url!r} (PREFECT_API_URL): {error}") from error
