"""A job as the API shows it, and the newest such answers, ready to be sent again.

Thousands poll a job every two seconds, and it changes twice a second at most: what was built for one row is sent until
the row changes.
"""

from collections import OrderedDict
from datetime import datetime
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import select

from bhiv.catalog import Catalog, views
from bhiv.catalog.models import Job
from bhiv.catalog.models import State as JobState
from bhiv.catalog.views import JobChange, JobView
from bhiv.errors import JobMissing
from bhiv.plan import Contract
from bhiv.record import STEPS, Failure, StoryboardSource, log_key

State = Literal["pending", "running", "success", "error", "cancelled"]

STATES: dict[JobState, State] = {
    "queued": "pending",
    "running": "running",
    "completed": "success",
    "failed": "error",
    "cancelled": "cancelled",
}
#: States that stay unless somebody asks for the job again.
FINAL = frozenset({"success", "error", "cancelled"})
_MOST = 10_000


class Step(Contract):
    """One step of a job, over all scenes."""

    name: str
    state: Literal["pending", "running", "done"]
    seconds: float | None = Field(None, description="Of all its runs together; null before the first has ended.")
    done: int = Field(0, description="Runs that have ended.")
    cached: int = Field(0, description="How many of them found their result made before.")


class Asset(Contract):
    """Something that the job has made."""

    kind: Literal["script", "storyboard", "video", "subtitles", "credits", "summary", "record", "log"]
    key: str = Field(description="Its key in the bucket.")
    url: str = Field(description="Where this service gives it out.")


class JobStatus(Contract):
    """How a job stands."""

    job_id: str
    content_id: str
    title: str
    state: State
    step: str
    progress_pct: int
    steps: tuple[Step, ...]
    assets: tuple[Asset, ...]
    final_video_url: str | None
    youtube_url: str | None = None
    logs: tuple[str, ...] = Field(description="What happened, a line each.")
    error: Failure | None
    prefect_url: str | None = Field(description="The run's page, for operators.")
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    storyboard_source: StoryboardSource | None = Field(
        None, description="Who made the storyboard; null before the job has ended."
    )
    history: tuple[JobChange, ...] | None = Field(None, description="With include_history=true: every change.")


class Answer(Contract):
    """A status, ready to be sent."""

    #: Strong: another version of the row has another one.
    etag: str
    body: bytes
    is_final: bool


class Statuses:
    """The statuses of jobs."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._built: OrderedDict[tuple[str, bool], tuple[int | None, Answer]] = OrderedDict()

    def get(self, job_id: str, ui_url: str | None, *, history: bool = False) -> Answer:
        """Return the job's status as it is now.

        Raises:
            JobMissing: there is no such job.
        """
        seen = self._catalog.version()
        before, built = self._built.get((job_id, history), (None, None))
        if built is not None and before == seen is not None:
            return built
        version = self.version(job_id)
        if version is None:
            raise JobMissing("there is no such job")
        if built is None or built.etag != version:
            built = self._build(job_id, ui_url, history=history)
        self._built[job_id, history] = seen, built
        if len(self._built) > _MOST:
            self._built.popitem(last=False)
        return built

    def state(self, job_id: str) -> State:
        """Return only the job's state; raises JobMissing."""
        job = views.get(self._catalog, job_id)
        if job is None:
            raise JobMissing("there is no such job")
        return _state(job.state)

    def version(self, job_id: str) -> str | None:
        """Return the version of the job's row, as an ETag; None when there is no such job."""
        with self._catalog.reading() as connection:
            updated_at = connection.scalar(select(Job.updated_at).where(Job.id == job_id))
        return None if updated_at is None else _etag(updated_at)

    def _build(self, job_id: str, ui_url: str | None, *, history: bool) -> Answer:
        job = views.get(self._catalog, job_id)
        assert job is not None, "jobs are never removed"
        status = describe(job, views.history(self._catalog, job_id), ui_url)
        if status.state in FINAL and (metadata := views.metadata_of(self._catalog, job_id)) is not None:
            status = status.model_copy(update={"storyboard_source": metadata.storyboard_source})
        if not history:
            status = status.model_copy(update={"history": None})
        return Answer(
            etag=_etag(job.updated_at), body=status.model_dump_json().encode(), is_final=status.state in FINAL
        )


def describe(job: JobView, changes: list[JobChange], ui_url: str | None) -> JobStatus:
    """Return a job, with what has happened to it, as the API shows it."""
    assets = _assets(job)
    video = next((asset.url for asset in assets if asset.kind == "video"), None)
    return JobStatus(
        job_id=job.id,
        content_id=job.content_id,
        title=job.title,
        state=_state(job.state),
        step=job.step,
        progress_pct=job.progress,
        steps=tuple(_step(name, job) for name in STEPS),
        assets=assets,
        final_video_url=video,
        logs=tuple(_line(change) for change in changes),
        error=job.error,
        prefect_url=f"{ui_url}/runs/flow-run/{job.flow_run_id}" if ui_url and job.flow_run_id else None,
        created_at=job.created_at,
        updated_at=job.updated_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        history=tuple(changes),
    )


def _state(state: JobState) -> State:
    return STATES[state]


def _step(name: str, job: JobView) -> Step:
    stage = job.stages.get(name)
    at = STEPS.index(job.step) if job.step in STEPS else len(STEPS)
    if job.state == "completed" or (stage is not None and STEPS.index(name) < at):
        state: Literal["pending", "running", "done"] = "done"
    else:
        state = "running" if job.state == "running" and (stage is not None or name == job.step) else "pending"
    if stage is None:
        return Step(name=name, state=state)
    return Step(name=name, state=state, seconds=stage.seconds, done=stage.total, cached=stage.cached)


def _assets(job: JobView) -> tuple[Asset, ...]:
    content, keys = job.content_id, []
    if "storyboard" in job.stages:
        keys += [("storyboard", f"storyboards/{content}_storyboard.json")]
    if job.state == "completed":
        keys += [
            ("video", f"videos/{content}.mp4"),
            ("subtitles", f"videos/{content}.srt"),
            ("subtitles", f"videos/{content}.vtt"),
            ("credits", f"videos/{content}_credits.json"),
            ("summary", f"videos/{content}_job_summary.json"),
        ]
    if job.state in {"completed", "failed"}:
        keys += [("record", f"logs/{content}.json"), ("log", log_key(content))]
    return tuple(Asset.model_validate({"kind": kind, "key": key, "url": f"/bucket/{key}"}) for kind, key in keys)


def _line(change: JobChange) -> str:
    return f"{change.at:%Y-%m-%dT%H:%M:%SZ} {_state(change.state)}: {change.step}, {change.progress} %"


def _etag(updated_at: datetime) -> str:
    return f'"{int(updated_at.timestamp() * 1_000_000):x}"'


def as_row(answer: Answer) -> dict[str, Any]:
    """Return a status as an event's data."""
    return {"data": answer.body.decode(), "id": answer.etag.strip('"')}
