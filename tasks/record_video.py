"""The finished video under its final name."""

from bhiv.attempt import Begun, deliver
from bhiv.cache import Made
from bhiv.photos import Credits
from bhiv.plan import RenderPlan
from bhiv.record import Stage, StepName, Summary
from bhiv.tokens import Usage
from bhiv.video.gate import Verdict
from bhiv.video.join import Video
from tasks.step import here, run_settings, step


@step("record", "record")
def record_video(
    begun: Begun,
    plan: RenderPlan,
    video: Made[Video],
    verdict: Made[Verdict],
    stages: dict[StepName, Stage],
    notes: tuple[str, ...],
    lm: Usage | None,
    credits: Credits,  # noqa: A002 - what they are
) -> Made[Summary]:
    """Name the video, enter the job's end, and write its metadata and summary."""
    return deliver(here(), run_settings(), begun, plan, video.result, verdict.result, stages, notes, lm, credits)
