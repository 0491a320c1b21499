"""A proxy between a client and a server that breaks what goes through it."""

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_PIECE = 1 << 16


@dataclass
class FaultProxy:
    """What is broken can be set at any moment, also for the connections that are open."""

    upstream: tuple[str, int]
    #: Connections are reset at once.
    down: bool = False
    #: What comes is taken and never answered.
    black_hole: bool = False
    #: A connection is reset, or closed, after so many bytes of answers; None for never. Each counts its own.
    reset_after: int | None = None
    cut_after: int | None = None
    #: Connections are reset, and new ones too, when clients have sent so many bytes in all; None for never.
    down_after_taken: int | None = None
    #: How many more connections suffer `reset_after` or `cut_after`; those after them are left alone.
    times: int = 1_000_000
    #: All connections that were made, and bytes that were answered.
    connections: int = 0
    answered: int = 0
    taken: int = 0
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _ended: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def heal(self) -> None:
        """Break nothing any more."""
        self.down, self.black_hole, self.reset_after, self.cut_after = False, False, None, None
        self.down_after_taken = None

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        self._listener.settimeout(0.05)
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                client, _ = self._listener.accept()
                self.connections += 1
                self._start(self._serve, client)
        self._listener.close()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self.down:
                client.settimeout(5)
                client.recv(1)  # Python leaks a TLS socket that is reset before its first word
                return _reset(client)
            with socket.create_connection(self.upstream) as server:
                self._pump(client, server)
        return None

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        sent = 0
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while not self._ended.is_set():
                for key, _ in selector.select(0.05):
                    source: socket.socket = key.fileobj  # type: ignore[assignment]
                    piece = source.recv(_PIECE)
                    if not piece:
                        return None
                    if self.black_hole:
                        continue
                    if source is client and self._takes_no_more(len(piece)):
                        return _reset(client)
                    limit = self._limit() if source is server else None
                    if limit is not None and sent + len(piece) > limit:
                        client.sendall(piece[: max(0, limit - sent)])
                        self.times -= 1
                        return _reset(client) if self.reset_after is not None else None
                    key.data.sendall(piece)
                    if source is server:
                        sent += len(piece)
                        self.answered += len(piece)
                if self.down:
                    return _reset(client)
        return None

    def _takes_no_more(self, more: int) -> bool:
        self.taken += more
        if self.down_after_taken is not None and self.taken > self.down_after_taken:
            self.down = True
        return self.down

    def _limit(self) -> int | None:
        return (self.reset_after if self.reset_after is not None else self.cut_after) if self.times > 0 else None


def _reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@contextmanager
def fault_proxy(host: str, port: int) -> Iterator[FaultProxy]:
    """Run a proxy on a port of its own until the block is left."""
    proxy = FaultProxy((host, port))
    proxy._start(proxy._accept)
    try:
        yield proxy
    finally:
        proxy._ended.set()
        for thread in proxy._threads:
            thread.join(5)
