"""The bucket in a local folder: every object is a file that is either whole and durable or not there.

Paths are walked one component at a time from an open folder without following links, so that neither a key nor a link
that appears during the call can lead outside. Python 3.11 has no openat2, hence the walk.
"""

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, TypeVar

from bhiv.bucket import keys
from bhiv.bucket.artifact import Artifact, describe
from bhiv.errors import DiskFull, ObjectDamaged, ObjectMissing, StorageError

T = TypeVar("T")

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
#: Starts the name of a file that is still being written; the key grammar has no such name, so it is never an object.
_UNFINISHED = ".unfinished-"


class LocalBucket:
    """Objects as files below `root`, which is made on the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put_file(self, key: str, source: Path, media_type: str) -> Artifact:
        """Store a copy of `source` under `key`, durable before this returns, in place of what was there.

        Raises:
            InvalidKey, DiskFull, StorageError: nothing was stored; an older object under the key is untouched.
        """
        with source.open("rb") as content:
            return self._put(key, content, media_type)

    def put_bytes(self, key: str, data: bytes, media_type: str) -> Artifact:
        """Store `data` under `key`; otherwise as `put_file`."""
        return self._put(key, BytesIO(data), media_type)

    def copy(self, source: Artifact, key: str) -> Artifact:
        """Store the object `source` under a second key, without a second copy of its bytes where the disk allows it.

        Objects are replaced, never changed in place, so a hard link is as good as a copy.

        Raises:
            ObjectMissing, ObjectDamaged: `source` is not there whole.
        """
        path = self.fetch(source)
        with self._opened(source.key) as file:
            fcntl.flock(file, fcntl.LOCK_SH)  # tells `sweep` that the new link is no leftover
            try:
                self._replace(key, lambda folder, name: os.link(path, name, dst_dir_fd=folder))
            except OSError as error:
                if error.errno not in {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP}:
                    raise _explain(error, key) from error
                return self.put_file(key, path, source.media_type)
        return source.model_copy(update={"key": key})

    def get_bytes(self, key: str) -> bytes:
        """Return an object's bytes.

        Raises:
            ObjectMissing: there is none under the key.
        """
        with self._opened(key) as file:
            return file.read()

    def fetch(self, artifact: Artifact) -> Path:
        """Return a local path to read the object from; the file must not be changed.

        Raises:
            ObjectMissing, ObjectDamaged: it is not there, or not what was written.
        """
        path = self.path(artifact.key)
        with self._opened(artifact.key) as file:
            if describe(artifact.key, file, artifact.media_type) != artifact:
                raise ObjectDamaged(f"{path} is not what was written; delete it and run again")
        return path

    def holds(self, artifact: Artifact) -> bool:
        """Whether the object is there with exactly the recorded bytes."""
        try:
            self.fetch(artifact)
        except (ObjectMissing, ObjectDamaged):
            return False
        return True

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        *folders, name = keys.split(key)
        with contextlib.suppress(FileNotFoundError), self._folder(folders, make=False) as folder:
            os.unlink(name, dir_fd=folder)

    def sweep(self) -> int:
        """Remove what killed writers left unfinished and return how many files that were."""
        found = (path for segment in keys.SEGMENTS for path in (self.root / segment).rglob(f"{_UNFINISHED}*"))
        return sum(map(_remove_if_abandoned, found))

    def path(self, key: str) -> Path:
        """Where the object's file is, or would be."""
        return self.root.joinpath(*keys.split(key))

    def _put(self, key: str, content: IO[bytes], media_type: str) -> Artifact:
        def write(folder: int, name: str) -> Artifact:
            with os.fdopen(os.open(name, _CREATE, 0o644, dir_fd=folder), "w+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # tells `sweep` that its writer lives
                shutil.copyfileobj(content, file, 1 << 20)
                file.flush()
                os.fsync(file.fileno())
                return describe(key, file, media_type)

        try:
            return self._replace(key, write)
        except OSError as error:
            raise _explain(error, key) from error

    def _replace(self, key: str, write: Callable[[int, str], T]) -> T:
        """Let `write` make a file in the key's folder, then give it the key's name; all or nothing, and durable."""
        *folders, name = keys.split(key)
        with self._folder(folders, make=True) as folder:
            unfinished = _UNFINISHED + secrets.token_hex(8)
            try:
                result = write(folder, unfinished)
                os.replace(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(unfinished, dir_fd=folder)
            os.fsync(folder)
        return result

    @contextmanager
    def _opened(self, key: str) -> Iterator[IO[bytes]]:
        *folders, name = keys.split(key)
        try:
            with self._folder(folders, make=False) as folder:
                file = os.fdopen(os.open(name, _READ, dir_fd=folder), "rb")
        except FileNotFoundError:
            raise ObjectMissing(f"there is no {key} in the bucket {self.root}") from None
        except OSError as error:  # a link or a folder where the object should be
            raise _explain(error, key) from error
        with file:
            yield file

    @contextmanager
    def _folder(self, names: list[str], *, make: bool) -> Iterator[int]:
        """Open the folder `names` below the root, one component at a time, never through a link."""
        if make:
            self.root.mkdir(parents=True, exist_ok=True)
        folder = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in names:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, dir_fd=folder)
                        os.fsync(folder)
                inner = os.open(name, _FOLDER, dir_fd=folder)
                os.close(folder)
                folder = inner
            yield folder
        finally:
            os.close(folder)


def _remove_if_abandoned(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except (FileNotFoundError, BlockingIOError):  # finished in between, or being written
        return False
    return True


def _explain(error: OSError, key: str) -> StorageError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull("the disk is full: free some space and run the same command again")
    return StorageError(f"{key} can't be used: {error.strerror}")
