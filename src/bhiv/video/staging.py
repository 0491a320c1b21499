"""Staging: how each scene of a plan is shot, and how it begins."""

from collections.abc import Sequence

from bhiv.plan import Camera, Contract, Focus, RenderPlan
from bhiv.video import camera, transitions
from bhiv.video.transitions import Mixed


class Movement(Contract):
    """What the camera does over a scene's picture."""

    move: Camera
    focus: Focus | None = None


class Staging(Contract):
    """A scene's movement; its transition, and what the camera did before it, are None where it begins with a cut."""

    movement: Movement
    transition: Mixed | None = None
    before: Movement | None = None


def stage_scenes(plan: RenderPlan) -> Sequence[Staging]:
    """Return the staging of each scene, in order."""
    movements = [
        Movement(move=camera.choose(scene.camera, number), focus=scene.focus)
        for number, scene in enumerate(plan.scenes)
    ]
    staged = []
    for number, scene in enumerate(plan.scenes):
        wanted = scene.transition or plan.transition
        transition = transitions.choose(wanted, number, begins_chapter=bool(scene.title))
        before = movements[number - 1] if transition else None
        staged.append(Staging(movement=movements[number], transition=transition, before=before))
    return staged
