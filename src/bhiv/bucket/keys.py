"""The grammar of object keys: one that no file system, S3 server or user's string can bend.

Lower-case ASCII only, so that case-folding file systems and Unicode look-alikes can't make two keys one.
"""

import re
from mimetypes import MimeTypes
from typing import Literal, get_args

from bhiv.errors import InvalidKey

Segment = Literal["scripts", "storyboards", "audio", "images", "clips", "videos", "logs", "tmp"]
SEGMENTS: tuple[Segment, ...] = get_args(Segment)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,119}", re.ASCII)
_MOST_PARTS = 3
_REST_OF_PREFIX = re.compile(r"(?:[a-z0-9][a-z0-9._-]{0,119}(?:/(?:[a-z0-9][a-z0-9._-]{0,119})?)?)?", re.ASCII)


def split(key: str) -> tuple[str, ...]:
    """Return a key's parts: the segment, at most one folder, the name.

    Raises:
        InvalidKey: it is not of the grammar.
    """
    parts = tuple(key.split("/"))
    if not 2 <= len(parts) <= _MOST_PARTS or parts[0] not in SEGMENTS or not all(map(_NAME.fullmatch, parts)):
        raise InvalidKey(f"{key!r} is not a key: it needs one of {', '.join(SEGMENTS)}, then / and a lower-case name")
    return parts


def is_name(name: str) -> bool:
    """Whether `name` can be a part of a key behind the segment."""
    return _NAME.fullmatch(name) is not None


def segments_of(prefix: str) -> tuple[Segment, ...]:
    """Return the segments in which keys that start with `prefix` can lie.

    Raises:
        InvalidKey: no key can start so.
    """
    segment, slash, rest = prefix.partition("/")
    if not slash and (found := tuple(name for name in SEGMENTS if name.startswith(segment))):
        return found
    if segment not in SEGMENTS or not _REST_OF_PREFIX.fullmatch(rest):
        raise InvalidKey(f"no key starts with {prefix!r}: keys start with one of {', '.join(SEGMENTS)}")
    return (segment,)


def media_type(key: str) -> str:
    """Guess an object's media type from its key, for one that another program put there."""
    # A table of its own: the module's common one is read from the machine's files.
    return MimeTypes().guess_type(key)[0] or "application/octet-stream"


def is_key(key: str) -> bool:
    """Whether `key` is of the grammar."""
    try:
        split(key)
    except InvalidKey:
        return False
    return True
