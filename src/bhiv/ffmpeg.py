"""Where ffmpeg is, what it says of a file, and how loud it finds it."""

import hashlib
import re
import shutil
from array import array
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, partial
from importlib import resources
from importlib.metadata import version
from operator import add
from pathlib import Path

from bhiv import process
from bhiv.errors import RunFailed
from bhiv.settings import inherited_environment

#: Part of every cache key whose bytes ffmpeg makes.
VERSION = f"imageio-ffmpeg {version('imageio-ffmpeg')}"

_STREAM = re.compile(r"^\s*Stream #0:\d+.*?: (Video|Audio|Subtitle): (.*)$", re.MULTILINE)
_CHAPTER = re.compile(r"^\s*Chapter #0:\d+: start (\d+\.\d+)", re.MULTILINE)
# The data stream that holds chapter names is left out.
_ORDER = ("Video", "Audio", "Subtitle")
_KINDS = ("-map", "0:v?", "-map", "0:a?", "-map", "0:s?")
_KEY_FLAG = 1
_FLAGS = re.compile(rb" F=(\w+)")
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
    """One stream of a file, from its packets: exact, where a container's header may round or lie.

    What is known of a packet stands at one place in each of the arrays, in the order of the file: objects would take
    ten times the memory, of which hours of video have no end. Times are in units of `time_base`.
    """

    kind: str = ""
    #: ffmpeg's line about the stream: codec, profile, pixel format, colour.
    description: str = ""
    time_base: Fraction = Fraction(0)
    decoded: "array[int]" = field(default_factory=partial(array, "q"))
    shown: "array[int]" = field(default_factory=partial(array, "q"))
    durations: "array[int]" = field(default_factory=partial(array, "q"))
    #: Bytes.
    sizes: "array[int]" = field(default_factory=partial(array, "i"))
    #: Whether decoding can begin with it.
    key: bytearray = field(default_factory=bytearray)
    #: Adler-32 of its bytes.
    sums: "array[int]" = field(default_factory=partial(array, "I"))

    @property
    def packets(self) -> int:
        """How many there are."""
        return len(self.shown)

    @property
    def digest(self) -> str:
        """What tells the packets from others, whatever file they lie in: a hash of their sizes and sums."""
        return hashlib.sha256(self.sizes.tobytes() + self.sums.tobytes()).hexdigest()

    @property
    def start(self) -> int | None:
        """When the first is shown, in units of `time_base`; None when there are none."""
        return min(self.shown, default=None)

    @property
    def end(self) -> int | None:
        """When the last has been shown, in units of `time_base`; None when there are none."""
        return max(map(add, self.shown, self.durations), default=None)

    @property
    def duration_seconds(self) -> Fraction:
        """From the start of the file to the end of the last packet shown."""
        return (self.end or 0) * self.time_base


@dataclass
class Streams:
    """What a media file holds."""

    all: list[Stream] = field(default_factory=list)
    #: Where the chapters begin, in seconds.
    chapters: tuple[Fraction, ...] = ()

    def of_kind(self, kind: str) -> list[Stream]:
        """Return the streams that are `Video`, `Audio` or `Subtitle`."""
        return [stream for stream in self.all if stream.kind == kind]


def inspect(path: Path) -> Streams:
    """Return a file's streams by reading every packet and decoding none.

    Raises:
        ToolFailed: ffmpeg can't read the file.
    """
    listed = _Listed()
    command_ = command("-i", str(path), *_KINDS, "-c", "copy", "-f", "framecrc", "-")
    head = process.run(command_, timeout_seconds=600, take=listed.take).stderr.partition("Output #0")[0]
    found = sorted(_STREAM.findall(head), key=lambda told: _ORDER.index(told[0]))
    streams = [listed.streams[number] for number in range(len(found))]
    for stream, told in zip(streams, found, strict=True):
        stream.kind, stream.description = told
    return Streams(streams, tuple(map(Fraction, _CHAPTER.findall(head))))


class _Listed:
    """The packets that ffmpeg lists, read as they come: the text of hours would take more memory than all else."""

    def __init__(self) -> None:
        self.streams: dict[int, Stream] = defaultdict(Stream)
        self._begun = b""

    def take(self, piece: bytes) -> None:
        """Read the lines that end in a piece of the list."""
        *lines, self._begun = (self._begun + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"#tb "):
                number, base = line.removeprefix(b"#tb ").split(b": ")
                self.streams[int(number)].time_base = Fraction(base.decode())
            elif not line.startswith(b"#"):
                number, decoded, shown, duration, size, sum_, *more = line.split(b",", 6)
                stream = self.streams[int(number)]
                stream.decoded.append(int(decoded))
                stream.shown.append(int(shown))
                stream.durations.append(int(duration))
                stream.sizes.append(int(size))
                stream.sums.append(int(sum_, base=0))
                # The flags stand there when they are others than those of a plain key packet.
                flags = _FLAGS.match(more[0]) if more else None
                stream.key.append(flags is None or int(flags[1], base=0) & _KEY_FLAG)


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
