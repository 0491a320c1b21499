"""A clip's own sound, as long as its scene and as quiet as what is heard under a voice."""

import math
from pathlib import Path

from pydantic import Field

from bhiv import ffmpeg, process
from bhiv.bucket.artifact import Artifact
from bhiv.cache import Step
from bhiv.plan import SAMPLE_RATE, Contract, Frames
from bhiv.timeline import sample_at
from bhiv.video import sound
from bhiv.video.footage import FootageSpec, own_frames, start_of
from bhiv.video.probe import GUARDED

#: How far below a programme's speech, in LU.
BELOW_SPEECH = 18.0
LEVEL_LUFS = sound.TARGET_LUFS - BELOW_SPEECH
#: What is quieter is taken for none: raised, it would be noise.
_SILENCE_LUFS = -60.0
#: A bang is cut off here, -14 dBFS.
_LIMIT = 0.2
#: Softens the place where a loop begins again.
_EDGE_SECONDS = 0.01
_START_SECONDS = 120
_FORMAT = ("-c:a", "pcm_s16le", "-ar", str(SAMPLE_RATE), "-ac", "2", "-fflags", "+bitexact")


class SoundSpec(Contract):
    """Everything that decides the bytes of a clip's sound."""

    footage: FootageSpec
    frames: Frames
    fps: int
    encoder: str = ffmpeg.VERSION


class OwnSound(Contract):
    """The sound of a scene's clip."""

    sound: Artifact | None = Field(description="48 kHz stereo WAV of the scene's length; None where nothing is heard.")


STEP = Step("footage_sound", 1, "audio", OwnSound)


def extract(spec: SoundSpec, path: Path, folder: Path) -> Path | None:
    """Write the clip's sound into `folder` as a WAV, 48 kHz, stereo, 16 bits, and return its path; None for silence.

    It lasts as long as the scene, to the sample; it keeps its pitch when the clip's speed is another, runs backwards
    with the pictures, and begins again with them or is silent where the last stays. Its loudness is `LEVEL_LUFS`.

    Raises:
        ToolFailed, ToolTimedOut, DiskFull, Interrupted: there is none; what was written stays in `folder`.
    """
    if not spec.footage.clip.has_sound:
        return None
    wanted, deadline = spec.footage.wanted, _START_SECONDS + spec.footage.clip.seconds + spec.frames / spec.fps
    once = sample_at(own_frames(spec.footage, spec.fps), spec.fps)
    whole = sample_at(spec.frames, spec.fps)
    start = float(start_of(spec.footage))
    # The sound may begin after the pictures.
    chain = [f"aresample={SAMPLE_RATE}:async=1:first_pts=0", "aformat=channel_layouts=stereo"]
    chain += ["areverse"] if "time_mirror" in wanted.effects else []
    chain += [*_tempo(wanted.speed), f"apad=whole_len={once}", f"atrim=end_sample={once}", *_edges(once)]
    stretch = ("-ss", f"{start:.6f}", "-t", f"{spec.footage.end_seconds - start:.6f}")
    cut = ffmpeg.command(*stretch, *GUARDED, "-i", str(path), "-map", "0:a:0", "-af", ",".join(chain), *_FORMAT)
    process.run([*cut, "once.wav"], timeout_seconds=deadline, cwd=folder)
    again = ("-stream_loop", "-1") if wanted.when_short == "loop" else ()
    laid = f"apad=whole_len={whole},atrim=end_sample={whole}"
    lay = ffmpeg.command(*again, "-i", "once.wav", "-af", laid, *_FORMAT, "whole.wav")
    process.run(lay, timeout_seconds=deadline, cwd=folder)
    return _levelled(folder, deadline)


def _levelled(folder: Path, deadline: float) -> Path | None:
    measure = ffmpeg.command("-i", "whole.wav", "-af", "ebur128=framelog=quiet", "-f", "null", "-")
    heard = ffmpeg.parse_loudness(process.run(measure, timeout_seconds=deadline, cwd=folder).stderr).integrated
    if math.isinf(heard) or heard < _SILENCE_LUFS:
        return None
    chain = f"volume={LEVEL_LUFS - heard:.2f}dB,alimiter=limit={_LIMIT}:level=false"
    command = ffmpeg.command("-i", "whole.wav", "-af", chain, *_FORMAT, "sound.wav")
    process.run(command, timeout_seconds=deadline, cwd=folder)
    return folder / "sound.wav"


def _tempo(speed: float) -> list[str]:
    """Return the filters that make sound faster or slower at its pitch; one of them goes down to a half only."""
    if speed == 1:
        return []
    return ["atempo=0.5", f"atempo={speed / 0.5:.6g}"] if speed < 0.5 else [f"atempo={speed:.6g}"]


def _edges(samples: int) -> list[str]:
    edge = min(round(_EDGE_SECONDS * SAMPLE_RATE), samples // 2)
    return [f"afade=t=in:ns={edge}", f"afade=t=out:ss={samples - edge}:ns={edge}"] if edge else []
