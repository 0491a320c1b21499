"""One message to the Core service: made, posted once, and its answer judged.

Nothing here imports an HTTP library before something is sent.
"""

import asyncio
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from bhiv.callback_rules import retry_after_seconds
from bhiv.errors import CoreUnavailable, InputRefused
from bhiv.settings import Settings

if TYPE_CHECKING:
    import httpx

DEFAULT_CORE_URL = "http://localhost:9000/bhiv/core"
#: Nobody waits longer between two attempts: a Core that asks for more gets the message by a replay.
MAX_PAUSE_SECONDS = 60.0
_RETRYABLE = frozenset({408, 425, 429})

Event = Literal["sent", "failed", "retried", "replayed"]


@dataclass(frozen=True)
class Message:
    """JSON for Core, and where it goes; the same `id` is the same message."""

    id: str
    payload: dict[str, Any]
    body: bytes
    url: str
    #: What the caller named, None when the settings did.
    named_url: str | None
    token: str | None

    def headers(self) -> dict[str, str]:
        """Return the headers that it is posted with."""
        # Any text may be an id, only some may be a header.
        plain = re.fullmatch(r"[\x21-\x7e]{1,255}", self.id)
        key = self.id if plain else "sha256-" + hashlib.sha256(self.id.encode(errors="surrogatepass")).hexdigest()
        bearer = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {"Content-Type": "application/json", "Accept": "application/json", "Idempotency-Key": key} | bearer


def make_message(payload: Mapping[str, Any], url: str | None, token: str | None, settings: Settings) -> Message:
    """Return a payload as a message; one without `id` gets one.

    `url` and `token` of None take those of the settings; a token of the settings goes nowhere else.

    Raises:
        InputRefused: the payload is no JSON object, or no header can hold the token.
    """
    if not isinstance(payload, Mapping):
        raise InputRefused(f"a message to Core is a JSON object, not {type(payload).__name__}")
    content = dict(payload)
    if content.get("id") in (None, ""):
        content["id"] = uuid.uuid4().hex
    default = settings.core_url or DEFAULT_CORE_URL
    # The settings' token is for the settings' Core and nobody else.
    if token is None and (url is None or url == default) and settings.core_token:
        token = settings.core_token.get_secret_value()
    if token and not re.fullmatch(r"[\x21-\x7e]+", token):
        raise InputRefused("Core's token holds characters that no header can: check BHIV_CORE_TOKEN")
    return Message(str(content["id"]), content, as_json(content), url or default, url, token)


def as_json(payload: str | Mapping[str, Any] | list[Any]) -> bytes:
    """Return text as UTF-8, anything else as JSON; raises InputRefused for what is neither."""
    try:
        return payload.encode() if isinstance(payload, str) else json.dumps(payload, allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise InputRefused(f"the payload can't be written as JSON or UTF-8: {error}") from None


def open_client(timeout_seconds: float) -> "httpx.Client":
    """Return a client for any number of messages, to be closed."""
    import httpx

    # No proxy of the environment: Core is the operator's own, and the message carries its token.
    return httpx.Client(timeout=timeout_seconds, trust_env=False, verify=_trusted())


async def open_async_client(timeout_seconds: float) -> "httpx.AsyncClient":
    """Do as `open_client`, for asyncio."""
    import httpx

    verify = await asyncio.to_thread(_trusted)  # 30 ms
    return httpx.AsyncClient(timeout=timeout_seconds, trust_env=False, verify=verify)


def _trusted() -> Any:
    """Return what the machine trusts, a certificate of the operator's own (SSL_CERT_FILE) included."""
    import httpx

    return httpx.create_ssl_context()


def send(
    client: "httpx.Client", message: Message, max_retries: int, backoff: float, on_event: Callable[[Event], None]
) -> dict[str, Any]:
    """Post a message until Core has taken it, and return Core's answer.

    What may pass is tried again, after pauses that begin with `backoff` seconds and double, or as long as Core asks.

    Raises:
        CoreUnavailable: Core did not take it.
        InputRefused: its address is none.
    """
    import tenacity

    answer: dict[str, Any] = tenacity.Retrying(**_policy(max_retries, backoff, on_event))(post, client, message)
    return answer


async def send_async(
    client: "httpx.AsyncClient", message: Message, max_retries: int, backoff: float, on_event: Callable[[Event], None]
) -> dict[str, Any]:
    """Do as `send`, for asyncio."""
    import tenacity

    retrying = tenacity.AsyncRetrying(**_policy(max_retries, backoff, on_event))
    answer: dict[str, Any] = await retrying(_post_async, client, message)
    return answer


def _policy(max_retries: int, backoff: float, on_event: Callable[[Event], None]) -> dict[str, Any]:
    import tenacity

    grown = tenacity.wait_exponential(multiplier=backoff, max=MAX_PAUSE_SECONDS) + tenacity.wait_random(0, backoff / 4)

    def asked_for(error: BaseException | None) -> float:
        return (error.retry_after_seconds or 0) if isinstance(error, CoreUnavailable) else 0

    def pause(state: tenacity.RetryCallState) -> float:
        return max(grown(state), asked_for(state.outcome.exception() if state.outcome else None))

    def may_pass(error: BaseException) -> bool:
        return isinstance(error, CoreUnavailable) and error.retryable and asked_for(error) <= MAX_PAUSE_SECONDS

    return {
        "retry": tenacity.retry_if_exception(may_pass),
        "stop": tenacity.stop_after_attempt(max_retries + 1),
        "wait": pause,
        "before_sleep": lambda _: on_event("retried"),
        "reraise": True,
    }


def post(client: "httpx.Client", message: Message) -> dict[str, Any]:
    """Send a message once; otherwise as `send`."""
    import httpx

    try:
        return _judge(client.post(message.url, content=message.body, headers=message.headers()), message)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _unanswered(error, message) from error


async def _post_async(client: "httpx.AsyncClient", message: Message) -> dict[str, Any]:
    import httpx

    try:
        return _judge(await client.post(message.url, content=message.body, headers=message.headers()), message)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _unanswered(error, message) from error


def _unanswered(error: Exception, message: Message) -> CoreUnavailable | InputRefused:
    import httpx

    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return InputRefused("Core's address is no address on the web: set BHIV_CORE_URL to http://… or https://…")
    return CoreUnavailable(f"Core at {_shown(message.url)} does not answer: {error or type(error).__name__}")


def _judge(response: "httpx.Response", message: Message) -> dict[str, Any]:
    """Return Core's answer, or raise what it means."""
    where, status = f"Core at {_shown(message.url)}", response.status_code
    if not response.is_success:
        raise CoreUnavailable(
            f"{where} answered {status} {response.reason_phrase}".rstrip()
            + ("; check BHIV_CORE_URL and BHIV_CORE_TOKEN" if 300 <= status < 500 and status not in _RETRYABLE else ""),
            retryable=status >= 500 or status in _RETRYABLE,
            answered=True,
            retry_after_seconds=retry_after_seconds(response.headers.get("Retry-After"), datetime.now(UTC)),
        )
    if status == 204 or response.headers.get("Content-Length") == "0":
        return {}
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise CoreUnavailable(f"{where} answered {status} with something other than a JSON object", answered=True)
    return answer


def _shown(url: str) -> str:
    """Return an address without the password that it may hold."""
    return re.sub(r"//[^/@]*@", "//", url)
