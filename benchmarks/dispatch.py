"""Seconds from create_flow_run to the first line of `script_to_video`: warm worker and stock process worker."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil

from benchmarks.measuring import workshop
from bhiv.prefect_server import find_server
from bhiv.settings import Settings

RUNS = 7
IDLE_SECONDS = 20
_ROOT = Path(__file__).resolve().parent.parent
_REQUEST = {"script": "A river runs to the sea.", "title": "Dispatch", "size": "144x144", "quality": "draft"}
_WARM = ("-m", "deployments.warm_worker", "--pool", "bhiv", "--limit", "1")
_STOCK = ("-m", "prefect", "worker", "start", "--pool", "bhiv", "--type", "process", "--limit", "1")
#: Name, command, and how often the worker asks the server for work.
_WORKERS = (
    ("warm worker", _WARM, 0.5),
    ("stock process worker as it comes", _STOCK, 10.0),
    ("stock process worker that asks as often as the warm one", _STOCK, 0.5),
)


@dataclass(frozen=True)
class _Server:
    api: str
    pid: int
    environment: dict[str, str]

    def call(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        while True:
            try:
                with urlopen(Request(self.api + path, data, {"content-type": "application/json"}), timeout=60) as said:
                    return json.loads(said.read())
            except HTTPError as error:
                if error.code != 503:  # what SQLite answers while it writes for somebody else
                    raise
                time.sleep(0.1)


def measure() -> list[str]:
    """Return the rows of the report."""
    with workshop() as folder:
        server = _deploy(folder)
        alone = _server_load(server)
        taken, rows = {}, []
        for name, argv, interval in _WORKERS:
            with _working(server, argv, interval) as worker:
                _dispatch(server)  # the first run finds nothing imported
                taken[name] = [_dispatch(server, random.uniform(0, interval)) for _ in range(RUNS)]
                if argv is _WARM:
                    rows.append(_idle(server, worker, alone))
    warm, *stock = (median(seconds) for seconds in taken.values())
    return [
        *(f"{name}: {_described(seconds)}" for name, seconds in taken.items()),
        *(
            f"ratio to the {name}: {warm / seconds:.2f}"
            for (name, *_), seconds in zip(_WORKERS[1:], stock, strict=True)
        ),
        *rows,
    ]


def _described(seconds: Sequence[float]) -> str:
    return f"median {median(seconds):.2f} s, {min(seconds):.2f} to {max(seconds):.2f} s in {len(seconds)} runs"


def _deploy(folder: Path) -> _Server:
    found = find_server(Settings(home=folder / "home"))
    assert found is not None
    assert found.pid is not None
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("BHIV_", "PREFECT_"))}
    environment |= {"BHIV_HOME": str(folder / "home"), "BHIV_BUCKET_DIR": str(folder / "bucket")}
    environment |= {"PREFECT_API_URL": found.api_url, "PREFECT_HOME": str(folder / "prefect"), "PWD": str(_ROOT)}
    pool = "from deployments.warm_process import ensure_pool; ensure_pool('bhiv')"
    for argv in (("-c", pool), ("-m", "prefect", "--no-prompt", "deploy", "--all")):
        subprocess.run([sys.executable, *argv], cwd=_ROOT, env=environment, check=True, capture_output=True)
    return _Server(found.api_url, found.pid, environment)


@contextmanager
def _working(server: _Server, argv: Sequence[str], interval: float) -> Iterator["subprocess.Popen[bytes]"]:
    environment = server.environment | {"PREFECT_WORKER_QUERY_SECONDS": str(interval)}
    quiet = subprocess.DEVNULL
    with subprocess.Popen([sys.executable, *argv], cwd=_ROOT, env=environment, stdout=quiet, stderr=quiet) as worker:
        try:
            yield worker
        finally:
            worker.send_signal(signal.SIGINT)


def _dispatch(server: _Server, pause_seconds: float = 0.0) -> float:
    """Ask for a video and return the seconds until the flow's first line had made the run's progress bar."""
    deployment = server.call("/deployments/name/script_to_video/script_to_video")
    time.sleep(pause_seconds)
    asked = time.time()
    path = f"/deployments/{deployment['id']}/create_flow_run"
    run = server.call(path, {"parameters": {"request": _REQUEST}})["id"]
    while server.call(f"/flow_runs/{run}")["state_type"] not in {"COMPLETED", "FAILED", "CRASHED"}:
        time.sleep(0.2)
    bars = server.call(
        "/artifacts/filter", {"artifacts": {"key": {"any_": ["progress"]}, "flow_run_id": {"any_": [run]}}}
    )
    return min(datetime.fromisoformat(bar["created"]).timestamp() for bar in bars) - asked


def _idle(server: _Server, worker: "subprocess.Popen[bytes]", alone: float) -> str:
    process = psutil.Process(worker.pid)
    family = [process, *process.children()]
    time.sleep(5)  # the last run's process still says goodbye
    before = sum(sum(member.cpu_times()[:2]) for member in family)
    load = _server_load(server)
    own = (sum(sum(member.cpu_times()[:2]) for member in family) - before) / IDLE_SECONDS
    memory = sum(member.memory_full_info().pss for member in family)
    return (
        f"idle warm worker: {own:.1%} of a core, {memory / 1e6:.0f} MB with its forkserver;"
        f" the server {load:.1%} of a core, {alone:.1%} without a worker"
    )


def _server_load(server: _Server) -> float:
    process = psutil.Process(server.pid)
    before = sum(process.cpu_times()[:2])
    time.sleep(IDLE_SECONDS)
    return (sum(process.cpu_times()[:2]) - before) / IDLE_SECONDS
