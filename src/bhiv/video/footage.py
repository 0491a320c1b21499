"""Footage: a scene's frames from the user's own clip, shaped by MoviePy, for the same one encode as every scene."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from math import floor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bhiv.errors import FootageRefused
from bhiv.plan import Contract, Footage, Frames
from bhiv.video.camera import Source
from bhiv.video.probe import Probed
from bhiv.video.reel import Cut, Reel
from bhiv.video.shaping import shaped
from bhiv.video.yuv import FROM_RGB, YUV, Buffer, stride_of

Picture = NDArray[np.uint8]

#: Raise it when the same clip would give other frames.
VERSION = 1
#: A scene without narration is no longer than this.
MOST_SECONDS = 600
_STALL_SECONDS = 120.0
#: Bars are made of so few pixels that blurring them costs nothing, and are darker than what is between them.
_BARS_PIXELS = 48
_BARS_LIGHT = 0.6


class FootageSpec(Contract):
    """Everything that decides the frames of a scene's footage, beside their number, size and rate."""

    sha256: str = Field(description="Of the clip's file.")
    clip: Probed
    wanted: Footage = Field(description="As in the plan; where the clip lies is of no account.")
    shaper: str = f"moviepy {version('moviepy')} {VERSION}"

    @property
    def end_seconds(self) -> float:
        """Where in the clip the stretch ends."""
        return min(self.wanted.end_seconds or self.clip.seconds, self.clip.seconds)


def specify(wanted: Footage, sha256: str, probed: Probed, what: str) -> FootageSpec:
    """Return what is to be shown of a clip.

    Raises:
        FootageRefused: the clip ends before the stretch begins.
    """
    if wanted.start_seconds >= probed.seconds:
        raise FootageRefused(
            f"{what} lasts {probed.seconds:.2f} s and is to be shown from {wanted.start_seconds:g} s on; begin earlier"
        )
    placeless = wanted.model_copy(update={"file": None, "url": None, "object": sha256})
    return FootageSpec(sha256=sha256, clip=probed, wanted=placeless)


def own_frames(spec: FootageSpec, fps: int) -> Frames:
    """Return how many frames of the programme the stretch lasts by itself, 1 at least."""
    stretch = Fraction(spec.end_seconds).limit_denominator(1_000_000) - start_of(spec)
    # A hundredth of a frame: containers round the times of frames.
    return Frames(max(1, floor(stretch * _rate(spec, fps) + Fraction(1, 100))))


@contextmanager
def open_shot(
    spec: FootageSpec,
    path: Path,
    frames: Frames,
    width: int,
    height: int,
    fps: int,
    *,
    stall_seconds: float = _STALL_SECONDS,
) -> Iterator[Source]:
    """Yield what gives the frames of a scene by their numbers; on leaving, the clip's ffmpeg is ended.

    Best in order. Frames past the scene's `frames` are there too, for a scene that begins over this one: it loops
    on, or its last frame stays, and what was faded out is black.

    Raises:
        RunFailed: the clip ends before its packets said.
        ToolFailed, ToolTimedOut, Interrupted: it can't be read.
    """
    rate, start, count, wanted = _rate(spec, fps), start_of(spec), own_frames(spec, fps), spec.wanted
    size = (width, height)
    # New memory for each frame would take longer than the work on it.
    whole, half = np.empty((height, width, 3), np.uint8), np.empty((height // 2, width // 2, 3), np.uint8)
    with Reel(path, spec.clip, start, rate, count, _cut(spec, *size), stall_seconds) as reel:

        def picture_at(time: float) -> Picture:
            return _fitted(reel.frame(floor((time - float(start)) * float(rate))), wanted.fit, *size)

        shown = shaped(
            picture_at,
            size,
            float(start),
            float(count / rate),
            wanted.speed,
            wanted.effects,
            loops=wanted.when_short == "loop",
            seconds=frames / fps,
        )

        def fill(number: int, frame: YUV) -> None:
            # Asked for in its middle, no frame is missed or shown twice by what floating point rounds.
            cv2.transform(shown((number + 0.5) / fps), FROM_RGB, whole)
            cv2.resize(whole, (width // 2, height // 2), half, interpolation=cv2.INTER_AREA)
            for channel, (source, plane) in enumerate(zip((whole, half, half), frame.planes, strict=True)):
                cv2.extractChannel(source, channel, plane)

        yield _Shot(stride_of(width), fill)


@dataclass(frozen=True)
class _Shot:
    """Footage as a source of frames."""

    stride: int
    fill: Callable[[int, YUV], None]

    def expose(self, number: int, buffer: Buffer) -> YUV:
        self.fill(number, buffer.frame)
        return buffer.frame


def start_of(spec: FootageSpec) -> Fraction:
    """Return where the stretch begins: where frames come evenly, with the one shown then, that none lies half-way."""
    start, clip = Fraction(spec.wanted.start_seconds).limit_denominator(1_000_000), spec.clip
    if clip.variable or not clip.rate:
        return start
    first, rate = (Fraction(number).limit_denominator(1_000_000) for number in (clip.first_seconds, clip.rate))
    return max(Fraction(0), first + floor((start - first) * rate + Fraction(1, 10)) / rate)


def _rate(spec: FootageSpec, fps: int) -> Fraction:
    """Return how many frames are taken of a second of the clip."""
    return fps / Fraction(spec.wanted.speed).limit_denominator(10_000)


def _cut(spec: FootageSpec, width: int, height: int) -> Cut:
    """Return the clip's part that is shown: all of it, or what fills the frame around the focus."""
    across, down = width / spec.clip.width, height / spec.clip.height
    if spec.wanted.fit != "crop":
        scale = min(across, down)
        inside = (max(2, round(spec.clip.width * scale)), max(2, round(spec.clip.height * scale)))
        return Cut(inside, inside)
    scale = max(across, down)
    scaled = max(width, round(spec.clip.width * scale)), max(height, round(spec.clip.height * scale))
    corners = [
        min(max(round(focus * whole - side / 2), 0), whole - side)
        for focus, whole, side in zip((spec.wanted.focus.x, spec.wanted.focus.y), scaled, (width, height), strict=True)
    ]
    return Cut(scaled, (width, height), (corners[0], corners[1]))


def _fitted(picture: Picture, fit: str, width: int, height: int) -> Picture:
    """Return a picture with the bars that it lacks to be a frame."""
    high, wide = picture.shape[:2]
    if (wide, high) == (width, height):
        return picture
    left, top = (width - wide) // 2, (height - high) // 2
    bars = _blurred(picture, width, height) if fit == "blur" else np.zeros((height, width, 3), np.uint8)
    bars[top : top + high, left : left + wide] = picture
    return bars


def _blurred(picture: Picture, width: int, height: int) -> Picture:
    high, wide = picture.shape[:2]
    scale = _BARS_PIXELS / min(width, height)
    across, down = max(2, round(width * scale)), max(2, round(height * scale))
    cover = max(across / wide, down / high)
    covering = (max(across, round(wide * cover)), max(down, round(high * cover)))
    small = cv2.resize(picture, covering, interpolation=cv2.INTER_AREA)
    left, top = (covering[0] - across) // 2, (covering[1] - down) // 2
    soft = cv2.GaussianBlur(small[top : top + down, left : left + across], (0, 0), 2)
    dark = cv2.convertScaleAbs(soft, alpha=_BARS_LIGHT)
    return cv2.resize(dark, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
