"""For other programs too: messages to the Core service, which arrive once, and files for the bucket.

A message has an id, sent as `Idempotency-Key`. What Core does not take waits in a file and is replayed under the same
id. Neither Prefect nor an HTTP library is imported before something is sent.
"""

import asyncio
import hashlib
import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from mimetypes import MimeTypes
from pathlib import PurePosixPath
from typing import Any

from bhiv import failed_sends
from bhiv.bucket import open_bucket
from bhiv.bucket.keys import Segment
from bhiv.core_message import (
    Event,
    Message,
    as_json,
    make_message,
    open_async_client,
    open_client,
    post,
    send,
    send_async,
)
from bhiv.errors import CoreUnavailable
from bhiv.failed_sends import FailedSend
from bhiv.settings import Settings, load_settings

TIMEOUT_SECONDS = 30.0
#: A replay ends after so many messages in a row without any answer.
_SILENCES = 3


@dataclass
class SendCounts:
    """Counts of what became of messages in this process; give it as `on_event`, from any thread."""

    counts: Counter[Event] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __call__(self, event: Event) -> None:
        """Count one."""
        with self._lock:
            self.counts[event] += 1


@dataclass(frozen=True)
class Sent:
    """What became of one message of a batch: an answer, or an error and a place in the file of failed sends."""

    id: str
    answer: dict[str, Any] | None
    error: CoreUnavailable | None


@dataclass(frozen=True)
class SendReplay:
    """What a replay of failed sends did."""

    #: Messages that Core has taken, and those that wait on.
    sent: int = 0
    left: int = 0
    #: Lines of the file that are no messages; they stay.
    unreadable: int = 0
    #: What went wrong, a sentence each.
    errors: tuple[str, ...] = ()
    #: Whether another replay is at work, so that this one did nothing.
    busy: bool = False


def _ignore(event: Event) -> None:
    del event


def send_to_core(
    payload: Mapping[str, Any],
    max_retries: int = 3,
    backoff: float = 1,
    *,
    url: str | None = None,
    token: str | None = None,
    settings: Settings | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    on_event: Callable[[Event], None] = _ignore,
) -> dict[str, Any]:
    """Send a message to Core and return its answer, empty when Core answers without words.

    Args:
        payload: JSON; its `id` makes a message the same one when it comes again, and is made up when missing.
        max_retries: further attempts after the first, for failures that may pass.
        backoff: seconds before the first of them, doubled for each; longer where Core asks for it, a minute at most.
        url: None for `BHIV_CORE_URL`, else http://localhost:9000/bhiv/core.
        token: of the service; None for `BHIV_CORE_TOKEN` where `url` is None too, else none.
        settings: None for those of the environment.
        timeout_seconds: how long Core may be silent.
        on_event: told of each event, such as a `SendCounts`.

    Raises:
        InputRefused: the payload is no JSON, or address or token can't be used; nothing was sent or kept.
        CoreUnavailable: Core did not take it; it waits in the file of failed sends.
        DiskFull, StorageError: nor could it be kept.
    """
    settings = settings or load_settings()
    message = make_message(payload, url, token, settings)
    with open_client(timeout_seconds) as client:
        try:
            answer = send(client, message, max_retries, backoff, on_event)
        except CoreUnavailable as error:
            _keep(message, error, settings, on_event)
            raise
    on_event("sent")
    return answer


async def send_to_core_async(
    payload: Mapping[str, Any],
    max_retries: int = 3,
    backoff: float = 1,
    *,
    url: str | None = None,
    token: str | None = None,
    settings: Settings | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    on_event: Callable[[Event], None] = _ignore,
    keep: bool = True,
) -> dict[str, Any]:
    """Do as `send_to_core`, for asyncio; without `keep`, the caller sees to what Core does not take."""
    settings = settings or load_settings()
    message = make_message(payload, url, token, settings)
    async with await open_async_client(timeout_seconds) as client:
        try:
            answer = await send_async(client, message, max_retries, backoff, on_event)
        except CoreUnavailable as error:
            if keep:
                await asyncio.to_thread(_keep, message, error, settings, on_event)
            else:
                on_event("failed")
            raise
    on_event("sent")
    return answer


