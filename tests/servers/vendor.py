"""A service that answers as a vendor does, over a socket, and fails as it is told."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from bhiv.vendors import Patience

Fault = Literal[
    "400", "401", "403", "404", "429", "429 soon", "429 long", "500", "302",
    "slow", "cut", "truncated", "type", "html", "json", "empty", "huge", "reset",
]  # fmt: skip
FAULTS: tuple[Fault, ...] = (
    "400", "401", "403", "404", "429", "429 soon", "429 long", "500", "302",
    "slow", "cut", "truncated", "type", "html", "json", "empty", "huge", "reset",
)  # fmt: skip

#: Asks again at once, but waits for an answer as long as a busy machine may take.
PATIENT = Patience(attempts=3, first_pause=0.02, longest_pause=2, silence=20, total=60)
HTML = b"<html><body>We are moving house.</body></html>"


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Said:
    """An answer."""

    body: bytes
    media_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)

    @classmethod
    def of(cls, value: Any) -> "Said":
        """Return JSON."""
        return cls(json.dumps(value).encode())


@dataclass
class VendorServer:
    """How it answers, what it was asked, and what goes wrong with the next requests, one fault each."""

    answer: Callable[[Asked], Said]
    url: str = ""
    faults: list[Fault | None] = field(default_factory=list)
    #: What goes wrong with every request for which there is no other fault.
    always: Fault | None = None
    requests: list[Asked] = field(default_factory=list)
    silence_seconds: float = 3

    @property
    def patience(self) -> Patience:
        """How it is asked, as it is set now: at once again, and, but when it is to be slow, as a busy machine needs."""
        return replace(PATIENT, silence=0.3 if self.always == "slow" else 1.5 if "slow" in self.faults else 20)

    def _fault(self) -> Fault | None:
        return self.faults.pop(0) if self.faults else self.always


class _Handler(BaseHTTPRequestHandler):
    vendor: VendorServer

    def do_POST(self) -> None:
        vendor, parts = self.vendor, urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
        vendor.requests.append(asked)
        fault = vendor._fault()
        if fault is None:
            self._say(vendor.answer(asked))
        else:
            self._fail(fault, asked)

    def do_GET(self) -> None:
        self.do_POST()

    def _fail(self, fault: Fault, asked: Asked) -> None:
        if fault == "reset":
            self.connection.close()
            return
        if fault == "slow":
            time.sleep(self.vendor.silence_seconds)
        said, headers = _failing(fault, self.vendor.answer(asked), self.vendor.url)
        self._say(said, **headers)

    def _say(self, said: Said, **headers: str) -> None:
        self.send_response(said.status)
        plain = {"Content-Type": said.media_type, "Content-Length": str(len(said.body)), "Connection": "close"}
        for name, value in (plain | dict(said.headers) | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said.body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""


def _failing(fault: Fault, right: Said, url: str) -> tuple[Said, dict[str, str]]:
    if fault[:3].isdigit():
        waits = {"429 soon": {"Retry-After": "1"}, "429 long": {"Retry-After": "86400"}}
        headers = {"Location": f"{url}/elsewhere"} if fault == "302" else waits.get(fault, {})
        return Said(b'{"error": {"message": "no"}}', status=int(fault[:3])), headers
    size = len(right.body)
    wrong: dict[str, tuple[Said, dict[str, str]]] = {
        # The connection ends before what was announced; or as announced, but not all there is.
        "cut": (replace(right, body=right.body[: size // 2]), {"Content-Length": str(size)}),
        "truncated": (replace(right, body=right.body[: size // 3]), {}),
        "type": (replace(right, media_type="application/x-unknown"), {}),
        "html": (Said(HTML, "text/html"), {}),
        "json": (Said(b'{"surprise": [1, 2'), {}),
        "empty": (replace(right, body=b""), {}),
        "huge": (Said(b'{"text": "' + b"x" * (5 << 20) + b'"}'), {}),
    }
    return wrong.get(fault, (right, {}))


@contextmanager
def vendor_server(answer: Callable[[Asked], Said]) -> Iterator[VendorServer]:
    """Run a vendor until the block is left."""
    vendor = VendorServer(answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"vendor": vendor}))
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients that have stopped waiting
    vendor.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield vendor
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
