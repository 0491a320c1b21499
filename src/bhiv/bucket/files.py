"""Files that are still being written, and what the system's errors mean."""

import errno
import fcntl
import secrets
from pathlib import Path

from bhiv.errors import DiskFull, StorageError

#: Starts the name of a file that is still being written; the key grammar has no such name, so it is never an object.
UNFINISHED = ".unfinished-"


def unfinished_name() -> str:
    """Return a name of its own for a file to be written; its writer holds a lock on it."""
    return UNFINISHED + secrets.token_hex(8)


def remove_if_abandoned(path: Path) -> bool:
    """Remove a file unless somebody holds its lock; whether it was removed."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except (FileNotFoundError, BlockingIOError):  # finished in between, or being written
        return False
    return True


def explain(error: OSError, what: str) -> StorageError:
    """Return what went wrong with `what`, as a sentence."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull("the disk is full: free some space and run the same command again")
    return StorageError(f"{what} can't be used: {error.strerror}")
