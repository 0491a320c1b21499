"""Cards: the silent scenes that a video adds around those of its plan, one with the title, one with the credits."""

from collections.abc import Sequence

from bhiv.photos import Collection, Credit, Wish, card_lines
from bhiv.pictures import Brief, brief_end, brief_title
from bhiv.plan import Camera, Contract, RenderPlan, Scene

_TITLE_SECONDS = 2.5
#: What it takes to see that there are credits, and to read each; a scene has at most ten seconds.
_END_SECONDS, _LINE_SECONDS, _MOST_SECONDS = 3.0, 0.7, 10.0


class Card(Contract):
    """A scene that nobody wrote."""

    label: str
    scene: Scene
    brief: Brief
    move: Camera


def title_cards(plan: RenderPlan, width: int, height: int) -> tuple[Card, ...]:
    """Return the card before the first scene, its picture of this size in pixels, when the plan wants one."""
    if not plan.title_card:
        return ()
    scene = Scene(duration_seconds=_TITLE_SECONDS)
    return (Card(label="title card", scene=scene, brief=brief_title(plan, width, height), move="zoom_in"),)


def end_cards(plan: RenderPlan, owed: Sequence[Credit], width: int, height: int) -> tuple[Card, ...]:
    """Return the card behind the last scene: under `auto` when a picture is owed to somebody.

    It stands still, so that the credits can be read; all of them, and their addresses, are in the video's credits.
    """
    lines = card_lines(owed)
    if plan.end_card == "never" or (plan.end_card == "auto" and not lines):
        return ()
    seconds = min(_END_SECONDS + _LINE_SECONDS * len(lines), _MOST_SECONDS)
    brief = brief_end(plan, lines, width, height)
    scene = Scene(duration_seconds=seconds, transition="dip" if plan.transition == "auto" else None)
    return (Card(label="end card", scene=scene, brief=brief, move="still"),)


def awaits_credits(plan: RenderPlan, wishes: Sequence[Wish], collection: Collection) -> bool:
    """Return whether only the scenes' pictures can tell what an end card shows, or whether there is one."""
    return plan.end_card != "never" and bool(collection.libraries) and any(wish.queries for wish in wishes)
