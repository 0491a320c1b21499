"""What the gate sees: some of a finished video's key pictures, small, and whether they are black or stand still."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bhiv import ffmpeg, process
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
#: More of them would make an argument that takes longer to read than all key pictures take to decode.
_MOST_CHOSEN = 400

Luma = NDArray[np.uint8]


class Shown(Contract):
    """A scene as it should be seen: from its first frame to the next scene's."""

    start: Frames
    #: Whether its picture is moved by the camera; False for what may stand still.
    moves: bool = False


def look(
    path: Path, width: int, height: int, keys: Sequence[int], scenes: Sequence[Shown], rates: tuple[int, int]
) -> None:
    """Decode some key pictures of each scene; `keys` are frame numbers, `rates` frames a second and ticks a frame.

    Raises:
        GateRejected: a scene does not begin with a key picture, one can't be decoded, is black, or stands still.
    """
    fps, ticks = rates
    chosen: list[tuple[Shown, list[int]]] = []
    ends = [*(scene.start for scene in scenes[1:]), None]
    for scene, end in zip(scenes, ends, strict=True):
        inside = [key for key in keys if key >= scene.start and (end is None or key < end)]
        if not inside or inside[0] != scene.start:
            began = f"{inside[0] / fps:.2f} s" if inside else "no time"
            raise GateRejected(f"a scene's first key picture is at {began} instead of {scene.start / fps:.2f} s")
        chosen.append((scene, sorted({*inside[::3], inside[-1]})))
    wanted = [key for _, some in chosen for key in some]
    if len(wanted) > _MOST_CHOSEN:
        chosen = [(scene, _between(keys, scene.start, end)) for (scene, _), end in zip(chosen, ends, strict=True)]
        wanted = list(keys)
    seen = dict(zip(wanted, _decode(path, width, height, [key * ticks for key in wanted], len(keys)), strict=True))
    for scene, some in chosen:
        pictures = [seen[key] for key in some]
        _check_black(pictures, [key / fps for key in some])
        if scene.moves:
            _check_frozen(pictures, [key / fps for key in some])


def _between(keys: Sequence[int], start: int, end: int | None) -> list[int]:
    return [key for key in keys if key >= start and (end is None or key < end)]


def _decode(path: Path, width: int, height: int, times: list[int], present: int) -> list[Luma]:
    """Return the upper parts of the key pictures shown at these times, in the stream's units."""
    rows = max(2, round(_WIDTH * height / width / 2) * 2)
    # Dropped as packets: a decoder told to skip what is no key still takes 13 ms for each that is.
    named = "+".join(rf"eq(pts\,{time})" for time in times)
    only = ("-bsf:v", f"noise=drop=not({named})") if len(times) < present else ()
    decoded = process.run(
        ffmpeg.command(
            *(
                "-v",
                "error",
                "-threads",
                "1",
                "-skip_frame",
                "nokey",
                "-skip_loop_filter",
                "all",
                *only,
                "-i",
                str(path),
                "-map",
                "0:v",
            ),
            *("-vf", f"scale={_WIDTH}:{rows}:flags=area", "-fps_mode", "passthrough"),
            *("-f", "rawvideo", "-pix_fmt", "yuv420p", "-"),
        ),
        timeout_seconds=_TIMEOUT_SECONDS,
    )
    errors = decoded.stderr.strip().splitlines()
    if errors:
        raise GateRejected(f"the pictures are damaged, {len(errors)} errors instead of 0: {errors[0]}")
    found, luma = len(decoded.stdout) // (_WIDTH * rows * 3 // 2), _WIDTH * rows
    if found != len(times):
        raise GateRejected(f"{found} of the video's key pictures can be decoded instead of {len(times)}")
    frames = np.frombuffer(decoded.stdout, np.uint8).reshape(found, -1)[:, :luma].reshape(found, rows, _WIDTH)
    return list(frames[:, : int(rows * _UPPER_SHARE)])


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
