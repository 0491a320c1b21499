"""The acceptance gate: a video is delivered only when the finished file is what was asked for."""

from fractions import Fraction
from pathlib import Path

from bhiv import ffmpeg
from bhiv.errors import GateRejected, ToolFailed
from bhiv.plan import Contract
from bhiv.video import sound

_TRUE_PEAK_LIMIT = -1.0
#: Share of a key picture's pixels below the darkness threshold that makes it black.
_BLACK_PERCENT = 99
#: Key pictures only, and as plainly as tells light from dark.
_READING = ("-threads", "1", "-skip_frame", "nokey", "-skip_loop_filter", "all")
#: All sound and the key pictures are decoded, which costs little and proves that they can be.
_DECODING = (
    *("-map", "0:v", "-map", "0:a", "-fps_mode", "passthrough"),
    *("-vf", f"scale=160:-2:flags=fast_bilinear,blackframe=amount={_BLACK_PERCENT}:threshold=24"),
    *("-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-"),
)


class Expected(Contract):
    """What the plan promises of the finished file."""

    width: int
    height: int
    fps: int
    frames: int
    #: Whether there is speech, and so captions and a loudness to reach.
    spoken: bool


class Verdict(Contract):
    """What was measured of a file that passed."""

    duration_seconds: float
    #: None for a silent video.
    loudness_lufs: float | None
    true_peak_dbtp: float | None


def check(path: Path, expected: Expected) -> Verdict:
    """Measure a finished video and return the figures.

    Raises:
        GateRejected: it is not as expected; the message names the first thing that is wrong and both figures.
        ToolFailed: it can't be read at all.
    """
    try:
        streams, told = ffmpeg.examine(path, _READING, _DECODING)
    except ToolFailed:  # a stream that is missing can't be decoded; what it is says more
        _check_streams(ffmpeg.inspect(path), expected)
        raise
    length = _check_streams(streams, expected)
    _check_brightness(told)
    heard = ffmpeg.parse_loudness(told)
    if not expected.spoken:
        return Verdict(duration_seconds=float(length), loudness_lufs=None, true_peak_dbtp=None)
    _check_loudness(heard)
    return Verdict(duration_seconds=float(length), loudness_lufs=heard.integrated, true_peak_dbtp=heard.true_peak)


def _check_streams(streams: ffmpeg.Streams, expected: Expected) -> Fraction:
    length = _check_picture(streams, expected)
    _check_tracks(streams, expected, length)
    return length


def _check_picture(streams: ffmpeg.Streams, expected: Expected) -> Fraction:
    pictures = streams.of_kind("Video")
    if len(pictures) != 1:
        raise GateRejected(f"the video has {len(pictures)} picture streams instead of 1")
    picture, size = pictures[0], f"{expected.width}x{expected.height}"
    for wanted in ("h264 (High)", "yuv420p", "bt709", size):
        if wanted not in picture.description:
            raise GateRejected(f"the picture stream is not {wanted}: {picture.description}")
    if picture.packets != expected.frames:
        raise GateRejected(f"the video has {picture.packets} frames instead of {expected.frames}")
    length = Fraction(expected.frames, expected.fps)
    if picture.start != 0 or picture.duration_seconds != length:
        raise GateRejected(f"the pictures last {float(picture.duration_seconds)} s instead of {float(length)} s")
    return length


def _check_tracks(streams: ffmpeg.Streams, expected: Expected, length: Fraction) -> None:
    tracks = streams.of_kind("Audio")
    if len(tracks) != 1 or "48000 Hz, stereo" not in tracks[0].description:
        raise GateRejected("the video has no 48 kHz stereo sound")
    if abs(tracks[0].duration_seconds - length) >= Fraction(1, expected.fps):
        raise GateRejected(
            f"the sound lasts {float(tracks[0].duration_seconds):.3f} s, the pictures {float(length):.3f} s"
        )
    if expected.spoken and not any(track.packets for track in streams.of_kind("Subtitle")):
        raise GateRejected("the video has no soft captions")


def _check_brightness(told: str) -> None:
    if "pblack:" in told:
        raise GateRejected(f"there are black pictures in the video: {told.count('pblack:')} key pictures")


def _check_loudness(heard: ffmpeg.Loudness) -> None:
    if abs(heard.integrated - sound.TARGET_LUFS) > sound.TOLERANCE_LU:
        raise GateRejected(f"the sound has {heard.integrated} LUFS instead of {sound.TARGET_LUFS}")
    if heard.true_peak is None or heard.true_peak > _TRUE_PEAK_LIMIT:
        raise GateRejected(f"the sound peaks at {heard.true_peak} dBTP, above {_TRUE_PEAK_LIMIT}")
