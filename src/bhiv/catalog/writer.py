"""Group commit: many small writes share one transaction, and so one wait for the disk.

Fifty submits at once, each with a transaction of its own, wait for each other; the unlucky ones for most of a second.
Nor may the thread that writes work beside an event loop that is busy: each statement gives Python's lock away and waits
to have it back. So a loop hands over what it has when nothing more comes.
"""

import asyncio
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


#: A loop hands over after so many turns without another write, or this long after the first.
_QUIET_TURNS = 3
_GATHER_SECONDS = 0.05


class _Write(NamedTuple):
    do: Callable[[Connection], Any]
    told: Future[Any]


class Writer:
    """A thread that writes; whoever asks is told when the write is on the disk."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._waiting: queue.SimpleQueue[list[_Write]] = queue.SimpleQueue()
        self._gathered: list[_Write] = []
        self._ending, self._has_ended = threading.Lock(), False
        self._thread = threading.Thread(target=self._work, name="catalog writer", daemon=True)

    def write(self, do: Callable[[Connection], T]) -> Future[T]:
        """Have `do` run in a transaction that others may share; the future has its result once that is committed.

        What `do` raises undoes its own writes only. CatalogUnavailable concerns all of a transaction: nothing of it is
        written.
        """
        told: Future[T] = Future()
        self._put([_Write(do, told)])
        return told

    async def written(self, do: Callable[[Connection], T]) -> T:
        """Do as `write`, with what else the event loop asks for at the same time; for one loop only."""
        told: Future[T] = Future()
        self._gathered.append(_Write(do, told))
        if len(self._gathered) == 1:
            asyncio.get_running_loop().call_soon(self._hand_over, 1, 0, monotonic())
        return await asyncio.wrap_future(told)

    def _hand_over(self, known: int, quiet: int, since: float) -> None:
        quiet = quiet + 1 if len(self._gathered) == known else 0
        if quiet < _QUIET_TURNS and known < _MOST and monotonic() - since < _GATHER_SECONDS:
            asyncio.get_running_loop().call_soon(self._hand_over, len(self._gathered), quiet, since)
        else:
            writes, self._gathered = self._gathered, []
            self._put(writes)

    def _put(self, writes: list[_Write]) -> None:
        with self._ending:
            if not self._has_ended:
                self._waiting.put(writes)
                return
        for write in writes:
            write.told.set_exception(CatalogUnavailable("the catalog is closed; the process ends"))

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Write what waits, then end."""
        with self._ending:
            self._has_ended = True
            self._waiting.put([])  # wakes it
        self._thread.join()

    def _work(self) -> None:
        checkpointed = monotonic()
        while not (self._has_ended and self._waiting.empty()):
            if writes := [write for write in self._next_batch() if write.told.set_running_or_notify_cancel()]:
                self._commit(writes)
            if monotonic() - checkpointed >= _CHECKPOINT_SECONDS:
                with suppress(CatalogUnavailable):  # whoever writes next says so
                    self._catalog.checkpoint()
                checkpointed = monotonic()

    def _next_batch(self) -> list[_Write]:
        batch: list[_Write] = []
        with suppress(queue.Empty):
            batch += self._waiting.get(timeout=_CHECKPOINT_SECONDS)
            while len(batch) < _MOST:
                batch += self._waiting.get_nowait()
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
