"""The check before a video is delivered."""

from bhiv import production
from bhiv.cache import Made
from bhiv.video.gate import Expected, Verdict
from bhiv.video.join import Video
from tasks.step import here, shown, step


@step("gate", "gate")
def check_video(video: Made[Video], expected: Expected) -> Made[Verdict]:
    """Refuse a video that is not what was asked for."""
    return shown(production.check_video(here(), video.result, expected))
