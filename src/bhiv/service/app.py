"""The service as an ASGI app, and the process that serves it."""

import gc
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import sleep

import uvicorn
from fastapi import FastAPI
from starlette.routing import Route

from bhiv import api_keys
from bhiv.catalog import open_catalog
from bhiv.errors import InputRefused, ServiceUnavailable
from bhiv.log_lines import set_up
from bhiv.service import (
    health,
    history,
    ingest,
    metric_routes,
    objects,
    problems,
    ratings,
    render,
    scripts,
    upkeep,
    webhooks,
)
from bhiv.service.auth import is_loopback
from bhiv.service.documents import describe
from bhiv.service.request_ids import RequestIds
from bhiv.service.state import opened
from bhiv.service.wire import BodyLimit, Protocol
from bhiv.settings import Settings
from bhiv.webhook_secrets import callback_secrets, ingest_secrets

_SUMMARY = "Turns scripts into narrated, illustrated, captioned videos."
_PARTING_SECONDS = 5
#: Longer than clients and load balancers keep a connection that nobody uses (5 and 60 s): who closes it last can't be
#: asking over it at that moment.
_IDLE_SECONDS = 75
_PARENT_SECONDS = 1.0


def make_app(settings: Settings) -> FastAPI:
    """Return the service as an ASGI app; it opens the catalog when it is started."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(settings) as service:
            app.state.service = service
            # What was imported stays: to look through all of it for garbage would hold every request up for 0.1 s.
            gc.collect()
            gc.freeze()
            yield

    # The pages of FastAPI's own would be fetched from elsewhere.
    app = FastAPI(
        title="BHIV", description=_SUMMARY, version="1", lifespan=lifespan, docs_url=None, redoc_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    routers = (
        render.router,
        webhooks.router,
        ingest.router,
        scripts.router,
        history.router,
        ratings.router,
        upkeep.router,
        objects.router,
        metric_routes.router,
        health.router,
    )
    for router in routers:
        app.include_router(router)
    app.state.routes = [route for router in routers for route in router.routes]
    problems.install(app)
    describe(app)
    # Thousands poll it, and FastAPI's handling takes as long as all the rest: its own route is the description.
    app.router.routes.insert(0, Route(render.STATUS_PATH, render.status, methods=["GET"]))
    app.add_middleware(BodyLimit, max_body_size=settings.max_body_bytes)
    app.add_middleware(RequestIds)  # the last one is the first that a request meets
    return app


def serve(settings: Settings, say: Callable[[str], None], parent: int | None = None) -> None:
    """Serve until the process is asked to end, or its parent ends; requests that have begun are finished.

    `say` is told the address. Without `parent`, nobody's end matters.

    Raises:
        InputRefused: without API keys, but on an address that others reach; or a secret of webhooks is none.
        ServiceUnavailable: the port can't be had.
    """
    if settings.auth == "off" and not is_loopback(settings.service_host):
        raise InputRefused("BHIV_AUTH=off is for loopback addresses: set BHIV_SERVICE_HOST=127.0.0.1, or use API keys")
    callback_secrets(settings)
    ingest_secrets(settings)
    set_up(settings.log_format)
    with listening(settings) as listener:
        config = uvicorn.Config(
            make_app(settings), log_level="warning", access_log=False, lifespan="on", server_header=False,
            timeout_graceful_shutdown=_PARTING_SECONDS, timeout_keep_alive=_IDLE_SECONDS, ws="none", http=Protocol,
            log_config=None,
        )  # fmt: skip
        if parent is not None:
            threading.Thread(target=_end_with, args=(parent,), name="parent", daemon=True).start()
        host, port = listener.getsockname()[:2]
        say(f"http://{f'[{host}]' if ':' in host else host}:{port}")
        uvicorn.Server(config).run([listener])


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        sleep(_PARENT_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def listening(settings: Settings) -> socket.socket:
    """Return the socket that the service listens on.

    Raises:
        ServiceUnavailable: the address or port can't be had.
    """
    family = socket.AF_INET6 if ":" in settings.service_host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.service_host, settings.service_port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        where = f"{settings.service_host}:{settings.service_port}"
        raise ServiceUnavailable(
            f"the service can't listen on {where}: {error.strerror or error}; set BHIV_SERVICE_PORT"
        ) from error
    return listener


def first_key(settings: Settings) -> str | None:
    """Make the first key, which opens everything, and return it; None when there is a key or none is wanted."""
    if settings.auth == "off":
        return None
    with open_catalog(settings) as catalog:
        if api_keys.listed(catalog):
            return None
        with catalog.writing() as connection:
            return api_keys.create(connection, "admin", ("admin",))
