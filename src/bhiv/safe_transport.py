"""HTTP to addresses that strangers name: never into the own network, whatever the name resolves to or changes to.

A name is resolved once, every answer is judged, and the connection goes to a judged address, so that an answer that
changes afterwards changes nothing. Checking with `ipaddress.is_global` and connecting by name leaves both holes open.
"""

import asyncio
import ipaddress
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from ssl import SSLContext

import httpx

from bhiv.errors import AddressRefused, AnswerRefused, InputRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
#: Takes a host and a port and returns its addresses as text; raises OSError when there are none.
Resolve = Callable[[str, int], Sequence[str]]

WEB_PORTS = frozenset({80, 443})
MAX_ANSWER_BYTES = 1 << 20
TOTAL_SECONDS = 20.0
_TIMEOUT = httpx.Timeout(10, connect=5)
_PORTS_BY_SCHEME = {"http": 80, "https": 443}

#: Refused besides what `is_global` refuses: Python 3.11 takes most of these for global. IPv6 outside 2000::/3, where
#: loopback, NAT64, IPv4-compatible, site-local and multicast addresses are, is refused as a whole.
_DENIED = tuple(
    (ipaddress.ip_network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "means this machine"),
        ("100.64.0.0/10", "is inside a provider's network"),
        ("168.63.129.16/32", "is a cloud's own service"),
        ("192.0.0.0/24", "is reserved"),
        ("192.88.99.0/24", "is a relay to other addresses"),
        ("198.18.0.0/15", "is reserved for measurements"),
        ("224.0.0.0/4", "is a multicast address"),
        ("240.0.0.0/4", "is reserved"),
        ("2001::/23", "may stand for another address"),
        ("2001:db8::/32", "is reserved for documentation"),
        ("2002::/16", "stands for an IPv4 address"),
        ("3fff::/20", "is reserved for documentation"),
    )
)
_GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")


