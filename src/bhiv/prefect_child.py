"""The process of a kept Prefect server: serves until it is told to end, or nobody has used it for a while.

Started by `bhiv.prefect_server` alone, as `python -m bhiv.prefect_child HOME LOCK_FD SOCKET_FD IDLE_SECONDS`.
"""

import gc
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from bhiv.server_folder import ServerFolder

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: The streams that a browser keeps open would hold up the end for ever.
_GRACE_SECONDS = 3
_LOOK_SECONDS = 15.0


class Watch:
    """Tells when a server is no longer needed; `requests` is how many it has answered in all."""

    def __init__(self, folder: ServerFolder, lock_fd: int, idle_seconds: float) -> None:
        self._folder = folder
        self._lock_fd = lock_fd
        self._idle_seconds = idle_seconds
        self._used_at = time.monotonic()
        self._requests = -1  # so that the first look, when the start is over, counts as use

    @property
    def look_seconds(self) -> int:
        """How often to look: the server ends at most a quarter late."""
        return int(min(_LOOK_SECONDS, self._idle_seconds / 4))

    def is_over(self, requests: int) -> bool:
        """Whether nobody has used the server for its time, or its home has been removed."""
        if not self.is_home():
            return True
        if requests != self._requests or self._folder.is_used():
            self._requests = requests
            self._used_at = time.monotonic()
        return time.monotonic() - self._used_at >= self._idle_seconds

    def is_home(self) -> bool:
        """Whether the home is still the one that the server was started for."""
        return self._folder.is_held_by(self._lock_fd)


def create_app() -> "FastAPI":
    """Make Prefect's application, less its downloads from GitHub and its pages' calls to anywhere else."""
    from prefect.server.api import collections
    from prefect.server.api.server import create_app as create_prefect_app

    _let_schedules_run()
    for view in collections.KNOWN_VIEWS:  # nothing listens there, so the copy that is installed with Prefect is taken
        collections.KNOWN_VIEWS[view] = "http://127.0.0.1:9"
    app = create_prefect_app()
    app.add_middleware(OwnOriginOnly)
    return app


def _let_schedules_run() -> None:
    """Let Prefect's scheduler insert its runs under SQLAlchemy 2.1, which refuses values that have no setter for it.

    The value in question, a run's state, is inserted by the statement after; older releases left it out in silence.
    """
    from prefect.server.database.orm_models import FlowRun
    from sqlalchemy import inspect

    state = inspect(FlowRun).all_orm_descriptors["state"]
    if getattr(state, "bulk_dml_setter", "older") is None:
        state.bulk_dml_setter = lambda *_: None  # type: ignore[attr-defined]


class OwnOriginOnly:
    """Tells browsers to load nothing for Prefect's pages but what their own server has.

    Its newer pages fetch the settings of a usage tracker at every visit, and block types have their logos on GitHub.
    """

    _HEADER = (
        b"content-security-policy",
        b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
        b"connect-src 'self' http://127.0.0.1:* ws://127.0.0.1:*; frame-ancestors 'none'",
    )

    def __init__(self, app: "ASGIApp") -> None:
        self._app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass everything on, with one header more on every answer."""

        async def send_with_policy(message: "Message") -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], self._HEADER]
            await send(message)

        await self._app(scope, receive, send_with_policy)


def main(home: str, lock_fd: str, socket_fd: str, idle_seconds: str) -> None:
    """Serve on the socket until the end; the lock is held by this process being there."""
    gc.disable()  # a quarter of the start-up is collections that find nothing
    for handed in (lock_fd, socket_fd):
        os.set_inheritable(int(handed), False)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # uvicorn raises it again when it is done: not to skip our end
    folder = ServerFolder(Path(home))
    watch = Watch(folder, int(lock_fd), float(idle_seconds))
    with socket.socket(fileno=int(socket_fd)) as listener:
        folder.announce(listener.getsockname()[1])
        try:
            _server(folder, watch).run(sockets=[listener])
        finally:
            if watch.is_home():
                folder.withdraw()


def _server(folder: ServerFolder, watch: Watch) -> uvicorn.Server:
    async def look() -> None:
        if not gc.isenabled():  # the first time, when all is loaded
            gc.freeze()
            gc.enable()
        if watch.is_over(server.server_state.total_requests):
            if watch.is_home():
                folder.withdraw()  # first, so that whoever was answered until now sees that this was the end
            server.should_exit = True

    server = uvicorn.Server(
        uvicorn.Config(
            create_app,
            factory=True,
            lifespan="on",
            log_level="warning",
            callback_notify=look,
            timeout_notify=watch.look_seconds,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )
    return server


if __name__ == "__main__":
    main(*sys.argv[1:])
