"""An object of the bucket as an answer: in parts when asked so, and so that no browser runs what is in it."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple
from urllib.parse import quote

from bhiv.bucket import Artifact, Bucket, Stored
from bhiv.errors import ObjectDamaged

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII)
_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+(; ?charset=[a-z0-9-]+)?", re.ASCII)
#: What a browser may show by itself; everything else it saves.
_SHOWN = re.compile(r"(video|audio)/[a-z0-9.+-]+|image/(png|jpeg|webp|gif)|text/(plain|vtt)|application/json")
_UNSAFE = re.compile(r"[^A-Za-z0-9 ._()-]", re.ASCII)
_TRIES = 3


class Span(NamedTuple):
    """Some bytes of an object."""

    start: int
    length: int


class NoSuchSpan(ValueError):
    """The object has none of the bytes that were asked for."""


def span_of(header: str | None, size: int) -> Span | None:
    """Return the bytes that a Range header names, None when all are wanted: also for what is no single range.

    Raises:
        NoSuchSpan: the range begins behind the end.
    """
    match = _RANGE.fullmatch(header.replace(" ", "")) if header else None
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        length = min(int(last), size)
        start, end = size - length, size
    else:
        start, end = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < start:
            return None
    if start >= end:
        raise NoSuchSpan
    return Span(start, end - start)


def opened(bucket: Bucket, stored: Stored, span: Span | None) -> tuple[Stored, Iterator[bytes]] | None:
    """Begin to read an object; None when it was replaced since it was looked at.

    From the first piece on it is the same object that is read to its end.
    """
    pieces = bucket.read(stored.artifact.key, *(span or (0, None)))
    first = next(pieces, b"")
    if bucket.stat(stored.artifact.key) != stored:
        return None
    return stored, chain([first], pieces)


def settled(bucket: Bucket, key: str, range_: str | None, if_range: str | None) -> "Opened":
    """Return the object, begun to be read where the header says.

    Raises:
        ObjectMissing: there is none.
        ObjectDamaged: it is replaced again and again.
        NoSuchSpan: it has none of the bytes.
    """
    for _ in range(_TRIES):
        stored = bucket.stat(key)
        wanted = range_ if if_range in {None, etag(stored.artifact)} else None
        span = span_of(wanted, stored.artifact.size)
        if (found := opened(bucket, stored, span)) is not None:
            return Opened(stored, span, found[1])
    raise ObjectDamaged(f"{key} is replaced again and again; try again later")


class Opened(NamedTuple):
    """An object that is read."""

    stored: Stored
    #: None for all of it.
    span: Span | None
    pieces: Iterator[bytes]


def etag(artifact: Artifact) -> str:
    """Return the entity tag of an object: its SHA-256."""
    return f'"{artifact.sha256}"'


def headers_of(stored: Stored, title: str | None) -> dict[str, str]:
    """Return what is said of an object beside its bytes; `title` names the file that a person saves."""
    artifact = stored.artifact
    media_type = artifact.media_type if _MEDIA_TYPE.fullmatch(artifact.media_type) else "application/octet-stream"
    how = "inline" if _SHOWN.fullmatch(media_type.partition(";")[0]) else "attachment"
    return {
        "Content-Type": media_type,
        "ETag": etag(artifact),
        "Last-Modified": f"{stored.changed_at:%a, %d %b %Y %H:%M:%S} GMT",
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f"{how}; {_file_name(artifact.key, title)}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    }


def _file_name(key: str, title: str | None) -> str:
    """Return the name under which a person saves an object, after RFC 6266: plain, and as it is in UTF-8."""
    name = key.rpartition("/")[2]
    if title:
        ending = name[name.index(".") :] if "." in name else ""
        name = " ".join(title.replace("/", "-").replace("\\", "-").split())[:100].strip(". ") + ending
    plain = " ".join(_UNSAFE.sub("_", name).split())
    return f"filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='', errors='replace')}"
