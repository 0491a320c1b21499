"""Where ffmpeg is, what it says of a file, and how loud it finds it."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from importlib import resources
from importlib.metadata import version
from pathlib import Path

from bhiv import process
from bhiv.errors import RunFailed
from bhiv.settings import inherited_environment

#: Part of every cache key whose bytes ffmpeg makes.
VERSION = f"imageio-ffmpeg {version('imageio-ffmpeg')}"

_STREAM = re.compile(r"^\s*Stream #0:\d+.*?: (Video|Audio|Subtitle): (.*)$", re.MULTILINE)
# The data stream that holds chapter names is left out.
_ORDER = ("Video", "Audio", "Subtitle")
_KINDS = ("-map", "0:v?", "-map", "0:a?", "-map", "0:s?")
_INTEGRATED = re.compile(r"\bI:\s+(-?\d+\.\d+|-inf) LUFS")
_TRUE_PEAK = re.compile(r"\bPeak:\s+(-?\d+\.\d+|-inf) dBFS")


@cache
def executable() -> str:
    """Return the path of the ffmpeg that BHIV brings along, or of the one that IMAGEIO_FFMPEG_EXE names."""
    if named := inherited_environment().get("IMAGEIO_FFMPEG_EXE"):
        return named
    # Not asked of imageio_ffmpeg, which runs what it finds: killed at that moment, ffmpeg would be missing for good.
    brought = [file for file in resources.files("imageio_ffmpeg.binaries").iterdir() if file.name.startswith("ffmpeg-")]
    found = str(brought[0]) if brought else shutil.which("ffmpeg")
    if found is None:
        raise RunFailed("there is no ffmpeg for this platform: install it, or set IMAGEIO_FFMPEG_EXE to its path")
    return found


def command(*arguments: str) -> list[str]:
    """Return an argv that asks nothing, prints no banner and replaces its output file."""
    return [executable(), "-hide_banner", "-nostats", "-nostdin", "-y", *arguments]


@dataclass
class Stream:
    """One stream of a file, from its packets: exact, where a container's header may round or lie."""

    kind: str
    #: ffmpeg's line about the stream: codec, profile, pixel format, colour.
    description: str
    time_base: Fraction = Fraction(0)
    packets: int = 0
    #: Presentation start and end in units of `time_base`; None when there are no packets.
    start: int | None = None
    end: int | None = None

    @property
    def duration_seconds(self) -> Fraction:
        """From the start of the file to the end of the last packet shown."""
        return (self.end or 0) * self.time_base


@dataclass
class Streams:
    """What a media file holds."""

    all: list[Stream] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[Stream]:
        """Return the streams that are `Video`, `Audio` or `Subtitle`."""
        return [stream for stream in self.all if stream.kind == kind]


def inspect(path: Path) -> Streams:
    """Return a file's streams by reading every packet and decoding none.

    Raises:
        ToolFailed: ffmpeg can't read the file.
    """
    return examine(path)[0]


def examine(path: Path, reading: Sequence[str] = (), output: Sequence[str] = ()) -> tuple[Streams, str]:
    """Return a file's streams likewise, and all that ffmpeg said of it and of another output of the same reading.

    `reading` are options of the input, `output` those of the other output with its name.

    Raises:
        ToolFailed: ffmpeg can't read the file.
    """
    listed = (*_KINDS, "-c", "copy", "-f", "framecrc", "-")
    read = process.run(command(*reading, "-i", str(path), *listed, *output), timeout_seconds=1200)
    head = read.stderr.partition("Output #0")[0]
    found = [Stream(kind, description) for kind, description in _STREAM.findall(head)]
    streams = sorted(found, key=lambda stream: _ORDER.index(stream.kind))
    for line in read.stdout.decode().splitlines():
        if line.startswith("#tb "):
            number, base = line.removeprefix("#tb ").split(": ")
            streams[int(number)].time_base = Fraction(base)
        elif not line.startswith("#"):
            _count(streams, line)
    return Streams(streams), read.stderr


def _count(streams: list[Stream], line: str) -> None:
    number, _decoded, shown, duration, *_ = (part.strip() for part in line.split(","))
    stream, start = streams[int(number)], int(shown)
    stream.packets += 1
    stream.start = start if stream.start is None else min(stream.start, start)
    stream.end = max(stream.end or 0, start + int(duration))


@dataclass(frozen=True)
class Loudness:
    """EBU R 128 figures of a programme."""

    #: Integrated loudness in LUFS; minus infinity for silence.
    integrated: float
    #: Highest true peak in dBTP; None when it was not measured.
    true_peak: float | None


def parse_loudness(stderr: str) -> Loudness:
    """Read the summary that the ebur128 filter leaves in stderr.

    Raises:
        RunFailed: there is no summary.
    """
    summary = stderr.rpartition("Summary:")[2]
    integrated, peak = _INTEGRATED.search(summary), _TRUE_PEAK.search(summary)
    if integrated is None:
        raise RunFailed("ffmpeg measured no loudness; is there any sound?")
    return Loudness(float(integrated[1]), float(peak[1]) if peak else None)
