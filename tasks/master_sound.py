"""The programme's sound."""

from collections.abc import Sequence

from bhiv.cache import Made
from bhiv.production import Captioned, Frame, Narrated, make_sound
from bhiv.video.sound import Mastered
from tasks.step import here, shown, step


@step("sound", "sound")
def master_sound(
    run: str, narrated: Sequence[Made[Narrated]], captioned: Sequence[Made[Captioned]], frame: Frame
) -> Made[Mastered]:
    """Lay the narrations on the frame grid and bring the whole to its loudness."""
    return shown(
        make_sound(here(), run, [made.result for made in narrated], [made.result for made in captioned], frame)
    )
