"""Attempt: one try to make a video, from its lease in the catalog to its last note in the bucket.

The catalog decides and the bucket tells: a job's end is entered first, by who holds its lease, and only then written
into `logs/`. So a run that has lost its job to another can't write about it.
"""

import contextlib
import logging
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import Literal, ParamSpec, TypeVar

import tenacity

from bhiv import process
from bhiv.bucket import Bucket
from bhiv.cache import Made
from bhiv.catalog import Catalog, ledger, open_catalog, views
from bhiv.catalog.keeper import Keeper
from bhiv.catalog.ledger import Lease
from bhiv.errors import BhivError, CatalogUnavailable, LeaseLost
from bhiv.job_end import write_end
from bhiv.job_log import write_log
from bhiv.log_lines import about
from bhiv.photos import Credits
from bhiv.plan import Contract, RenderPlan
from bhiv.planning import Storyboard, plan_video
from bhiv.progress import Progress
from bhiv.record import (
    Failure,
    Metadata,
    Paths,
    Stage,
    StepName,
    StoryboardSource,
    StoryboardStats,
    Summary,
    category,
    started_now,
    write_metadata,
)
from bhiv.request import RenderRequest, check_objects
from bhiv.settings import Settings
from bhiv.tokens import Usage
from bhiv.video.gate import Verdict
from bhiv.video.join import Video
from bhiv.workplace import Workplace, claimed, sweep

P = ParamSpec("P")
T = TypeVar("T")

#: How long a run waits for a catalog that is away, when it begins and when it ends.
_PATIENCE_SECONDS = 30.0

#: What becomes of the job of a run that did not come to its end.
_End = Literal["failed", "cancelled", "queued"]

_log = logging.getLogger(__name__)


class Begun(Contract):
    """A run that holds its job, and what is to be kept should it be killed now."""

    metadata: Metadata
    lease: Lease
    #: Whether a worker can run the job again: it then goes back to the queue when its process is ended from outside.
    resumable: bool = False

    @property
    def run(self) -> str:
        """The name of its folder in the workplace, another one for each attempt at a job."""
        return f"{self.lease.job_id}-{self.lease.token}"


@dataclass(frozen=True)
class Attempt:
    """A run within its block."""

    begun: Begun
    #: Takes how far the run is: step, percent, stages. Returns at once.
    tell: Callable[[StepName, float, Mapping[StepName, Stage]], None]

    def made_by(self, source: StoryboardSource) -> "Attempt":
        """Return the attempt with who made its storyboard, which is known when that is made."""
        metadata = self.begun.metadata.model_copy(update={"storyboard_source": source})
        return replace(self, begun=self.begun.model_copy(update={"metadata": metadata}))


@contextmanager
def attempted(
    workplace: Workplace,
    settings: Settings,
    request: RenderRequest,
    progress: Progress,
    flow_run_id: str | None = None,
    *,
    resumable: bool = False,
    was_cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Attempt | Summary]:
    """Enter the job in the catalog, take it, and yield the attempt; what becomes of it is kept.

    A job that was completed before yields its summary instead, and nothing is written. When the block fails or is
    interrupted, its child processes are ended at once and the metadata says why. A process that is killed leaves a
    note, from which the next attempt on this home records its end. A `resumable` job that is interrupted or killed goes
    back to the queue, unless `was_cancelled`, which is asked then, says that a person wants no more of it.

    Raises:
        LeaseLost: another run makes the video, or has taken it over; nothing more was written about it.
        CatalogUnavailable: the catalog was away for half a minute.
    """
    process.allow()
    owner = _owner()
    with ExitStack() as stack:
        catalog = stack.enter_context(patiently(open_catalog, settings))
        for note in sweep(workplace):
            _record_killed(workplace.bucket, catalog, note, settings)
        lease = patiently(_take, catalog, request, owner, settings.lease_seconds, flow_run_id)
        if lease is None:
            yield _kept(workplace.bucket, catalog, request)
            return
        stack.enter_context(about(job_id=lease.job_id, flow_run_id=flow_run_id))
        begun = Begun(metadata=_begin(request), lease=lease, resumable=resumable)
        stack.enter_context(claimed(workplace, begun.run, begun.model_dump_json().encode()))
        keeper = stack.enter_context(Keeper(catalog, lease, settings.lease_seconds))
        try:
            yield Attempt(begun, keeper.tell)
        except BaseException as error:  # not handled: noted, then passed on
            process.stop_all()
            stopped = resumable and not isinstance(error, Exception)
            end: _End = "failed" if not stopped else "cancelled" if was_cancelled() else "queued"
            update = _failed(request, progress, error, end)
            lost = keeper.lost or _record_failed(workplace.bucket, catalog, begun, update, end, settings)
            if lost is not None and isinstance(error, Exception):
                raise lost from error
            raise


