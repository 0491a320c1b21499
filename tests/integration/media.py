"""Small real media for tests: pictures, narrations and finished scenes at a size that encodes in no time."""

import wave
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bhiv import captions, ffmpeg, process, timeline
from bhiv.bucket import Artifact
from bhiv.captions import Cue
from bhiv.plan import SAMPLE_RATE, Camera, Captions, Frames, Quality, Samples
from bhiv.production import Frame, expected_of
from bhiv.speech.words import Word
from bhiv.video import aac, camera, sound
from bhiv.video.camera import Still
from bhiv.video.clip import Chunk, Clip, ClipSpec, encode
from bhiv.video.gate import Expected
from bhiv.video.join import Part, Programme, join
from bhiv.video.overlay import CaptionLayer, make_layer

WIDTH, HEIGHT, FPS = 320, 180, 25
SOMEWHERE = Artifact(key="clips/a", sha256="", size=0, media_type="")


def write_picture(path: Path, width: int = WIDTH, height: int = HEIGHT, shade: int = 90) -> Path:
    """A calm picture with soft blobs, of the size that the camera asks for."""
    rng = np.random.default_rng(shade)
    size = camera.picture_size(width, height)
    blobs = cv2.resize(rng.integers(0, 60, (5, 8, 3), dtype=np.uint8), size, interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(path), cv2.add(blobs, np.full_like(blobs, shade)))
    return path


