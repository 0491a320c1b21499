"""A scene's clip."""

from bhiv.cache import Made
from bhiv.plan import Camera
from bhiv.production import Captioned, Drawn, Frame, make_clip
from bhiv.video.clip import Clip
from tasks.step import here, shown, step


@step("clip", "clip {label}")
def encode_clip(
    label: str,
    run: str,
    move: Camera,
    drawn: Made[Drawn],
    captioned: Made[Captioned],
    frame: Frame,
    encoder: str,
) -> Made[Clip]:
    """Encode the scene, once."""
    return shown(make_clip(here(), run, move, drawn.result, captioned.result, frame, encoder))
