"""The courier: it brings what is in the outbox to callbacks and the Core service, until it has arrived or is given up.

At least once, always under the same id. One courier to a catalog; a receiver that is slow delays its own letters only.
"""

import asyncio
import contextlib
import json
import logging
import random
import re
import socket
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import httpx
from sqlalchemy import Connection

from bhiv import failed_sends
from bhiv.callback_rules import Ended
from bhiv.catalog import Catalog, deliveries
from bhiv.catalog.deliveries import KINDS, Parcel, Tried
from bhiv.catalog.writer import Writer
from bhiv.connectors import send_to_core_async
from bhiv.core_message import Event
from bhiv.errors import AddressRefused, CatalogUnavailable, CoreUnavailable, InputRefused, StorageError
from bhiv.failed_sends import FailedSend
from bhiv.safe_transport import WEB_PORTS, AddressRules, safe_async_client
from bhiv.settings import Settings
from bhiv.webhook_secrets import callback_secrets
from bhiv.webhook_signing import signed_headers

T = TypeVar("T")

TIMEOUT_SECONDS = 15.0
_MOST_AT_ONCE = 20
_MOST_TO_A_HOST = 5
#: Due letters looked at, of each address in turn.
_LOOKED_AT = 100
_ROUND_SECONDS = 0.5
#: Who is not the courier looks so often whether that one still lives.
_WATCH_SECONDS = 2.0
_CORE = "the Core service"
#: A name, or an address.
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")

_log = logging.getLogger(__name__)


