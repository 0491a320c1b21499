"""CPU of every example's whole render, offline, ÷ that of x264 alone on its frames; and of its pictures and speech.

Pictures and speech are made once more in this process, into a bucket of their own, with nothing made before. Each video
is rendered and encoded by turns, three times and until two minutes have been made: a machine's other work would count
too much.
"""

import resource
from collections.abc import Iterator
from pathlib import Path

from benchmarks.encoder_ratio import compare
from benchmarks.measuring import workshop
from bhiv.inputs import read_request
from bhiv.pictures import brief_scenes
from bhiv.plan import RenderPlan
from bhiv.production import Frame, make_narration, make_picture
from bhiv.request import make_plan
from bhiv.settings import Settings
from bhiv.speech import choose_voices
from bhiv.video import camera
from bhiv.workplace import Workplace, claimed, open_workplace

_SECONDS = 120.0
_EXAMPLES = Path(__file__).parent.parent / "examples"


def measure() -> Iterator[str]:
    """Yield a row for each example."""
    for example in sorted(_EXAMPLES.iterdir()):
        with workshop() as folder:
            settings = Settings(home=folder / "home", bucket_dir=folder / "parts")
            plan = make_plan(read_request(str(example), {}, settings), settings)
            pictures, speech = _made(plan, settings)
            made = compare(plan, example, folder, seconds=_SECONDS)
        cpu = made.cpu_seconds[0] / len(made.whole)
        yield (
            f"{example.name}: {cpu:.1f} CPU s, {made.ratios};"
            f" pictures and speech {(pictures + speech) / cpu:.1%}, pictures {pictures:.1f} s, speech {speech:.1f} s,"
            f" {len(plan.scenes)} scenes, {made.whole[0].summary['duration_seconds']:.0f} s of video"
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
