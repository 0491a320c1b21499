"""What a person names on the command line: the input to read and the file to write."""

import errno
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from unicodedata import category

from bhiv.bucket import Bucket
from bhiv.errors import DiskFull, InputRefused, StorageError
from bhiv.plan import RenderPlan, parse_plan
from bhiv.record import Summary
from bhiv.request import RenderRequest, make_request
from bhiv.script import decode_script
from bhiv.settings import Settings

#: Plans are longer than their scripts: every scene repeats its field names.
_PLAN_BYTES_PER_SCRIPT_BYTE = 10
_STDIN = "-"
#: Letters of a file's name; so many of any script, with what is added while it is written, fit into 255 bytes.
_MOST_NAME = 56


def read_request(source: str, options: dict[str, Any], settings: Settings) -> RenderRequest:
    """Read a script (.txt, .md), a plan (.json) or, for `-`, either from standard input.

    `options` are fields of the request; None stands for one that was not given, `music` is a file's name. That file
    and those that a plan names are stored in the bucket.

    Raises:
        InputRefused: the input is not there, can't be read, or is neither; the message begins with its name.
    """
    name = "standard input" if source == _STDIN else source
    limit = settings.max_script_bytes * _PLAN_BYTES_PER_SCRIPT_BYTE
    data = _read(source, limit)
    given = _given(options, settings)
    try:
        if _is_plan(source, data):
            folder = Path() if source == _STDIN else Path(source).parent
            return make_request({"plan": _with_files_kept(parse_plan(data), folder, settings)} | given)
        script = decode_script(data, max_bytes=settings.max_script_bytes)
        return make_request({"script": script, "name": title_of(source)} | given)
    except InputRefused as error:
        raise InputRefused(f"{name}: {error}") from error


def topic_request(topic: str, options: dict[str, Any], settings: Settings) -> RenderRequest:
    """Return the request for a video about a topic; `options` as for `read_request`. Raises PlanError."""
    return make_request({"topic": topic} | _given(options, settings))


def name_of(topic: str) -> str:
    """Return the name of a file about a topic, without a suffix: its first words, in lower case."""
    # Vowel signs of many scripts are no letters, and no words without them.
    kept = (letter if letter.isalnum() or category(letter).startswith("M") else " " for letter in topic.lower())
    words = "".join(kept).split()
    return "-".join(words)[:_MOST_NAME].rstrip("-") or "video"


def check_target(target: Path, suffixes: tuple[str, ...] = (".mp4",), form: str = "a video is written as MP4") -> None:
    """Refuse a target that could not be written, before any work is done for it.

    Raises:
        InputRefused: it is a folder, has none of the suffixes, or its folder can't be written.
    """
    if target.suffix.lower() not in suffixes:
        raise InputRefused(f"{target}: {form}; give a name that ends in {' or '.join(suffixes)}")
    if target.is_dir():
        raise InputRefused(f"{target} is a folder; give the name of a file in it")
    folder = next(parent for parent in target.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputRefused(f"{target}: the folder {folder} can't be written; choose another with -o")


def write_copy(source: Path, target: Path) -> None:
    """Copy a file so that `target` is at any moment the old file or the whole new one.

    Raises:
        DiskFull, StorageError: nothing was changed.
    """
    with _replacing(target, f"; the video is kept in {source}") as file, source.open("rb") as content:
        shutil.copyfileobj(content, file, 1 << 20)


def write_whole(data: bytes, target: Path) -> None:
    """Write a file so that `target` is at any moment the old one or the whole new one; raises as `write_copy` does."""
    with _replacing(target, "") as file:
        file.write(data)


@contextmanager
def _replacing(target: Path, comfort: str) -> Iterator[IO[bytes]]:
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(f"the disk is full: {target} was not written{comfort}") from error
        raise StorageError(f"{target} can't be written ({error.strerror}){comfort}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def write_credits(bucket: Bucket, summary: Summary, target: Path) -> Path | None:
    """Write beside the video whose pictures it shows, and return the file's path; None when nobody is owed anything."""
    from bhiv.photos.credits import Credits

    path = target.with_name(f"{target.stem}_credits.json")
    stored = bucket.stat(summary.credits).artifact if summary.credits else None
    if stored is None or not Credits.model_validate_json(bucket.get_bytes(stored.key)).lines:
        path.unlink(missing_ok=True)  # those of an older video of that name
        return None
    write_copy(bucket.fetch(stored), path)
    return path


def _read(source: str, limit: int) -> bytes:
    """Return at most one byte more than `limit`, so that no input, however large, fills the memory."""
    if source == _STDIN:
        return sys.stdin.buffer.read(limit + 1)
    try:
        with Path(source).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
                raise InputRefused(f"{source} is not a file; give a script (.txt, .md) or a plan (.json)")
            return file.read(limit + 1)
    except FileNotFoundError:
        raise InputRefused(f"there is no file {source}; check the name") from None
    except IsADirectoryError:
        raise InputRefused(f"{source} is a folder; give a script (.txt, .md) or a plan (.json) in it") from None
    except PermissionError:
        raise InputRefused(f"{source} can't be read: you have no permission; try `chmod +r`") from None
    except (OSError, ValueError) as error:
        raise InputRefused(f"{source!r} can't be read: {error}") from None


def _given(options: dict[str, Any], settings: Settings) -> dict[str, Any]:
    given = {key: value for key, value in options.items() if value is not None}
    if "music" in given:
        from bhiv.music import keep_file

        given["music"] = {"object": keep_file(Path(given["music"]), settings, "--music")}
    return given


def _with_files_kept(plan: RenderPlan, folder: Path, settings: Settings) -> RenderPlan:
    if plan.music is not None and plan.music.file is not None:
        from bhiv.music import keep_file

        key = keep_file(folder / plan.music.file, settings, "music.file")
        plan = plan.model_copy(update={"music": plan.music.model_copy(update={"file": None, "object": key})})
    if any(scene.picture and scene.picture.file for scene in plan.scenes):
        from bhiv.photos.own_files import keep_files

        plan = keep_files(plan, folder, settings)
    if any(scene.footage and scene.footage.file for scene in plan.scenes):
        from bhiv.video.own_clips import keep_clips

        plan = keep_clips(plan, folder, settings)
    return plan


def _is_plan(source: str, data: bytes) -> bool:
    return source.endswith(".json") or (source == _STDIN and data.lstrip()[:1] == b"{")


def title_of(source: str) -> str:
    """Return the title that a file's name suggests."""
    stem = "" if source == _STDIN else Path(source).stem
    words = " ".join(stem.replace("_", " ").replace("-", " ").split())
    return words[:1].upper() + words[1:200] or "Untitled"
