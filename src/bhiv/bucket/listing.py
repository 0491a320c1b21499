"""All entries of a bucket, one page at a time."""

from collections.abc import Iterable, Iterator

from bhiv.bucket.keys import SEGMENTS
from bhiv.bucket.protocol import Bucket, Entry


def entries(bucket: Bucket, segments: Iterable[str] = SEGMENTS, after: str = "") -> Iterator[Entry]:
    """Yield what the segments hold behind the key `after`; a page is asked for when the one before has been used up.

    Objects may be removed meanwhile. One that is added meanwhile may be missing.
    """
    for segment in segments:
        start: str | None = after
        while start is not None:
            page = bucket.list_page(f"{segment}/", start)
            yield from page.entries
            start = page.after
