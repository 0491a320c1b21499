"""How much the bucket holds, by segment: counted now and then, since a bucket has to be listed for it."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from bhiv.bucket.keys import SEGMENTS, Segment
from bhiv.bucket.protocol import Bucket
from bhiv.errors import StorageError

_PAUSE_SECONDS = 60.0
#: A large bucket is listed less often: it then takes no more than this share of the time.
_SHARE = 0.05
#: A local bucket looks at all its names for each page.
_PAGE = 20_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Held:
    """What a segment holds."""

    objects: int
    bytes: int


@dataclass(frozen=True)
class Usage:
    """What the bucket held when it was listed."""

    segments: Mapping[Segment, Held]
    #: UTC, the listing's end.
    listed_at: datetime


def measure(bucket: Bucket) -> Usage:
    """List the bucket and return what it holds."""
    return Usage({segment: _held(bucket, segment) for segment in SEGMENTS}, datetime.now(UTC))


def _held(bucket: Bucket, segment: Segment) -> Held:
    objects, size, after = 0, 0, ""
    while True:
        page = bucket.list_page(f"{segment}/", after, _PAGE)
        objects += len(page.entries)
        size += sum(entry.size for entry in page.entries)
        if page.after is None:
            return Held(objects, size)
        after = page.after


class LatestUsage:
    """What the bucket held a short while ago, for any number of threads; a thread of its own lists it."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._due = 0.0
        self._latest: Usage | None = None

    def get(self, wait_seconds: float = 1.0) -> Usage | None:
        """Return what was found last, a minute old at most unless the bucket is large or away.

        Waits a little where nothing is known yet, and returns None when that is not enough.
        """
        with self._lock:
            if self._thread is None and monotonic() >= self._due:
                self._thread = threading.Thread(target=self._list, name="bucket usage", daemon=True)
                self._thread.start()
            thread = self._thread
        if self._latest is None and thread is not None:
            thread.join(wait_seconds)
        return self._latest

    def _list(self) -> None:
        started = monotonic()
        try:
            self._latest = measure(self._bucket)
        except StorageError as error:
            _log.warning("the bucket can't be listed: %s", error)
        finally:
            with self._lock:
                self._due = monotonic() + max(_PAUSE_SECONDS, (monotonic() - started) / _SHARE)
                self._thread = None
