"""Encoders: x264, and those of graphics hardware that a trial has shown to give the same kind of stream.

All clips of a video come from one encoder, because they are joined without a second encode.
"""

import json
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bhiv import ffmpeg, process
from bhiv.errors import ToolFailed, ToolTimedOut
from bhiv.plan import Frames, Quality
from bhiv.settings import Settings
from bhiv.video import camera
from bhiv.video.camera import Still
from bhiv.video.yuv import BESIDE, Buffer

#: x264's preset, constant rate factor and what differs from the preset; veryfast costs a quarter of medium. CABAC saves
#: a draft a fifth of its bytes for no more CPU. A camera that glides over a still needs no wide search for motion nor
#: parts of a block that move apart: a tenth less CPU at the same VMAF, PSNR, CAMBI and bytes.
ENCODER: dict[Quality, tuple[str, int, str]] = {
    "draft": ("ultrafast", 26, "cabac=1"),
    "standard": ("veryfast", 20, "me=dia:partitions=i8x8,i4x4"),
    "high": ("medium", 18, ""),
}
X264 = "libx264"

_TRIAL_SECONDS = 20.0
_WIDTH, _HEIGHT, _FPS, _FRAMES, _FEWER = 640, 360, 24, 54, 13
_FORMAT = ("h264 (High)", "yuv420p(tv, bt709, progressive)", f"{_WIDTH}x{_HEIGHT}", f" {_FPS} fps")
#: How much worse than x264 a trial's pictures may be, and how much larger.
_WORSE_DB, _LARGER = 3.0, 3.0
_KEPT = "encoders.json"


