"""Wall time and CPU of the ways to render that others take, on the pictures, voices and captions of one BHIV video.

They are recipes, made again with MoviePy and ffmpeg as their sources have them, not runs of those products: each gets
the same stills, narrations, lengths and cues, and makes 1920x1080 at 30 frames a second. BHIV's own figures are those
of the whole command, which speaks the narrations and draws the pictures too.
"""

import resource
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import plan_of, run, workshop, write_plan
from bhiv import ffmpeg, fonts, process
from bhiv.pictures import brief_scenes
from bhiv.plan import SAMPLE_RATE
from bhiv.production import CaptionLook, Frame, make_captions, make_narration, make_picture
from bhiv.settings import Settings
from bhiv.speech import choose_voices
from bhiv.timeline import LEAD
from bhiv.video import camera
from bhiv.workplace import claimed, open_workplace

SCENES = 8
WIDTH, HEIGHT, FPS = 1920, 1080, 30
_HOURS = 6 * 3600


@dataclass(frozen=True)
class Part:
    """A scene as every recipe gets it: start and end of its captions in seconds."""

    picture: Path
    voice: Path
    seconds: float
    captions: tuple[tuple[float, float, str], ...]


def measure() -> Iterator[str]:
    """Yield a row for each recipe."""
    plan = plan_of(SCENES)
    with workshop() as folder:
        write_plan(folder, plan, "plan.json")
        own = run(folder, "render", "plan.json", "--json")
        yield f"bhiv render: {own.wall_seconds:.1f} s wall, {own.cpu_seconds:.1f} CPU s, camera, crossfades, karaoke"
        parts = _parts(folder)
        for name, recipe in _RECIPES.items():
            work = folder / "recipe"
            work.mkdir()
            wall, cpu = _timed(lambda recipe=recipe, work=work: recipe(parts, work))  # type: ignore[misc]
            frames = ffmpeg.inspect(work / "out.mp4").of_kind("Video")[0].packets
            shutil.rmtree(work)
            yield (
                f"{name}: {wall:.1f} s wall, {cpu:.1f} CPU s for {frames} frames; bhiv takes"
                f" 1/{wall / own.wall_seconds:.1f} of the time and 1/{cpu / own.cpu_seconds:.1f} of the CPU"
            )


def _parts(folder: Path) -> list[Part]:
    """Find again what the render made, which costs nothing."""
    plan, settings = plan_of(SCENES), Settings(home=folder / "home", bucket_dir=folder / "bucket")
    workplace, frame = open_workplace(settings), Frame.of(plan)
    voices = choose_voices(plan.voice, plan.language, settings)
    parts = []
    with claimed(workplace, "benchmark", b""):
        for scene, brief in zip(plan.scenes, brief_scenes(plan, *camera.picture_size(WIDTH, HEIGHT)), strict=True):
            drawn = make_picture(workplace, "benchmark", brief).result
            narrated = make_narration(workplace, "benchmark", scene, plan.language, voices, settings).result
            captioned = make_captions(workplace, scene, narrated, CaptionLook.of(plan), frame).result
            cues = tuple(
                ((cue.start + LEAD) / SAMPLE_RATE, (cue.end + LEAD) / SAMPLE_RATE, cue.text) for cue in captioned.cues
            )
            picture, voice = workplace.bucket.fetch(drawn.image), workplace.bucket.fetch(narrated.sound)
            parts.append(Part(picture, voice, captioned.frames / FPS, cues))
    return parts


def _three_encodes(parts: list[Part], folder: Path) -> None:
    """MoviePy writes each zooming still, ffmpeg joins them anew, MoviePy writes the captions over that."""
    from moviepy import (
        AudioFileClip,
        CompositeAudioClip,
        CompositeVideoClip,
        ImageClip,
        TextClip,
        VideoFileClip,
    )

    settings = {"fps": FPS, "codec": "libx264", "audio_codec": "aac", "logger": None, "threads": 2}
    for number, part in enumerate(parts):
        still = ImageClip(str(part.picture)).with_duration(part.seconds).with_position("center")
        zooming = still.resized(lambda at, part=part: (1 + 0.1 * at / part.seconds) / camera.MARGIN)
        voice = CompositeAudioClip([AudioFileClip(str(part.voice)).with_start(LEAD / SAMPLE_RATE)])
        clip = CompositeVideoClip([zooming], size=(WIDTH, HEIGHT)).with_audio(voice).with_duration(part.seconds)
        clip.write_videofile(str(folder / f"{number}.mp4"), **settings)
        clip.close()
    _write_list(parts, folder)
    joined = ("-f", "concat", "-safe", "0", "-i", "list.txt", "-c:v", "libx264", "-c:a", "aac", "joined.mp4")
    process.run(ffmpeg.command(*joined), timeout_seconds=_HOURS, cwd=folder)
    (folder / "font.ttf").write_bytes(fonts.font_bytes("bold"))
    video, start, texts = VideoFileClip(str(folder / "joined.mp4")), 0.0, []
    for part in parts:
        for begin, end, text in part.captions:
            shown = TextClip(
                font=str(folder / "font.ttf"), text=text, font_size=60, color="white", stroke_color="black",
                stroke_width=3, method="caption", size=(int(WIDTH * 0.9), None), text_align="center",
            )  # fmt: skip
            placed = shown.with_start(start + begin).with_end(start + min(end, part.seconds))
            texts.append(placed.with_position(("center", HEIGHT * 0.82)))
        start += part.seconds
    final = CompositeVideoClip([video, *texts])
    final.write_videofile(str(folder / "out.mp4"), audio_bitrate="192k", **settings)
    final.close()
    video.close()