class Courier:
    """Delivers what is due, many letters at once.

    Raises:
        InputRefused: a setting of callbacks can't be used.
        DiskFull, StorageError: the secret to sign with can't be kept in the home.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        writer: Writer,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        on_event: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self._on_event = on_event
        self._settings, self._catalog, self._writer, self._timeout = settings, catalog, writer, timeout_seconds
        self._rules = AddressRules(settings.allowed_hosts)
        self._secrets = callback_secrets(settings)
        self._client = safe_async_client(self._rules, verify=httpx.create_ssl_context())
        self._at_work: dict[str, asyncio.Task[None]] = {}
        self._by_host: Counter[str] = Counter()

    async def run(self) -> None:
        """Deliver until cancelled, whenever no other process of the catalog does; what is under way stays due."""
        try:
            while True:
                try:
                    with self._catalog.alone("courier") as alone:
                        if alone:
                            await self._deliver()
                except CatalogUnavailable as error:
                    _log.warning("%s; callbacks wait", error)
                await asyncio.sleep(_WATCH_SECONDS)
        finally:
            await self._drop()
            await self._client.aclose()

    async def round(self) -> int:
        """Try what is due now, all of it to the end; return how much that was.

        Raises:
            CatalogUnavailable: as it says.
        """
        tried = 0
        while begun := self._begin():
            tried += begun
            await asyncio.gather(*self._at_work.values())
        return tried

    def check_address(self, url: str) -> None:
        """Refuse a callback's address that no attempt could reach; a name is judged again whenever it is resolved.

        Raises:
            InputRefused: it is not https, not the web's, or inside the own network, and not in `allowed_hosts`.
        """
        check_address(url, self._rules)

    async def _deliver(self) -> None:
        try:
            while True:
                self._begin()
                if self._at_work:  # ends early when a letter has: its place may be another's
                    await asyncio.wait(self._at_work.values(), timeout=_ROUND_SECONDS, return_when="FIRST_COMPLETED")
                else:
                    await asyncio.sleep(_ROUND_SECONDS)
        finally:
            await self._drop()

    async def _drop(self) -> None:
        under_way = [*self._at_work.values()]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def _begin(self) -> int:
        """Begin to deliver what is due and has a place; return how much that is."""
        if len(self._at_work) >= _MOST_AT_ONCE:
            return 0
        # What Core must be told waits until the settings say where it is.
        kinds = [kind for kind in KINDS if kind == "callback" or self._settings.core_url is not None]
        begun = 0
        for parcel in [one for kind in kinds for one in deliveries.due(self._catalog, kind, _LOOKED_AT)]:
            host = _host(parcel)
            if parcel.id in self._at_work or self._by_host[host] >= _MOST_TO_A_HOST:
                continue
            if len(self._at_work) >= _MOST_AT_ONCE:
                break
            self._by_host[host] += 1
            task = asyncio.create_task(self._bring(parcel), name=f"letter {parcel.id}")
            task.add_done_callback(partial(self._forget, parcel.id, host))
            self._at_work[parcel.id] = task
            begun += 1
        return begun

    def _forget(self, letter: str, host: str, task: asyncio.Task[None]) -> None:
        del self._at_work[letter]
        self._by_host[host] -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("the letter %s was tried and stays due", letter, exc_info=error)

    async def _bring(self, parcel: Parcel) -> None:
        began = time.monotonic()
        tried = await (self._tell_core(parcel) if parcel.url is None else self._call(parcel, parcel.url))
        tried = tried.model_copy(update={"seconds": time.monotonic() - began})
        # Not for secrecy: receivers that were away must not be met by all at once.
        jitter = random.random()  # noqa: S311
        try:
            decided = await self._write(partial(deliveries.note, parcel=parcel, tried=tried, jitter=jitter))
        except CatalogUnavailable as error:
            _log.warning("%s; what was just sent to %s will be sent again", error, _host(parcel))
            await asyncio.sleep(_WATCH_SECONDS)
            return
        if parcel.kind == "core" and isinstance(decided, Ended):
            await self._keep(parcel, tried)

    async def _call(self, parcel: Parcel, url: str) -> Tried:
        body = json.dumps(parcel.payload, separators=(",", ":")).encode()
        secrets = (parcel.secret,) if parcel.secret else self._secrets
        try:
            headers = signed_headers(secrets, parcel.id, int(time.time()), body)
            self.check_address(url)
            async with asyncio.timeout(self._timeout), self._post(url, body, headers) as response:
                # Its words are nobody's concern, and may never end.
                status, asked = response.status_code, response.headers.get("retry-after")
        except (AddressRefused, InputRefused) as error:
            return Tried(status=None, error=str(error), seconds=0, refused=True)
        except TimeoutError:
            return Tried(status=None, error=f"no answer within {self._timeout:g} s", seconds=0)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return Tried(status=None, error=f"no answer: {error or type(error).__name__}", seconds=0)
        reason = None if 200 <= status < 300 else f"answered {status}"
        return Tried(status=status, error=reason, seconds=0, retry_after=asked)

    def _post(
        self, url: str, body: bytes, headers: dict[str, str]
    ) -> contextlib.AbstractAsyncContextManager[httpx.Response]:
        plain = {"Content-Type": "application/json", "User-Agent": "BHIV"}
        return self._client.stream("POST", url, content=body, headers=plain | headers, timeout=self._timeout)

    async def _tell_core(self, parcel: Parcel) -> Tried:
        try:
            await send_to_core_async(
                {"id": parcel.id} | parcel.payload,
                0,
                settings=self._settings,
                timeout_seconds=self._timeout,
                keep=False,
                on_event=self._on_event,
            )
        except CoreUnavailable as error:
            pause = error.retry_after_seconds
            # Any status that asks for a pause: which one it was is in the message.
            status, asked = (503, str(int(pause))) if pause else (None, None)
            return Tried(status=status, error=str(error), seconds=0, retry_after=asked)
        except InputRefused as error:  # an address or a token that a person may set right
            return Tried(status=None, error=str(error), seconds=0)
        return Tried(status=200, error=None, seconds=0)

    async def _keep(self, parcel: Parcel, tried: Tried) -> None:
        moment, payload = datetime.now(UTC).isoformat(), {"id": parcel.id} | parcel.payload
        send = FailedSend(parcel.id, payload, None, moment, parcel.attempts + 1, tried.error or "")
        try:
            await asyncio.to_thread(failed_sends.append, self._settings.failed_sends_file, send)
        except StorageError as error:  # it is in the outbox all the same
            _log.warning("%s; `bhiv deliveries replay %s` sends it once more", error, parcel.id)

    async def _write(self, do: Callable[[Connection], T]) -> T:
        return await self._writer.written(do)


def check_address(url: str, rules: AddressRules) -> None:
    """Refuse an address that no attempt could reach, without asking for any name; as `Courier.check_address`."""
    try:
        address = httpx.URL(url)
        host = address.raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError):
        host = ""
    if not _HOST.fullmatch(host) or address.scheme not in {"http", "https"}:
        raise InputRefused("a callback's address is no address on the web: write https://host/path")
    if address.userinfo:
        raise InputRefused("a callback's address holds a name or a password: callbacks are signed, leave it out")
    port = address.port or (443 if address.scheme == "https" else 80)
    if rules.allows(host, port):
        return
    if address.scheme != "https":
        raise InputRefused(f"callbacks go to https only: use https, or add {host} to BHIV_ALLOWED_HOSTS")
    if not rules.allowed and port not in WEB_PORTS:
        raise InputRefused(f"callbacks go to port 443 only: add {host}:{port} to BHIV_ALLOWED_HOSTS")
    try:
        # Numbers only, in all their forms: no name is asked for here.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return
    try:
        rules.judge(host, port, [str(one[4][0]) for one in found])
    except AddressRefused as error:
        raise InputRefused(str(error)) from None


def _host(parcel: Parcel) -> str:
    if parcel.url is None:
        return _CORE
    try:
        return httpx.URL(parcel.url).host
    except (httpx.InvalidURL, ValueError):
        return parcel.url
