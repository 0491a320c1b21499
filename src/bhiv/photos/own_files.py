"""The user's own picture files, which a plan names beside itself: looked at, and put into the bucket."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from bhiv.bucket import check_bucket, open_bucket
from bhiv.errors import PictureError, PlanError, StorageUnavailable
from bhiv.photos.developing import ending_of
from bhiv.photos.procuring import MOST_OWN_BYTES
from bhiv.plan import RenderPlan
from bhiv.settings import Settings

_MEDIA_TYPES: Mapping[str, str] = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "gif": "image/gif"}


def keep_files(plan: RenderPlan, folder: Path, settings: Settings) -> RenderPlan:
    """Store every picture file that the plan names in the bucket, and return the plan with their keys in place.

    `folder` is where relative names begin. The same picture is stored once, under the hash of its bytes.

    Raises:
        PlanError: a file is not there, or is no picture that can be shown; nothing was stored.
        StorageError: the bucket can't be written, or is not where the settings say.
    """
    named = {number: scene.picture.file for number, scene in enumerate(plan.scenes) if scene.picture}
    files = {number: _checked(folder / file, number) for number, file in named.items() if file}
    if not files:
        return plan
    with suppress(StorageUnavailable):  # what is stored meanwhile waits in the spool
        check_bucket(settings)
    bucket, scenes = open_bucket(settings), list(plan.scenes)
    for number, (data, ending) in files.items():
        key = f"images/own-{hashlib.sha256(data).hexdigest()[:40]}.{ending}"
        bucket.put_bytes(key, data, _MEDIA_TYPES[ending])
        picture = scenes[number].picture
        assert picture is not None, "it named a file"
        kept = picture.model_copy(update={"file": None, "object": key})
        scenes[number] = scenes[number].model_copy(update={"picture": kept})
    return plan.model_copy(update={"scenes": tuple(scenes)})


def _checked(path: Path, number: int) -> tuple[bytes, str]:
    """Return the bytes of a file that is a whole picture, and the ending that suits them."""
    field = f"scenes.{number}.picture.file"
    try:
        if not path.is_file():
            raise PlanError(f"there is no file {path}; names are relative to the plan's folder", field)
        with path.open("rb") as file:
            data = file.read(MOST_OWN_BYTES + 1)
    except (OSError, ValueError) as error:
        raise PlanError(f"{str(path)!r} can't be read: {error}", field) from None
    if len(data) > MOST_OWN_BYTES:
        raise PlanError(f"{path} has more than {MOST_OWN_BYTES:,} bytes; make it smaller", field)
    try:
        return data, ending_of(data, str(path))
    except PictureError as error:
        raise PlanError(str(error), field) from None
