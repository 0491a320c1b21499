"""A receiver of callbacks that keeps all it is sent, and fails as it is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Fault = Literal["500", "410", "429", "302", "silent", "cut"]


@dataclass(frozen=True)
class Posted:
    """One request."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Sink:
    """What it does with the next requests, one fault each, and all that came."""

    port: int = 0
    faults: list[Fault] = field(default_factory=list)
    requests: list[Posted] = field(default_factory=list)
    #: Set, and silent requests end.
    enough: threading.Event = field(default_factory=threading.Event)
    at_once: int = 0
    most_at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def host(self) -> str:
        """As an allowed host."""
        return f"127.0.0.1:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    sink: Sink

    def do_POST(self) -> None:
        sink = self.sink
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with sink._lock:
            sink.requests.append(Posted({name.lower(): value for name, value in self.headers.items()}, body))
            sink.at_once += 1
            sink.most_at_once = max(sink.most_at_once, sink.at_once)
            fault = sink.faults.pop(0) if sink.faults else None
        try:
            self._answer(fault)
        finally:
            with sink._lock:
                sink.at_once -= 1

    def _answer(self, fault: Fault | None) -> None:
        match fault:
            case "cut":
                self.close_connection = True
            case "silent":
                self.sink.enough.wait(30)
                self.close_connection = True
            case None:
                self._say(204)
            case _:
                self._say(int(fault))

    def _say(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if status == 302:
            self.send_header("Location", self.sink.url)
        if status == 429:
            self.send_header("Retry-After", "3600")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""


@contextmanager
def receiving(*faults: Fault) -> Iterator[Sink]:
    """Run a sink until the block is left."""
    sink = Sink(faults=list(faults))
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"sink": sink}))
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients that have stopped waiting
    sink.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield sink
    finally:
        sink.enough.set()
        server.shutdown()
        thread.join(5)
        server.server_close()
