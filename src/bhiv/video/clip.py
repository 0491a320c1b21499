"""A scene's clip: frames from the camera, captions burned in, one encode, no sound.

It is encoded in chunks that begin where a group of pictures does, so they cost nothing but the encoder's starts. One
scene then keeps several cores busy, and a change of the scene before it only re-makes the transition, which shows it. A
group that ends with the transition costs no bytes: its last picture is a poor start for what follows.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from pydantic import Field

from bhiv import process
from bhiv.bucket.artifact import Artifact
from bhiv.cache import Step
from bhiv.errors import ObjectDamaged
from bhiv.plan import Contract, Frames, Quality
from bhiv.video import camera, footage, layers, parallax, transitions
from bhiv.video.camera import Source, Still
from bhiv.video.encoder import SOFTWARE, Encoder, group_frames
from bhiv.video.footage import FootageSpec
from bhiv.video.overlay import CaptionLayer, Overlay
from bhiv.video.transitions import Mixed
from bhiv.video.yuv import YUV, Buffer, Plane


class Entry(Contract):
    """A transition, and the scene before, over whose frames it begins."""

    transition: Mixed
    frames: Frames
    still: Still
    footage: FootageSpec | None = Field(None, description="What is shown of a clip, in place of the still.")


class ClipSpec(Contract):
    """Everything that decides the bytes of a clip's chunk, beside the pictures."""

    #: The chunk's frames, counted from the scene's beginning.
    first: Frames = Frames(0)
    frames: Frames
    still: Still
    footage: FootageSpec | None = Field(None, description="What is shown of a clip, in place of the still.")
    #: None where the scene begins with a cut, or its entry is over before the chunk begins.
    entry: Entry | None = None
    width: int
    height: int
    fps: int
    quality: Quality
    captions: CaptionLayer | None = Field(description="None when nothing is burned in.")
    encoder: str = Field(description="Version and settings of the encoder.")


class Chunk(Contract):
    """A finished part of a clip."""

    video: Artifact
    frames: Frames


class Clip(Contract):
    """A finished clip, in chunks that follow each other."""

    chunks: tuple[Chunk, ...]

    @property
    def frames(self) -> Frames:
        """Length of the whole."""
        return Frames(sum(chunk.frames for chunk in self.chunks))


STEP = Step("clip", 4, "clips", Chunk)

_opening = Lock()

#: How many groups of pictures a chunk has, about, behind a transition.
_GROUPS = 3


def chunk_lengths(frames: Frames, fps: int, entry: Frames) -> tuple[Frames, ...]:
    """Return how many frames each chunk of a scene has: its `entry`, unless 0, then about three groups in each.

    What is left over a whole group goes with the last chunk; a scene with less than two groups stays together.
    """
    groups, left = divmod(frames - entry, group_frames(fps))
    if groups < 2:
        return (frames,)
    count = max(1, round(groups / _GROUPS))
    cuts = [groups * number // count for number in range(count + 1)]
    lengths = [(after - before) * group_frames(fps) for before, after in pairwise(cuts)]
    lengths[-1] += left
    return tuple(map(Frames, [entry, *lengths] if entry else lengths))


def encode(
    spec: ClipSpec,
    pictures: Sequence[Path],
    folder: Path,
    stall_seconds: float,
    *,
    output: Sequence[str] = (),
    encoder: Encoder = SOFTWARE,
) -> Path:
    """Write the chunk into `folder` and return its path; an encoder that takes no frame for `stall_seconds` is ended.

    The pictures, or the files of footage, are the scene's and, where it has an entry, that of the scene before.
    `output` replaces the encoder and the file's name, for who wants the raw frames.

    Raises:
        RunFailed: footage ends before its packets said.
        ToolFailed, ToolTimedOut, DiskFull, Interrupted: there is no clip; what was written stays in `folder`.
    """
    # As many scenes as cores are encoded at once: threads of OpenCV's own would only wait for each other.
    cv2.setNumThreads(1)
    # Of this thread: Intel's code resizes in two thirds of the time, and rounds half a level otherwise.
    cv2.ipp.setUseIPP_NotExact(True)
    seen: list[tuple[Still, FootageSpec | None]] = [(spec.still, spec.footage)]
    if spec.entry:
        seen.append((spec.entry.still, spec.entry.footage))
    with ExitStack() as stack:
        shots = [
            _open(path, still, shown, spec, stack, stall_seconds)
            for path, (still, shown) in zip(pictures, seen, strict=True)
        ]
        size = (spec.width, spec.height)
        stride = shots[0].stride
        command = encoder.command(spec.quality, *size, spec.fps, "clip.mp4", stride=stride, instead=output)
        with process.feed(command, stall_seconds=stall_seconds, cwd=folder, lent=True) as write:
            for rows in _frames(spec, *shots):
                write(*(plane.data for plane in rows))
    return folder / "clip.mp4"


def _frames(spec: ClipSpec, shot: Source, before: Source | None = None) -> Iterator[Sequence[Plane]]:
    """Yield the rows of the chunk's frames, in order: one may be read while the next is made, but not the one after."""
    buffers = [Buffer.empty(spec.width, spec.height, shot.stride) for _ in range(2)]
    old = Buffer.empty(spec.width, spec.height)
    overlay = Overlay(spec.captions, spec.width, spec.height, spec.fps) if spec.captions else None
    for number in range(spec.first, spec.first + spec.frames):
        buffer = buffers[number % 2]
        seen = shot.expose(number, buffer)
        if spec.entry and before and number < spec.entry.frames:
            under = before.expose(spec.entry.still.frames + number, old)
            transitions.mix(spec.entry.transition, (number + 1) / (spec.entry.frames + 1), under, seen, buffer.frame)
            seen = buffer.frame
        yield _burned(overlay, number, seen, buffer.frame) if overlay else seen.rows


def _burned(overlay: Overlay, number: int, seen: YUV, own: YUV) -> Sequence[Plane]:
    """Return the rows of a frame with its caption burned in; where it is not our `own`, those of the caption are."""
    box = overlay.box(number)
    if box is None:
        return seen.rows
    parts = list[Plane]()
    for rows, target, by in zip(seen.rows, own.rows, (1, 2, 2), strict=True):
        top, bottom = box.top // by, box.bottom // by
        if seen is not own:
            np.copyto(target[top:bottom], rows[top:bottom])
        parts += (rows[:top], target[top:bottom], rows[bottom:])
    overlay.burn(number, *own.planes)
    return parts


def _open(
    path: Path, still: Still, shown: FootageSpec | None, spec: ClipSpec, stack: ExitStack, stall_seconds: float
) -> Source:
    size = (spec.width, spec.height, spec.fps)
    if shown is not None:
        return stack.enter_context(footage.open_shot(shown, path, still.frames, *size, stall_seconds=stall_seconds))
    with _opening:  # chunks that begin at once would both do it
        return _opened(path, still, *size)


@lru_cache(maxsize=4)
def _opened(path: Path, still: Still, width: int, height: int, fps: int) -> Source:
    """Return a still's shot; kept for the scene's other chunks, and the next scene, which may begin over it.

    What a pan passes is resized before its first frame, which takes as long as a hundred frames of it.
    """
    if still.layers_sha256:
        return parallax.open_pan(layers.load(path), still, width, height, fps)
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise ObjectDamaged(f"{path} can't be read as a picture; delete it and run again")
    return camera.open_shot(camera.prepare(picture.astype(np.uint8, copy=False)), still, width, height, fps)
