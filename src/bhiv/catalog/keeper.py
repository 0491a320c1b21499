"""Keeps a lease while its job is made, and writes how far that is; nobody waits for either."""

import logging
import threading
from collections.abc import Mapping
from time import monotonic
from typing import NamedTuple

from bhiv import process
from bhiv.catalog import ledger
from bhiv.catalog.database import Catalog
from bhiv.catalog.ledger import Lease
from bhiv.errors import CatalogUnavailable, LeaseLost
from bhiv.record import Stage, StepName

#: Nobody reads progress faster.
_TICK_SECONDS = 0.5
#: A thread that waits for a database longer than this at the end is left to itself.
_PARTING_SECONDS = 5.0

_log = logging.getLogger(__name__)


class _News(NamedTuple):
    step: StepName
    percent: float
    stages: Mapping[StepName, Stage]


class Keeper:
    """A thread that renews a lease as long as the block lasts.

    A database that is away is only logged: the lease is good until somebody else takes it. When somebody has, `lost`
    says so and the child processes of this process are ended.
    """

    def __init__(self, catalog: Catalog, lease: Lease, seconds: float) -> None:
        self.lost: LeaseLost | None = None
        self._catalog, self._lease, self._seconds = catalog, lease, seconds
        self._news: _News | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease of {lease.job_id}", daemon=True)

    def tell(self, step: StepName, percent: float, stages: Mapping[StepName, Stage]) -> None:
        """Have the catalog say soon how far the job is; only the newest of what is told in between gets there."""
        with self._lock:
            self._news = _News(step, percent, dict(stages))

    def __enter__(self) -> "Keeper":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(_PARTING_SECONDS)

    def _keep(self) -> None:
        renewed = monotonic()
        while not self._ended.wait(min(_TICK_SECONDS, self._seconds / 4)):
            try:
                if (news := self._take()) is not None:
                    ledger.advance(self._catalog, self._lease, *news)
                if monotonic() - renewed >= self._seconds / 3:
                    ledger.renew(self._catalog, self._lease, self._seconds)
                    renewed = monotonic()
            except CatalogUnavailable as error:
                _log.warning("%s; the run goes on", error)
            except LeaseLost as error:
                self.lost = error
                process.stop_all()
                return

    def _take(self) -> _News | None:
        with self._lock:
            news, self._news = self._news, None
        return news