def store_storyboard(workplace: Workplace, request: RenderRequest, settings: Settings) -> Made[Storyboard]:
    """Make the plan of what is asked for and keep it, with its script, under the content's name."""
    made = plan_video(request, settings, workplace.bucket)
    plan = made.result.plan
    check_objects(plan, workplace.bucket, use=True)
    script = request.script or made.result.script or "\n\n".join(scene.narration for scene in plan.scenes)
    keys = _keys(request.content_id)
    workplace.bucket.put_bytes(keys["script"], script.encode(), "text/plain; charset=utf-8")
    workplace.bucket.put_bytes(keys["storyboard"], plan.model_dump_json(indent=2).encode(), "application/json")
    return made


def deliver(
    workplace: Workplace,
    settings: Settings,
    begun: Begun,
    plan: RenderPlan,
    video: Video,
    verdict: Verdict,
    stages: Mapping[StepName, Stage],
    notes: tuple[str, ...] = (),
    lm: Usage | None = None,
    credits: Credits | None = None,  # noqa: A002 - what they are
) -> Made[Summary]:
    """Give the finished video its final name in the bucket, enter the job's end, and write its metadata.

    Done again by the run that has done it, it changes nothing.

    Raises:
        LeaseLost: another run has taken the job over.
        CatalogUnavailable: the catalog was away for half a minute; the job is not completed.
    """
    started, bucket, content_id = monotonic(), workplace.bucket, begun.metadata.content_id
    keys = _keys(content_id)
    stats = StoryboardStats(
        total_scenes=len(plan.scenes), total_duration=verdict.duration_seconds, version=plan.version
    )
    done = {"processing_status": "completed", "error": None, "paths": Paths(**keys), "title": plan.title}
    metadata = begun.metadata.model_copy(update=done | {"storyboard_stats": stats})
    with patiently(open_catalog, settings) as catalog:
        patiently(ledger.renew, catalog, begun.lease, settings.lease_seconds)
        for artifact, suffix in ((video.video, "mp4"), (video.srt, "srt"), (video.vtt, "vtt")):
            bucket.copy(artifact, f"videos/{content_id}.{suffix}")
        seconds = monotonic() - started
        summary = Summary(
            job_id=begun.lease.job_id,
            content_id=content_id,
            video=keys["video"],
            duration_seconds=verdict.duration_seconds,
            storyboard_source=begun.metadata.storyboard_source,
            stages={**stages, "upload": Stage(seconds=round(seconds, 3), cached=0, total=1)},
            loudness_lufs=verdict.loudness_lufs,
            true_peak_dbtp=verdict.true_peak_dbtp,
            lm=lm,
            credits=_credits_key(content_id) if credits else None,
            notes=notes,
        )
        if credits:
            bucket.put_bytes(_credits_key(content_id), credits.model_dump_json(indent=2).encode(), "application/json")
        bucket.put_bytes(_summary_key(content_id), summary.model_dump_json(indent=2).encode(), "application/json")
        patiently(ledger.finish, catalog, begun.lease, "completed", metadata, summary.stages, core=_core(settings))
        write_end(bucket, catalog, begun.lease.job_id)
    return Made(summary, seconds, cached=False)


