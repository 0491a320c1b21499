"""Orphans: what the bucket holds for a content that the catalog does not know, and what it lacks of one that it knows.

Both are only looked for among what has been left alone for a day: a run enters its content before it writes the first
object, and its last object after its end is entered. One bucket may serve several catalogs, and the other way round, so
neither side is right by itself.
"""

import re
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from itertools import islice, takewhile

from bhiv.bucket import Bucket, Entry, entries
from bhiv.bucket.keys import Segment
from bhiv.catalog import Catalog, views

#: How long an object or a job must have been left alone.
MARGIN = timedelta(days=1)
#: Where objects bear the name of their content; beside them lie others, such as what was measured of videos.
_SEGMENTS: tuple[Segment, ...] = ("scripts", "storyboards", "videos", "logs")
_OF_CONTENT = re.compile(r"(?:scripts|storyboards|videos|logs)/([0-9a-f]{24})[._][a-z0-9._]+")
_BATCH = 500


def without_row(bucket: Bucket, catalog: Catalog, now: datetime) -> Iterator[Entry]:
    """Yield the objects named for a content that the catalog does not know."""
    old = (entry for entry in entries(bucket, _SEGMENTS) if now - entry.changed_at > MARGIN and content_of(entry.key))
    while batch := list(islice(old, _BATCH)):
        known = views.known_contents(catalog, {content_of(entry.key) for entry in batch})
        yield from (entry for entry in batch if content_of(entry.key) not in known)


def without_object(bucket: Bucket, catalog: Catalog, now: datetime, video_days: float | None) -> Iterator[str]:
    """Yield the keys that completed jobs have delivered and that are gone: of their videos and of their records.

    What is older than `video_days` was removed by that rule and is not missed.
    """
    since = None if video_days is None else now - timedelta(days=video_days) + MARGIN
    for ids in views.completed_contents(catalog, since, now - MARGIN):
        held = {entry.key for segment in ("videos", "logs") for entry in _named(bucket, segment, ids)}
        for content in ids:
            if f"videos/{content}.mp4" not in held:
                yield f"videos/{content}.mp4"
            if held.isdisjoint({f"logs/{content}.json", f"logs/{content}.json.gz"}):
                yield f"logs/{content}.json"


def _named(bucket: Bucket, segment: str, ids: Collection[str]) -> Iterator[Entry]:
    """Yield the segment's objects that are named for these contents."""
    last = f"{segment}/{max(ids)}~"
    held = entries(bucket, [segment], after=f"{segment}/{min(ids)}")
    return (entry for entry in takewhile(lambda entry: entry.key < last, held) if content_of(entry.key) in ids)


def content_of(key: str) -> str:
    """Return the content that an object is named for, empty for none."""
    found = _OF_CONTENT.fullmatch(key)
    return found[1] if found else ""
