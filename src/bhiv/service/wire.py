"""What is refused before a route is reached: also told as a problem, not in a word of the server's own."""

from http import HTTPStatus

from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bhiv.service.problems import MEDIA_TYPE, answer

#: The most that a request may say before its body.
_MOST_HEAD_BYTES = 64 << 10
_TOO_LARGE = 413


class BodyLimit:
    """Limits the bodies of requests, but of those that have none: they are most, and each wrapper costs them."""

    def __init__(self, app: ASGIApp, max_body_size: int) -> None:
        self.app = app
        self._limited = TooLargeAsProblem(RequestBodyLimitMiddleware(app, max_body_size))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        has_none = scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}
        await (self.app if has_none else self._limited)(scope, receive, send)


class TooLargeAsProblem:
    """Tells of a body that is too large as a problem: Starlette's limit answers with a plain text."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_replaced = False

        async def sending(message: Message) -> None:
            nonlocal is_replaced
            if message["type"] == "http.response.start" and _is_bare(message):
                is_replaced = True
                problem = answer(_TOO_LARGE, "too large", "the request's body is larger than what is read of one")
                await problem(scope, receive, send)
            elif not is_replaced:
                await send(message)

        await self.app(scope, receive, sending)


def _is_bare(message: Message) -> bool:
    return message["status"] == _TOO_LARGE and MEDIA_TYPE.encode() not in dict(message["headers"]).values()


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, with a limit to what comes before a body, and problems for what is no HTTP."""

    _head_bytes = 0
    _in_head = True

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > _MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(431, "the request's headers are larger than what is read of them")

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin a body."""
        self._in_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - it says nothing of use
        """Refuse what is no HTTP."""
        self._refuse(400, "this is not HTTP/1.1")

    def _refuse(self, status: int, detail: str) -> None:
        problem = answer(status, HTTPStatus(status).phrase.lower(), detail, {"Connection": "close"})
        head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
        head += [name + b": " + value for name, value in problem.raw_headers]
        self.transport.write(b"\r\n".join([*head, b"", bytes(problem.body)]))
        self.transport.close()