@dataclass(frozen=True)
class Encoder:
    """What ffmpeg is told of an encoder; closed groups, rate and time base are the same for all."""

    name: str
    settings: dict[Quality, tuple[str, ...]]
    #: Before the input.
    device: tuple[str, ...] = ()
    #: Behind all other filters.
    filters: tuple[str, ...] = ()
    pixels: tuple[str, ...] = ("-pix_fmt", "yuv420p")

    def arguments(self, quality: Quality, fps: int) -> list[str]:
        """Return what stands before the output file.

        Closed groups of two seconds make any scene seekable.
        """
        return [
            *("-c:v", self.name, *self.settings[quality]),
            *("-g", str(group_frames(fps)), "-bf", "2", "-flags", "+cgop", *self.pixels),
            *("-video_track_timescale", str(fps * 512)),
        ]

    def command(
        self,
        quality: Quality,
        width: int,
        height: int,
        fps: int,
        target: str,
        *,
        stride: int = 0,
        instead: Sequence[str] = (),
    ) -> list[str]:
        """Return the argv that encodes raw planar YUV 4:2:0 from standard input into a file.

        Rows of luma come `stride` pixels apart, and what is beside them is cut off; 0: nothing is beside them.
        `instead` replaces the encoder and the file, for who wants the raw frames.
        """
        # Said of the input: as output options only the matrix would reach the file, and this needs no filter.
        tags = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv")
        device, filters = ((), ()) if instead else (self.device, self.filters)
        # Takes no time: it moves where a row begins.
        cut = (f"crop={width}:{height}:{BESIDE}:0",) if stride else ()
        return ffmpeg.command(
            *(*device, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{stride or width}x{height}", "-r", str(fps)),
            *(*tags, "-i", "pipe:0", *(("-vf", ",".join((*cut, *filters))) if cut or filters else ())),
            *(instead or (*self.arguments(quality, fps), target)),
        )


def group_frames(fps: int) -> int:
    """Return how many frames a group of pictures has at most: two seconds, after which a player can begin again."""
    return fps * 2


def _x264(quality: Quality) -> tuple[str, ...]:
    preset, crf, more = ENCODER[quality]
    # One thread a chunk: as many chunks as cores beat one with many threads. 8x8dct is what makes the profile High; the
    # fastest preset would leave it out. Where a scene begins is known, and a key picture inside a dip is a waste.
    rate = ("-preset", preset, "-crf", str(crf), "-profile:v", "high", "-threads", "1")
    return (*rate, "-x264-params", ":".join(filter(None, ("8x8dct=1:scenecut=0", more))))


def _graded(*options: str, draft: int, standard: int, high: int) -> dict[Quality, tuple[str, ...]]:
    """Return settings in which `{}` stands for each quality's own figure."""
    figures: dict[Quality, int] = {"draft": draft, "standard": standard, "high": high}
    return {quality: tuple(option.format(figure) for option in options) for quality, figure in figures.items()}


SOFTWARE = Encoder(X264, {quality: _x264(quality) for quality in ENCODER})

#: In the order in which they are tried. Their figures were not measured on hardware: that is what the trial is for.
CANDIDATES: tuple[Encoder, ...] = (
    Encoder(
        "h264_nvenc",
        _graded(
            *("-preset", "p5", "-tune", "hq", "-rc", "vbr", "-cq", "{}", "-b:v", "0", "-profile:v", "high"),
            *("-no-scenecut", "1", "-strict_gop", "1"),
            draft=30, standard=24, high=21,
        ),
    ),
    Encoder(
        "h264_qsv",
        _graded(
            *("-preset", "medium", "-global_quality", "{}", "-look_ahead", "0", "-idr_interval", "0"),
            *("-profile:v", "high"),
            draft=29, standard=23, high=20,
        ),
        pixels=("-pix_fmt", "nv12"),
    ),
    Encoder(
        "h264_vaapi",
        _graded(
            *("-rc_mode", "CQP", "-qp", "{}", "-idr_interval", "0", "-profile:v", "high"),
            draft=28, standard=23, high=20,
        ),
        device=("-vaapi_device", "/dev/dri/renderD128"),
        filters=("format=nv12", "hwupload"),
        pixels=(),
    ),
    Encoder(
        "h264_videotoolbox",
        _graded("-q:v", "{}", "-allow_sw", "0", "-profile:v", "high", draft=45, standard=62, high=70),
    ),
    Encoder(
        "h264_amf",
        _graded(
            *("-quality", "quality", "-rc", "cqp", "-qp_i", "{0}", "-qp_p", "{0}", "-qp_b", "{0}"),
            *("-profile:v", "high"),
            draft=28, standard=23, high=20,
        ),
    ),
)  # fmt: skip


def named(name: str) -> Encoder:
    """Return the encoder of a name that `choose` gave."""
    return next((one for one in CANDIDATES if one.name == name), SOFTWARE)


def encoder_arguments(quality: Quality, fps: int) -> list[str]:
    """Return the settings of x264 for every clip; equal ones, so that clips join without a second encode."""
    return SOFTWARE.arguments(quality, fps)


@dataclass(frozen=True)
class Choice:
    """The encoder of a run, and why it is not another: a reason for each that was tried and refused."""

    name: str
    refused: dict[str, str]


def choose(settings: Settings, *, keep: bool = True) -> Choice:
    """Return x264, or under BHIV_HARDWARE_ENCODER=auto the first encoder of this machine that passes a trial.

    A trial is made once for a home, ffmpeg and drivers; with `keep` false it is made without being noted down.
    """
    if settings.hardware_encoder == "off":
        return Choice(X264, {})
    known = _read(settings.home)
    for candidate in CANDIDATES:
        if candidate.name not in known:
            known[candidate.name] = try_out(candidate)
            if keep:
                _write(settings.home, known)
        if not known[candidate.name]:
            return Choice(candidate.name, {name: reason for name, reason in known.items() if reason})
    return Choice(X264, known)


def distrust(home: Path, name: str, reason: str) -> None:
    """Have the runs after this one do without an encoder that has failed in use."""
    if name != X264:
        _write(home, _read(home) | {name: f"it failed in use: {reason}"})


def try_out(candidate: Encoder, seconds: float = _TRIAL_SECONDS) -> str:
    """Encode some frames, decode them and compare; return why the encoder can't be used, "" when it can.

    It must give the stream that x264 gives: frames, times, closed groups, profile, colours, one set of parameters for
    whatever is encoded, and pictures about as good in about as many bytes. After `seconds` it is ended.
    """
    if candidate.name not in _present():
        return "this ffmpeg is built without it"
    frames = list(_frames(_FRAMES))
    deadline = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="bhiv-encoder-") as name:
        folder = Path(name)
        try:
            first = _encode(candidate, frames, folder / "first.mp4", deadline)
            second = _encode(candidate, frames[::-1][:_FEWER], folder / "second.mp4", deadline)
            wrong = _compare_streams(first, second)
            return wrong or _compare_pictures(frames, first, _reference(), deadline)
        except ToolTimedOut:
            return f"it took more than {seconds:g} s"
        except ToolFailed as error:
            return _first_reason(error)


def _compare_streams(first: Path, second: Path) -> str:
    streams = ffmpeg.inspect(first).all
    if len(streams) != 1:
        return f"it gives {len(streams)} streams instead of 1"
    [stream] = streams
    if lacking := [part for part in _FORMAT if part not in stream.description]:
        return f"it gives {stream.description!r}, not {lacking[0].strip()}"
    grid = Fraction(1, _FPS)
    if [shown * stream.time_base for shown in sorted(stream.shown)] != [grid * n for n in range(_FRAMES)]:
        return f"it gives {stream.packets} frames on another grid of time instead of {_FRAMES} at {_FPS} a second"
    if stream.time_base != Fraction(1, _FPS * 512):
        return f"its unit of time is {stream.time_base} s instead of 1/{_FPS * 512} s"
    keys = [number for number, key in enumerate(stream.key) if key]
    starts = [stream.shown[number] * stream.time_base * _FPS for number in keys]
    if not {0, 2 * _FPS} <= set(starts):
        return f"its groups begin at frames {', '.join(map(str, starts))} instead of 0 and {2 * _FPS}"
    if any(min(stream.shown[number:]) < stream.shown[number] for number in keys):
        return "its groups of pictures are open"
    if _parameters(first) != _parameters(second):
        return "two clips have two sets of parameters, so they can't be joined"
    return ""


