"""A scene's clip: frames from the camera, captions burned in, one encode, no sound."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bhiv import ffmpeg, process
from bhiv.bucket.artifact import Artifact
from bhiv.cache import Step
from bhiv.errors import ObjectDamaged
from bhiv.plan import Camera, Contract, Frames, Quality
from bhiv.video import camera
from bhiv.video.overlay import CaptionLayer, Overlay, views

#: x264's preset and constant rate factor; veryfast costs a quarter of medium.
ENCODER: dict[Quality, tuple[str, int]] = {
    "draft": ("ultrafast", 26),
    "standard": ("veryfast", 20),
    "high": ("medium", 18),
}


class ClipSpec(Contract):
    """Everything that decides a clip's bytes, beside the picture."""

    picture_sha256: str
    move: Camera
    frames: Frames
    width: int
    height: int
    fps: int
    quality: Quality
    captions: CaptionLayer | None = Field(description="None when nothing is burned in.")
    encoder: str = Field(description="Version and settings of the encoder.")


class Clip(Contract):
    """A finished clip."""

    video: Artifact
    frames: Frames


STEP = Step("clip", 2, "clips", Clip)


def encoder_arguments(quality: Quality, fps: int) -> list[str]:
    """Return the x264 settings of every clip; equal ones, so that clips join without a second encode.

    Closed groups of two seconds make any scene seekable. One thread a scene: as many scenes as cores beat one scene
    with many threads.
    """
    preset, crf = ENCODER[quality]
    return [
        *("-c:v", "libx264", "-preset", preset, "-crf", str(crf), "-profile:v", "high", "-threads", "1"),
        # What makes the profile High; the fastest preset would leave it out.
        *("-x264-params", "8x8dct=1"),
        *("-g", str(fps * 2), "-bf", "2", "-flags", "+cgop", "-pix_fmt", "yuv420p"),
        *("-video_track_timescale", str(fps * 512)),
    ]


def encode(
    spec: ClipSpec,
    picture: Path,
    folder: Path,
    stall_seconds: float,
    *,
    output: Sequence[str] = (),
) -> Path:
    """Write the clip into `folder` and return its path; an encoder that takes no frame for `stall_seconds` is ended.

    `output` replaces the encoder and the file's name, for who wants the raw frames.

    Raises:
        ToolFailed, ToolTimedOut, DiskFull, Interrupted: there is no clip; what was written stays in `folder`.
    """
    image, overlay = _load(picture), _overlay(spec)
    with process.feed(_command(spec, output), stall_seconds=stall_seconds, cwd=folder) as write:
        for number, frame in enumerate(camera.shoot(image, spec.move, spec.frames, spec.width, spec.height)):
            overlay(number, frame)
            write(frame)
    return folder / "clip.mp4"


def _overlay(spec: ClipSpec) -> Callable[[int, memoryview], None]:
    """Return what draws the captions into the frame of a number."""
    if spec.captions is None:
        return lambda _number, _frame: None
    captions = Overlay(spec.captions, spec.width, spec.height, spec.fps)
    return lambda number, frame: captions.burn(number, *views(frame, spec.width, spec.height))


def _load(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise ObjectDamaged(f"{path} can't be read as a picture; delete it and run again")
    return picture.astype(np.uint8, copy=False)


def _command(spec: ClipSpec, output: Sequence[str]) -> list[str]:
    # Said of the input: as output options only the matrix would reach the file, and this needs no filter.
    tags = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv")
    return ffmpeg.command(
        *("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{spec.width}x{spec.height}", "-r", str(spec.fps)),
        *(*tags, "-i", "pipe:0"),
        *(output or (*encoder_arguments(spec.quality, spec.fps), "clip.mp4")),
    )
