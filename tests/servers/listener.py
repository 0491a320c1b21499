"""An HTTP server that counts who connects, on all of this machine's loopback addresses."""

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.servers.starting import free_port


@dataclass
class Listener:
    """What it answers to everybody, and what it was sent."""

    port: int
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    #: The address that each connection came to, and the head of each request.
    connections: list[str] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    #: Names that TLS clients asked for.
    names: list[str | None] = field(default_factory=list)


def _serve(listener: Listener, server: socket.socket, tls: ssl.SSLContext | None) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:  # closed: the end
            return
        listener.connections.append(client.getsockname()[0])
        with suppress(OSError), client:
            client.settimeout(5)
            with tls.wrap_socket(client, server_side=True) if tls else client as stream:
                listener.requests.append(_request(stream))
                stream.sendall(listener.answer)


def _request(stream: socket.socket) -> bytes:
    """Read a request to its end: who closes with something unread resets the connection, and the answer is lost."""
    read = b""
    while piece := stream.recv(65536):
        read += piece
        head, found, body = read.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: *([0-9]+)", head, re.IGNORECASE)
        if found and len(body) >= (int(length[1]) if length else 0):
            break
    return read


@contextmanager
def listening(hosts: tuple[str, ...], tls: ssl.SSLContext | None = None) -> Iterator[Listener]:
    """Listen on the same free port of all `hosts` until the block is left."""
    listener = Listener(free_port())
    if tls:
        tls.sni_callback = lambda _, name, __: listener.names.append(name)
    servers, threads = [], []
    for host in hosts:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        servers.append(socket.create_server((host, listener.port), family=family))
        threads.append(threading.Thread(target=_serve, args=(listener, servers[-1], tls)))
        threads[-1].start()
    try:
        yield listener
    finally:
        for server, thread in zip(servers, threads, strict=True):
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()
            thread.join(5)
