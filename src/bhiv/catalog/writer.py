"""Group commit: many small writes share one transaction, and so one wait for the disk.

Fifty submits at once, each with a transaction of its own, wait for each other; the unlucky ones for most of a second.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from time import monotonic
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection

from bhiv.catalog.database import Catalog
from bhiv.errors import CatalogUnavailable

T = TypeVar("T")

#: Writes that share a transaction at most; the first of them waits for all.
_MOST = 100
#: Checkpoints move what was committed into the file; SQLite's own are off (see `database`).
_CHECKPOINT_SECONDS = 30.0


class _Write(NamedTuple):
    do: Callable[[Connection], Any]
    told: Future[Any]


class Writer:
    """A thread that writes; whoever asks is told when the write is on the disk."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._waiting: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._ending, self._has_ended = threading.Lock(), False
        self._thread = threading.Thread(target=self._work, name="catalog writer", daemon=True)

    def write(self, do: Callable[[Connection], T]) -> Future[T]:
        """Have `do` run in a transaction that others may share; the future has its result once that is committed.

        What `do` raises undoes its own writes only. CatalogUnavailable concerns all of a transaction: nothing of it is
        written.
        """
        told: Future[T] = Future()
        with self._ending:
            if self._has_ended:
                told.set_exception(CatalogUnavailable("the catalog is closed; the process ends"))
            else:
                self._waiting.put(_Write(do, told))
        return told

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Write what waits, then end."""
        with self._ending:
            self._has_ended = True
            self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        last, checkpointed = False, monotonic()
        while not last:
            batch = self._next_batch()
            last = None in batch
            if writes := [write for write in batch if write and write.told.set_running_or_notify_cancel()]:
                self._commit(writes)
            if monotonic() - checkpointed >= _CHECKPOINT_SECONDS:
                with suppress(CatalogUnavailable):  # whoever writes next says so
                    self._catalog.checkpoint()
                checkpointed = monotonic()

    def _next_batch(self) -> list[_Write | None]:
        try:
            batch = [self._waiting.get(timeout=_CHECKPOINT_SECONDS)]
        except queue.Empty:
            return []
        while len(batch) < _MOST and not self._waiting.empty():
            batch.append(self._waiting.get())
        return batch

    def _commit(self, writes: list[_Write]) -> None:
        results: list[tuple[_Write, Any]] = []
        try:
            with self._catalog.writing() as connection:
                for write in writes:
                    try:
                        with self._catalog.part(connection):
                            result = write.do(connection)
                    except CatalogUnavailable:
                        raise
                    except Exception as error:  # noqa: BLE001 - one asker's mistake is not another's
                        write.told.set_exception(error)
                    else:
                        results.append((write, result))
        except Exception as error:  # noqa: BLE001 - a thread's border: whoever asked is told
            for write in writes:
                if not write.told.done():
                    write.told.set_exception(error)
            return
        for write, result in results:
            write.told.set_result(result)
