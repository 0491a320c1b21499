"""Fetching pictures from addresses that strangers name: bounded, and never from the own network."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
import tenacity

from bhiv.errors import AddressRefused, AnswerRefused, PictureError
from bhiv.photos.credits import cleaned
from bhiv.safe_transport import AddressRules, safe_async_client

T = TypeVar("T")

#: A phone's photograph has half of it.
MAX_BYTES = 16 << 20
_TOTAL_SECONDS = 30.0
_MOST_REDIRECTS = 3
_LEFT_ALONE_SECONDS = 60.0
_MOST_SHOWN = 80


def rules_of(allowed: Sequence[str], base_url: str = "") -> AddressRules:
    """Return which addresses may be reached: public ones, those that the operator allows, and a service's own.

    The answer of a service is not trusted, but it gains nothing by naming its own host and port: that is where it is
    asked anyway, and nothing secret is sent there.
    """
    parts = urlsplit(base_url)
    if not parts.hostname:
        return AddressRules(tuple(allowed))
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return AddressRules((*allowed, f"{host}:{port}"))


async def fetch(url: str, rules: AddressRules, what: str, *, attempts: int = 1) -> bytes:
    """Return what is at an address; each of at most three redirects is judged like the address itself.

    `what` begins the message of an error.

    Raises:
        PictureError: it could not be had, and why; a host that was silent a moment ago is not asked.
    """
    data: bytes = await _patiently(url, what, attempts, lambda: _whole(url, rules, what))
    return data


async def fetch_file(
    url: str,
    rules: AddressRules,
    what: str,
    target: Path,
    *,
    max_bytes: int,
    total_seconds: float,
    attempts: int = 1,
) -> None:
    """Write what is at an address into a file, in pieces as they come; otherwise as `fetch`."""

    async def take(answer: httpx.Response) -> None:
        with target.open("wb") as file:
            async for piece in answer.aiter_bytes():
                file.write(piece)

    async def ask() -> None:
        client = safe_async_client(rules, max_bytes=max_bytes, total_seconds=total_seconds)
        await _bounded(client, what, total_seconds, lambda: _followed(client, url, what, take))

    await _patiently(url, what, attempts, ask)


async def _patiently(url: str, what: str, attempts: int, ask: Callable[[], Awaitable[T]]) -> T:
    """Ask so often as that may help; a host that is silent is then left alone for a while."""
    host = _host(url, what)
    _refuse_the_silent(host, what)
    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, PictureError) and error.can_pass),
        stop=tenacity.stop_after_attempt(attempts),
        wait=tenacity.wait_random_exponential(multiplier=0.5, max=4),
        reraise=True,
    )

    async def asked() -> T:
        return await ask()

    try:
        return await retrying(asked)
    except PictureError as error:
        if error.is_down:
            _note_silence(host)
        raise


def shown(url: str) -> str:
    """Return an address as a message shows it: without what may be secret in it, and not too long."""
    try:
        parts = urlsplit(url)
        plain = cleaned(f"{parts.hostname or ''}{parts.path}")
    except ValueError:  # brackets without an end
        plain = cleaned(url.partition("?")[0])
    return plain if len(plain) <= _MOST_SHOWN else f"{plain[: _MOST_SHOWN - 1]}…"


def _host(url: str, what: str) -> str:
    try:
        return httpx.URL(url).netloc.decode("ascii")
    except (httpx.InvalidURL, ValueError) as error:
        raise PictureError(f"{what} has no address on the web: {error}") from error


async def _whole(url: str, rules: AddressRules, what: str) -> bytes:
    async def take(answer: httpx.Response) -> bytes:
        if answer.headers.get("content-type", "").lower().startswith("video/"):
            raise PictureError(f"{what} is a video clip, which belongs under the scene's footage")
        return await answer.aread()

    client = safe_async_client(rules, max_bytes=MAX_BYTES)
    return await _bounded(client, what, _TOTAL_SECONDS, lambda: _followed(client, url, what, take))


async def _bounded(client: httpx.AsyncClient, what: str, total_seconds: float, ask: Callable[[], Awaitable[T]]) -> T:
    try:
        async with asyncio.timeout(total_seconds), client:
            return await ask()
    except (AddressRefused, AnswerRefused) as error:
        raise PictureError(f"{what} can't be had: {error}") from error
    except TimeoutError as error:
        raise PictureError(f"{what} did not come in {total_seconds:g} s", can_pass=True, is_down=True) from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError) as error:  # a name that is none: idna's own error
        raise PictureError(f"{what} has no address on the web: {error}") from error
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise PictureError(f"{what} can't be had: {reason}", can_pass=True, is_down=True) from error


async def _followed(
    client: httpx.AsyncClient, url: str, what: str, take: Callable[[httpx.Response], Awaitable[T]]
) -> T:
    for _ in range(_MOST_REDIRECTS + 1):
        async with client.stream("GET", url) as answer:
            if answer.is_redirect and answer.next_request is not None:
                url = str(answer.next_request.url)
                continue
            if not answer.is_success:
                later = answer.status_code >= 500 or answer.status_code == 429
                raise PictureError(f"{what} can't be had: the server answers {answer.status_code}", can_pass=later)
            return await take(answer)
    raise PictureError(f"{what} can't be had: it is moved again and again")


_lock = threading.Lock()
#: Hosts that did not answer, until when they are left alone: two hundred scenes must not wait for each.
_silent: dict[str, float] = {}


def _note_silence(host: str) -> None:
    with _lock:
        _silent[host] = monotonic() + _LEFT_ALONE_SECONDS


def _refuse_the_silent(host: str, what: str) -> None:
    with _lock:
        for known in [*_expired()]:
            del _silent[known]
        is_silent = host in _silent
    if is_silent:
        raise PictureError(f"{what} can't be had: its server was silent a moment ago", can_pass=True, is_down=True)


def _expired() -> Iterator[str]:
    return (host for host, until in _silent.items() if until < monotonic())
