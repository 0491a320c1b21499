"""A Core service that keeps what it is sent, once by id, and fails as it is told."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Fault = Literal["500", "401", "422", "429", "429 long", "503 day", "302", "slow", "cut", "html", "list", "204"]


@dataclass
class CoreServer:
    """What it does with the next requests, one fault each, and what it has taken."""

    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    #: Messages by Idempotency-Key, and how often each request came.
    taken: dict[str, Any] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    #: Done while a request waits for its answer.
    meanwhile: Callable[[], None] | None = None
    #: How long it stays silent when it is slow, and how long it wants to be left alone.
    silence_seconds: float = 0.7
    #: When it wants no request before, by its own monotonic clock.
    closed_until: float = 0


class _Handler(BaseHTTPRequestHandler):
    core: CoreServer

    def do_POST(self) -> None:
        core, key = self.core, self.headers["Idempotency-Key"]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        core.requests.append(key)
        core.tokens.add(self.headers["Authorization"])
        if core.meanwhile:
            core.meanwhile()
        fault = core.faults.pop(0) if core.faults else None
        if time.monotonic() < core.closed_until:
            fault = "500"
        if fault in {None, "slow", "cut", "204"}:
            core.taken.setdefault(key, json.loads(body))
        self._answer(fault, json.dumps({"ok": True, "id": key}).encode())

    def _answer(self, fault: Fault | None, answer: bytes) -> None:
        match fault:
            case "500" | "401" | "422":
                self._say(int(fault), b"{}")
            case "302":
                self._say(302, b"", Location=self.core.url + "/elsewhere")
            case "429":
                self.core.closed_until = time.monotonic() + 0.9
                self._say(429, b"", **{"Retry-After": "1"})
            case "429 long" | "503 day":
                self._say(int(fault[:3]), b"", **{"Retry-After": "86400"})
            case "html":
                self._say(200, b"<html>We are moving</html>")
            case "list":
                self._say(200, b"[1]")
            case "204":
                self._say(204, b"")
            case "cut":
                self._say(200, answer[:4], **{"Content-Length": str(len(answer))})
            case _:
                time.sleep(self.core.silence_seconds if fault == "slow" else 0)
                self._say(200, answer)

    def _say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body)), "Connection": "close"} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""


@contextmanager
def core_server(port: int = 0) -> Iterator[CoreServer]:
    """Run a Core until the block is left."""
    core = CoreServer()
    server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), {"core": core}))
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients that have stopped waiting
    core.url = f"http://127.0.0.1:{server.server_address[1]}/bhiv/core"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield core
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
