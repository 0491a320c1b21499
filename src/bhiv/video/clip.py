"""A scene's clip: frames from the camera, captions burned in, one encode, no sound."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bhiv import ffmpeg, process
from bhiv.bucket.artifact import Artifact
from bhiv.cache import Step
from bhiv.errors import ObjectDamaged
from bhiv.plan import Contract, Frames, Quality
from bhiv.video import camera, layers, parallax, transitions
from bhiv.video.camera import Source, Still
from bhiv.video.transitions import Mixed
from bhiv.video.yuv import YUV

#: x264's preset and constant rate factor; veryfast costs a quarter of medium.
ENCODER: dict[Quality, tuple[str, int]] = {
    "draft": ("ultrafast", 26),
    "standard": ("veryfast", 20),
    "high": ("medium", 18),
}


class Entry(Contract):
    """A transition, and the scene before, over whose frames it begins."""

    transition: Mixed
    frames: Frames
    still: Still


class ClipSpec(Contract):
    """Everything that decides a clip's bytes, beside the pictures."""

    still: Still
    #: None where the scene begins with a cut.
    entry: Entry | None = None
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
    pictures: Sequence[Path],
    folder: Path,
    fonts: Path,
    stall_seconds: float,
    *,
    output: Sequence[str] = (),
) -> Path:
    """Write the clip into `folder` and return its path; an encoder that takes no frame for `stall_seconds` is ended.

    The pictures are the scene's and, where it has an entry, that of the scene before; in place of one, the file of its
    layers where the still names some. `output` replaces the encoder and
    the file's name, for who wants the raw frames.

    Raises:
        ToolFailed, ToolTimedOut, DiskFull, Interrupted: there is no clip; what was written stays in `folder`.
    """
    if spec.subtitles:
        (folder / "captions.ass").write_text(spec.subtitles, encoding="utf-8")
        fonts_link = folder / "fonts"
        if not fonts_link.exists():
            fonts_link.symlink_to(fonts)
    # As many scenes as cores are encoded at once: threads of OpenCV's own would only wait for each other.
    cv2.setNumThreads(1)
    stills = [spec.still, *([spec.entry.still] if spec.entry else [])]
    shots = [_open(picture, still, spec) for picture, still in zip(pictures, stills, strict=True)]
    with process.feed(_command(spec, output), stall_seconds=stall_seconds, cwd=folder) as write:
        for frame in _frames(spec, *shots):
            write(frame.data.data)
    return folder / "clip.mp4"


def _frames(spec: ClipSpec, shot: Source, before: Source | None = None) -> Iterator[YUV]:
    """Yield the frames in order, in two buffers by turns: one may be read while the other is filled."""
    buffers = [YUV.empty(spec.width, spec.height) for _ in range(2)]
    old = YUV.empty(spec.width, spec.height)
    for number in range(spec.still.frames):
        frame = buffers[number % 2]
        shot.expose(number, frame)
        if spec.entry and before and number < spec.entry.frames:
            before.expose(spec.entry.still.frames + number, old)
            transitions.mix(spec.entry.transition, (number + 1) / (spec.entry.frames + 1), old, frame)
        yield frame


def _open(path: Path, still: Still, spec: ClipSpec) -> Source:
    if still.layers_sha256:
        return parallax.open_pan(layers.load(path), still, spec.width, spec.height, spec.fps)
    return camera.open_shot(_load(path), still, spec.width, spec.height, spec.fps)


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
