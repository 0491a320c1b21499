"""The user's own clips, which a plan names beside itself: looked at, and put into the bucket."""

from contextlib import suppress
from pathlib import Path

from bhiv.bucket import check_bucket, open_bucket
from bhiv.errors import FootageRefused, PlanError, StorageUnavailable
from bhiv.plan import Footage, RenderPlan
from bhiv.settings import Settings
from bhiv.video.filming import keep_clip
from bhiv.video.footage import specify
from bhiv.video.probe import probe


def keep_clips(plan: RenderPlan, folder: Path, settings: Settings) -> RenderPlan:
    """Store every clip that the plan names by file in the bucket, and return the plan with their keys in place.

    `folder` is where relative names begin. The same clip is stored once, under the hash of its bytes.

    Raises:
        PlanError: a file is not there, or is no clip that can be shown; nothing was stored.
        StorageError: the bucket can't be written, or is not where the settings say.
    """
    named = {number: scene.footage for number, scene in enumerate(plan.scenes) if scene.footage}
    files = {number: _checked(folder, footage, number) for number, footage in named.items() if footage.file}
    if not files:
        return plan
    with suppress(StorageUnavailable):  # what is stored meanwhile waits in the spool
        check_bucket(settings)
    bucket, scenes = open_bucket(settings), list(plan.scenes)
    for number, path in files.items():
        kept = keep_clip(bucket, path, str(path))
        footage = named[number].model_copy(update={"file": None, "object": kept.video.key})
        scenes[number] = scenes[number].model_copy(update={"footage": footage})
    return plan.model_copy(update={"scenes": tuple(scenes)})


def _checked(folder: Path, footage: Footage, number: int) -> Path:
    """Return the path of a file that is a clip of which something can be shown."""
    assert footage.file, "asked for those that name one"
    path, field = folder / footage.file, f"scenes.{number}.footage.file"
    try:
        if not path.is_file():
            raise PlanError(f"there is no file {path}; names are relative to the plan's folder", field)
        specify(footage, "", probe(path, str(path)), str(path))
    except (OSError, ValueError) as error:
        if isinstance(error, PlanError):
            raise
        if isinstance(error, FootageRefused):
            raise PlanError(str(error), field) from None
        raise PlanError(f"{str(path)!r} can't be read: {error}", field) from None
    return path
