"""Who may do what: API keys with scopes, and how fast."""

import ipaddress
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic, time
from urllib.parse import urlsplit

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.requests import Request

from bhiv import api_keys
from bhiv.api_keys import SCOPES, KeyView, Scope
from bhiv.catalog import Catalog
from bhiv.catalog.writer import Writer
from bhiv.service.problems import Problem
from bhiv.settings import Settings

#: What a key was found to be is believed for so long: a revoked one is refused a second later.
_BELIEF_SECONDS = 1.0
_MOST_BELIEFS = 10_000
_NOTE_SECONDS = 60.0
_SAFE = {"GET", "HEAD", "OPTIONS"}


class Gate:
    """Lets requests through, or says why not."""

    def __init__(self, settings: Settings, catalog: Catalog, writer: Writer) -> None:
        self._settings, self._catalog, self._writer = settings, catalog, writer
        self._beliefs: dict[str, tuple[float, KeyView]] = {}
        self._noted: dict[str, float] = {}
        # Its storage for threads starts one of them every few requests, and waits for it.
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._rate = RateLimitItemPerMinute(settings.rate_limit_per_minute)

    async def admit(self, request: Request, scope: Scope) -> KeyView:
        """Return the key that a request comes with.

        Raises:
            Problem: 401 without a valid key, 403 when it does not open `scope`, 429 when it is used too often.
        """
        key = self._key(request, scope)
        if request.method not in _SAFE:
            await self.limit(key.id)
        return key

    async def limit(self, sender: str) -> None:
        """Count a change that a key, or somebody else, asks for; raises Problem 429 when those are too many."""
        if not await self._limiter.hit(self._rate, sender):
            reset = (await self._limiter.get_window_stats(self._rate, sender)).reset_time
            raise Problem(
                429, "too many requests",
                f"this key may ask for {self._settings.rate_limit_per_minute} changes a minute; wait and try again",
                {"Retry-After": str(max(1, round(reset - time())))},
            )  # fmt: skip

    def _key(self, request: Request, scope: Scope) -> KeyView:
        if self._settings.auth == "off":
            _refuse_strange_hosts(request)
            return ANYBODY
        key = self._believed(_given(request))
        if key is None:
            raise Problem(
                401, "no valid API key", "send `Authorization: Bearer KEY`; `bhiv keys create` makes one",
                {"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        if not key.allows(scope):
            raise Problem(403, "not allowed", f"this key's scopes don't include {scope}")
        now = monotonic()
        if now - self._noted.get(key.id, -_NOTE_SECONDS) >= _NOTE_SECONDS:
            self._noted[key.id] = now
            self._writer.write(partial(api_keys.note_use, id_=key.id))
        return key

    def _believed(self, given: str) -> KeyView | None:
        now = monotonic()
        known = self._beliefs.get(given)
        key = known[1] if known else None
        if known is None or now - known[0] > _BELIEF_SECONDS:
            key = api_keys.check(self._catalog, given)
            if key is None:  # not kept: anybody could fill the memory with guesses
                self._beliefs.pop(given, None)
                return None
            if len(self._beliefs) >= _MOST_BELIEFS:
                self._beliefs.clear()
            self._beliefs[given] = (now, key)
        return key


#: Who comes without a key where none is wanted.
ANYBODY = KeyView(
    id="-", name="anybody", scopes=SCOPES, created_at=datetime.fromtimestamp(0, UTC) + timedelta(),
    last_used_at=None, revoked_at=None,
)  # fmt: skip


async def admit(request: Request, scope: Scope) -> KeyView:
    """Return the key that a request comes with; raises Problem as `Gate.admit` does.

    Called, not declared as a dependency: FastAPI takes as long to resolve one as to serve a poll.
    """
    gate: Gate = request.app.state.service.gate
    return await gate.admit(request, scope)


def is_loopback(host: str) -> bool:
    """Whether a name or address means this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _given(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else request.headers.get("x-api-key", "")


def _refuse_strange_hosts(request: Request) -> None:
    # Without keys, a web page that the user visits must not get in under a name that leads to this machine.
    try:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        host = ""
    if not is_loopback(host):
        raise Problem(421, "wrong host", "without API keys the service answers to loopback addresses only")
