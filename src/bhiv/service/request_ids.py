"""A name for each request: the caller's own where it is sane, else a new one; in the answer and in what is logged."""

import logging
import re
import secrets
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bhiv.log_lines import tell

_SANE = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_QUIET = {"GET", "HEAD", "OPTIONS"}

_log = logging.getLogger(__name__)


class RequestIds:
    """Names requests, and logs those that ask for a change or fail."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request of which everything that is logged carries the name."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        id_ = given if _SANE.fullmatch(given) else secrets.token_hex(8).encode()
        name, started = id_.decode(), monotonic()
        scope.setdefault("state", {})["request_id"] = name
        tell(request_id=name)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", id_)]
                if scope["method"] not in _QUIET or message["status"] >= 500:
                    # The path is what a stranger has sent.
                    _log.info(
                        "%s %r %d in %.0f ms",
                        scope["method"],
                        scope["path"][:200],
                        message["status"],
                        (monotonic() - started) * 1000,
                    )
            await send(message)

        await self._app(scope, receive, answer)
