"""A scene's narration."""

from collections.abc import Sequence

from bhiv.cache import Made
from bhiv.plan import Scene
from bhiv.production import Narrated, make_narration
from bhiv.speech import Voice
from tasks.step import here, run_settings, shown, step


@step("narration", "narration {label}")
def speak_narration(label: str, run: str, scene: Scene, language: str, voices: Sequence[Voice]) -> Made[Narrated]:
    """Speak the scene's narration."""
    return shown(make_narration(here(), run, scene, language, voices, run_settings()))
