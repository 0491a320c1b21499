"""A scene's clip."""

from bhiv.cache import Made
from bhiv.encoding import make_clip
from bhiv.production import Captioned, Drawn, Frame
from bhiv.video.clip import Clip
from bhiv.video.staging import Staging
from tasks.step import here, shown, step


@step("clip", "clip {label}")
def encode_clip(
    label: str,
    run: str,
    staging: Staging,
    drawn: list[Made[Drawn]],
    captioned: list[Made[Captioned]],
    frame: Frame,
    encoder: str,
) -> Made[Clip]:
    """Encode the scene, once; `drawn` and `captioned` are its own and those of the scene that it begins over."""
    pictures, words = [made.result for made in drawn], [made.result for made in captioned]
    return shown(make_clip(here(), run, staging, pictures, words, frame, encoder))
