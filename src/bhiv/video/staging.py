"""Staging: how each scene of a plan is shot, and how it begins."""

from collections.abc import Sequence

from bhiv.plan import Camera, Contract, Focus, RenderPlan, Scene, Transition
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
    moves = moves_of(plan)
    return [stage_scene(plan.scenes, moves, number, plan.transition) for number in range(len(plan.scenes))]


def moves_of(plan: RenderPlan) -> list[Camera]:
    """Return what the camera does in each scene, in order: before footage it stands still."""
    return [
        "still" if scene.footage else camera.choose(scene.camera, number) for number, scene in enumerate(plan.scenes)
    ]


def stage_scene(scenes: Sequence[Scene], moves: Sequence[Camera], number: int, wanted: Transition) -> Staging:
    """Return the staging of one of all scenes that are shown; `wanted` is the transition of those that name none."""
    scene = scenes[number]
    transition = transitions.choose(scene.transition or wanted, number, begins_chapter=bool(scene.title))
    return Staging(
        movement=Movement(move=moves[number], focus=scene.focus),
        transition=transition,
        before=Movement(move=moves[number - 1], focus=scenes[number - 1].focus) if transition else None,
    )
