"""A running `bhiv up`, which is started again when it is the one that is killed."""

import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks.measuring import BHIV
from tests.servers.prefect_api import PrefectApi
from tests.servers.starting import wait_until

_READY_SECONDS = 120.0
_SETTINGS = {"BHIV_LEASE_SECONDS": "5", "BHIV_JOB_ATTEMPTS": "1000", "BHIV_ENCODERS": "2", "BHIV_SERVICE_PORT": "0"}


class System:
    """`bhiv up` in a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home, self.bucket = folder / "home", folder / "bucket"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("BHIV_", "PREFECT_"))}
        own = {"BHIV_HOME": str(self.home), "BHIV_BUCKET_DIR": str(self.bucket)}
        self.environment = kept | own | _SETTINGS
        self.prefect = PrefectApi(self.api_url, self.start)
        self._up: subprocess.Popen[bytes] | None = None

    def api_url(self) -> str:
        """Where its Prefect server is, or was last."""
        return f"http://127.0.0.1:{int((self.home / 'server' / 'port').read_text())}/api"

    def start(self) -> None:
        """Start it unless it runs."""
        if self._up is None or self._up.poll() is not None:
            with (self.folder / "up.log").open("ab") as log:
                self._up = subprocess.Popen(
                    [BHIV, "up"], cwd=self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True
                )

    def wait_until_ready(self) -> None:
        """Wait until it takes jobs."""
        log = self.folder / "up.log"
        try:
            wait_until(lambda: b"ready" in log.read_bytes(), "a system that is ready", _READY_SECONDS)
        except AssertionError as late:
            late.add_note(log.read_text())
            raise

    def interrupt(self) -> None:
        """End it as Ctrl-C does."""
        if self._up is not None and self._up.poll() is None:
            self._up.send_signal(signal.SIGINT)
            self._up.wait(60)

    def stop(self) -> None:
        """End it, by force what does not end by itself."""
        with suppress(subprocess.TimeoutExpired):
            self.interrupt()
        for processes in self.processes().values():
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    def processes(self) -> dict[str, list[psutil.Process]]:
        """The processes that belong to it, by what they are."""
        found: dict[str, list[psutil.Process]] = {}
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("BHIV_HOME") == str(self.home):
                    found.setdefault(_role(process.cmdline()), []).append(process)
        return found

    def patch(self, path: str, body: object) -> None:
        """Change something at the Prefect server, as its UI does."""
        self.call(path, body, "PATCH")

    def call(self, path: str, body: object = None, method: str | None = None) -> Any:
        """Ask the Prefect server, again and again while it is away."""
        return self.prefect.call(path, body, method)

    def run(self, deployment: str, key: str, parameters: dict[str, Any]) -> str:
        """Start a run of a deployment, once for a key."""
        return self.prefect.run(deployment, parameters, idempotency_key=key, state={"type": "SCHEDULED"})

    def job(self, job: str) -> dict[str, Any] | None:
        """What `bhiv status` says of a job, None when it does not know it."""
        asked = subprocess.run(
            [BHIV, "status", job, "--json"], cwd=self.folder, env=self.environment, capture_output=True, check=False
        )
        said: dict[str, Any] | None = json.loads(asked.stdout) if asked.returncode == 0 else None
        return said


def _role(cmdline: list[str]) -> str:
    line = " ".join(cmdline)
    for word, role in (
        ("prefect_child", "server"),
        ("ffmpeg", "ffmpeg"),
        ("espeak", "espeak"),
        ("bhiv up", "up"),
        ("bhiv.cli serve", "service"),
        ("deployments.fork", "forkserver"),
        ("warm_worker", "worker"),
    ):
        if word in line:
            return role
    return "run"
