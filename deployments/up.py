"""The whole system on one machine: server, blocks, deployments, worker and service, watched until told to stop."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bhiv.errors import RunFailed
from bhiv.prefect_server import Server
from bhiv.service.app import first_key, listening
from bhiv.settings import Settings, inherited_environment, settings_environment
from blocks.defaults import register
from deployments.warm_process import ensure_pool
from tasks.prefect_runs import remove_missed_runs

ROOT = Path(__file__).parent.parent
POOL = "bhiv"

_LOOK_SECONDS = 0.5
_STOP_SECONDS = 15.0
_SERVICE_SECONDS = 60.0
#: Where those addresses are reached that mean all of this machine's.
_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not listened on
#: Waits before a part that has died is started again: longer each time, from the start after a good minute.
_PAUSES = (0.5, 2.0, 5.0, 15.0)
_GOOD_SECONDS = 60.0

Say = Callable[[str, str], None]


def up(settings: Settings, server: Server, say: Say) -> None:
    """Bring the system up and keep it so until KeyboardInterrupt; then stop all that was started here.

    `say` is given the name of a part and what there is to know of it, once when it is ready and at every change.

    Raises:
        RunFailed: a part does not start; nothing is left running.
    """
    say("server", server.ui_url)
    environment = inherited_environment() | settings_environment(settings) | {"PWD": str(ROOT)}
    for name, new in register(settings).items():
        say("blocks", f"{name} {'written from the environment' if new else 'kept'}")
    argv = [sys.executable, "-m", "deployments.warm_worker", "--pool", POOL, "--parent", str(os.getpid())]
    logs = settings.home / "logs"
    parts = [Part("worker", argv, environment, logs)]
    try:
        ensure_pool(POOL)
        remove_missed_runs()
        parts[0].start()
        say("worker", f"takes runs of the pool {POOL}")
        deploy(environment)
        say("deployments", "as prefect.yaml has them")
        parts.append(start_service(settings, environment, logs, say))
        say("ready", "end with Ctrl-C")
        while True:
            time.sleep(_LOOK_SECONDS)
            for part in parts:
                if (code := part.restart_if_ended()) is not None:
                    say(part.name, f"ended with code {code}; started again")
    finally:
        # The service first: what it accepts meanwhile is kept for the next start.
        for part in reversed(parts):
            part.stop()


def start_service(settings: Settings, environment: dict[str, str], logs: Path, say: Say) -> "Part":
    """Start the service on an address that stays the same when it is started again; tell it, and a first key.

    Raises:
        RunFailed: it does not start; the message holds its last words.
        ServiceUnavailable: its port can't be had.
    """
    if key := first_key(settings):
        say("key", f"{key}  opens everything; it is shown this once")
    with listening(settings) as listener:  # refused here, in words of its own, where it can't be had
        host, port = settings.service_host, listener.getsockname()[1]
    argv = [sys.executable, "-m", "bhiv.cli", "serve", "--parent", str(os.getpid())]
    part = Part("service", argv, environment | {"BHIV_SERVICE_PORT": str(port)}, logs)
    part.start()
    deadline = time.monotonic() + _SERVICE_SECONDS
    while not _listens(host, port):
        if part.has_ended() or time.monotonic() > deadline:
            part.stop()
            raise RunFailed(f"the service does not start: {part.last_words()}")
        time.sleep(_LOOK_SECONDS / 5)
    say("service", f"http://{f'[{host}]' if ':' in host else host}:{port}")
    return part


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((_HERE.get(host, host), port), timeout=1).close()
    except OSError:
        return False
    return True


def deploy(environment: dict[str, str]) -> None:
    """Bring the server's deployments to what prefect.yaml says; a second time changes nothing.

    Raises:
        RunFailed: Prefect refuses one; the message holds its last words.
    """
    argv = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it said nothing"]
        raise RunFailed(f"the deployments of prefect.yaml can't be registered: {words[0]}")


class Part:
    """A child process that is to run as long as the system does; what it prints goes to a log in the home."""

    def __init__(self, name: str, argv: Sequence[str], environment: dict[str, str], logs: Path) -> None:
        self.name = name
        self._argv, self._environment, self._log = argv, environment, logs / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at, self._failures = 0.0, 0
        self._again_at: float | None = None

    def start(self) -> None:
        """Start it."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C reaches the supervisor alone, which stops its parts in order.
            self._process = subprocess.Popen(
                self._argv, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._started_at, self._again_at = time.monotonic(), None

    def restart_if_ended(self) -> int | None:
        """Start it again when it has ended, after a pause; return the code that it had ended with, else None."""
        if self._process is None or self._process.poll() is None:
            return None
        now = time.monotonic()
        if self._again_at is None:
            self._failures = 0 if now - self._started_at > _GOOD_SECONDS else self._failures + 1
            self._again_at = now + _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        if now < self._again_at:
            return None
        code = self._process.returncode
        self.start()
        return code

    def has_ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def last_words(self) -> str:
        """The last line that it has said."""
        said = self._log.read_text(errors="replace").strip().splitlines()
        return said[-1] if said else "it said nothing"

    def stop(self) -> None:
        """Ask it to end, and end it and what it started by force when it takes too long."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
