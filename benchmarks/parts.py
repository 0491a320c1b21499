"""CPU of every example's whole render, offline, ÷ that of x264 alone on its frames; and of its pictures and speech.

Pictures and speech are made once more in this process, into a bucket of their own, with nothing made before. A short
video is rendered and encoded by turns until a minute has been made: a machine's other work would count too much.
"""

import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.encoder_ratio import x264_alone
from benchmarks.measuring import run, workshop
from bhiv.inputs import read_request
from bhiv.pictures import brief_scenes
from bhiv.plan import RenderPlan
from bhiv.production import Frame, make_narration, make_picture
from bhiv.request import make_plan
from bhiv.settings import Settings
from bhiv.speech import choose_voices
from bhiv.video import camera
from bhiv.workplace import Workplace, claimed, open_workplace

_SECONDS = 60.0
_EXAMPLES = Path(__file__).parent.parent / "examples"


def measure() -> Iterator[str]:
    """Yield a row for each example."""
    for example in sorted(_EXAMPLES.iterdir()):
        with workshop() as folder:
            settings = Settings(home=folder / "home", bucket_dir=folder / "parts")
            plan = make_plan(read_request(str(example), {}, settings), settings)
            pictures, speech = _made(plan, settings)
            whole = alone = made = rounds = 0.0
            while made < _SECONDS:
                cost = run(folder, "render", str(example), "-o", "out.mp4", "--json")
                in_bucket = settings.model_copy(update={"bucket_dir": folder / "bucket"})
                whole, alone = whole + cost.cpu_seconds, alone + x264_alone(plan, in_bucket, folder).cpu_seconds
                made, rounds = made + cost.summary["duration_seconds"], rounds + 1
                shutil.rmtree(folder / "bucket")
        yield (
            f"{example.name}: {whole / rounds:.1f} CPU s, {whole / alone:.2f} of x264 alone;"
            f" pictures and speech {(pictures + speech) * rounds / whole:.1%},"
            f" pictures {pictures:.1f} s, speech {speech:.1f} s,"
            f" {len(plan.scenes)} scenes, {made / rounds:.0f} s of video, {rounds:.0f} times"
        )


def _made(plan: RenderPlan, settings: Settings) -> tuple[float, float]:
    workplace = open_workplace(settings)
    with claimed(workplace, "benchmark", b""):
        return _pictures(plan, workplace), _speech(plan, workplace, settings)


def _pictures(plan: RenderPlan, workplace: Workplace) -> float:
    before, frame = _cpu(), Frame.of(plan)
    for brief in brief_scenes(plan, *camera.picture_size(frame.width, frame.height)):
        make_picture(workplace, "benchmark", brief)
    return _cpu() - before


def _speech(plan: RenderPlan, workplace: Workplace, settings: Settings) -> float:
    before, voices = _cpu(), choose_voices(plan.voice, plan.language, settings)
    for scene in plan.scenes:
        make_narration(workplace, "benchmark", scene, plan.language, voices, settings)
    return _cpu() - before


def _cpu() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)
