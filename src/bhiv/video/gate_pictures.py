"""What the gate sees: some of a finished video's key pictures, small, and whether they are black or stand still.

A scene whose packets were found right in another video is found right by them, and its pictures are not decoded again.
"""

import hashlib
import math
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bhiv import ffmpeg, process
from bhiv.cache import Step
from bhiv.errors import GateRejected
from bhiv.plan import Contract, Frames

_TIMEOUT_SECONDS = 1200
_WIDTH = 160
#: What lies below holds captions, which move over a frozen picture and shine on a black one.
_UPPER_SHARE = 0.65
#: Luma that counts as black (16 is black), and the share of such pixels that makes a black picture.
_BLACK_LUMA, _BLACK_SHARE = 24, 0.99
#: A picture whose shift by a small pixel changes less than this, in luma, has nothing to see a movement by.
_LEAST_TEXTURE = 0.2
#: A move changes a picture more than this share of such a shift.
_LEAST_MOVE = 0.25
#: Pictures that one ffmpeg decodes: their times are one argument, of which Linux allows 128 kB.
_MOST_AT_ONCE = 2_000
_MOST_IN_A_SUM = 8

Luma = NDArray[np.uint8]


class Shown(Contract):
    """A scene as it should be seen: from its first frame to the next scene's."""

    start: Frames
    #: Whether its picture is moved by the camera; False for what may stand still.
    moves: bool = False


class Key(NamedTuple):
    """A key picture: its frame, and the size and Adler-32 of its packet."""

    frame: int
    size: int
    sum: int


class Seen(Contract):
    """So many key pictures of a scene were looked at and found right."""

    pictures: int


#: Finds a scene that was found right, in whatever video, by the packets that were decoded of it.
STEP = Step("seen", 1, "clips", Seen)

#: Returns which of some names are known.
Recall = Callable[[Sequence[str]], Sequence[bool]]


def look(
    path: Path,
    size: tuple[int, int],
    keys: Sequence[Key],
    scenes: Sequence[Shown],
    rates: tuple[int, int],
    known: Recall = lambda names: [False] * len(names),
) -> dict[str, Seen]:
    """Decode some key pictures of each scene that is not `known`, and return what was seen, by its name.

    `size` is width and height, `rates` are frames a second and ticks a frame.

    Raises:
        GateRejected: a scene does not begin with a key picture, one can't be decoded, is black, or stands still.
    """
    fps, ticks = rates
    chosen = _choose(keys, scenes, fps)
    names = [_name(some, scene, size) for some, scene in zip(chosen, scenes, strict=True)]
    rows = zip(names, scenes, chosen, known(names), strict=True)
    new = [(name, scene, [key.frame for key in some]) for name, scene, some, is_known in rows if not is_known]
    wanted = [frame for _, _, frames in new for frame in frames]
    watched = _Watched(((scene, frames) for _, scene, frames in new), fps)
    for first in range(0, len(wanted), _MOST_AT_ONCE):
        times = [frame * ticks for frame in wanted[first : first + _MOST_AT_ONCE]]
        _decode(path, *size, times, watched.see)
        if watched.refused:
            raise watched.refused
    return {name: Seen(pictures=len(frames)) for name, _, frames in new}


def _name(chosen: Sequence[Key], scene: Shown, size: tuple[int, int]) -> str:
    """Return the name of what is seen of these packets: how they are judged depends on the move too."""
    digest = hashlib.sha256(array("I", [number for key in chosen for number in key[1:]]).tobytes()).hexdigest()
    return STEP.key(digest, str(size), str(scene.moves), ffmpeg.VERSION)


def _choose(keys: Sequence[Key], scenes: Sequence[Shown], fps: int) -> list[list[Key]]:
    """Return the key pictures that are looked at, scene by scene: every third, and the last.

    The first shows the scene before, which the transition begins with; it is looked at where there is but one more.
    """
    chosen = list[list[Key]]()
    ends = [*(scene.start for scene in scenes[1:]), math.inf]
    for scene, end in zip(scenes, ends, strict=True):
        inside = keys[bisect_left(keys, (scene.start,)) : bisect_left(keys, (end,))]
        if not inside or inside[0].frame != scene.start:
            began = f"{inside[0].frame / fps:.2f} s" if inside else "no time"
            raise GateRejected(f"a scene's first key picture is at {began} instead of {scene.start / fps:.2f} s")
        own = inside[1:] if len(inside) > 2 else inside
        chosen.append(sorted({*own[::3], own[-1]}))
    return chosen


_NOTHING: tuple[Shown, list[int]] = (Shown(start=Frames(0)), [])


