"""The dispatcher: it starts a Prefect run for each accepted job, in a fair order, one at a time.

One at a time because a Prefect server on SQLite answers 503 to most of those that create runs side by side; one
dispatcher to a catalog, because two would start jobs out of order. Jobs wait here while Prefect is away.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial

from anyio import to_thread
from sqlalchemy import Connection

from bhiv import jobs
from bhiv.catalog import Catalog, outbox, views
from bhiv.catalog.outbox import Kind, Letter
from bhiv.catalog.writer import Writer
from bhiv.errors import CatalogUnavailable, ServerUnavailable
from bhiv.prefect_api import PrefectApi, RunRefused
from bhiv.settings import Settings

DEPLOYMENT = "script_to_video"

_ROUND_SECONDS = 0.5
#: Who is not the dispatcher looks so often whether that one still lives.
_WATCH_SECONDS = 2.0
#: Waits after a round that failed: longer each time.
_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)
_ROUND_LETTERS = 20
_CANCEL: tuple[Kind, ...] = ("cancel",)

_log = logging.getLogger(__name__)


class Dispatcher:
    """Brings jobs from the outbox to Prefect; `wake` it when there is something new."""

    def __init__(self, settings: Settings, catalog: Catalog, writer: Writer, prefect: PrefectApi) -> None:
        self._settings, self._catalog, self._writer, self._prefect = settings, catalog, writer, prefect
        self._woken = asyncio.Event()
        #: Why the last round failed; None when it did not.
        self.trouble: str | None = None

    def wake(self) -> None:
        """Have the next round begin at once."""
        self._woken.set()

    async def run(self) -> None:
        """Dispatch until cancelled, whenever no other process of the catalog does."""
        while True:
            try:
                with self._catalog.alone("dispatch") as alone:
                    if alone:
                        await self._dispatch()
            except CatalogUnavailable as error:
                self.trouble = str(error)
            await asyncio.sleep(_WATCH_SECONDS)

    async def _dispatch(self) -> None:
        failures = 0
        while True:
            self._woken.clear()
            try:
                moved = await self.round()
            except ServerUnavailable as error:
                if self.trouble is None:
                    _log.warning("%s; accepted jobs wait", error)
                self.trouble = str(error)
                await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1
                continue
            failures, self.trouble = 0, None
            if not moved:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), _ROUND_SECONDS)

    async def round(self) -> int:
        """Bring what is due to Prefect, and return how much that was.

        Raises:
            ServerUnavailable: Prefect is away; what was not brought stays due.
            CatalogUnavailable: as it says.
        """
        moved = 0
        # Beside the event loop: with thousands of jobs waiting, requests would wait for these queries.
        for letter in await to_thread.run_sync(outbox.due, self._catalog, _CANCEL, _ROUND_LETTERS):
            await self._prefect.cancel_run(letter.payload["flow_run_id"])
            await self._write(partial(outbox.done, letter=letter.id))
            moved += 1
        room = self._settings.dispatch_window - await to_thread.run_sync(views.in_prefect, self._catalog)
        for letter in await to_thread.run_sync(outbox.fair_runs, self._catalog, min(room, _ROUND_LETTERS)):
            await self._start(letter)
            moved += 1
        return moved

    async def _start(self, letter: Letter) -> None:
        assert letter.job_id is not None
        request = views.request_of(self._catalog, letter.job_id)
        parameters = {"request": request.model_dump(mode="json", exclude_none=True)}
        try:
            run_id = await self._prefect.start_run(DEPLOYMENT, parameters, letter.payload["key"])
        except RunRefused as error:
            core = self._settings.core_url is not None
            await self._write(partial(jobs.refuse, letter=letter, reason=str(error), core=core))
        else:
            await self._write(partial(jobs.started, letter=letter, run_id=run_id))

    async def _write(self, do: Callable[[Connection], object]) -> None:
        await self._writer.written(do)