def system_resolve(host: str, port: int) -> list[str]:
    """Return what the system's resolver says, which also reads numbers as `127.1`, `0x7f.1` or `2130706433`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def why_refused(address: Address) -> str | None:
    """Return why nobody may be sent to `address`, as the end of a sentence; None when it is a public one."""
    for network, reason in _DENIED:
        if address in network:
            return reason
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_IPV6:
        return "is not a public address"
    return None if address.is_global else "is not a public address"


@dataclass(frozen=True)
class AddressRules:
    """What may be reached: public addresses on `ports`, and whatever `allowed` names.

    An entry of `allowed` is a host's name or a network (`10.1.0.0/16`, or one address), which open every port there,
    or `name:port`, which opens that port alone.

    Raises:
        InputRefused: an entry is none of these.
    """

    allowed: tuple[str, ...] = ()
    ports: frozenset[int] = WEB_PORTS
    resolve: Resolve = system_resolve

    def __post_init__(self) -> None:
        for entry in self.allowed:
            _parse(entry)

    def allows(self, host: str, port: int) -> bool:
        """Whether `allowed` opens the port of `host`, a name or an address; no resolver is asked."""
        entries, plain = [_parse(entry) for entry in self.allowed], _plain(host)
        if plain in entries or (plain, port) in entries:
            return True
        try:
            address = _unwrapped(plain)
        except ValueError:
            return False
        return any(address in entry for entry in entries if isinstance(entry, Network))

    def judge(self, host: str, port: int, answers: Sequence[str]) -> tuple[Address, ...]:
        """Return the addresses to connect to, in the resolver's order, of a host that resolved to `answers`.

        Raises:
            AddressRefused: one of the answers, or the port, is not allowed.
        """
        entries = [_parse(entry) for entry in self.allowed]
        addresses = tuple(_unwrapped(answer) for answer in answers)
        if _plain(host) in entries or (_plain(host), port) in entries:
            return addresses
        networks = [entry for entry in entries if isinstance(entry, Network)]
        strange = [one for one in addresses if not any(one in network for network in networks)]
        for address in strange:
            if reason := why_refused(address):
                raise _refusal(host, f"{address} {reason}" if str(address) != host else f"it {reason}", host)
        if strange and port not in self.ports:
            ports = " and ".join(map(str, sorted(self.ports)))
            raise _refusal(host, f"port {port} is not one of {ports}", f"{host}:{port}")
        return addresses

    def find(self, host: str, port: int) -> tuple[Address, ...]:
        """Resolve `host` once and return the addresses to connect to; otherwise as `judge`.

        Raises:
            AddressRefused: it may not be reached, or no resolver takes it for a name.
            httpx.ConnectError: it has no address now.
        """
        try:
            answers = self.resolve(host, port)
        except UnicodeError:  # a part that is empty or longer than 63 characters
            raise AddressRefused(f"{host!r} is not the name of a host: check the address") from None
        except OSError as error:
            raise httpx.ConnectError(f"{host} has no address: {error}") from error
        if not answers:
            raise httpx.ConnectError(f"{host} has no address")
        return self.judge(host, port, answers)


class SafeTransport(httpx.BaseTransport):
    """Requests under `rules`, with at most `max_bytes` of answer that end within `total_seconds`.

    No connection is kept: two names at one address must not share one, because TLS has checked one name only.
    """

    def __init__(
        self,
        rules: AddressRules,
        *,
        max_bytes: int = MAX_ANSWER_BYTES,
        total_seconds: float = TOTAL_SECONDS,
        verify: SSLContext | bool = True,
    ) -> None:
        self._rules, self._max_bytes, self._total_seconds = rules, max_bytes, total_seconds
        self._inner = httpx.HTTPTransport(
            verify=verify, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to a judged address.

        Raises:
            AddressRefused: nobody was asked.
            AnswerRefused: the answer is too large; raised when it is read.
            httpx.TransportError: as of any transport.
        """
        host, port = _target(request)
        limit = _Limit(host, self._max_bytes, self._total_seconds)
        addresses = self._rules.find(host, port)
        for address in addresses[:-1]:
            try:
                return limit.applied(self._inner.handle_request(_addressed(request, address)))
            except (httpx.ConnectError, httpx.ConnectTimeout):  # the next address may answer
                continue
        return limit.applied(self._inner.handle_request(_addressed(request, addresses[-1])))

    def close(self) -> None:
        """Close what is open."""
        self._inner.close()


