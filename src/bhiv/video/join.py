"""The join: clips end to end without a second encode, with the programme's sound, soft captions and chapters."""

import re
from itertools import accumulate, pairwise
from pathlib import Path

from pydantic import Field

from bhiv import captions, ffmpeg, process
from bhiv.bucket.artifact import Artifact
from bhiv.cache import Step
from bhiv.captions import Cue
from bhiv.plan import SAMPLE_RATE, Contract
from bhiv.timeline import LEAD, Shot, sample_at
from bhiv.video.clip import Clip

#: ISO 639-2 codes, which MP4 wants, of the languages that espeak speaks and the bundled font writes.
_ISO_639_2 = {
    "ar": "ara", "bg": "bul", "cs": "ces", "da": "dan", "de": "deu", "el": "ell", "en": "eng", "es": "spa",
    "et": "est", "fa": "fas", "fi": "fin", "fr": "fra", "he": "heb", "hi": "hin", "hr": "hrv", "hu": "hun",
    "id": "ind", "it": "ita", "lt": "lit", "lv": "lav", "mr": "mar", "ne": "nep", "nl": "nld", "nb": "nob",
    "pl": "pol", "pt": "por", "ro": "ron", "ru": "rus", "sk": "slk", "sl": "slv", "sr": "srp", "sv": "swe",
    "sw": "swa", "th": "tha", "tr": "tur", "uk": "ukr", "ur": "urd", "vi": "vie",
}  # fmt: skip
_START_SECONDS = 120
#: Without a decoder ffmpeg believes what a file's header says of its pictures. With one it decodes some of each, 15 ms
#: a file, to know what a copy does not need.
_UNOPENED = ("option codec_whitelist none",)
_SPECIAL = re.compile(r"([=;#\\\n])")


class Part(Contract):
    """One scene as the join needs it."""

    clip: Clip
    shot: Shot
    cues: tuple[Cue, ...]
    title: str = Field(description="Name of the chapter that starts here; empty for none.")


class Programme(Contract):
    """Everything that decides the finished video's bytes."""

    parts: tuple[Part, ...]
    sound: Artifact
    fps: int
    language: str
    title: str
    encoder: str = ffmpeg.VERSION

    @property
    def frames(self) -> int:
        """Length of the whole."""
        return self.parts[-1].shot.end

    @property
    def cues(self) -> tuple[Cue, ...]:
        """All cues, on the programme's time."""
        return tuple(
            cue
            for part in self.parts
            for cue in captions.shifted(part.cues, sample_at(part.shot.start, self.fps) + LEAD)
        )


class Video(Contract):
    """A finished video and the caption files beside it."""

    video: Artifact
    srt: Artifact
    vtt: Artifact
    frames: int


STEP = Step("join", 5, "clips", Video)


def join(programme: Programme, chunks: list[Path], sound: Path, folder: Path) -> Path:
    """Write the finished MP4 into `folder` and return its path; the chunks of all clips are in order.

    Raises:
        ToolFailed, ToolTimedOut, DiskFull, Interrupted: there is no video; what was written stays in `folder`.
    """
    (folder / "clips.txt").write_text(_concat_list(chunks, programme), encoding="utf-8")
    (folder / "chapters.txt").write_text(_chapters(programme), encoding="utf-8")
    (folder / "captions.srt").write_text(captions.to_srt(programme.cues), encoding="utf-8")
    deadline = _START_SECONDS + programme.frames / programme.fps
    process.run(_command(programme, sound), timeout_seconds=deadline, cwd=folder)
    return folder / "video.mp4"


def _command(programme: Programme, sound: Path) -> list[str]:
    language = _ISO_639_2.get(programme.language.partition("-")[0].lower(), "und")
    subtitles = bool(programme.cues)
    # The list's offsets are whole microseconds; snapping each time to its frame keeps the grid exact for hours.
    snapped = "round(round({0}*TB*{1})/({1}*TB))"
    snap = f"pts={snapped.format('PTS', programme.fps)}:dts={snapped.format('DTS', programme.fps)}"
    return ffmpeg.command(
        *("-f", "concat", "-safe", "0", "-i", "clips.txt", "-i", str(sound), "-i", "chapters.txt"),
        *(("-i", "captions.srt") if subtitles else ()),
        *("-map", "0:v", "-map", "1:a", *(("-map", "3:s") if subtitles else ())),
        *("-map_metadata", "2", "-map_chapters", "2"),
        *("-c:v", "copy", "-bsf:v", f"setts={snap}", "-video_track_timescale", str(programme.fps * 512)),
        *("-movie_timescale", str(_movie_timescale(programme.fps))),
        *("-c:a", "copy", "-c:s", "mov_text"),
        *("-metadata:s:a:0", f"language={language}", "-metadata:s:s:0", f"language={language}"),
        *("-fflags", "+bitexact", "-movflags", "+faststart", "video.mp4"),
    )


def _movie_timescale(fps: int) -> int:
    """Return the unit of the file's own times: exact for frames, for samples where both can be.

    Left alone, ffmpeg takes the least common multiple of all streams' units, in which a chapter of 12 s at 24 frames a
    second no longer fits into 32 bits: it and those before it then begin at 0.
    """
    return SAMPLE_RATE if SAMPLE_RATE % fps == 0 else fps * 1000


def _concat_list(chunks: list[Path], programme: Programme) -> str:
    """Return the concat demuxer's list, with durations: those in the files are rounded to milliseconds, and add up."""
    lengths = [chunk.frames for part in programme.parts for chunk in part.clip.chunks]
    bounds = [round(frame * 1_000_000 / programme.fps) for frame in accumulate(lengths, initial=0)]
    lines = []
    for path, (start, end) in zip(chunks, pairwise(bounds), strict=True):
        quoted = str(path).replace("'", r"'\''")
        lines += [f"file '{quoted}'", *_UNOPENED, f"duration {(end - start) / 1_000_000:.6f}"]
    return "\n".join(lines) + "\n"


def _chapters(programme: Programme) -> str:
    """Return an ffmetadata file: the title, and a chapter from each titled part to the next."""
    titled = [part for part in programme.parts if part.title]
    ends = [part.shot.start for part in titled[1:]] + [programme.frames]
    lines = [";FFMETADATA1", f"title={_quote(programme.title)}"]
    for part, end in zip(titled, ends, strict=True):
        lines += ["[CHAPTER]", f"TIMEBASE=1/{programme.fps}", f"START={part.shot.start}", f"END={end}"]
        lines += [f"title={_quote(part.title)}"]
    return "\n".join(lines) + "\n"


def _quote(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
