"""A scene's clip: frames from the camera, captions burned in, one encode, no sound."""

from collections.abc import Sequence
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
from bhiv.video.encoder import ENCODER, SOFTWARE, Encoder, encoder_arguments

__all__ = ["ENCODER", "STEP", "Clip", "ClipSpec", "encode", "encoder_arguments"]


class ClipSpec(Contract):
    """Everything that decides a clip's bytes, beside the picture."""

    picture_sha256: str
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


def encode(
    spec: ClipSpec,
    picture: Path,
    folder: Path,
    fonts: Path,
    stall_seconds: float,
    *,
    output: Sequence[str] = (),
    encoder: Encoder = SOFTWARE,
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
    image = _load(picture)
    with process.feed(_command(spec, output, encoder), stall_seconds=stall_seconds, cwd=folder) as write:
        for frame in camera.shoot(image, spec.move, spec.frames, spec.width, spec.height):
            write(frame)
    return folder / "clip.mp4"


def _load(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise ObjectDamaged(f"{path} can't be read as a picture; delete it and run again")
    return picture.astype(np.uint8, copy=False)


def _command(spec: ClipSpec, output: Sequence[str], encoder: Encoder) -> list[str]:
    # Plain names in the work folder: a path with a colon or quote would need the filter language's escapes.
    captions = ["ass=captions.ass:fontsdir=fonts"] if spec.subtitles else []
    tags = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
    device, filters = ((), ()) if output else (encoder.device, encoder.filters)
    return ffmpeg.command(
        *(*device, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{spec.width}x{spec.height}", "-r", str(spec.fps)),
        *("-i", "pipe:0", "-vf", ",".join([*captions, tags, *filters]), "-filter_threads", "1"),
        *(output or (*encoder.arguments(spec.quality, spec.fps), "clip.mp4")),
    )
