"""The acceptance gate: a video is delivered only when the finished file is what was asked for.

It decodes the sound and a few pictures, and reads the rest as packets: a whole decode would cost a sixth of the render.
"""

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from pydantic import Field

from bhiv import ffmpeg
from bhiv.errors import GateRejected, ToolFailed
from bhiv.plan import Contract, Frames
from bhiv.video import gate_pictures, gate_sound, mp4_boxes
from bhiv.video.gate_pictures import Key, Recall, Seen, Shown
from bhiv.video.gate_sound import Heard, Stretch, stretches

__all__ = ["Expected", "Memory", "Shown", "Stretch", "Verdict", "check", "stretches"]

#: Zero bytes in a row that no picture and no sound has, of which a plain tone has some; what a disk loses is more.
_HOLE = 512
#: A gap between captions is a packet of this size, which holds no text.
_NO_TEXT = 2
_CHAPTER_TOLERANCE = Fraction(1, 1000)
_PICTURE = re.compile(
    r"^(?P<codec>\w+(?: \([^)]*?\))?)(?: \([^)]* / [^)]*\))?, (?P<format>\w+(?:\([^)]*\))?), (?P<size>\d+x\d+)"
)
_RATE = re.compile(r", (\d+(?:\.\d+)?k?) fps")


class Expected(Contract):
    """What the plan promises of the finished file."""

    width: int
    height: int
    fps: int
    frames: int
    #: Whether there is speech, and so captions and a loudness to reach.
    spoken: bool
    scenes: tuple[Shown, ...] = Field((), description="In order; empty: one scene that may stand still.")
    speech: tuple[Stretch, ...] = Field((), description="Where words are heard.")
    captions: int | None = Field(None, description="How many soft captions there are; None: some, when it is spoken.")
    chapters: tuple[Frames, ...] | None = Field(None, description="Where chapters begin; None: anywhere.")


class Verdict(Contract):
    """What was measured of a file that passed."""

    duration_seconds: float
    #: None for a silent video.
    loudness_lufs: float | None
    true_peak_dbtp: float | None


@dataclass(frozen=True)
class Memory:
    """What was found of other videos, by packets that may be in this one too; by itself nothing."""

    #: What was heard of the packets with a digest; None when nobody has listened to them.
    heard: Callable[[str], Heard | None] = lambda _: None
    #: Which scenes were found right.
    seen: Recall = lambda names: [False] * len(names)
    #: Takes what was seen of scenes that were not known.
    keep: Callable[[Mapping[str, Seen]], None] = lambda _: None


def check(path: Path, expected: Expected, memory: Memory = Memory()) -> Verdict:
    """Measure a finished video and return the figures; what `memory` has is not decoded.

    Raises:
        GateRejected: it is not as expected; the message names the first thing that is wrong and both figures.
    """
    _check_file(path)
    streams = _inspected(path)
    with ThreadPoolExecutor(1) as aside:  # beside all that follows: nothing else is left to do, and there are cores
        listening = aside.submit(_listen, path, streams, memory)
        keys, ticks = _check_streams(streams, expected)
        scenes = expected.scenes or (Shown(start=Frames(0)),)
        size, rates = (expected.width, expected.height), (expected.fps, ticks)
        memory.keep(gate_pictures.look(path, size, keys, scenes, rates, memory.seen))
    heard = listening.result()
    seconds = expected.frames / expected.fps
    if not expected.spoken:
        return Verdict(duration_seconds=seconds, loudness_lufs=None, true_peak_dbtp=None)
    gate_sound.check_speech(heard.levels, expected.speech)
    gate_sound.check_loudness(heard)
    return Verdict(duration_seconds=seconds, loudness_lufs=heard.loudness_lufs, true_peak_dbtp=heard.true_peak_dbtp)


def _inspected(path: Path) -> ffmpeg.Streams:
    try:
        return ffmpeg.inspect(path)
    except ToolFailed as error:
        raise GateRejected(f"the video can't be read: {error}") from error


def _listen(path: Path, streams: ffmpeg.Streams, memory: Memory) -> Heard:
    heard = (memory.heard(track.digest) for track in streams.of_kind("Audio")[:1])
    return next(heard, None) or gate_sound.listen(path)


