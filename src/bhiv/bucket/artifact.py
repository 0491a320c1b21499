"""Artifact: the small reference to a stored object, which is all that crosses a task's border."""

import contextlib
import hashlib
import os
from typing import IO, NamedTuple

from bhiv.plan import Contract

#: Where a file system keeps what was noted about an object beside its bytes; links share it.
_ATTRIBUTE = "user.bhiv"


class Artifact(Contract):
    """One stored object and what its bytes must be."""

    key: str
    #: Hex SHA-256 of the whole object.
    sha256: str
    #: In bytes.
    size: int
    media_type: str


class Note(NamedTuple):
    """What can't be seen from an object's bytes without reading them all."""

    sha256: str
    media_type: str


def describe(key: str, file: IO[bytes], media_type: str) -> Artifact:
    """Reference the bytes of an open file, from its start, as the object `key`."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    return Artifact(key=key, sha256=digest, size=file.tell(), media_type=media_type)


def write_note(file: IO[bytes], artifact: Artifact) -> None:
    """Note what the bytes of an open file are, where its file system has room for that."""
    with contextlib.suppress(OSError, AttributeError):  # not on every file system, and on Linux only
        os.setxattr(file.fileno(), _ATTRIBUTE, f"{artifact.sha256} {artifact.media_type}".encode())


def noted(file: IO[bytes]) -> Note | None:
    """Return what was noted about an open file, None when nothing was."""
    try:
        sha256, _, media_type = os.getxattr(file.fileno(), _ATTRIBUTE).decode().partition(" ")
    except (OSError, AttributeError, UnicodeDecodeError):
        return None
    return Note(sha256, media_type)