class _Watched:
    """Judges each scene as soon as its last picture has come, and lets go of them; `refused` is the first refusal."""

    def __init__(self, scenes: Iterable[tuple[Shown, list[int]]], fps: int) -> None:
        self.refused: GateRejected | None = None
        self._scenes, self._fps = iter(scenes), fps
        self._scene, self._chosen = next(self._scenes, _NOTHING)
        self._seen = list[Luma]()

    def see(self, picture: Luma) -> None:
        """Take the next of all chosen pictures."""
        self._seen.append(picture)
        if len(self._seen) < len(self._chosen) or self.refused:
            return
        seconds = [key / self._fps for key in self._chosen]
        try:
            _check_black(self._seen, seconds)
            if self._scene.moves:
                _check_frozen(self._seen, seconds)
        except GateRejected as refused:
            self.refused = refused
        self._seen = []
        self._scene, self._chosen = next(self._scenes, _NOTHING)


def _decode(path: Path, width: int, height: int, times: list[int], see: Callable[[Luma], None]) -> None:
    """Have the upper parts of the key pictures seen that are shown at these times, in the stream's units."""
    rows = max(2, round(_WIDTH * height / width / 2) * 2)
    size, begun, found = _WIDTH * rows * 3 // 2, b"", 0

    def take(piece: bytes) -> None:
        nonlocal begun, found
        begun += piece
        while len(begun) >= size:
            luma = np.frombuffer(begun, np.uint8, _WIDTH * rows).reshape(rows, _WIDTH)
            begun, found = begun[size:], found + 1
            if found <= len(times):
                see(luma[: int(rows * _UPPER_SHARE)])

    decoded = process.run(
        ffmpeg.command(
            *("-v", "error", "-threads", "2", "-skip_frame", "nokey", "-skip_loop_filter", "all"),
            # Dropped as packets: a decoder told to skip what is no key still takes 13 ms for each that is.
            *("-bsf:v", rf"noise=drop=if(key\,not({_one_of(times)})\,1)", "-i", str(path), "-map", "0:v"),
            *("-vf", f"scale={_WIDTH}:{rows}:flags=area", "-fps_mode", "passthrough"),
            *("-f", "rawvideo", "-pix_fmt", "yuv420p", "-"),
        ),
        timeout_seconds=_TIMEOUT_SECONDS,
        take=take,
    )
    errors = decoded.stderr.strip().splitlines()
    if errors:
        raise GateRejected(f"the pictures are damaged, {len(errors)} errors instead of 0: {errors[0]}")
    if found != len(times):
        raise GateRejected(f"{found} of the video's key pictures can be decoded instead of {len(times)}")


def _one_of(times: Sequence[int]) -> str:
    """Return an expression of ffmpeg's that is true at these times, in order; it refuses a sum of more than 99."""
    if len(times) <= _MOST_IN_A_SUM:
        return "+".join(rf"eq(pts\,{time})" for time in times)
    half = len(times) // 2
    return rf"if(lt(pts\,{times[half]})\,{_one_of(times[:half])}\,{_one_of(times[half:])})"


def _check_black(pictures: Sequence[Luma], seconds: Sequence[float]) -> None:
    """Refuse two black pictures in a row, or a scene of nothing else; one alone may be a fade."""
    black = [float((picture <= _BLACK_LUMA).mean()) >= _BLACK_SHARE for picture in pictures]
    for first, (one, other) in enumerate(pairwise(black)):
        if one and other:
            raise GateRejected(f"the video is black from {seconds[first]:.2f} s to {seconds[first + 1]:.2f} s")
    if all(black):
        raise GateRejected(f"the video is black at {seconds[0]:.2f} s, in all {len(black)} key pictures of the scene")


def _check_frozen(pictures: Sequence[Luma], seconds: Sequence[float]) -> None:
    """Refuse pictures half a scene apart that are the same, where there is something to see a movement by."""
    apart = len(pictures) // 2
    for number in range(len(pictures) - apart if apart else 0):
        first, last = (pictures[at].astype(np.float32) for at in (number, number + apart))
        shifts = (np.abs(np.diff(first, axis=axis)).mean() for axis in (0, 1))
        texture, change = float(min(shifts)), float(np.abs(first - last).mean())
        if texture >= _LEAST_TEXTURE and change < _LEAST_MOVE * texture:
            raise GateRejected(
                f"the picture stands still from {seconds[number]:.2f} s to {seconds[number + apart]:.2f} s: it changes "
                f"by {change:.2f} instead of {_LEAST_MOVE * texture:.2f} or more"
            )