def patiently(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Make the call again for half a minute while the catalog is away, then pass on its CatalogUnavailable."""
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(CatalogUnavailable),
        stop=tenacity.stop_after_delay(_PATIENCE_SECONDS),
        wait=tenacity.wait_random_exponential(multiplier=0.2, max=5),
        reraise=True,
    )
    return retrying(call, *args, **kwargs)


def _take(
    catalog: Catalog, request: RenderRequest, owner: str, seconds: float, flow_run_id: str | None
) -> Lease | None:
    ledger.register(catalog, request)
    return ledger.claim(catalog, request.job_id, owner, seconds, flow_run_id)


def _kept(bucket: Bucket, catalog: Catalog, request: RenderRequest) -> Summary:
    job = views.get(catalog, request.job_id)
    assert job is not None
    match job.state:
        case "completed":
            return Summary.model_validate_json(bucket.get_bytes(_summary_key(job.content_id)))
        case "cancelled":
            raise LeaseLost(f"the job {job.id} was cancelled; submit it again to have it made")
    raise LeaseLost(
        f"another run makes this video ({job.lease_owner}, {job.progress} % done); `bhiv status {job.id}` shows it"
    )


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


def _failed(request: RenderRequest, progress: Progress, error: BaseException, end: _End) -> dict[str, object]:
    step = progress.current
    if isinstance(error, BhivError):
        message = str(error)
    elif isinstance(error, Exception):
        message = f"{type(error).__name__}: {error}"
    else:
        message = "cancelled in Prefect" if end == "cancelled" else "the run was asked to end"
    update: dict[str, object] = {"error": Failure(category=category(step, error), message=message, step=step)}
    if progress.storyboard_source is not None:
        update["storyboard_source"] = progress.storyboard_source
    if "storyboard" in progress.stages:
        keys = _keys(request.content_id)
        update["paths"] = Paths(script=keys["script"], storyboard=keys["storyboard"])
    return update


def give_up(workplace: Workplace, settings: Settings, job_id: str, reason: str, *, cancelled: bool = False) -> bool:
    """End a job that nobody makes any more as failed, or as cancelled, with its metadata; False when somebody makes it.

    Raises:
        InputRefused: there is no such job.
    """
    with patiently(open_catalog, settings) as catalog:
        lease = patiently(ledger.claim, catalog, job_id, _owner(), settings.lease_seconds)
        if lease is None:
            return False
        request = views.request_of(catalog, job_id)
        failure = Failure(category="interrupted", message=reason, step="storyboard")
        metadata = _begin(request).model_copy(update={"error": failure})
        end: Literal["cancelled", "failed"] = "cancelled" if cancelled else "failed"
        patiently(ledger.finish, catalog, lease, end, metadata, core=_core(settings))
        write_end(workplace.bucket, catalog, job_id)
    return True


def _record_failed(
    bucket: Bucket, catalog: Catalog, begun: Begun, update: dict[str, object], end: _End, settings: Settings
) -> LeaseLost | None:
    """Keep how the run ended, or put its job back into the queue; return the loss when it had no right to."""
    metadata = begun.metadata.model_copy(update=update)
    try:
        if end != "queued":
            patiently(ledger.finish, catalog, begun.lease, end, metadata, core=_core(settings))
            write_end(bucket, catalog, begun.lease.job_id)
            return None
        patiently(ledger.release, catalog, begun.lease)
    except LeaseLost as lost:
        return lost
    except CatalogUnavailable as error:  # the run's own error says more; the lease will run out
        _log.warning("%s; the job's end is written to the bucket only", error)
    write_metadata(bucket, metadata)
    write_log(bucket, catalog, metadata)
    return None


def _record_killed(bucket: Bucket, catalog: Catalog, note: bytes, settings: Settings) -> None:
    """Enter the end of a run that was killed on this machine, in its own name, since it can do nothing more."""
    if not note:
        return
    begun = Begun.model_validate_json(note)
    job = views.get(catalog, begun.lease.job_id)
    metadata = begun.metadata
    if job is not None and metadata.error is not None and "storyboard" in job.stages:
        keys = _keys(job.content_id)
        error = metadata.error.model_copy(update={"step": job.step})
        paths = Paths(script=keys["script"], storyboard=keys["storyboard"])
        metadata = metadata.model_copy(update={"error": error, "paths": paths})
    with contextlib.suppress(LeaseLost):
        if begun.resumable:
            ledger.release(catalog, begun.lease)
        else:
            ledger.finish(catalog, begun.lease, "failed", metadata, core=_core(settings))
        job = views.get(catalog, begun.lease.job_id)
        if job is not None and job.state in ledger.ENDED:
            # Perhaps long before it was killed, and otherwise than the note says.
            write_end(bucket, catalog, job.id)
        else:
            write_metadata(bucket, metadata)
            write_log(bucket, catalog, metadata)


def _core(settings: Settings) -> bool:
    """Whether the Core service is told of ends: later, from the outbox, so that it can't make a run fail."""
    return settings.core_url is not None


def _owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"


def _summary_key(content_id: str) -> str:
    return f"videos/{content_id}_job_summary.json"


def _credits_key(content_id: str) -> str:
    return f"videos/{content_id}_credits.json"


def _keys(content_id: str) -> dict[str, str]:
    return {
        "script": f"scripts/{content_id}_script.txt",
        "storyboard": f"storyboards/{content_id}_storyboard.json",
        "video": f"videos/{content_id}.mp4",
    }
