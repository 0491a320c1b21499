"""CPU of a whole 60 s render ÷ CPU of x264 alone on the same frames with the same settings.

The frames are those that the encoder was given: camera, crossfades and burned-in captions, raw, read from memory. That
the clips of the command are as good is shown by VMAF against those frames; and they are the same bytes.
"""

import resource
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measuring import plan_of, run, workshop, write_plan
from bhiv import ffmpeg, process
from bhiv.encoding import clip_specs, make_clip
from bhiv.pictures import brief_scenes
from bhiv.plan import RenderPlan
from bhiv.production import CaptionLook, Frame, make_captions, make_narration, make_picture
from bhiv.settings import Settings
from bhiv.speech import choose_voices
from bhiv.video import camera, clip
from bhiv.video.encoder import encoder_arguments
from bhiv.video.staging import stage_scenes
from bhiv.workplace import claimed, open_workplace

SCENES = 8
_MEMORY = Path("/dev/shm")


@dataclass
class Alone:
    cpu_seconds: float = 0.0
    #: VMAF of each chunk of the first scene: of the command's, and of what x264 made alone.
    vmaf: list[list[float]] = field(default_factory=list)
    chunks: int = 0
    same: int = 0


def measure() -> Iterator[str]:
    """Yield the rows of the report."""
    plan = plan_of(SCENES)
    with workshop() as folder:
        write_plan(folder, plan, "plan.json")
        whole = run(folder, "render", "plan.json", "--json")
        settings = Settings(home=folder / "home", bucket_dir=folder / "bucket")
        alone = x264_alone(plan, settings, folder, vmaf=True)
    stages = {name: round(stage["seconds"], 2) for name, stage in whole.summary["stages"].items()}
    yield f"video: {whole.summary['duration_seconds']:.1f} s of 1920x1080 at 30 frames a second, {SCENES} scenes"
    yield f"whole command: {whole.cpu_seconds:.1f} CPU s, {whole.wall_seconds:.1f} s wall"
    yield f"x264 alone: {alone.cpu_seconds:.1f} CPU s"
    yield f"ratio: {whole.cpu_seconds / alone.cpu_seconds:.2f}"
    for own, other in alone.vmaf:
        yield f"VMAF of a chunk of the first scene: {own:.2f}, of x264 alone {other:.2f}"
    yield f"chunks that are the same bytes as x264 alone: {alone.same} of {alone.chunks}"
    yield f"thread seconds a step: {stages}"


def x264_alone(plan: RenderPlan, settings: Settings, folder: Path, *, vmaf: bool = False) -> Alone:
    """Encode from memory, with the clips' settings, the frames of all scenes that a render in `folder` made."""
    workplace, frame, alone = open_workplace(settings), Frame.of(plan), Alone()
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
            make_captions(workplace, scene, spoken, CaptionLook.of(plan), frame).result
            for scene, spoken in zip(plan.scenes, narrated, strict=True)
        ]
        for at, staging in enumerate(stage_scenes(plan)):
            seen, said = drawn[at::-1][:2], captioned[at::-1][:2]
            own = make_clip(workplace, "benchmark", staging, seen, said, frame)
            assert own.cached, "it is the one that the command made"
            pictures = [workplace.bucket.fetch(one.layers or one.image) for one in seen]
            specs = clip_specs(staging, seen, said, frame)
            for spec, chunk in zip(specs, own.result.chunks, strict=True):
                work = folder / f"raw-{alone.chunks}"
                work.mkdir()
                _write_frames(spec, pictures, work, raw)
                alone.cpu_seconds += _encode(spec, raw, work / "alone.mp4")
                both = [workplace.bucket.fetch(chunk.video), work / "alone.mp4"]
                alone.chunks += 1
                alone.same += len({_stream(made) for made in both}) == 1
                if at == 0 and vmaf:
                    alone.vmaf += [[_vmaf(made, spec, raw) for made in both]]
                shutil.rmtree(work)
    raw.unlink()
    return alone


def _write_frames(spec: clip.ClipSpec, pictures: list[Path], work: Path, raw: Path) -> None:
    arguments = ("-c:v", "rawvideo", "-pix_fmt", "yuv420p", "-f", "rawvideo", str(raw))
    clip.encode(spec, pictures[: 2 if spec.entry else 1], work, 120, output=arguments)


def _raw_input(spec: clip.ClipSpec, raw: Path) -> tuple[str, ...]:
    size = ("-s", f"{spec.width}x{spec.height}", "-r", str(spec.fps))
    return ("-f", "rawvideo", "-pix_fmt", "yuv420p", *size, "-i", str(raw))


def _encode(spec: clip.ClipSpec, raw: Path, target: Path) -> float:
    before = _cpu()
    arguments = (*encoder_arguments(spec.quality, spec.fps), str(target))
    process.run(ffmpeg.command(*_raw_input(spec, raw), *arguments), timeout_seconds=3600)
    return _cpu() - before


def _stream(made: Path) -> bytes:
    """Return the digest of a file's encoded pictures."""
    return process.run(
        ffmpeg.command("-i", str(made), "-map", "0:v", "-c", "copy", "-f", "md5", "-"), timeout_seconds=60
    ).stdout


def _vmaf(made: Path, spec: clip.ClipSpec, raw: Path) -> float:
    # Raw frames carry no tags, and ffmpeg would convert between colours that only seem to differ.
    tagged = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
    graph = f"[0:v]{tagged}[a];[1:v]{tagged}[b];[a][b]libvmaf=n_threads=2"
    arguments = ("-i", str(made), *_raw_input(spec, raw), "-lavfi", graph, "-f", "null", "-")
    told = process.run(ffmpeg.command(*arguments), timeout_seconds=3600).stderr
    return float(told.rpartition("VMAF score: ")[2].split()[0])


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
