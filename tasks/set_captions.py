"""A scene's captions."""

from bhiv.cache import Made
from bhiv.plan import Scene
from bhiv.production import Captioned, CaptionLook, Frame, Narrated, make_captions
from tasks.step import here, shown, step


@step("captions", "captions {label}")
def set_captions(
    label: str, scene: Scene, narrated: Made[Narrated], look: CaptionLook, frame: Frame
) -> Made[Captioned]:
    """Set the captions to the narration's words."""
    return shown(make_captions(here(), scene, narrated.result, look, frame))
