"""CPU of a whole 60 s render ÷ CPU of x264 alone on the same frames with the same settings.

The frames are those that the encoder was given: camera and burned-in captions, raw, read from memory.
"""

import resource
import shutil
from pathlib import Path

from benchmarks.measuring import plan_of, run, workshop, write_plan
from bhiv import ffmpeg, process
from bhiv.pictures import brief_scenes
from bhiv.plan import RenderPlan
from bhiv.production import Frame, clip_spec, make_captions, make_narration, make_picture
from bhiv.settings import Settings
from bhiv.speech import choose_voices
from bhiv.video import camera, clip
from bhiv.video.staging import stage_scenes
from bhiv.workplace import claimed, open_workplace

SCENES = 8
_MEMORY = Path("/dev/shm")


def measure() -> list[str]:
    """Return the rows of the report."""
    plan = plan_of(SCENES)
    with workshop() as folder:
        write_plan(folder, plan, "plan.json")
        whole = run(folder, "render", "plan.json", "--json")
        settings = Settings(home=folder / "home", bucket_dir=folder / "bucket")
        alone = _x264_alone(plan, settings, folder)
    stages = {name: stage["seconds"] for name, stage in whole.summary["stages"].items()}
    return [
        f"video: {whole.summary['duration_seconds']:.1f} s of 1920x1080 at 30 frames a second, {SCENES} scenes",
        f"whole command: {whole.cpu_seconds:.1f} CPU s, {whole.wall_seconds:.1f} s wall",
        f"x264 alone: {alone:.1f} CPU s",
        f"ratio: {whole.cpu_seconds / alone:.2f}",
        f"thread seconds a step: {stages}",
    ]


def _x264_alone(plan: RenderPlan, settings: Settings, folder: Path) -> float:
    """Encode every scene's frames from memory with the clip's own settings and return the CPU seconds."""
    workplace, frame, total = open_workplace(settings), Frame.of(plan), 0.0
    voices = choose_voices(plan.voice, plan.language, settings)
    briefs = brief_scenes(plan, *camera.picture_size(frame.width, frame.height))
    raw = (_MEMORY if _MEMORY.is_dir() else folder) / f"{folder.name}.yuv"
    with claimed(workplace, "benchmark", b""):
        drawn = [make_picture(workplace, "benchmark", brief).result for brief in briefs]
        narrated = [
            make_narration(workplace, "benchmark", scene, plan.language, voices, settings).result
            for scene in plan.scenes
        ]
        captioned = [
            make_captions(workplace, scene, spoken, plan.captions, frame).result
            for scene, spoken in zip(plan.scenes, narrated, strict=True)
        ]
        for at, staging in enumerate(stage_scenes(plan)):
            seen, said = drawn[at::-1][:2], captioned[at::-1][:2]
            work = folder / f"raw-{at}"
            work.mkdir()
            spec = clip_spec(staging, seen, said, frame)
            pictures = [workplace.bucket.fetch(one.layers or one.image) for one in seen[: 2 if spec.entry else 1]]
            _write_frames(spec, pictures, work, workplace.fonts, raw)
            total += _encode(spec, raw, work)
            shutil.rmtree(work)
    raw.unlink()
    return total


def _write_frames(spec: clip.ClipSpec, pictures: list[Path], work: Path, fonts: Path, raw: Path) -> None:
    arguments = ("-c:v", "rawvideo", "-pix_fmt", "yuv420p", "-f", "rawvideo", str(raw))
    clip.encode(spec, pictures, work, fonts, 120, output=arguments)


def _encode(spec: clip.ClipSpec, raw: Path, work: Path) -> float:
    before = _cpu()
    size = ("-s", f"{spec.width}x{spec.height}", "-r", str(spec.fps))
    process.run(
        ffmpeg.command(
            *("-f", "rawvideo", "-pix_fmt", "yuv420p", *size, "-i", str(raw)),
            *clip.encoder_arguments(spec.quality, spec.fps),
            str(work / "alone.mp4"),
        ),
        timeout_seconds=3600,
    )
    return _cpu() - before


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
