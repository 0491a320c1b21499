"""How a scene begins: over the frames of the scene before, which are mixed into its own first ones.

So every frame of the programme is encoded once, and a scene's end is the same whatever follows.
"""

from typing import Literal

import cv2

from bhiv.plan import Transition
from bhiv.video.yuv import BLACK, YUV, Plane

#: Transitions that show two scenes at once.
Mixed = Literal["crossfade", "dip", "slide"]


def choose(wanted: Transition, number: int, *, begins_chapter: bool) -> Mixed | None:
    """Return how a scene begins, None for a cut; `auto` crossfades, and dips to black before a chapter.

    The first scene has none before it and is there at once.
    """
    if wanted == "cut" or number == 0:
        return None
    if wanted == "auto":
        return "dip" if begins_chapter else "crossfade"
    return wanted


def frames_of(transition: Mixed, fps: int, longest: int) -> int:
    """Return how many frames a transition takes: 0.5 s, a dip 0.7 s, but never more than half of `longest` frames."""
    return max(1, min(round(fps * (0.7 if transition == "dip" else 0.5)), longest // 2))


def mix(transition: Mixed, time: float, before: YUV, scene: YUV, frame: YUV) -> None:
    """Fill `frame`, which may be the scene's own, with what is seen at `time` 0-1 of the scene's transition."""
    for old, new, plane, black in zip(before.planes, scene.planes, frame.planes, BLACK, strict=True):
        match transition:
            case "crossfade":
                cv2.addWeighted(old, 1 - time, new, time, 0, dst=plane)
            case "dip":
                light = abs(1 - 2 * time)
                cv2.convertScaleAbs(old if time < 0.5 else new, dst=plane, alpha=light, beta=black * (1 - light))
            case "slide":
                # Of luma, twice that of chroma: so both move by whole pixels.
                shift = round(time * time * (3 - 2 * time) * before.u.shape[1]) * (2 if new is scene.y else 1)
                _push(old, new, plane, shift)


def _push(old: Plane, new: Plane, plane: Plane, shift: int) -> None:
    """Fill a plane with one that has pushed another out to the left by `shift` pixels."""
    width = plane.shape[1]
    plane[:, width - shift :] = new[:, :shift].copy()
    plane[:, : width - shift] = old[:, shift:]
