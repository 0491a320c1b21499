"""Room in the queue: how many jobs may wait, of all and of one key, and when a new one will be done."""

from collections import Counter
from datetime import timedelta
from time import monotonic

from bhiv import jobs
from bhiv.catalog import Catalog
from bhiv.errors import QueueFull
from bhiv.settings import Settings

#: What was counted is believed for so long; what this process accepts is added to it.
_COUNT_SECONDS = 5.0
_PACE_SECONDS = 5.0


class Queue:
    """The waiting jobs, counted every few seconds: the limits protect the service, they are no accounts."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self._settings, self._catalog = settings, catalog
        self._waiting: Counter[str | None] = Counter()
        self._counted_at = self._paced_at = float("-inf")
        self._wait = timedelta()

    def enter(self, api_key_id: str | None) -> None:
        """Count one more job of a key.

        Raises:
            QueueFull: there is no room for it.
        """
        if monotonic() - self._counted_at > _COUNT_SECONDS:
            self._waiting = Counter(jobs.waiting(self._catalog))
            self._counted_at = monotonic()
        own, total = self._waiting[api_key_id], self._waiting.total()
        if api_key_id is not None and own >= self._settings.key_queue_limit:
            raise QueueFull(f"{own} jobs of this key wait already; submit again when some of them are done")
        if total >= self._settings.queue_limit:
            raise QueueFull(f"{total} jobs wait already; submit again when some of them are done")
        self._waiting[api_key_id] += 1

    def wait(self) -> timedelta:
        """Return when a job that is submitted now will probably be done; at most five seconds old."""
        if monotonic() - self._paced_at > _PACE_SECONDS:
            self._wait = jobs.wait_for_new(self._catalog, jobs.pace(self._catalog))
            self._paced_at = monotonic()
        return self._wait
