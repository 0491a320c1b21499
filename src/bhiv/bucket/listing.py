"""All entries of a bucket, one page at a time."""

from collections.abc import Iterable, Iterator

from bhiv.bucket.keys import SEGMENTS
from bhiv.bucket.protocol import Bucket, Entry


def entries(bucket: Bucket, segments: Iterable[str] = SEGMENTS) -> Iterator[Entry]:
    """Yield what the segments hold; a page is asked for when the one before has been used up.

    Objects may be removed meanwhile. One that is added meanwhile may be missing.
    """
    for segment in segments:
        after: str | None = ""
        while after is not None:
            page = bucket.list_page(f"{segment}/", after)
            yield from page.entries
            after = page.after
