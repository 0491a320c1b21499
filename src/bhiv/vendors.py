"""Asking the services that an operator chose: language models, voices, pictures.

What may pass is tried again; what is down is left alone for a minute, so that a video of two hundred scenes does not
wait for it two hundred times. Addresses that a user gives are for `safe_transport`, not for this.
"""

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Self, TypeVar

import httpx
import tenacity

from bhiv import process
from bhiv.callback_rules import retry_after_seconds
from bhiv.errors import Interrupted, VendorError

T = TypeVar("T")

#: 408, 425 and 429 say "later"; 5xx are the server's own trouble. Anything else would be answered the same again.
_LATER = frozenset({408, 425, 429})
#: No key, or a wrong one: other requests fare no better.
_CLOSED = frozenset({401, 402, 403})
_LEFT_ALONE_SECONDS = 60.0
_MOST_WORDS = 200
_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Patience:
    """How long a vendor is waited for, in seconds, and how often it is asked."""

    attempts: int = 5
    #: Before the second attempt; doubled for each that follows.
    first_pause: float = 1.0
    #: A vendor that asks for more is down.
    longest_pause: float = 30.0
    #: For an answer to begin, and between two parts of it.
    silence: float = 30.0
    #: For all attempts together.
    total: float = 120.0


@dataclass(frozen=True)
class Vendor:
    """A service, as it is reached."""

    #: As messages call it, such as "the language model".
    name: str
    base_url: str
    #: What is raised.
    error: type[VendorError]
    #: Sent with every request; may hold a key, and is never shown.
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    patience: Patience = Patience()
    max_bytes: int = 32 << 20


@dataclass(frozen=True)
class Answer:
    """What a vendor answered; `media_type` is in lower case, without parameters, empty for none."""

    body: bytes
    media_type: str


class VendorClient:
    """Connections to a vendor, for one event loop."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        # The machine's own proxies and certificates: a vendor on the internet may be reached by them only.
        self._client = httpx.AsyncClient(
            base_url=vendor.base_url.rstrip("/") + "/", headers=dict(vendor.headers), timeout=vendor.patience.silence
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask for something, as often as that is sensible, and return the whole answer to a request that succeeded.

        Raises:
            VendorError: of the vendor's own class. It could not be had, and why; without asking when it was down a
                moment ago.
        """
        vendor, patience = self._vendor, self._vendor.patience
        refuse_what_is_down(vendor)
        request = self._client.build_request(
            method,
            path.lstrip("/"),
            json=json,
            data=form,
            params=dict(params or {}),
            headers=dict(headers or {}),
        )
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, _Again)),
            stop=tenacity.stop_after_attempt(patience.attempts),
            wait=_pause(patience),
            reraise=True,
        )
        try:
            async with asyncio.timeout(patience.total):
                answer: Answer = await retrying(self._once, request)
        except _Again as again:
            error = vendor.error(str(again), can_pass=True, is_down=True)
        except TimeoutError:
            words = f"{vendor.name} did not answer within {patience.total:g} s"
            error = vendor.error(words, can_pass=True, is_down=True)
        except VendorError as refused:
            error = refused
        else:
            note_outcome(vendor, None)
            return answer
        if error.is_down:
            note_outcome(vendor, error)
        raise error

    async def _once(self, request: httpx.Request) -> Answer:
        vendor = self._vendor
        try:
            response = await self._client.send(request, stream=True)
            try:
                body = await self._read(response)
            finally:
                await response.aclose()
        except httpx.UnsupportedProtocol as error:
            raise vendor.error(f"{vendor.name} has no address on the web: write http://… or https://…") from error
        except httpx.TimeoutException as error:
            raise _Again(f"{vendor.name} was silent for {vendor.patience.silence:g} s") from error
        except httpx.HTTPError as error:
            raise _Again(f"{vendor.name} does not answer: {error or type(error).__name__}") from error
        if response.is_success:
            return Answer(body, response.headers.get("content-type", "").partition(";")[0].strip().lower())
        raise self._refused(response, body)

    async def _read(self, response: httpx.Response) -> bytes:
        pieces, size = [], 0
        async for piece in response.aiter_bytes():
            size += len(piece)
            if size > self._vendor.max_bytes:
                raise self._vendor.error(f"{self._vendor.name} answers more than {self._vendor.max_bytes:,} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    def _refused(self, response: httpx.Response, body: bytes) -> Exception:
        vendor, status = self._vendor, response.status_code
        words = f"{vendor.name} answered {status} {response.reason_phrase}".rstrip() + _its_words(body, vendor)
        if status < 500 and status not in _LATER:
            return vendor.error(words, is_down=status in _CLOSED, status=status)
        asked = retry_after_seconds(response.headers.get("retry-after"), datetime.now(UTC))
        if asked is not None and asked > vendor.patience.longest_pause:
            return vendor.error(f"{words}; it wants to be left alone for {asked:.0f} s", can_pass=True, is_down=True)
        return _Again(words, asked)


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and return its result, in a thread that has no event loop.

    Raises:
        Interrupted: the run was asked to end meanwhile.
    """

    async def watched() -> T:
        task = asyncio.ensure_future(work)
        while not task.done():
            await asyncio.wait({task}, timeout=_LOOK_SECONDS)
            if process.is_stopped() and not task.done():
                task.cancel()
                raise Interrupted("the run was asked to end")
        return task.result()

    return asyncio.run(watched())


class _Again(Exception):
    """What may pass; `seconds` is the pause that the vendor asks for."""

    def __init__(self, words: str, seconds: float | None = None) -> None:
        super().__init__(words)
        self.seconds = seconds or 0.0


def _pause(patience: Patience) -> Any:
    grown = tenacity.wait_exponential(multiplier=patience.first_pause, max=patience.longest_pause)
    jittered = grown + tenacity.wait_random(0, patience.first_pause / 2)

    def pause(state: tenacity.RetryCallState) -> float:
        again = state.outcome.exception() if state.outcome else None
        return max(jittered(state), again.seconds if isinstance(again, _Again) else 0.0)

    return pause


def _its_words(body: bytes, vendor: Vendor) -> str:
    """Return the beginning of what a vendor says of its refusal, without what it was sent in the headers."""
    words = " ".join(body[: 10 * _MOST_WORDS].decode(errors="replace").split())
    for secret in vendor.headers.values():
        words = words.replace(secret, "…").replace(secret.rpartition(" ")[2], "…")
    printable = "".join(letter for letter in words if letter.isprintable())
    return f": {printable[:_MOST_WORDS]}" if printable and not printable.startswith("<") else ""


_lock = threading.Lock()
#: By name and address: until when they are left alone, and why.
_down: dict[tuple[str, str], tuple[float, VendorError]] = {}


def note_outcome(vendor: Vendor, error: VendorError | None) -> None:
    """Have a vendor that is down left alone for a while, or asked again, without an error, since it answers."""
    with _lock:
        if error is None:
            _down.pop((vendor.name, vendor.base_url), None)
        else:
            _down[(vendor.name, vendor.base_url)] = monotonic() + _LEFT_ALONE_SECONDS, error


def refuse_what_is_down(vendor: Vendor) -> None:
    """Raise the vendor's error when it was down a moment ago."""
    with _lock:
        until, error = _down.get((vendor.name, vendor.base_url), (0.0, None))
    if error is not None and monotonic() < until:
        raise vendor.error(f"{error} (a moment ago; it was not asked again)", can_pass=error.can_pass, is_down=True)
