"""The probe: what a stranger's video clip is, and whether it can be shown, told before any work is done on it.

ffmpeg is given the few containers that cameras, phones and editors write, and files only: a playlist that calls itself
a clip would have it read other files or ask other servers.
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from pydantic import Field

from bhiv import ffmpeg, process
from bhiv.errors import FootageRefused, ToolFailed, ToolTimedOut
from bhiv.plan import Contract

#: The largest clip, in bytes.
MAX_BYTES = 2 << 30
#: 4096x2304: a frame of 8K would take 100 MB as it is worked on.
MAX_PIXELS = 4096 * 2304
MAX_SECONDS = 3_600
MAX_RATE = 240
_LEAST_SIDE = 32
_MOST_ASPECT = 8
_SECONDS_TO_READ = 300

#: Before `-i`, wherever ffmpeg opens a stranger's clip.
GUARDED = ("-protocol_whitelist", "file,pipe", "-format_whitelist", "mov,matroska,avi,mpegts,mpeg")

_HDR = {"smpte2084", "arib-std-b67"}
#: The colour matrices that can be converted; `gbr` is none.
_MATRICES = frozenset({"bt709", "smpte170m", "bt470bg", "bt2020nc", "gbr"})
_VIDEO = re.compile(
    r"^\s*Stream #0:\d+[^\n]*?: Video: (?P<codec>\w+)[^\n]*?, (?P<format>[a-z0-9]+)"
    r"(?:\((?P<tags>(?:[^()]|\([^()]*\))*)\))?, (?P<width>\d+)x(?P<height>\d+)[^\n]*",
    re.MULTILINE,
)
_CONTAINER = re.compile(r"Input #0, (\w+)")
_ASPECT = re.compile(r"SAR (\d+):(\d+)")
_LENGTH = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_ROTATION = re.compile(r"(?i)display ?matrix: rotation of (-?\d+(?:\.\d+)?) degrees")
_ALPHA = re.compile(r"yuva|rgba|argb|bgra|abgr|gbrap|^ya|ayuv|vuya|pal8")


class Probed(Contract):
    """What a clip's streams say of themselves, and what its packets show."""

    width: int = Field(description="Of the upright picture, in square pixels.")
    height: int
    rotation: int = Field(description="How far the stored picture is turned to be upright: 0, 90, 180 or 270 degrees.")
    rate: float = Field(description="Mean frames a second; 0 for a single frame.")
    variable: bool = Field(description="Whether the frames lie at uneven distances.")
    first_seconds: float = Field(description="When its first frame is shown, from the file's beginning.")
    seconds: float = Field(description="From the file's beginning to the end of its last frame.")
    pixel_format: str
    odd: bool = Field(False, description="Whether a side of the stored picture is odd.")
    matrix: str = Field(description="Of the conversion to RGB; guessed by the size where the clip doesn't say.")
    primaries: str = Field("", description="Empty where the clip doesn't say, as all that follow.")
    transfer: str = ""
    full_range: bool = False
    interlaced: bool = False
    has_sound: bool = False
    container: str = Field(description="mov, matroska, avi, mpegts or mpeg.")

    @property
    def indexed(self) -> bool:
        """Whether a moment can be sought; otherwise a clip is read from its start."""
        return not self.container.startswith("mpeg")

    @property
    def is_hdr(self) -> bool:
        """Whether its light is coded as PQ or HLG."""
        return self.transfer in _HDR


