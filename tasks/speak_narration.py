"""A scene's narration."""

from bhiv.cache import Made
from bhiv.plan import Scene
from bhiv.production import Narrated, make_narration
from bhiv.speech import Voice
from tasks.step import here, shown, step


@step("narration", "narration {label}")
def speak_narration(label: str, run: str, scene: Scene, language: str, voice: Voice) -> Made[Narrated]:
    """Speak the scene's narration."""
    return shown(make_narration(here(), run, scene, language, voice))
