"""The finished video out of its clips."""

from bhiv.cache import Made
from bhiv.production import make_video
from bhiv.video.join import Programme, Video
from tasks.step import here, shown, step


@step("join", "join")
def join_video(run: str, programme: Programme) -> Made[Video]:
    """Join the clips with the sound, soft captions and chapters."""
    return shown(make_video(here(), run, programme))
