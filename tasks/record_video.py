"""The finished video under its final name."""

from bhiv.attempt import deliver
from bhiv.cache import Made
from bhiv.plan import RenderPlan
from bhiv.record import Metadata, Stage, StepName, Summary
from bhiv.video.gate import Verdict
from bhiv.video.join import Video
from tasks.step import here, step


@step("record", "record")
def record_video(
    begun: Metadata, plan: RenderPlan, video: Made[Video], verdict: Made[Verdict], stages: dict[StepName, Stage]
) -> Made[Summary]:
    """Name the video, and write its metadata and summary."""
    return deliver(here(), begun, plan, video.result, verdict.result, stages)