def probe(path: Path, what: str) -> Probed:
    """Look at a clip: its header, then all its packets, then one frame; nothing else is decoded.

    `what` begins the message of an error.

    Raises:
        FootageRefused: it can't be shown.
    """
    size = path.stat().st_size
    if not size:
        raise FootageRefused(f"{what} is empty")
    if size > MAX_BYTES:
        raise FootageRefused(f"{what} has more than {MAX_BYTES >> 30} GB; make it smaller")
    head = _asked(path, what, ["-map", "0:V:0", "-t", "0", "-c", "copy", "-f", "null", "-"])[0]
    told = head.partition("Output #0")[0]
    seen = _VIDEO.search(told)
    if seen is None:
        raise FootageRefused(f"{what} has pictures that can't be read; save it as MP4 (H.264)")
    block = _block(told, seen.start())
    _check_pixels(seen, block, what)
    length = _header_seconds(told)
    if length > MAX_SECONDS:
        raise FootageRefused(f"{what} lasts {length / 60:.0f} minutes; cut it to {MAX_SECONDS // 60} at most")
    starts, end = _packets(path, what, length)
    _asked(path, what, ["-map", "0:V:0", "-frames:v", "1", "-f", "null", "-"], decodes=True)
    return _described(seen, block, starts, end, told)


def _asked(path: Path, what: str, output: Sequence[str], *, decodes: bool = False) -> tuple[str, str]:
    """Return what ffmpeg says about a clip, and what it writes."""
    try:
        done = process.run(ffmpeg.command(*GUARDED, "-i", str(path), *output), timeout_seconds=_SECONDS_TO_READ)
    except ToolTimedOut:
        raise FootageRefused(f"{what} takes too long to read; save it as MP4 (H.264)") from None
    except ToolFailed as error:
        raise FootageRefused(f"{what} {_reason(error.stderr_tail)}") from None
    if decodes and "frame=    0" in done.stderr:
        raise FootageRefused(f"{what} has pictures that can't be decoded; it is damaged")
    return done.stderr, done.stdout.decode(errors="replace")


def _reason(said: str) -> str:
    if "matches no streams" in said:
        return "has no pictures, only sound"
    if "moov atom not found" in said:
        return "is cut off, or no video clip: what should be at its end is missing; copy it again"
    if "not on whitelist" in said.lower() or "whitelist" in said:
        return "is no video clip; MP4, MOV, WebM, MKV, AVI and MPEG can be shown"
    if "Decoder not found" in said or "not found" in said:
        return "is in a form that can't be decoded here; save it as MP4 (H.264)"
    return "is no video clip, or damaged; MP4, MOV, WebM, MKV, AVI and MPEG can be shown"


def _block(told: str, start: int) -> str:
    """Return what is told about one stream: its line, and what is beside it."""
    following = told.find("\n  Stream #", start + 1)
    return told[start:] if following < 0 else told[start:following]


def _header_seconds(told: str) -> float:
    found = _LENGTH.search(told)
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else 0.0


def _check_pixels(seen: re.Match[str], block: str, what: str) -> None:
    width, height = int(seen["width"]), int(seen["height"])
    if width * height > MAX_PIXELS:
        raise FootageRefused(f"{what} has {width}x{height} pixels; make it 4096x2304 or smaller")
    if min(width, height) < _LEAST_SIDE or max(width, height) > _MOST_ASPECT * min(width, height):
        raise FootageRefused(f"{what} has {width}x{height} pixels, which fill no frame")
    if _ALPHA.search(seen["format"]) or re.search(r"(?i)alpha_mode\s*: *1", block):
        raise FootageRefused(f"{what} is transparent in places, which can't be shown; save it with a background")
    matrix = _tags(seen)[2][0]
    if matrix and matrix not in _MATRICES:
        raise FootageRefused(f"{what} has colours coded as {matrix}, which can't be shown; save it as bt709")


