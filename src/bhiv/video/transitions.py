"""How a scene begins: over the frames of the scene before, which are mixed into its own first ones.

So every frame of the programme is encoded once, and a scene's end is the same whatever follows.
"""

from typing import Literal

import cv2
import numpy as np

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


def mix(transition: Mixed, time: float, before: YUV, frame: YUV) -> None:
    """Turn a scene's frame into the one that is seen at `time` 0-1 of its transition."""
    match transition:
        case "crossfade":
            cv2.addWeighted(before.data, 1 - time, frame.data, time, 0, dst=frame.data)
        case "dip":
            if time < 0.5:
                np.copyto(frame.data, before.data)
            _darken(frame, abs(1 - 2 * time))
        case "slide":
            _slide(time * time * (3 - 2 * time), before, frame)


def _darken(frame: YUV, light: float) -> None:
    for plane, black in zip(frame.planes, BLACK, strict=True):
        cv2.convertScaleAbs(plane, dst=plane, alpha=light, beta=black * (1 - light))


def _slide(moved: float, before: YUV, frame: YUV) -> None:
    """Have the scene push the one before out to the left."""
    # Even, so that the chroma moves by whole pixels too.
    shift = round(moved * frame.y.shape[1] / 2) * 2
    for plane, old in zip(frame.planes, before.planes, strict=True):
        _push(plane, old, shift if plane is frame.y else shift // 2)


def _push(plane: Plane, old: Plane, shift: int) -> None:
    width = plane.shape[1]
    plane[:, width - shift :] = plane[:, :shift].copy()
    plane[:, : width - shift] = old[:, shift:]
