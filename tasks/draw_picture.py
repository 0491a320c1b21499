"""A scene's picture."""

from bhiv.cache import Made
from bhiv.pictures import Brief
from bhiv.production import Drawn, make_picture
from tasks.step import here, shown, step


@step("picture", "picture {label}")
def draw_picture(label: str, run: str, brief: Brief) -> Made[Drawn]:
    """Draw the picture that the brief describes."""
    return shown(make_picture(here(), run, brief))
