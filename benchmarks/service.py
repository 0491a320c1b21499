"""The service under load, beside an empty FastAPI route on the same server: submits that are on the disk, and status.

The load generator shares the machine's cores with what it measures.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx
import psutil
import uvloop

from benchmarks.load import Load, as_fast_as_possible, on_time
from benchmarks.measuring import BHIV

_EMPTY = """
import uvicorn
from fastapi import FastAPI
app = FastAPI()
@app.get("/")
async def nothing() -> dict[str, str]:
    return {}
uvicorn.run(app, port=0, log_level="info", access_log=False)
"""
_SETTINGS = {
    "BHIV_SERVICE_PORT": "0",
    "BHIV_RATE_LIMIT_PER_MINUTE": "1000000",
    "BHIV_QUEUE_LIMIT": "1000000",
    "BHIV_KEY_QUEUE_LIMIT": "1000000",
}
_PLAN = {"title": "A river", "scenes": [{"narration": "The river runs on to the sea."}] * 3}
_READY_SECONDS = 60.0


@dataclass(frozen=True)
class Running:
    """A server that listens; `key` is empty for one that wants none."""

    port: int
    pid: int
    key: str = ""

    def cpu_seconds(self) -> float:
        """Return the CPU time that it has used."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Return the bytes of a request."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {self.key}"]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body


@contextmanager
def _started(argv: list[str], environment: dict[str, str], folder: Path) -> Iterator[tuple[int, int, str]]:
    log = folder / f"{len(list(folder.iterdir()))}.log"
    with log.open("wb") as out:
        child = subprocess.Popen(argv, cwd=folder, env=environment, stdout=out, stderr=out)
    deadline = time.monotonic() + _READY_SECONDS
    try:
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())):
            if time.monotonic() > deadline or child.poll() is not None:
                raise SystemExit(f"{argv[0]} does not start: {log.read_text()}")
            time.sleep(0.1)
        port = int(found[1])
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/health", timeout=5)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield port, child.pid, log.read_text()
    finally:
        child.terminate()
        child.wait(30)


@contextmanager
def servers() -> Iterator[tuple[Running, Running]]:
    """Start the service, in a home of its own, and an app with an empty route."""
    with tempfile.TemporaryDirectory(prefix="bhiv-bench-") as name:
        folder = Path(name)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("BHIV_", "PREFECT_"))}
        own = kept | _SETTINGS | {"BHIV_HOME": str(folder / "home"), "BHIV_BUCKET_DIR": str(folder / "bucket")}
        with (
            _started([BHIV, "serve"], own, folder) as (port, pid, said),
            _started([sys.executable, "-c", _EMPTY], kept, folder) as (empty, empty_pid, _),
        ):
            key = re.search(r"bhiv_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", said)
            assert key is not None
            yield Running(port, pid, key[0]), Running(empty, empty_pid)


def measure() -> Iterator[str]:
    """Yield the figures of one run."""
    with servers() as (service, empty):
        yield from uvloop.run(_measured(service, empty))


async def _measured(service: Running, empty: Running) -> list[str]:
    rows = []
    submit = service.request("POST", "/render", json.dumps(_PLAN).encode())
    status = service.request("GET", f"/render/{_job(service)}/status")
    nothing = empty.request("GET", "/")
    await as_fast_as_possible(service.port, submit, 4, 1)  # warm

    async def most(server: Running, request: bytes) -> tuple[float, float]:
        before = server.cpu_seconds()
        load = await as_fast_as_possible(server.port, request, 32, 2)
        assert set(load.statuses) == {200}, load.statuses
        return load.rate, (server.cpu_seconds() - before) / len(load.latencies) * 1e6

    pairs = [(await most(empty, nothing), await most(service, status)) for _ in range(5)]
    rows.append(
        f"status: {median(own[0] / other[0] for other, own in pairs):.2f} of an empty route's rate"
        f" ({median(own[0] for _, own in pairs):,.0f} against {median(other[0] for other, _ in pairs):,.0f} a second,"
        f" {median(own[1] for _, own in pairs):.0f} against {median(other[1] for other, _ in pairs):.0f} us of CPU)"
    )
    seconds = 10
    load = await on_time(service.port, [status] * 1000 * seconds, _evenly(1000, seconds), 50)
    rows.append(_row("status at 1,000 a second", load))
    load = await on_time(service.port, [submit] * 200 * seconds, _evenly(200, seconds), 50)
    rows.append(_row("submit at 200 a second", load))
    load = await on_time(service.port, [submit] * 50 * seconds, [float(n // 50) for n in range(50 * seconds)], 50)
    rows.append(_row("submit in bursts of 50 a second", load))
    return rows


def _evenly(rate: int, seconds: int) -> list[float]:
    return [number / rate for number in range(rate * seconds)]


def _row(name: str, load: Load) -> str:
    assert set(load.statuses) <= {200, 202}, load.statuses
    return (
        f"{name}: p50 {load.percentile(0.5) * 1e3:.1f} ms, p99 {load.percentile(0.99) * 1e3:.1f} ms,"
        f" {load.rate:,.0f} a second, {len(load.latencies):,} requests"
    )


def _job(service: Running) -> str:
    answer = httpx.post(
        f"http://127.0.0.1:{service.port}/render", json=_PLAN, headers={"Authorization": f"Bearer {service.key}"}
    )
    return str(answer.raise_for_status().json()["job_id"])
