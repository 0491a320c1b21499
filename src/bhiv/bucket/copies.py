"""Local copies of objects that live elsewhere, so that the steps of a video don't download them again and again.

A copy is named by its SHA-256, which is checked whenever it is handed out: it is right or it is not there, whatever
other processes do. The folder is bounded: beyond its limit the copies that were not used for the longest time go first,
but none of the last hour, because its path may be in use.
"""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from bhiv.bucket.artifact import Artifact, describe
from bhiv.bucket.files import UNFINISHED, explain, remove_if_abandoned, unfinished_name
from bhiv.errors import ObjectDamaged, StorageError

_SPARED_SECONDS = 3600
_PARTIAL = ".part"


class Copies:
    """Checked copies in `folder`, which is made on the first use; `limit_bytes` bounds it."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder = folder
        self._limit_bytes = limit_bytes

    def find(self, artifact: Artifact) -> Path | None:
        """Return the path of a checked copy, None when there is none; a damaged one is removed."""
        path = self._path(artifact.sha256, artifact.key)
        try:
            with path.open("rb") as file:
                if describe(artifact.key, file, artifact.media_type) == artifact:
                    os.utime(file.fileno())
                    return path
        except FileNotFoundError:
            return None
        path.unlink(missing_ok=True)
        return None

    def obtain(self, artifact: Artifact, download: Callable[[int], Iterator[bytes]]) -> Path:
        """Return the path of a checked copy, downloaded when there is none.

        `download` yields the object's bytes from an offset on. Processes that want the same object wait for one of them
        to load it; what a killed one has loaded already is not loaded again.

        Raises:
            ObjectDamaged: what was downloaded is not what was written.
            DiskFull, StorageError: no room for it.
        """
        if found := self.find(artifact):
            return found
        path = self._path(artifact.sha256, artifact.key)
        partial = path.with_name(path.name + _PARTIAL)
        with _explained(path), self._alone(partial) as file:
            if found := self.find(artifact):  # somebody loaded it while this one waited
                partial.unlink()
                return found
            begun = file.seek(0, os.SEEK_END) > 0
            whole = _load(file, artifact, download)
            if not whole and begun:  # by another, who may have left anything
                file.truncate(0)
                whole = _load(file, artifact, download)
            if not whole:
                partial.unlink()
                raise ObjectDamaged(f"{artifact.key} is not what was written; delete it and run again")
            partial.rename(path)
        self._make_room()
        return path

    def take_in(self, key: str, source: Path, media_type: str) -> tuple[Artifact, Path]:
        """Keep a copy of `source`, which is about to be stored under `key`, and return what it is and its path."""
        with _explained(source), source.open("rb") as content:
            if source.parent == self.folder:
                return describe(key, content, media_type), source
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished = self.folder / unfinished_name()
            try:
                with unfinished.open("x+b") as file:
                    fcntl.flock(file, fcntl.LOCK_EX)  # tells `_make_room` that its writer lives
                    shutil.copyfileobj(content, file, 1 << 20)
                    file.flush()
                    artifact = describe(key, file, media_type)
                    path = self._path(artifact.sha256, key)
                    unfinished.replace(path)
            finally:
                unfinished.unlink(missing_ok=True)
        self._make_room()
        return artifact, path

    def adopt(self, artifact: Artifact, source: Path) -> Path:
        """Return a path to the bytes of `source`, known to be `artifact`, that stays when `source` goes.

        Raises:
            FileNotFoundError: `source` has gone already.
        """
        path = self._path(artifact.sha256, artifact.key)
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with contextlib.suppress(FileExistsError):
                os.link(source, path)
        except FileNotFoundError:
            raise
        except OSError:  # a disk without links, or another disk
            return self.take_in(artifact.key, source, artifact.media_type)[1]
        return self.find(artifact) or self.take_in(artifact.key, source, artifact.media_type)[1]

    def _path(self, sha256: str, key: str) -> Path:
        # The suffix is kept because some programs go by it.
        return self.folder / f"{sha256}{PurePosixPath(key).suffix}"

    @contextmanager
    def _alone(self, partial: Path) -> Iterator[IO[bytes]]:
        """Open the file into which a copy is loaded, when nobody else loads it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        while True:
            with os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if _is_still(file, partial):  # whoever had the lock before may have renamed it
                    yield file
                    return

    def _make_room(self) -> None:
        now, total = time.time(), 0
        found = [(status.st_mtime, status.st_size, path) for path in self.folder.iterdir() for status in _stat(path)]
        for used, size, path in sorted(found, reverse=True):
            total += size
            old = now - used > _SPARED_SECONDS
            if old and (total > self._limit_bytes or path.name.startswith(UNFINISHED)):
                total -= size if remove_if_abandoned(path) else 0


def _load(file: IO[bytes], artifact: Artifact, download: Callable[[int], Iterator[bytes]]) -> bool:
    """Load what is missing of an object; whether the file then is the object."""
    begun = file.seek(0, os.SEEK_END)
    if begun < artifact.size or begun == 0:
        for piece in download(begun):
            file.write(piece)
    file.flush()
    return describe(artifact.key, file, artifact.media_type) == artifact


def _is_still(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _stat(path: Path) -> Iterator[os.stat_result]:
    with contextlib.suppress(FileNotFoundError):  # removed by another process
        yield path.stat()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (StorageError, FileNotFoundError):
        raise
    except OSError as error:
        raise explain(error, str(path)) from error
