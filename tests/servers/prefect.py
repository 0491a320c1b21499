"""A Prefect server that has every deployment, starts runs once for a key, and is away or busy as it is told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

_DEPLOYMENT = "0a0a0a0a-0000-4000-8000-000000000000"


@dataclass
class PrefectServer:
    """What it was asked for, and how it answers."""

    port: int = 0
    #: Runs by idempotency key, in the order in which they were asked for first.
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Every request for a run, also those that were answered with the run of before.
    asked: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    #: Statuses of the next answers to requests for runs; 0 takes the run and gives no answer.
    faults: list[int] = field(default_factory=list)
    #: Answers 503 to everything.
    busy: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def jobs(self) -> list[str]:
        """The jobs of its runs, in order."""
        return [run["parameters"]["request"]["job_id"] for run in self.runs.values()]

    def start(self, key: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(key)
        return self.runs.setdefault(key, {"id": str(uuid4()), "parameters": parameters})


class _Handler(BaseHTTPRequestHandler):
    prefect: PrefectServer

    def do_GET(self) -> None:
        if self.prefect.busy:
            self._say(503, {})
        elif self.path == "/api/health":
            self._say(200, True)
        elif self.path.startswith("/api/deployments/name/"):
            self._say(200, {"id": _DEPLOYMENT})
        else:
            self._say(404, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.prefect.busy:
            self._say(503, {})
        elif self.path == f"/api/deployments/{_DEPLOYMENT}/create_flow_run":
            fault = self.prefect.faults.pop(0) if self.prefect.faults else 201
            if fault in {0, 201}:
                run = self.prefect.start(body["idempotency_key"], body["parameters"])
            if fault:
                self._say(fault, run if fault == 201 else {})
            self.close_connection = not fault
        elif self.path.endswith("/set_state"):
            self.prefect.cancelled.append(self.path.split("/")[3])
            self._say(201, {})
        else:
            self._say(404, {})

    def _say(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""


@contextmanager
def prefect_server(known: PrefectServer | None = None) -> Iterator[PrefectServer]:
    """Run one until the block is left; `known` is one that was away and comes back under its address."""
    prefect = known or PrefectServer()
    handler = type("Handler", (_Handler,), {"prefect": prefect})
    server = ThreadingHTTPServer(("127.0.0.1", prefect.port), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients that were killed
    prefect.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield prefect
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
