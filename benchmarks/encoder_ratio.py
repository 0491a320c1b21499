"""CPU of a whole 60 s render ÷ CPU of x264 alone on the same frames with the same settings.

The frames are those that the encoder was given: camera, crossfades and burned-in captions, raw, read from memory. That
the clips of the command are as good is shown by VMAF against those frames; and they are the same bytes.

Both are run by turns, because what the same work costs here moves by a quarter within minutes. x264 alone is run twice:
one encoder at a time, and as many side by side as the command has, who take caches and memory from each other.
"""

import resource
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measuring import Cost, plan_of, run, workshop, write_plan
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
ROUNDS = 3
_MEMORY = Path("/dev/shm")


@dataclass
class Alone:
    """What x264 took for all chunks: one at a time, and a share of as many at once as there may be encoders."""

    cpu_seconds: float = 0.0
    beside_seconds: float = 0.0
    #: VMAF of each chunk of the first scene: of the command's, and of what x264 made alone.
    vmaf: list[list[float]] = field(default_factory=list)
    chunks: int = 0
    same: int = 0


@dataclass
class Compared:
    """The same video made by the command and by x264 alone, by turns."""

    whole: list[Cost] = field(default_factory=list)
    alone: list[Alone] = field(default_factory=list)

    @property
    def cpu_seconds(self) -> tuple[float, float, float]:
        """CPU seconds of the command, of x264 one at a time, and of x264 side by side, of all rounds together."""
        return (
            sum(cost.cpu_seconds for cost in self.whole),
            sum(alone.cpu_seconds for alone in self.alone),
            sum(alone.beside_seconds for alone in self.alone),
        )

    @property
    def ratios(self) -> str:
        """The command's share of either, of all rounds together and of each."""
        whole, alone, beside = self.cpu_seconds
        each = [cost.cpu_seconds / one.cpu_seconds for cost, one in zip(self.whole, self.alone, strict=True)]
        rounds = ", ".join(f"{ratio:.2f}" for ratio in each)
        return f"{whole / alone:.2f} of x264 alone ({rounds}), {whole / beside:.2f} of x264 alone side by side"


def measure() -> Iterator[str]:
    """Yield the rows of the report."""
    plan = plan_of(SCENES)
    with workshop() as folder:
        source = write_plan(folder, plan, "plan.json")
        made = compare(plan, source, folder, vmaf=True)
    last = made.whole[-1].summary
    stages = {name: round(stage["seconds"], 2) for name, stage in last["stages"].items()}
    yield f"video: {last['duration_seconds']:.1f} s of 1920x1080 at 30 frames a second, {SCENES} scenes, {ROUNDS} times"
    for name, total in zip(("whole command", "x264 alone", "x264 alone, side by side"), made.cpu_seconds, strict=True):
        yield f"{name}: {total / ROUNDS:.1f} CPU s"
    yield f"ratio: {made.ratios}"
    for own, other in made.alone[0].vmaf:
        yield f"VMAF of a chunk of the first scene: {own:.2f}, of x264 alone {other:.2f}"
    same, chunks = (sum(counts) for counts in zip(*((one.same, one.chunks) for one in made.alone), strict=True))
    yield f"chunks that are the same bytes as x264 alone: {same} of {chunks}"
    yield f"thread seconds a step: {stages}"


def compare(plan: RenderPlan, source: Path, folder: Path, *, seconds: float = 0.0, vmaf: bool = False) -> Compared:
    """Make the plan of `source` by the command and by x264 alone, by turns, `ROUNDS` times and `seconds` of video.

    VMAF is looked at in the first round.
    """
    settings, made = Settings(home=folder / "home", bucket_dir=folder / "bucket"), Compared()
    while len(made.whole) < ROUNDS or sum(cost.summary["duration_seconds"] for cost in made.whole) < seconds:
        shutil.rmtree(folder / "bucket", ignore_errors=True)
        made.whole.append(run(folder, "render", str(source), "-o", "out.mp4", "--json"))
        made.alone.append(x264_alone(plan, settings, folder, vmaf=vmaf and not made.alone))
    return made


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
                alone.cpu_seconds += _encode(spec, raw, [work / "alone.mp4"])
                alone.beside_seconds += _encode(spec, raw, [work / f"{n}.mp4" for n in range(workplace.encoders)])
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


def _encode(spec: clip.ClipSpec, raw: Path, targets: Sequence[Path]) -> float:
    """Return the CPU seconds of one encoder, where as many are at work at once as there are targets."""

    def encode(target: Path) -> None:
        arguments = (*encoder_arguments(spec.quality, spec.fps), str(target))
        process.run(ffmpeg.command(*_raw_input(spec, raw), *arguments), timeout_seconds=3600)

    before = _cpu()
    with ThreadPoolExecutor(len(targets)) as pool:
        list(pool.map(encode, targets))
    return (_cpu() - before) / len(targets)


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
