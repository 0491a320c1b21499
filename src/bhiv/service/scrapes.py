"""The figures of a running service, taken when they are asked for."""

import asyncio
from functools import partial
from time import monotonic

import anyio

from bhiv.metrics import Figures, Meter
from bhiv.prefect_api import PrefectApi

#: Who asks more often gets the same figures again.
_FRESH_SECONDS = 1.0
_PREFECT_SECONDS = 2.0


class Scrapes:
    """The figures, taken once a second at most, off the event loop."""

    def __init__(self, meter: Meter, prefect: PrefectApi) -> None:
        self.meter = meter
        self._prefect = prefect
        self._lock = asyncio.Lock()
        self._taken_at = float("-inf")
        self._latest: Figures | None = None

    async def figures(self) -> Figures:
        """Return the figures, a second old at most; raises CatalogUnavailable."""
        async with self._lock:
            if self._latest is None or monotonic() - self._taken_at > _FRESH_SECONDS:
                answers = False
                with anyio.move_on_after(_PREFECT_SECONDS):
                    answers = await self._prefect.answers()
                self._latest = await anyio.to_thread.run_sync(partial(self.meter.read, prefect_answers=answers))
                self._taken_at = monotonic()
            return self._latest
