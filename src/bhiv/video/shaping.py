"""Shaping: MoviePy trims, speeds, turns and colours a clip; it neither opens the file nor writes one."""

import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bhiv import ffmpeg
from bhiv.plan import EFFECTS

_lock = threading.Lock()
_ENDLESS = 1e9

#: A moment in seconds to a picture.
Shown = Callable[[float], NDArray[np.uint8]]


@cache
def _moviepy() -> Any:
    """Import MoviePy, whose settings are given: by itself it would read `.env` files and run ffmpeg to find it."""
    with _lock:
        given = ModuleType("moviepy.config")
        given.FFMPEG_BINARY, given.FFPLAY_BINARY = ffmpeg.executable(), "unset"  # type: ignore[attr-defined]
        sys.modules.setdefault("moviepy.config", given)
        import moviepy

        return moviepy


def shaped(
    picture_at: Shown,
    size: tuple[int, int],
    start: float,
    length: float,
    speed: float,
    effects: Sequence[str],
    *,
    loops: bool,
    seconds: float,
) -> Shown:
    """Return what shows a clip's stretch for `seconds`: in its speed, again or with its last frame, under effects.

    `picture_at` shows the whole clip, in pictures of `size`; `start` and `length` are seconds of it. What is returned
    is to be asked for the middles of frames, and its picture is valid until it is asked for the next.
    """
    moviepy = _moviepy()
    # MoviePy asks for the first picture at each step, long before it is wanted.
    blank, is_built = np.zeros((size[1], size[0], 3), np.uint8), threading.Event()
    clip = moviepy.VideoClip(lambda time: picture_at(time) if is_built.is_set() else blank, duration=start + length)
    clip = clip.subclipped(start, start + length).with_effects([moviepy.vfx.MultiplySpeed(speed)])
    if "time_mirror" in effects:
        # MoviePy goes one frame further back, for who asks for the beginnings of frames.
        clip = clip.with_fps(_ENDLESS).with_effects([moviepy.vfx.TimeMirror()])
    if loops:
        clip = clip.with_effects([moviepy.vfx.Loop(duration=seconds)])
    else:
        last = clip.duration - 1 / _ENDLESS
        clip = clip.time_transform(lambda time: min(time, last)).with_duration(seconds)
    for written in effects:
        name, _, number = written.partition(":")
        if name != "time_mirror":
            clip = clip.with_effects([_effect(moviepy.vfx, name, number)])

    is_built.set()

    def shown(time: float) -> NDArray[np.uint8]:
        picture = clip.get_frame(time)
        if picture.dtype != np.uint8:
            picture = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        return np.ascontiguousarray(picture)

    return shown


def _effect(vfx: Any, name: str, number: str) -> Any:
    bounds = EFFECTS[name]
    value = float(number) if number else bounds[1] if bounds else 0.0
    match name:
        case "black_and_white":
            return vfx.BlackAndWhite(RGB="CRT_phosphor")  # the weights of BT.709
        case "invert_colors":
            return vfx.InvertColors()
        case "mirror_x":
            return vfx.MirrorX()
        case "mirror_y":
            return vfx.MirrorY()
        case "fade_in":
            return vfx.FadeIn(value)
        case "fade_out":
            return vfx.FadeOut(value)
        case "multiply_color":
            return vfx.MultiplyColor(value)
        case "gamma":
            return vfx.GammaCorrection(1 / value)
        case _:
            return vfx.LumContrast(contrast=value)
