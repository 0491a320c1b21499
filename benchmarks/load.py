"""A load generator that costs little beside what it measures; latencies count from when a request was due."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import cast

_SECONDS_TO_ANSWER = 30.0


@dataclass(frozen=True)
class Load:
    """What a server did under a load; latencies in seconds, from when each request was due."""

    latencies: tuple[float, ...]
    seconds: float
    statuses: dict[int, int]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, part: float) -> float:
        """The latency that `part` of the requests stayed below, such as 0.99."""
        return sorted(self.latencies)[min(int(len(self.latencies) * part), len(self.latencies) - 1)]


class Connection(asyncio.Protocol):
    """One connection with one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Take a part of the answer."""
        self._read += data
        head, found, rest = self._read.partition(b"\r\n\r\n")
        if not found or self._answer is None:
            return
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        if len(rest) >= length:
            self._read = b""
            self._answer.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server closed the connection"))

    async def ask(self, request: bytes) -> int:
        """Send a request; return the answer's status."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer


async def _connect(port: int, count: int) -> list[Connection]:
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(Connection, "127.0.0.1", port) for _ in range(count)]
    return [protocol for _, protocol in made]


async def as_fast_as_possible(port: int, request: bytes, connections: int, seconds: float) -> Load:
    """Ask over every connection without a pause: the most that the server can do."""
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    begun = perf_counter()

    async def ask(connection: Connection) -> None:
        while (sent := perf_counter()) - begun < seconds:
            status = await connection.ask(request)
            latencies.append(perf_counter() - sent)
            statuses[status] = statuses.get(status, 0) + 1

    await asyncio.gather(*(ask(connection) for connection in await _connect(port, connections)))
    return Load(tuple(latencies), perf_counter() - begun, statuses)


async def on_time(port: int, requests: Sequence[bytes], due: Sequence[float], connections: int) -> Load:
    """Send each request when it is due, in seconds from the start, whether or not the ones before are answered."""
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for connection in await _connect(port, connections):
        free.put_nowait(connection)
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    begun = perf_counter()

    async def ask(request: bytes, when: float) -> None:
        connection = await free.get()
        status = await connection.ask(request)
        latencies.append(perf_counter() - begun - when)
        statuses[status] = statuses.get(status, 0) + 1
        free.put_nowait(connection)

    async with asyncio.timeout(due[-1] + _SECONDS_TO_ANSWER), asyncio.TaskGroup() as tasks:
        for request, when in zip(requests, due, strict=True):
            if (early := when - (perf_counter() - begun)) > 0:
                await asyncio.sleep(early)
            tasks.create_task(ask(request, when))
    return Load(tuple(latencies), perf_counter() - begun, statuses)