def _compare_pictures(frames: list[bytes], encoded: Path, reference: tuple[float, int], deadline: float) -> str:
    likeness, size = _likeness(frames, encoded, deadline), encoded.stat().st_size
    if likeness < reference[0] - _WORSE_DB:
        return f"its pictures have {likeness:.1f} dB, those of libx264 {reference[0]:.1f} dB"
    if size > reference[1] * _LARGER:
        return f"it takes {size:,} bytes where libx264 takes {reference[1]:,}"
    return ""


@cache
def _reference() -> tuple[float, int]:
    """Return how well x264 does with the frames of the trial: likeness in dB, size in bytes."""
    frames = list(_frames(_FRAMES))
    with tempfile.TemporaryDirectory(prefix="bhiv-encoder-") as name:
        deadline = time.monotonic() + _TRIAL_SECONDS
        encoded = _encode(SOFTWARE, frames, Path(name) / "first.mp4", deadline)
        return _likeness(frames, encoded, deadline), encoded.stat().st_size


def _encode(encoder: Encoder, frames: list[bytes], target: Path, deadline: float) -> Path:
    command = encoder.command("standard", _WIDTH, _HEIGHT, _FPS, str(target))
    process.run(command, stdin=b"".join(frames), timeout_seconds=_left(deadline))
    return target


def _likeness(frames: list[bytes], encoded: Path, deadline: float) -> float:
    """Return the peak signal-to-noise ratio of the luma over all frames, in dB."""
    command = ffmpeg.command("-v", "error", "-i", str(encoded), "-f", "rawvideo", "-pix_fmt", "yuv420p", "-")
    decoded = process.run(command, timeout_seconds=_left(deadline)).stdout
    length, luma = len(frames[0]), _WIDTH * _HEIGHT
    errors = [
        float(np.mean((_luma(frame, luma) - _luma(decoded[number * length :], luma)) ** 2))
        for number, frame in enumerate(frames)
        if len(decoded) >= (number + 1) * length
    ]
    if len(errors) < len(frames):
        return 0.0
    return float(10 * np.log10(255**2 / max(float(np.mean(errors)), 1e-9)))


def _luma(frame: bytes, length: int) -> NDArray[np.float32]:
    return np.frombuffer(frame, np.uint8, length).astype(np.float32)


def _frames(count: int) -> Iterator[bytes]:
    """Yield frames such as clips have: a picture with soft and sharp parts, under a moving camera."""
    width, height = camera.picture_size(_WIDTH, _HEIGHT)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    soft = 120 + 70 * np.sin(x / 90) * np.cos(y / 70)
    sharp = 60 * ((x // 23 + y // 17) % 2) * (x > width / 2)
    picture = np.stack([soft + sharp, soft, 200 - soft / 2 - sharp / 2], axis=-1).clip(0, 255).astype(np.uint8)
    still = Still(picture_sha256="", move="zoom_in", frames=Frames(count))
    shot = camera.open_shot(camera.prepare(picture), still, _WIDTH, _HEIGHT, _FPS)
    buffer = Buffer.empty(_WIDTH, _HEIGHT)
    for number in range(count):
        yield shot.expose(number, buffer).tobytes()


def _parameters(path: Path) -> bytes:
    """Return the sequence and picture parameter sets of an MP4, which all clips of a video must share."""
    whole = path.read_bytes()
    at = whole.find(b"avcC")
    return whole[at : at - 4 + int.from_bytes(whole[at - 4 : at], "big")] if at >= 4 else b""


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.1)


def _first_reason(error: ToolFailed) -> str:
    """Return the first thing that a part of ffmpeg said of itself; its last words only say that it failed."""
    lines = [line.strip() for line in error.stderr_tail.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith("[") and "@" in line] or lines
    return telling[0].rpartition("] ")[2] if telling else str(error)


@cache
def _present() -> frozenset[str]:
    listed = process.run(ffmpeg.command("-encoders"), timeout_seconds=30).stdout.decode()
    return frozenset(listed.split())


def _identity() -> str:
    """Return what a trial holds for: ffmpeg, and the drivers as far as they can be told apart without their tools."""
    driver = Path("/proc/driver/nvidia/version")
    devices = sorted(path.name for folder in ("/dev/dri", "/dev") for path in Path(folder).glob("[rn][ev]*[0-9]"))
    told = driver.read_text(encoding="utf-8") if driver.exists() else ""
    graphics = [name for name in devices if name.startswith(("render", "nvidia"))]
    return " ".join([ffmpeg.VERSION, ffmpeg.executable(), platform.platform(), *graphics, *told.split()])


def _read(home: Path) -> dict[str, str]:
    try:
        kept = json.loads((home / _KEPT).read_text(encoding="utf-8"))
        return {str(name): str(reason) for name, reason in kept[_identity()].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # never tried, another driver, or cut off
        return {}


def _write(home: Path, known: dict[str, str]) -> None:
    home.mkdir(parents=True, exist_ok=True)
    beside = home / f"{_KEPT}.{time.monotonic_ns()}"
    beside.write_text(json.dumps({_identity(): known}, indent=1), encoding="utf-8")
    beside.replace(home / _KEPT)
