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
from bhiv.production import CaptionLook, Frame, make_captions, make_narration, make_picture
from bhiv.settings import Settings
from bhiv.speech import choose_voices
from bhiv.video import camera, clip
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
        for number, (scene, brief) in enumerate(zip(plan.scenes, briefs, strict=True)):
            drawn = make_picture(workplace, "benchmark", brief).result
            narrated = make_narration(workplace, "benchmark", scene, plan.language, voices, settings).result
            captioned = make_captions(workplace, scene, narrated, CaptionLook.of(plan), frame).result
            spec = clip.ClipSpec(
                picture_sha256="",
                move=camera.choose(scene.camera, number),
                frames=captioned.frames,
                captions=captioned.layer,
                encoder="",
                **frame.model_dump(),
            )
            work = folder / f"raw-{number}"
            work.mkdir()
            _write_frames(spec, workplace.bucket.fetch(drawn.image), work, raw)
            total += _encode(spec, raw, work)
            shutil.rmtree(work)
    raw.unlink()
    return total


def _write_frames(spec: clip.ClipSpec, picture: Path, work: Path, raw: Path) -> None:
    arguments = ("-c:v", "rawvideo", "-pix_fmt", "yuv420p", "-f", "rawvideo", str(raw))
    clip.encode(spec, picture, work, 120, output=arguments)


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
