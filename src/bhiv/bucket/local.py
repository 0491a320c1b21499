"""The bucket in a local folder: every object is a file that is either whole and durable or not there.

Paths are walked one component at a time from an open folder without following links, so that neither a key nor a link
that appears during the call can lead outside. Python 3.11 has no openat2, hence the walk.
"""

import contextlib
import errno
import fcntl
import hashlib
import heapq
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import IO, TypeVar

from bhiv.bucket import keys
from bhiv.bucket.artifact import Artifact, describe, noted, write_note
from bhiv.bucket.files import UNFINISHED, explain, remove_if_abandoned, unfinished_name
from bhiv.bucket.protocol import Entry, Page, Stored
from bhiv.errors import ObjectDamaged, ObjectExists, ObjectMissing

T = TypeVar("T")

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE = 1 << 20
#: How exactly the last use of an object is known; finer would make every read a write.
_USE_SECONDS = 3600


class LocalBucket:
    """Objects as files below `root`, which is made on the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put_file(self, key: str, source: Path, media_type: str) -> Artifact:
        """Store a copy of `source`, durable before this returns."""
        with source.open("rb") as content:
            return self._put(key, content, media_type)

    def put_bytes(self, key: str, data: bytes, media_type: str) -> Artifact:
        """Store `data`; otherwise as `put_file`."""
        return self._put(key, BytesIO(data), media_type)

    def create(self, key: str, data: bytes, media_type: str) -> Artifact:
        """Store `data` when nothing is there yet; of several at once, exactly one succeeds."""
        return self._put(key, BytesIO(data), media_type, once=True)

    def copy(self, source: Artifact, key: str) -> Artifact:
        """Store the object under a second key, without a second copy of its bytes where the disk allows it.

        Objects are replaced, never changed in place, so a hard link is as good as a copy. Both count as changed now.
        """
        path = self.fetch(source)
        with self._opened(source.key) as file:
            fcntl.flock(file, fcntl.LOCK_SH)  # tells `sweep` that the new link is no leftover
            try:
                self._replace(key, lambda folder, name: os.link(path, name, dst_dir_fd=folder))
            except OSError as error:
                if error.errno not in {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP}:
                    raise explain(error, key) from error
                return self.put_file(key, path, source.media_type)
            os.utime(file.fileno())  # or a clean-up by age would take a new video for as old as its cached source
        return source.model_copy(update={"key": key})

    def get_bytes(self, key: str) -> bytes:
        """Return an object's bytes, checked against the SHA-256 noted with them."""
        with self._opened(key) as file:
            _note_use(file)
            data = file.read()
            if (note := noted(file)) and hashlib.sha256(data).hexdigest() != note.sha256:
                raise ObjectDamaged(f"{self.path(key)} is not what was written; delete it and run again")
            return data

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield an object's bytes from `start` on, at most `length`, in pieces."""
        with self._opened(key) as file:
            _note_use(file)
            file.seek(start)
            left = os.fstat(file.fileno()).st_size if length is None else length
            while piece := file.read(min(_PIECE, left)):
                left -= len(piece)
                yield piece

    def fetch(self, artifact: Artifact) -> Path:
        """Return the object's own file, checked."""
        path = self.path(artifact.key)
        with self._opened(artifact.key) as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            if not path.exists():  # a clean-up was faster
                raise ObjectMissing(f"there is no {artifact.key} in the bucket {self.root}")
            _note_use(file)
            fcntl.flock(file, fcntl.LOCK_UN)
            if describe(artifact.key, file, artifact.media_type) != artifact:
                raise ObjectDamaged(f"{path} is not what was written; delete it and run again")
        return path

    def holds(self, artifact: Artifact) -> bool:
        """Whether the object is there with exactly the recorded bytes, which are read."""
        try:
            self.fetch(artifact)
        except (ObjectMissing, ObjectDamaged):
            return False
        return True

    def stat(self, key: str) -> Stored:
        """Return what was noted when the object was written; without a note, the object is read."""
        with self._opened(key) as file:
            status, note = os.fstat(file.fileno()), noted(file)
            if note is None:
                return Stored(describe(key, file, keys.media_type(key)), _time(status.st_mtime))
            known = Artifact(key=key, sha256=note.sha256, size=status.st_size, media_type=note.media_type)
            return Stored(known, _time(status.st_mtime))

    def list_page(self, prefix: str = "", after: str = "", limit: int = 1000) -> Page:
        """Return at most `limit` entries whose keys start with `prefix` and come after `after`."""
        found = (key for segment in keys.segments_of(prefix) for key in self._keys(segment))
        wanted = (key for key in found if key.startswith(prefix) and key > after)
        chosen = heapq.nsmallest(limit + 1, wanted)
        entries = tuple(entry for key in chosen[:limit] for entry in self._entry(key))
        return Page(entries, after=chosen[limit - 1] if len(chosen) > limit else None)

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        *folders, name = keys.split(key)
        try:
            with self._folder(folders, make=False) as folder:
                os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise explain(error, key) from error

    def delete_unused(self, key: str, before: datetime) -> bool:
        """Remove an object unless it has been used since `before`; whether it was removed."""
        try:
            with self._opened(key) as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # a reader notes its use under the same lock
                status = os.fstat(file.fileno())
                if _time(max(status.st_atime, status.st_mtime)) >= before:
                    return False
                self.delete(key)
        except ObjectMissing:
            return False
        return True

    def sweep(self) -> int:
        """Remove what killed writers left unfinished and return how many files that were."""
        found = (path for segment in keys.SEGMENTS for path in (self.root / segment).rglob(f"{UNFINISHED}*"))
        return sum(map(remove_if_abandoned, found))

    def presign(self, key: str, seconds: int) -> str | None:
        """Return None: nobody else can read a local folder."""
        del seconds
        keys.split(key)
        return None

    def uri(self, key: str) -> str:
        """Return the `file://` address of the object's file."""
        return self.path(key).as_uri()

    def path(self, key: str) -> Path:
        """Where the object's file is, or would be."""
        return self.root.joinpath(*keys.split(key))

    def _put(self, key: str, content: IO[bytes], media_type: str, *, once: bool = False) -> Artifact:
        def write(folder: int, name: str) -> Artifact:
            with os.fdopen(os.open(name, _CREATE, 0o644, dir_fd=folder), "w+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # tells `sweep` that its writer lives
                shutil.copyfileobj(content, file, _PIECE)
                file.flush()
                artifact = describe(key, file, media_type)
                write_note(file, artifact)
                os.fsync(file.fileno())
                return artifact

        try:
            return self._replace(key, write, once=once)
        except FileExistsError as error:
            raise ObjectExists(f"there is a {key} in the bucket {self.root} already") from error
        except OSError as error:
            raise explain(error, key) from error

    def _replace(self, key: str, write: Callable[[int, str], T], *, once: bool = False) -> T:
        """Let `write` make a file in the key's folder, then give it the key's name; all or nothing, and durable.

        With `once`, FileExistsError is raised when the name is taken.
        """
        *folders, name = keys.split(key)
        with self._folder(folders, make=True) as folder:
            unfinished = unfinished_name()
            try:
                result = write(folder, unfinished)
                if once:  # unlike a rename, a link fails when the name is taken
                    os.link(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
                else:
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
                file = _file(os.open(name, _READ, dir_fd=folder))
        except (FileNotFoundError, IsADirectoryError):
            raise ObjectMissing(f"there is no {key} in the bucket {self.root}") from None
        except OSError as error:  # a link where the object should be
            raise explain(error, key) from error
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

    def _keys(self, *folders: str) -> Iterator[str]:
        """Yield the keys of all objects in a folder and those in it."""
        try:
            with self._folder([*folders], make=False) as folder, os.scandir(folder) as items:
                found = [(item.name, item.is_dir(follow_symlinks=False)) for item in items if keys.is_name(item.name)]
        except FileNotFoundError:
            return
        except OSError as error:  # a link where a folder should be
            raise explain(error, "/".join(folders)) from error
        for name, is_folder in found:
            if not is_folder:
                yield "/".join((*folders, name))
            elif len(folders) == 1:
                yield from self._keys(*folders, name)

    def _entry(self, key: str) -> Iterator[Entry]:
        """Yield the listing's line of an object, none for one that has just gone or never was a file."""
        *folders, name = keys.split(key)
        with contextlib.suppress(OSError), self._folder(folders, make=False) as folder:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                used = max(status.st_atime, status.st_mtime)
                yield Entry(key, status.st_size, _time(status.st_mtime), _time(used))


def _file(descriptor: int) -> IO[bytes]:
    try:
        return os.fdopen(descriptor, "rb")
    except OSError:  # a folder: the descriptor would stay open
        os.close(descriptor)
        raise


def _note_use(file: IO[bytes]) -> None:
    status = os.fstat(file.fileno())
    if time.time() - status.st_atime > _USE_SECONDS:
        with contextlib.suppress(PermissionError):  # somebody else's file can still be read
            os.utime(file.fileno(), ns=(time.time_ns(), status.st_mtime_ns))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