def _check_streams(streams: ffmpeg.Streams, expected: Expected) -> tuple[list[Key], int]:
    """Return the key pictures, and how many units of the stream's time a frame lasts."""
    length = Fraction(expected.frames, expected.fps)
    ticks = _check_picture(streams, expected, length)
    _check_sound(streams, expected, length)
    _check_captions(streams, expected)
    _check_chapters(streams, expected)
    [picture] = streams.of_kind("Video")
    rows = zip(picture.key, picture.shown, picture.sizes, picture.sums, strict=True)
    return [Key(shown // ticks, size, sum_) for is_key, shown, size, sum_ in rows if is_key], ticks


def _check_file(path: Path) -> None:
    """Refuse what is no MP4, not whole, or has its index at the end, where a player must load all to begin."""
    size = path.stat().st_size
    boxes = mp4_boxes.outer_boxes(path)
    if not boxes or boxes[0].name != "ftyp":
        with path.open("rb") as file:
            begins = file.read(8)
        raise GateRejected(f"the file, {size:,} bytes, is no MP4: it begins with {begins!r} instead of an 'ftyp' box")
    if boxes[-1].end != size:
        raise GateRejected(f"the file has {size:,} bytes instead of {boxes[-1].end:,}: it was cut off")
    places = {box.name: box for box in reversed(boxes)}
    index, media = places.get("moov"), places.get("mdat")
    if index is None or media is None:
        raise GateRejected(f"the file has the boxes {', '.join(box.name for box in boxes)} instead of moov and mdat")
    if index.start > media.start:
        raise GateRejected(f"the index is at byte {index.start:,}, behind the media at byte {media.start:,}")
    hole = mp4_boxes.find_hole(path, media, _HOLE)
    if hole is not None:
        raise GateRejected(f"the file is damaged: the {_HOLE} bytes from byte {hole:,} are all 0 instead of media")


def _check_picture(streams: ffmpeg.Streams, expected: Expected, length: Fraction) -> int:
    """Return how many units of the stream's time a frame lasts."""
    pictures = streams.of_kind("Video")
    if len(pictures) != 1:
        raise GateRejected(f"the video has {len(pictures)} picture streams instead of 1")
    picture = pictures[0]
    _check_format(picture.description, expected)
    if picture.packets != expected.frames:
        raise GateRejected(f"the video has {picture.packets} frames instead of {expected.frames}")
    if (np.diff(picture.decoded) <= 0).any():
        raise GateRejected("the frames' decoding times go back instead of on")
    ticks = 1 / (expected.fps * picture.time_base)
    shown = np.sort(picture.shown)
    for number in np.flatnonzero(shown * ticks.denominator != np.arange(len(shown)) * ticks.numerator):
        seconds = float(int(shown[number]) * picture.time_base)
        raise GateRejected(f"frame {number} is shown at {seconds:.3f} s instead of {number / expected.fps:.3f} s")
    if picture.duration_seconds != length:
        raise GateRejected(f"the pictures last {float(picture.duration_seconds)} s instead of {float(length)} s")
    return int(ticks)


def _check_format(description: str, expected: Expected) -> None:
    found, rate = _PICTURE.match(description), _RATE.search(description)
    if found is None or rate is None:
        raise GateRejected(f"the picture stream is {description!r} instead of H.264")
    wanted = {"codec": "h264 (High)", "format": "yuv420p(tv, bt709, progressive)"}
    wanted["size"] = f"{expected.width}x{expected.height}"
    for name, value in wanted.items():
        if found[name] != value:
            raise GateRejected(f"the picture stream's {name} is {found[name]} instead of {value}")
    if rate[1] != str(expected.fps):
        raise GateRejected(f"the video has {rate[1]} frames a second instead of {expected.fps}")


def _check_sound(streams: ffmpeg.Streams, expected: Expected, length: Fraction) -> None:
    tracks = streams.of_kind("Audio")
    if len(tracks) != 1:
        raise GateRejected(f"the video has {len(tracks)} sound streams instead of 1")
    [track] = tracks
    if not (track.description.startswith("aac") and "48000 Hz, stereo" in track.description):
        raise GateRejected(f"the sound is {track.description!r} instead of AAC at 48000 Hz in stereo")
    start = (track.start or 0) * track.time_base
    if start > 0:
        raise GateRejected(f"the sound begins at {float(start):.3f} s instead of 0 s")
    due = np.add(track.shown, track.durations)[:-1]
    for number in np.flatnonzero(due != track.shown[1:]):
        times = (float(int(at) * track.time_base) for at in (due[number], track.shown[number + 1]))
        raise GateRejected("the sound goes on at {1:.3f} s instead of {0:.3f} s: some is missing".format(*times))
    if abs(track.duration_seconds - length) >= Fraction(1, expected.fps):
        raise GateRejected(f"the sound lasts {float(track.duration_seconds):.3f} s instead of {float(length):.3f} s")


def _check_captions(streams: ffmpeg.Streams, expected: Expected) -> None:
    tracks = streams.of_kind("Subtitle")
    shown = sum(size > _NO_TEXT for track in tracks for size in track.sizes)
    if len(tracks) != int(expected.spoken):
        raise GateRejected(f"the video has {len(tracks)} tracks of soft captions instead of {int(expected.spoken)}")
    if (expected.captions is None and expected.spoken and not shown) or expected.captions not in {None, shown}:
        raise GateRejected(f"the video has {shown} soft captions instead of {expected.captions or 'some'}")


def _check_chapters(streams: ffmpeg.Streams, expected: Expected) -> None:
    if expected.chapters is None:
        return
    if len(streams.chapters) != len(expected.chapters):
        raise GateRejected(f"the video has {len(streams.chapters)} chapters instead of {len(expected.chapters)}")
    for number, (found, start) in enumerate(zip(streams.chapters, expected.chapters, strict=True), 1):
        wanted = Fraction(start, expected.fps)
        if abs(found - wanted) > _CHAPTER_TOLERANCE:
            raise GateRejected(f"chapter {number} begins at {float(found):.3f} s instead of {float(wanted):.3f} s")
