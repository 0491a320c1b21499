"""What all routes share, opened when the service starts and closed when it ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import TypeVar, cast

from sqlalchemy import Connection
from starlette.requests import Request

from bhiv import jobs
from bhiv.catalog import Catalog, open_catalog
from bhiv.catalog.writer import Writer
from bhiv.dispatch import Dispatcher
from bhiv.prefect_api import PrefectApi
from bhiv.prefect_server import find_server
from bhiv.service.auth import Gate
from bhiv.service.status import Statuses
from bhiv.settings import Settings

T = TypeVar("T")

_PACE_SECONDS = 5.0


@dataclass
class Service:
    """The open parts of a running service."""

    settings: Settings
    catalog: Catalog
    writer: Writer
    dispatcher: Dispatcher
    prefect: PrefectApi
    gate: Gate
    statuses: Statuses
    _wait: tuple[float, timedelta] = (0.0, timedelta())

    async def write(self, do: Callable[[Connection], T]) -> T:
        """Have `do` written with what others write at the same time; returns when it is on the disk."""
        return await asyncio.wrap_future(self.writer.write(do))

    @property
    def ui_url(self) -> str | None:
        """Where a person watches Prefect; None as long as no server was found."""
        return self.prefect.ui_url

    def estimated_wait(self) -> timedelta:
        """When a job that is submitted now will probably be done; at most five seconds old."""
        counted_at, wait = self._wait
        if monotonic() - counted_at > _PACE_SECONDS:
            wait = jobs.wait_for_new(self.catalog, jobs.pace(self.catalog))
            self._wait = (monotonic(), wait)
        return wait


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Service]:
    """Open everything, dispatch jobs as long as the block lasts, and close it in order.

    Raises:
        CatalogUnavailable: the catalog can't be opened.
    """
    with open_catalog(settings) as catalog, Writer(catalog) as writer:
        prefect = PrefectApi(lambda: find_server(settings))
        dispatcher = Dispatcher(settings, catalog, writer, prefect)
        task = asyncio.create_task(dispatcher.run(), name="dispatcher")
        try:
            yield Service(
                settings, catalog, writer, dispatcher, prefect, Gate(settings, catalog, writer), Statuses(catalog)
            )
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await prefect.close()


def service_of(request: Request) -> Service:
    """Return the service that a request came to."""
    return cast(Service, request.app.state.service)