def send_batch_to_core(
    payloads: Iterable[Mapping[str, Any]],
    max_retries: int = 3,
    backoff: float = 1,
    *,
    url: str | None = None,
    token: str | None = None,
    settings: Settings | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    on_event: Callable[[Event], None] = _ignore,
) -> list[Sent]:
    """Send messages one after another over one connection; return what became of each, in their order.

    Once Core has not answered one of them at all, the others are tried without retries. Otherwise as `send_to_core`.

    Raises:
        InputRefused: one of the payloads, address or token can't be used; nothing was sent or kept.
        DiskFull, StorageError: a message could be neither sent nor kept; those after it were not tried.
    """
    settings = settings or load_settings()
    messages = [make_message(payload, url, token, settings) for payload in payloads]
    results = []
    with open_client(timeout_seconds) as client:
        for message in messages:
            try:
                answer = send(client, message, max_retries, backoff, on_event)
            except CoreUnavailable as error:
                max_retries = max_retries if error.answered else 0
                _keep(message, error, settings, on_event)
                results.append(Sent(message.id, None, error))
            else:
                on_event("sent")
                results.append(Sent(message.id, answer, None))
    return results


def replay_failed_sends(
    *,
    url: str | None = None,
    token: str | None = None,
    settings: Settings | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    on_event: Callable[[Event], None] = _ignore,
) -> SendReplay:
    """Send what waits in the file of failed sends, each message once by its id; keep what fails again.

    What others append meanwhile waits for the next replay. A replay that is killed leaves the file as it was: Core is
    sent the same ids again, and knows them. When three in a row get no answer, the others are not tried.

    Args:
        url: where everything goes; None for where each message was to go.
        token: as in `send_to_core`.
        settings: None for those of the environment.
        timeout_seconds: how long Core may be silent.
        on_event: told of each event.

    Raises:
        DiskFull, StorageError: the file can't be read or written; it is as it was.
        InputRefused: address or token can't be used.
    """
    settings = settings or load_settings()
    file = settings.failed_sends_file
    if not file.exists():
        return SendReplay()
    with failed_sends.replaying(file) as alone:
        if not alone:
            return SendReplay(busy=True)
        before = failed_sends.waiting(file)
        if not before.sends:
            return SendReplay(unreadable=len(before.unreadable))
        failed: list[FailedSend] = []
        left = list(before.sends)
        silences = 0
        with open_client(timeout_seconds) as client:
            while left and silences < _SILENCES:
                send = left.pop(0)
                try:
                    post(client, make_message({"id": send.id} | send.payload, url or send.url, token, settings))
                except CoreUnavailable as error:
                    silences = 0 if error.answered else silences + 1
                    failed.append(replace(send, attempts=send.attempts + 1, error=str(error), failed_at=_now()))
                    on_event("failed")
                else:
                    silences = 0
                    on_event("replayed")
        # Those that failed go behind those that were not tried, so that they can't keep them from ever being tried.
        kept = left + failed
        failed_sends.settle(file, before, kept)
    errors = tuple(dict.fromkeys(send.error for send in failed))
    return SendReplay(len(before.sends) - len(kept), len(kept), len(before.unreadable), errors)


def save_to_bucket(
    payload: bytes | str | Mapping[str, Any] | list[Any],
    filename: str,
    *,
    segment: Segment = "logs",
    settings: Settings | None = None,
) -> str:
    """Store `payload` in the bucket and return its key; under the same name, in place of what was there.

    The key is made from the name's readable part and its hash: no two names share a key, and none leads elsewhere.

    Args:
        payload: bytes, text (stored as UTF-8), or what JSON can say.
        filename: any text; its ending names the media type.
        segment: of the bucket.
        settings: None for those of the environment.

    Raises:
        InputRefused: the payload is neither bytes, text nor JSON.
        DiskFull, StorageError: nothing was stored.
    """
    data = payload if isinstance(payload, bytes) else as_json(payload)
    key = f"{segment}/{object_name(filename)}"
    media_type = MimeTypes().guess_type(key)[0] or "application/octet-stream"
    return open_bucket(settings or load_settings()).put_bytes(key, data, media_type).key


def object_name(filename: str) -> str:
    """Return the name of an object for a user's `filename`: readable, in the bucket's grammar, one for each name."""
    folded = unicodedata.normalize("NFKD", filename).encode("ascii", "ignore").decode().lower()
    ending = re.fullmatch(r"\.[a-z0-9]{1,10}", PurePosixPath(folded.replace("\\", "/")).suffix)
    stem = folded.removesuffix(ending[0]) if ending else folded
    readable = re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:80].strip("-") or "file"
    mark = hashlib.sha256(filename.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{readable}-{mark}{ending[0] if ending else ''}"


def _keep(message: Message, error: CoreUnavailable, settings: Settings, on_event: Callable[[Event], None]) -> None:
    on_event("failed")
    kept = FailedSend(message.id, message.payload, message.named_url, _now(), 1, str(error))
    failed_sends.append(settings.failed_sends_file, kept)


def _now() -> str:
    return datetime.now(UTC).isoformat()
