"""The grammar of object keys: one that no file system, S3 server or user's string can bend.

Lower-case ASCII only, so that case-folding file systems and Unicode look-alikes can't make two keys one.
"""

import re
from typing import Literal, get_args

from bhiv.errors import InvalidKey

Segment = Literal["scripts", "storyboards", "audio", "images", "clips", "videos", "logs", "tmp"]
SEGMENTS: tuple[Segment, ...] = get_args(Segment)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,119}", re.ASCII)
_MOST_PARTS = 3


def split(key: str) -> tuple[str, ...]:
    """Return a key's parts: the segment, at most one folder, the name.

    Raises:
        InvalidKey: it is not of the grammar.
    """
    parts = tuple(key.split("/"))
    if not 2 <= len(parts) <= _MOST_PARTS or parts[0] not in SEGMENTS or not all(map(_NAME.fullmatch, parts)):
        raise InvalidKey(f"{key!r} is not a key: it needs one of {', '.join(SEGMENTS)}, then / and a lower-case name")
    return parts
