"""Attempt: one try to make a video, from its first note in the bucket to its last."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from bhiv import process
from bhiv.bucket import Bucket
from bhiv.cache import Made
from bhiv.errors import BhivError
from bhiv.plan import RenderPlan
from bhiv.progress import Progress
from bhiv.record import (
    Failure,
    Metadata,
    Paths,
    Stage,
    StepName,
    StoryboardStats,
    Summary,
    category,
    started_now,
    write_metadata,
)
from bhiv.request import RenderRequest, make_plan
from bhiv.settings import Settings
from bhiv.video.gate import Verdict
from bhiv.video.join import Video
from bhiv.workplace import Workplace, claimed, sweep


@contextmanager
def attempted(workplace: Workplace, request: RenderRequest, progress: Progress) -> Iterator[Metadata]:
    """Yield the metadata of an attempt that has just begun, and keep what becomes of it.

    When the block fails or is interrupted, its child processes are ended at once and the metadata says why. A process
    that is killed leaves a note, from which the next attempt on this home writes the metadata.
    """
    process.allow()
    for note in sweep(workplace):
        _record_killed(workplace.bucket, note)
    begun = _begin(request)
    with claimed(workplace, request.job_id, begun.model_dump_json().encode()):
        try:
            yield begun
        except BaseException as error:  # not handled: noted, then passed on
            process.stop_all()
            write_metadata(workplace.bucket, begun.model_copy(update=_failed(request, progress, error)))
            raise


def store_storyboard(workplace: Workplace, request: RenderRequest, settings: Settings) -> Made[RenderPlan]:
    """Make the plan of what is asked for and keep it, with its script, under the content's name."""
    started = monotonic()
    plan = make_plan(request, settings)
    script = request.script or "\n\n".join(scene.narration for scene in plan.scenes)
    keys = _keys(request.content_id)
    workplace.bucket.put_bytes(keys["script"], script.encode(), "text/plain; charset=utf-8")
    workplace.bucket.put_bytes(keys["storyboard"], plan.model_dump_json(indent=2).encode(), "application/json")
    return Made(plan, monotonic() - started, cached=False)


def deliver(
    workplace: Workplace,
    begun: Metadata,
    plan: RenderPlan,
    video: Video,
    verdict: Verdict,
    stages: dict[StepName, Stage],
) -> Made[Summary]:
    """Give the finished video its final name in the bucket, and write its metadata and summary."""
    started, bucket, keys = monotonic(), workplace.bucket, _keys(begun.content_id)
    for artifact, suffix in ((video.video, "mp4"), (video.srt, "srt"), (video.vtt, "vtt")):
        bucket.copy(artifact, f"videos/{begun.content_id}.{suffix}")
    stats = StoryboardStats(
        total_scenes=len(plan.scenes), total_duration=verdict.duration_seconds, version=plan.version
    )
    done = {"processing_status": "completed", "error": None, "paths": Paths(**keys), "title": plan.title}
    write_metadata(bucket, begun.model_copy(update=done | {"storyboard_stats": stats}))
    seconds = monotonic() - started
    summary = Summary(
        job_id=begun.job_id,
        content_id=begun.content_id,
        video=keys["video"],
        duration_seconds=verdict.duration_seconds,
        storyboard_source=begun.storyboard_source,
        stages=stages | {"upload": Stage(seconds=round(seconds, 3), cached=0, total=1)},
        loudness_lufs=verdict.loudness_lufs,
        true_peak_dbtp=verdict.true_peak_dbtp,
    )
    key = f"videos/{begun.content_id}_job_summary.json"
    bucket.put_bytes(key, summary.model_dump_json(indent=2).encode(), "application/json")
    return Made(summary, seconds, cached=False)


def _begin(request: RenderRequest) -> Metadata:
    timestamp, created_at = started_now()
    plan = request.plan
    return Metadata(
        content_id=request.content_id,
        job_id=request.job_id,
        uploader_id=request.uploader_id or (plan.uploader_id if plan else "local"),
        title=request.shown_title,
        timestamp=timestamp,
        created_at=created_at,
        storyboard_source=request.storyboard_source,
        processing_status="failed",
        error=Failure(category="interrupted", message="the process was killed", step="storyboard"),
    )


def _failed(request: RenderRequest, progress: Progress, error: BaseException) -> dict[str, object]:
    step = progress.current
    if isinstance(error, BhivError):
        message = str(error)
    elif isinstance(error, Exception):
        message = f"{type(error).__name__}: {error}"
    else:
        message = "the run was asked to end"
    update: dict[str, object] = {"error": Failure(category=category(step, error), message=message, step=step)}
    if "storyboard" in progress.stages:
        keys = _keys(request.content_id)
        update["paths"] = Paths(script=keys["script"], storyboard=keys["storyboard"])
    return update


def _record_killed(bucket: Bucket, note: bytes) -> None:
    if note:
        write_metadata(bucket, Metadata.model_validate_json(note))


def _keys(content_id: str) -> dict[str, str]:
    return {
        "script": f"scripts/{content_id}_script.txt",
        "storyboard": f"storyboards/{content_id}_storyboard.json",
        "video": f"videos/{content_id}.mp4",
    }
