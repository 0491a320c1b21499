"""What all routes share, opened when the service starts and closed when it ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar, cast

from sqlalchemy import Connection
from starlette.requests import Request

from bhiv.bucket import Bucket, open_bucket
from bhiv.catalog import Catalog, open_catalog
from bhiv.catalog.writer import Writer
from bhiv.courier import Courier
from bhiv.dispatch import Dispatcher
from bhiv.metrics import Meter
from bhiv.prefect_api import PrefectApi
from bhiv.prefect_server import find_server
from bhiv.service.auth import Gate
from bhiv.service.queue_room import Queue
from bhiv.service.scrapes import Scrapes
from bhiv.service.status import Statuses
from bhiv.settings import Settings

T = TypeVar("T")


@dataclass
class Service:
    """The open parts of a running service."""

    settings: Settings
    catalog: Catalog
    writer: Writer
    dispatcher: Dispatcher
    courier: Courier
    prefect: PrefectApi
    gate: Gate
    statuses: Statuses
    queue: Queue
    bucket: Bucket
    scrapes: Scrapes

    async def write(self, do: Callable[[Connection], T]) -> T:
        """Have `do` written with what others write at the same time; returns when it is on the disk."""
        return await self.writer.written(do)

    @property
    def ui_url(self) -> str | None:
        """Where a person watches Prefect; None as long as no server was found."""
        return self.prefect.ui_url


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Service]:
    """Open everything, dispatch jobs and tell of ends as long as the block lasts, and close it in order.

    Raises:
        CatalogUnavailable: the catalog can't be opened.
        InputRefused: a setting of callbacks can't be used.
        StorageMisconfigured: S3 is chosen without a bucket.
    """
    bucket = open_bucket(settings)
    with open_catalog(settings) as catalog, Writer(catalog) as writer:
        prefect = PrefectApi(lambda: find_server(settings))
        dispatcher = Dispatcher(settings, catalog, writer, prefect)
        meter = Meter(settings, catalog, bucket)
        courier = Courier(settings, catalog, writer, on_event=meter.sends)
        tasks = [
            asyncio.create_task(dispatcher.run(), name="dispatcher"),
            asyncio.create_task(courier.run(), name="courier"),
        ]
        try:
            gate, queue = Gate(settings, catalog, writer), Queue(settings, catalog)
            scrapes = Scrapes(meter, prefect)
            yield Service(
                settings, catalog, writer, dispatcher, courier, prefect, gate, Statuses(catalog), queue, bucket, scrapes
            )
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
            await prefect.close()


def service_of(request: Request) -> Service:
    """Return the service that a request came to."""
    return cast(Service, request.app.state.service)