class AsyncSafeTransport(httpx.AsyncBaseTransport):
    """`SafeTransport` for asyncio."""

    def __init__(
        self,
        rules: AddressRules,
        *,
        max_bytes: int = MAX_ANSWER_BYTES,
        total_seconds: float = TOTAL_SECONDS,
        verify: SSLContext | bool = True,
    ) -> None:
        self._rules, self._max_bytes, self._total_seconds = rules, max_bytes, total_seconds
        self._inner = httpx.AsyncHTTPTransport(
            verify=verify, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to a judged address; otherwise as `SafeTransport.handle_request`."""
        host, port = _target(request)
        limit = _Limit(host, self._max_bytes, self._total_seconds)
        try:
            async with asyncio.timeout(self._total_seconds):
                addresses = await asyncio.to_thread(self._rules.find, host, port)
                for address in addresses[:-1]:
                    try:
                        return limit.applied(await self._inner.handle_async_request(_addressed(request, address)))
                    except (httpx.ConnectError, httpx.ConnectTimeout):  # the next address may answer
                        continue
                return limit.applied(await self._inner.handle_async_request(_addressed(request, addresses[-1])))
        except TimeoutError:
            raise limit.late() from None

    async def aclose(self) -> None:
        """Close what is open."""
        await self._inner.aclose()


def safe_client(
    rules: AddressRules, *, max_bytes: int = MAX_ANSWER_BYTES, verify: SSLContext | bool = True
) -> httpx.Client:
    """Return a client that reaches nothing but what `rules` allow, follows no redirect and uses no proxy."""
    transport = SafeTransport(rules, max_bytes=max_bytes, verify=verify)
    return httpx.Client(
        transport=transport, trust_env=False, follow_redirects=False, timeout=_TIMEOUT, headers=_UNPACKED
    )


def safe_async_client(
    rules: AddressRules,
    *,
    max_bytes: int = MAX_ANSWER_BYTES,
    total_seconds: float = TOTAL_SECONDS,
    verify: SSLContext | bool = True,
) -> httpx.AsyncClient:
    """Return `safe_client` for asyncio."""
    transport = AsyncSafeTransport(rules, max_bytes=max_bytes, total_seconds=total_seconds, verify=verify)
    return httpx.AsyncClient(
        transport=transport, trust_env=False, follow_redirects=False, timeout=_TIMEOUT, headers=_UNPACKED
    )


#: A packed answer grows a thousandfold after it was counted.
_UNPACKED = {"Accept-Encoding": "identity"}


class _Limit:
    """The most that one answer may be, from the moment when it was asked for."""

    def __init__(self, host: str, max_bytes: int, total_seconds: float) -> None:
        self._host, self._max_bytes, self._total_seconds = host, max_bytes, total_seconds
        self._left, self._deadline = max_bytes, time.monotonic() + total_seconds

    def applied(self, response: httpx.Response) -> httpx.Response:
        stream: httpx.SyncByteStream | httpx.AsyncByteStream
        if isinstance(response.stream, httpx.SyncByteStream):
            stream = _Body(response.stream, self)
        else:
            assert isinstance(response.stream, httpx.AsyncByteStream)
            stream = _AsyncBody(response.stream, self)
        headers = response.headers.copy()
        # Left packed: whoever reads an answer that was to be plain gets bytes that are not what he expects, and no more
        # of them than were counted.
        headers.pop("Content-Encoding", None)
        return httpx.Response(response.status_code, headers=headers, stream=stream, extensions=response.extensions)

    def take(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            raise AnswerRefused(f"{self._host} answers more than {self._max_bytes} bytes; the rest was not read")
        if time.monotonic() > self._deadline:
            raise self.late()
        return piece

    def late(self) -> httpx.ReadTimeout:
        return httpx.ReadTimeout(f"{self._host} did not end its answer in {self._total_seconds:g} s")


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, limit: _Limit) -> None:
        self._stream, self._limit = stream, limit

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            yield self._limit.take(piece)

    def close(self) -> None:
        self._stream.close()


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, limit: _Limit) -> None:
        self._stream, self._limit = stream, limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield self._limit.take(piece)

    async def aclose(self) -> None:
        await self._stream.aclose()


def _target(request: httpx.Request) -> tuple[str, int]:
    """Return host and port, the host as it goes over the wire."""
    url = request.url
    if url.scheme not in _PORTS_BY_SCHEME or not url.host:
        raise AddressRefused(f"{str(url)!r} is not an address on the web: it must start with https:// or http://")
    return url.raw_host.decode("ascii"), url.port or _PORTS_BY_SCHEME[url.scheme]


def _addressed(request: httpx.Request, address: Address) -> httpx.Request:
    """Return the request for one address; Host and the name that TLS checks stay those of the URL."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": _plain(request.url.raw_host.decode("ascii"))},
    )


def _unwrapped(answer: str) -> Address:
    # A zone ("%eth0") belongs to link-local addresses, which are refused anyway.
    address = ipaddress.ip_address(answer.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _plain(host: str) -> str:
    return host.casefold().removesuffix(".")


def _parse(entry: str) -> Network | str | tuple[str, int]:
    try:
        return ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    host, colon, port = entry.rpartition(":")
    if not colon:
        host = port
    name = _plain(host.strip("[]"))
    if not name or set(name) & set("/@ ") or (colon and not (port.isascii() and port.isdigit())):
        raise InputRefused(
            f"BHIV_ALLOWED_HOSTS: {entry!r} is no host: write a name, name:port or a network such as 10.1.0.0/16"
        )
    return (name, int(port)) if colon else name


def _refusal(host: str, reason: str, entry: str) -> AddressRefused:
    return AddressRefused(f"{host} may not be reached: {reason}. If it should be, add {entry} to BHIV_ALLOWED_HOSTS")
