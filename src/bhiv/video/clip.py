"""A scene's clip: frames from the camera, captions burned in, one encode, no sound."""

from collections.abc import Generator, Sequence
from contextlib import closing
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
from bhiv.video import camera, footage
from bhiv.video.footage import FootageSpec

#: x264's preset and constant rate factor; veryfast costs a quarter of medium.
ENCODER: dict[Quality, tuple[str, int]] = {
    "draft": ("ultrafast", 26),
    "standard": ("veryfast", 20),
    "high": ("medium", 18),
}


class ClipSpec(Contract):
    """Everything that decides a clip's bytes, beside the picture."""

    picture_sha256: str
    footage: FootageSpec | None = Field(None, description="What is shown of a clip; then `picture` is the clip's file.")
    move: Camera
    frames: Frames
    width: int
    height: int
    fps: int
    quality: Quality
    #: The caption file's text; empty when nothing is burned in.
    subtitles: str
    fonts: str = Field("", description="What fonts beside FiraGO the captions are set in; empty for none.")
    encoder: str = Field(description="Version and settings of the encoder.")


class Clip(Contract):
    """A finished clip."""

    video: Artifact
    frames: Frames


STEP = Step("clip", 1, "clips", Clip)


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
    fonts: Path,
    stall_seconds: float,
    *,
    output: Sequence[str] = (),
) -> Path:
    """Write the clip into `folder` and return its path; an encoder that takes no frame for `stall_seconds` is ended.

    `output` replaces the encoder and the file's name, for who wants the raw frames.

    Raises:
        ToolFailed, ToolTimedOut, DiskFull, Interrupted: there is no clip; what was written stays in `folder`.
    """
    if spec.subtitles:
        (folder / "captions.ass").write_text(spec.subtitles, encoding="utf-8")
        fonts_link = folder / "fonts"
        if not fonts_link.exists():
            fonts_link.symlink_to(fonts)
    command = _command(spec, output)
    with (
        closing(_shoot(spec, picture, stall_seconds)) as shot,
        process.feed(command, stall_seconds=stall_seconds, cwd=folder) as write,
    ):
        for frame in shot:
            write(frame)
    return folder / "clip.mp4"


def _shoot(spec: ClipSpec, picture: Path, stall_seconds: float) -> Generator[memoryview]:
    """Return the scene's frames, from its picture or its footage; to be closed."""
    size = (spec.width, spec.height)
    if spec.footage is None:
        return camera.shoot(_load(picture), spec.move, spec.frames, *size)
    return footage.shoot(spec.footage, picture, spec.frames, *size, spec.fps, stall_seconds=stall_seconds)


def _load(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise ObjectDamaged(f"{path} can't be read as a picture; delete it and run again")
    return picture.astype(np.uint8, copy=False)


def _command(spec: ClipSpec, output: Sequence[str]) -> list[str]:
    # Plain names in the work folder: a path with a colon or quote would need the filter language's escapes.
    captions = ["ass=captions.ass:fontsdir=fonts"] if spec.subtitles else []
    tags = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
    return ffmpeg.command(
        *("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{spec.width}x{spec.height}", "-r", str(spec.fps)),
        *("-i", "pipe:0", "-vf", ",".join([*captions, tags]), "-filter_threads", "1"),
        *(output or (*encoder_arguments(spec.quality, spec.fps), "clip.mp4")),
    )