def write_voice(path: Path, samples: int, loudness: float = 0.2) -> Path:
    """A voice-like sound: a buzz that rises and falls as syllables do."""
    time = np.arange(samples) / SAMPLE_RATE
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * time)
    buzz = sum(np.sin(2 * np.pi * 140 * harmonic * time) / harmonic for harmonic in range(1, 12))
    sound = (np.asarray(buzz) * syllables * loudness * 16_000).clip(-32_768, 32_767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(sound.tobytes())
    return path


def music(seconds: float) -> NDArray[np.float64]:
    """Chords that fade, over a drum, at -18 LUFS or so, stereo; its beginning is unlike its end."""
    rng, length = np.random.default_rng(7), round(seconds * SAMPLE_RATE)
    sound = np.zeros((2, length + 2 * SAMPLE_RATE))
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    for beat, start in enumerate(range(0, length, SAMPLE_RATE // 2)):
        for voice, ratio in enumerate((1, 1.25, 1.5, 2)):
            pitch = (110, 147, 98, 131)[beat // 4 % 4] * ratio
            note = sum(np.sin(2 * np.pi * pitch * n * time) / n**1.3 for n in range(1, 8)) * np.exp(-3 * time)
            sound[:, start : start + len(time)] += np.outer((0.7, 0.3) if voice % 2 else (0.3, 0.7), note)
        drum = rng.standard_normal((2, SAMPLE_RATE // 5)) * np.exp(-np.arange(SAMPLE_RATE // 5) / 800)
        sound[:, start : start + drum.shape[1]] += drum
    return np.asarray(sound[:, :length] * 0.1)


def write_stereo(path: Path, sound: NDArray[np.float64]) -> Path:
    """Write channels x samples, full scale at 1, as 16-bit WAV."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.round(sound.T * 32_767).clip(-32_768, 32_767).astype("<i2").tobytes())
    return path


def heard(path: Path) -> NDArray[np.float32]:
    """Decode a file's sound: channels x samples, full scale at 1."""
    raw = process.run(ffmpeg.command("-i", str(path), "-map", "0:a", "-f", "f32le", "-"), timeout_seconds=60).stdout
    return np.frombuffer(raw, "<f4").reshape(-1, 2).T


def measured(path: Path) -> ffmpeg.Loudness:
    """What ffmpeg's own meter says of a file's sound."""
    meter = ("-map", "0:a", "-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-")
    return ffmpeg.parse_loudness(process.run(ffmpeg.command("-i", str(path), *meter), timeout_seconds=60).stderr)


def words(text: str, samples: int) -> list[Word]:
    """The words of a text, evenly spread over a sound."""
    tokens = text.split()
    if not tokens:
        return []
    step = samples // len(tokens)
    return [
        Word(text=token, start=Samples(number * step), end=Samples((number + 1) * step - 400), sentence=0)
        for number, token in enumerate(tokens)
    ]


def layer_of(cues: tuple[Cue, ...], style: Captions) -> CaptionLayer | None:
    """What burns cues into a scene."""
    return make_layer(cues, style, position="auto", language="en", offset=timeline.LEAD)


def programme(
    folder: Path,
    texts: list[str],
    fps: int = FPS,
    style: Captions = "karaoke",
    *,
    quality: Quality = "standard",
    size: tuple[int, int] = (WIDTH, HEIGHT),
    moves: Sequence[Camera] = (),
    least_seconds: float | None = None,
) -> Programme:
    """Encode a clip for each text, write its voice, and return the programme; files are `clip-N.mp4`, `voice-N.wav`.

    A text without words has a silent scene. `moves` are the scenes' own, zoom_in where there are none.
    """
    lengths = [Samples(7_001 * len(text.split()) + 313 * number if text else 0) for number, text in enumerate(texts)]
    cues = [captions.make_cues(words(text, length), 42) for text, length in zip(texts, lengths, strict=True)]
    frames = [timeline.scene_frames(length, least_seconds, fps) for length in lengths]
    shots = timeline.lay_out(frames)
    parts = []
    for number, (text, length, cue, shot) in enumerate(zip(texts, lengths, cues, shots, strict=True)):
        write_voice(folder / f"voice-{number}.wav", length)
        move = moves[number] if moves else "zoom_in"
        write_clip(
            folder, f"clip-{number}.mp4", shot.frames, layer_of(cue, style),
            fps=fps, move=move, shade=60 + 20 * number, quality=quality, size=size,
        )  # fmt: skip
        parts.append(
            Part(
                clip=Clip(chunks=(Chunk(video=SOMEWHERE, frames=shot.frames),)),
                shot=shot,
                cues=cue,
                title=text[:12].strip() or "Nothing",
            )
        )
    return Programme(parts=tuple(parts), sound=SOMEWHERE, fps=fps, language="en", title="A programme")


def expected(programme: Programme, moves: Sequence[Camera] = (), size: tuple[int, int] = (WIDTH, HEIGHT)) -> Expected:
    """Return what the gate is told of a programme whose scenes have these moves, zoom_in by default."""
    frame = Frame(width=size[0], height=size[1], fps=programme.fps, quality="standard")
    return expected_of(programme, frame, moves or ["zoom_in"] * len(programme.parts))


def join_all(folder: Path, programme: Programme, numbers: Sequence[int] | None = None) -> Path:
    """Master the voices and join the clips that `programme` wrote; `numbers` says which file each part takes."""
    taken = numbers or range(len(programme.parts))
    starts = [timeline.sample_at(part.shot.start, programme.fps) + timeline.LEAD for part in programme.parts]
    length = timeline.sample_at(programme.parts[-1].shot.end, programme.fps)
    mastered = lay_voices(starts, [folder / f"voice-{number}.wav" for number in taken], length, folder)
    return join(programme, [folder / f"clip-{number}.mp4" for number in taken], mastered, folder)


def lay_voices(starts: Sequence[int], narrations: Sequence[Path], length: int, folder: Path) -> Path:
    """Make the sound of voices with nothing under them, each by itself."""
    dialogue = sound.hear([*map(Samples, starts)], narrations, Samples(length), folder)
    packets = sound.encode_voices(dialogue, range(len(narrations)), folder)
    firsts = [sound.packet_at(Samples(start)) for start in starts]
    return aac.lay(zip(firsts, packets, strict=True), Samples(length), folder)


def write_clip(
    folder: Path,
    name: str,
    frames: int,
    layer: CaptionLayer | None = None,
    *,
    fps: int = FPS,
    move: Camera = "zoom_in",
    shade: int = 90,
    quality: Quality = "standard",
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Path:
    """Encode a small clip."""
    work = folder / f"{name}.work"
    work.mkdir()
    spec = ClipSpec(
        frames=Frames(frames),
        still=Still(picture_sha256="", move=move, frames=Frames(frames)),
        width=size[0],
        height=size[1],
        fps=fps,
        quality=quality,
        captions=layer,
        encoder="",
    )
    picture = write_picture(work / "picture.png", *size, shade=shade)
    return encode(spec, [picture], work, 60).rename(folder / name)


def grab(path: Path, at: Fraction | float, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """Decode the frame that is shown at a time, as RGB."""
    one_frame = ("-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    command = ffmpeg.command("-ss", f"{float(at):.6f}", "-i", str(path), *one_frame)
    return np.frombuffer(process.run(command, timeout_seconds=60).stdout, np.uint8).reshape(height, width, 3)
