"""Artifact: the small reference to a stored object, which is all that crosses a task's border."""

import hashlib
from typing import IO

from bhiv.plan import Contract


class Artifact(Contract):
    """One stored object and what its bytes must be."""

    key: str
    #: Hex SHA-256 of the whole object.
    sha256: str
    #: In bytes.
    size: int
    media_type: str


def describe(key: str, file: IO[bytes], media_type: str) -> Artifact:
    """Reference the bytes of an open file, from its start, as the object `key`."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    return Artifact(key=key, sha256=digest, size=file.tell(), media_type=media_type)