def _packets(path: Path, what: str, header_seconds: float) -> tuple[list[Fraction], Fraction]:
    """Return when each frame is shown, in seconds from the file's beginning, and when the last ends."""
    most = str(MAX_RATE * MAX_SECONDS + 1)
    copied = ("-c", "copy", "-copyinkf", "-t", str(MAX_SECONDS + 60), "-frames:v", most, "-f", "framecrc", "-")
    said, listed = _asked(path, what, ["-map", "0:V:0", "-map", "0:a:0?", *copied])
    bases: dict[str, Fraction] = {}
    starts: list[Fraction] = []
    durations: list[Fraction] = []
    ends = Fraction(0)
    for line in listed.splitlines():
        if line.startswith("#tb "):
            number, base = line.removeprefix("#tb ").split(": ")
            bases[number] = Fraction(base)
        elif not line.startswith("#"):
            number, _, shown, duration, *_ = (part.strip() for part in line.split(","))
            start, lasts = int(shown) * bases[number], int(duration) * bases[number]
            ends = max(ends, start + lasts)
            if number == "0":
                starts.append(start)
                durations.append(lasts)
    if not starts:
        raise FootageRefused(f"{what} holds no frame")
    starts.sort()
    # What a camera left out where nothing moved must not count as cut off.
    if header_seconds - float(ends) > max(0.5, header_seconds / 50) or "partial file" in said or "ended prema" in said:
        raise FootageRefused(
            f"{what} is cut off: {float(ends):.1f} s of {header_seconds:.1f} s are there; copy it again"
        )
    step = (starts[-1] - starts[0]) / (len(starts) - 1) if len(starts) > 1 else Fraction(1, 25)
    if step * MAX_RATE < 1 and len(starts) > 1:
        raise FootageRefused(f"{what} has {float(1 / step) if step else 0:.0f} frames a second; at most {MAX_RATE} fit")
    end = starts[-1] + (durations[-1] if step * 9 / 10 <= durations[-1] <= 1 else step)
    if end > MAX_SECONDS:
        raise FootageRefused(f"{what} lasts {float(end) / 60:.0f} minutes; cut it to {MAX_SECONDS // 60} at most")
    return starts, end


def _described(seen: re.Match[str], block: str, starts: list[Fraction], end: Fraction, told: str) -> Probed:
    range_, is_interlaced, (matrix, primaries, transfer) = _tags(seen)
    width, height = int(seen["width"]), int(seen["height"])
    aspect = _ASPECT.search(seen[0])
    if aspect and int(aspect[1]) and int(aspect[2]):
        width = max(1, round(width * int(aspect[1]) / int(aspect[2])))
    turned = _ROTATION.search(block)
    rotation = round(-float(turned[1]) / 90) * 90 % 360 if turned else 0
    if rotation in {90, 270}:
        width, height = height, width
    steps = [float(after - before) for before, after in pairwise(starts)]
    mean = sum(steps) / len(steps) if steps else 0.0
    # Containers round to a millisecond.
    uneven = any(abs(step - mean) > 0.0021 + mean / 50 for step in steps)
    return Probed(
        width=width,
        height=height,
        rotation=rotation,
        rate=round(1 / mean, 4) if mean else 0,
        variable=uneven,
        first_seconds=round(float(starts[0]), 6),
        seconds=round(float(end), 6),
        pixel_format=seen["format"],
        odd=bool(int(seen["width"]) % 2 or int(seen["height"]) % 2),
        matrix=matrix or _guessed(int(seen["width"]), int(seen["height"])),
        primaries=primaries,
        transfer=transfer,
        full_range=range_ == "pc" or seen["format"].startswith("yuvj"),
        interlaced=is_interlaced,
        has_sound=": Audio: " in told,
        container=_CONTAINER.findall(told)[0],
    )


def _tags(seen: re.Match[str]) -> tuple[str, bool, tuple[str, str, str]]:
    """Return the range, whether fields are interlaced, and matrix, primaries and transfer; empty where unknown."""
    range_, interlaced, colours = "", False, ("", "", "")
    for tag in (seen["tags"] or "").split(", "):
        if tag in {"tv", "pc"}:
            range_ = tag
        elif tag.startswith(("top ", "bottom ")):
            interlaced = True
        elif tag and tag != "progressive":
            parts = tag.split("/") if "/" in tag else [tag] * 3
            named = ["" if part in {"unknown", "reserved"} else part for part in [*parts, "", ""][:3]]
            colours = (named[0], named[1], named[2])
    return range_, interlaced, colours


def _guessed(width: int, height: int) -> str:
    # As players take it: what is larger than a DVD's picture was made in high definition.
    return "bt709" if max(width, height) >= 1280 or min(width, height) > 576 else "smpte170m"