def _static_loops(parts: list[Part], folder: Path) -> None:
    """Each still is looped by ffmpeg without motion and captions, then the clips are joined by copy."""
    for number, part in enumerate(parts):
        arguments = (
            *("-loop", "1", "-framerate", str(FPS), "-i", str(part.picture), "-i", str(part.voice)),
            *("-t", f"{part.seconds:.6f}", "-vf", f"scale={WIDTH}:{HEIGHT}", "-af", "apad"),
            *("-c:v", "libx264", "-preset", "medium", "-crf", "23", "-pix_fmt", "yuv420p", "-c:a", "aac"),
            *("-b:a", "192k", f"{number}.mp4"),
        )
        process.run(ffmpeg.command(*arguments), timeout_seconds=_HOURS, cwd=folder)
    _write_list(parts, folder)
    joined = ("-f", "concat", "-safe", "0", "-i", "list.txt", "-c", "copy", "out.mp4")
    process.run(ffmpeg.command(*joined), timeout_seconds=_HOURS, cwd=folder)


def _zoompan(parts: list[Part], folder: Path) -> None:
    """Each still is enlarged to 8K against zoompan's jitter; the captions are burned in by a second encode."""
    for number, part in enumerate(parts):
        frames = round(part.seconds * FPS)
        zoom = f"zoompan=z='1+0.1*on/{frames}':x='iw/2-(iw/zoom/2)':y='ih/2-(ih/zoom/2)'"
        arguments = (
            *("-i", str(part.picture), "-i", str(part.voice), "-t", f"{part.seconds:.6f}"),
            *("-vf", f"scale=7680:4320,{zoom}:d={frames}:s={WIDTH}x{HEIGHT}:fps={FPS}", "-af", "apad"),
            *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", f"{number}.mp4"),
        )
        process.run(ffmpeg.command(*arguments), timeout_seconds=_HOURS, cwd=folder)
    _write_list(parts, folder)
    (folder / "captions.srt").write_text(_srt(parts), encoding="utf-8")
    joined = ("-f", "concat", "-safe", "0", "-i", "list.txt", "-vf", "subtitles=captions.srt:fontsdir=fonts")
    (folder / "fonts").mkdir()
    (folder / "fonts/font.ttf").write_bytes(fonts.font_bytes("bold"))
    process.run(
        ffmpeg.command(*joined, "-c:v", "libx264", "-c:a", "copy", "out.mp4"), timeout_seconds=_HOURS, cwd=folder
    )


_RECIPES: dict[str, Callable[[list[Part], Path], None]] = {
    "static stills, looped by ffmpeg at preset medium, no motion, no captions (recipe of Pixelle-Video)": _static_loops,
    "8K zoompan, then a caption pass (recipe of NCA toolkit)": _zoompan,
    "three encodes with MoviePy (recipe of MoneyPrinterTurbo)": _three_encodes,
}


def _write_list(parts: list[Part], folder: Path) -> None:
    (folder / "list.txt").write_text("".join(f"file '{number}.mp4'\n" for number in range(len(parts))))


def _srt(parts: list[Part]) -> str:
    rows: list[str] = []
    start = 0.0
    for part in parts:
        for begin, end, text in part.captions:
            rows.append(f"{len(rows) + 1}\n{_clock(start + begin)} --> {_clock(start + end)}\n{text}\n")
        start += part.seconds
    return "\n".join(rows)


def _clock(seconds: float) -> str:
    minutes, left = divmod(seconds, 60)
    return f"00:{int(minutes):02}:{left:06.3f}".replace(".", ",")


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    started, before = time.monotonic(), _cpu()
    work()
    return time.monotonic() - started, _cpu() - before


def _cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
