"""The programme's sound."""

from collections.abc import Sequence

from bhiv.cache import Made
from bhiv.plan import Music
from bhiv.production import Captioned, Frame, Narrated, make_sound
from bhiv.video.sound import Mastered
from tasks.step import here, run_settings, shown, step


@step("sound", "sound")
def master_sound(
    run: str,
    narrated: Sequence[Made[Narrated]],
    captioned: Sequence[Made[Captioned]],
    frame: Frame,
    music: Music | None = None,
) -> Made[Mastered]:
    """Lay the narrations on the frame grid, music under them, and bring the whole to its loudness."""
    spoken, timed = [made.result for made in narrated], [made.result for made in captioned]
    allowed = run_settings().allowed_hosts
    return shown(make_sound(here(), run, spoken, timed, frame, wished=music, allowed_hosts=allowed))
