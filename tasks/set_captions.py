"""A scene's captions."""

from bhiv.cache import Made
from bhiv.plan import Scene
from bhiv.production import Captioned, CaptionLook, Drawn, Frame, Narrated, make_captions
from tasks.step import here, shown, step


@step("captions", "captions {label}")
def set_captions(
    label: str,
    scene: Scene,
    narrated: Made[Narrated],
    look: CaptionLook,
    frame: Frame,
    drawn: Made[Drawn] | None = None,
) -> Made[Captioned]:
    """Set the captions to the narration's words; `drawn` is there where the scene may last as long as its clip."""
    return shown(make_captions(here(), scene, narrated.result, look, frame, drawn.result if drawn else None))
