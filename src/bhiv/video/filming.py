"""Filming: a scene's clip is fetched or found, looked at once, and kept."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bhiv.bucket import Artifact, Bucket
from bhiv.cache import Made, Step, recall
from bhiv.errors import FootageRefused, PictureError, StorageError
from bhiv.photos.fetching import fetch_file, rules_of, shown
from bhiv.plan import Contract, Footage
from bhiv.vendors import wait_for
from bhiv.video.probe import MAX_BYTES, Probed, probe

#: The largest clip that is fetched from the web, in bytes, and how long that may take.
MAX_FETCHED_BYTES = 512 << 20
_FETCH_SECONDS = 600.0
_ATTEMPTS = 3


class Filmed(Contract):
    """A clip that can be shown."""

    video: Artifact
    clip: Probed


class _Kind(NamedTuple):
    ending: str
    media_type: str


#: By container.
_KINDS = {
    "mov": _Kind("mp4", "video/mp4"),
    "matroska": _Kind("mkv", "video/x-matroska"),
    "avi": _Kind("avi", "video/x-msvideo"),
    "mpegts": _Kind("ts", "video/mp2t"),
    "mpeg": _Kind("mpg", "video/mpeg"),
}

STEP = Step("footage", 1, "clips", Filmed)


def film(bucket: Bucket, wanted: Footage, scene: int, allowed_hosts: Sequence[str], folder: Path) -> Made[Filmed]:
    """Return the clip that a plan names by its address or its key; an address is asked once. `scene` counts from 1.

    Raises:
        FootageRefused: it can't be shown.
        PictureError: it can't be had.
    """
    what = f"scene {scene}: the clip"
    if wanted.url:
        return _fetched(bucket, wanted.url, allowed_hosts, folder, f"{what} at {shown(wanted.url)}")
    assert wanted.object, "files are put into the bucket before"
    what = f"{what} {wanted.object}"
    try:
        artifact = bucket.stat(wanted.object).artifact
        if artifact.size > MAX_BYTES:
            raise FootageRefused(f"{what} has more than {MAX_BYTES >> 30} GB; make it smaller")
        return recall(
            bucket,
            STEP,
            STEP.key(artifact),
            lambda: Filmed(video=artifact, clip=probe(bucket.fetch(artifact), what)),
        )
    except StorageError as error:
        raise PictureError(f"{what} can't be read: {error}") from error


def keep_clip(bucket: Bucket, path: Path, what: str) -> Filmed:
    """Look at a clip and store it under the hash of its bytes.

    Raises:
        FootageRefused: it can't be shown; nothing was stored.
        StorageError: the bucket can't be written.
    """
    clip = probe(path, what)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    kind = _KINDS[clip.container]
    return Filmed(video=bucket.put_file(f"clips/own-{digest[:40]}.{kind.ending}", path, kind.media_type), clip=clip)


def _fetched(bucket: Bucket, url: str, allowed_hosts: Sequence[str], folder: Path, what: str) -> Made[Filmed]:
    def make() -> Filmed:
        target = folder / "fetched"
        rules = rules_of(allowed_hosts)
        wait_for(
            fetch_file(
                url, rules, what, target, max_bytes=MAX_FETCHED_BYTES, total_seconds=_FETCH_SECONDS, attempts=_ATTEMPTS
            )
        )
        return keep_clip(bucket, target, what)

    return recall(bucket, STEP, STEP.key(url), make)
