"""Photographs for all scenes of a video."""

from bhiv.cache import Made
from bhiv.photos import Collection, Found, Wish
from bhiv.photos import find_photos as find
from tasks.step import here, run_settings, shown, step


@step("photographs", "photographs")
def find_photos(wishes: tuple[Wish, ...]) -> Made[Found]:
    """Search for photographs and share them out among the scenes."""
    return shown(find(here().bucket, wishes, Collection.of(run_settings())))
