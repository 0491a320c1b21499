"""The programme's sound."""

from collections.abc import Sequence

from bhiv.cache import Made
from bhiv.plan import Music
from bhiv.production import Captioned, Drawn, Frame, Narrated
from bhiv.scoring import make_ambience, make_sound
from bhiv.video.sound import Mastered
from tasks.step import here, run_settings, shown, step


@step("sound", "sound")
def master_sound(
    run: str,
    narrated: Sequence[Made[Narrated]],
    captioned: Sequence[Made[Captioned]],
    drawn: Sequence[Made[Drawn] | None],
    frame: Frame,
    music: Music | None = None,
) -> Made[Mastered]:
    """Lay the narrations on the frame grid, music and the sound of clips under them, and bring all to one loudness.

    `drawn` has the scenes whose clip may be heard, None for others.
    """
    spoken, timed = [made.result for made in narrated], [made.result for made in captioned]
    allowed = run_settings().allowed_hosts
    ambience = make_ambience(here(), run, [made.result if made else None for made in drawn], timed, frame)
    return shown(make_sound(here(), run, spoken, timed, frame, wished=music, ambience=ambience, allowed_hosts=allowed))
