"""The exact timeline: whole frames and samples, seconds only at the border.

A scene is a whole number of frames. Sound is laid on the frame grid once, at the join, from the same integers, so that
picture and sound can't drift however many scenes there are.
"""

from collections.abc import Iterable
from itertools import pairwise

from bhiv.plan import SAMPLE_RATE, Contract, Frames, Samples

#: Silence before a scene's first word and after its last: room to see the cut before hearing the words.
LEAD = Samples(SAMPLE_RATE * 3 // 10)
TAIL = Samples(SAMPLE_RATE * 4 // 10)


class Shot(Contract):
    """Where a scene lies in the programme."""

    start: Frames
    frames: Frames

    @property
    def end(self) -> Frames:
        """The frame after the last."""
        return Frames(self.start + self.frames)


def scene_frames(narration: Samples, duration_seconds: float | None, fps: int) -> Frames:
    """Return how many frames a scene lasts: its narration with silence around it, and at least its set duration."""
    heard = LEAD + narration + TAIL if narration else 0
    least = round((duration_seconds or 0) * SAMPLE_RATE)
    return Frames(max(1, -(-max(heard, least) * fps // SAMPLE_RATE)))


def lay_out(lengths: Iterable[Frames]) -> tuple[Shot, ...]:
    """Return the shots of scenes that follow each other, from frame 0."""
    starts = [Frames(0)]
    for length in lengths:
        starts.append(Frames(starts[-1] + length))
    return tuple(Shot(start=start, frames=Frames(end - start)) for start, end in pairwise(starts))


def sample_at(frame: Frames, fps: int) -> Samples:
    """Return the first sample heard with `frame`: exact at rates that divide 48 kHz, else the next whole one."""
    return Samples(-(-frame * SAMPLE_RATE // fps))


def seconds(samples: Samples) -> float:
    """Return samples as seconds, for people and file formats."""
    return samples / SAMPLE_RATE
