"""The real service as a process, which can be killed and started again on the same home."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bhiv import api_keys
from bhiv.catalog import Catalog, ledger, open_catalog, views
from bhiv.record import Metadata, started_now
from bhiv.settings import Settings, inherited_environment, settings_environment
from tests.servers.starting import wait_until

_KEY = re.compile(r"bhiv_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")
_ADDRESS = re.compile(r"^service +(http://\S+:(\d+))$", re.MULTILINE)

PLAN: dict[str, Any] = {"title": "A river", "scenes": [{"narration": "The river runs on to the sea."}]}
#: Room for tests that send a lot.
WIDE = {"rate_limit_per_minute": 1_000_000, "queue_limit": 1_000_000, "key_queue_limit": 1_000_000}


@dataclass
class RunningService:
    """A service on a home of its own."""

    settings: Settings
    folder: Path
    port: int = 0
    #: Opens everything; empty when no keys are wanted.
    key: str = ""
    process: "subprocess.Popen[bytes] | None" = None
    _clients: list[httpx.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "service.log"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.log.unlink(missing_ok=True)
        kept = {
            name: value for name, value in inherited_environment().items() if not name.startswith(("BHIV_", "PREFECT_"))
        }
        environment = kept | settings_environment(self.settings)
        if self.settings.prefect_api_url:
            environment["PREFECT_API_URL"] = self.settings.prefect_api_url
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bhiv.cli", "serve"], cwd=self.folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        wait_until(self._answers, "the service")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.said()
        found = _ADDRESS.search(self.said())
        if found is None:
            return False
        self.port = int(found[2])
        if made := _KEY.search(self.said()):
            self.key = made[0]
        try:
            return httpx.get(f"{self.url}/health", timeout=10, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def said(self) -> str:
        """What it has printed."""
        return self.log.read_text()

    def kill(self) -> None:
        """Have it gone at once."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it as a system does; return its exit code."""
        for client in self._clients:
            client.close()
        self._clients.clear()
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def client(self, key: str | None = None) -> httpx.Client:
        """A client with the key that opens everything, or another; an empty one sends none."""
        given = self.key if key is None else key
        headers = {"Authorization": f"Bearer {given}"} if given else {}
        client = httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)
        self._clients.append(client)
        return client

    def new_key(self, *scopes: str) -> str:
        """A key that opens less."""
        with open_catalog(self.settings) as catalog, catalog.writing() as connection:
            return api_keys.create(connection, "test", scopes)


@contextmanager
def running_service(folder: Path, **given: Any) -> Iterator[RunningService]:
    """Start a service in an empty folder, by these settings; it is ended on leaving."""
    folder.mkdir(parents=True, exist_ok=True)
    prefect = given.pop("prefect_api_url", None) or "http://127.0.0.1:1/api"
    own: dict[str, Any] = {"home": folder / "home", "bucket_dir": folder / "bucket", "service_port": 0}
    service = RunningService(Settings(**own | given, PREFECT_API_URL=prefect), folder)
    try:
        service.start()
        yield service
    finally:
        if service.process is not None:
            service.stop()


def until(happened: Any, what: str, seconds: float = 30) -> Any:
    """Wait for something to happen, and return it."""
    deadline = time.monotonic() + seconds
    while not (answer := happened()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)
    return answer


def make(catalog: Catalog, job_id: str, run_id: str) -> bool:
    """Make a job as a worker does, but for the video; whether it was this run that made it."""
    lease = ledger.claim(catalog, job_id, run_id, 30, run_id)
    if lease is None:
        return False
    ledger.advance(catalog, lease, "render", 50, {})
    timestamp, created_at = started_now()
    job = views.get(catalog, job_id)
    assert job is not None
    metadata = Metadata(
        content_id=job.content_id, job_id=job_id, uploader_id="local", title="A river", timestamp=timestamp,
        created_at=created_at, storyboard_source="plan", processing_status="completed",
    )  # fmt: skip
    return ledger.finish(catalog, lease, "completed", metadata) == "completed"
