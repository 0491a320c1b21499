"""A scene's picture."""

from bhiv.cache import Made
from bhiv.photos import Collection, Found, Wish
from bhiv.production import Drawn, show_picture
from tasks.step import here, run_settings, shown, step


@step("picture", "picture {label}")
def draw_picture(label: str, run: str, wish: Wish, found: Made[Found] | None, layered: bool = False) -> Made[Drawn]:
    """Have the scene show its own picture, a photograph that was found, or the one that its brief describes."""
    offers = found.result.offers[wish.scene - 1] if found else ()
    return shown(show_picture(here(), run, wish, offers, Collection.of(run_settings()), layered=layered))
