"""What a run shows while it goes on: a progress bar, the storyboard and the finished video in the Prefect UI."""

from collections import Counter
from collections.abc import Sequence
from time import monotonic
from typing import Any, TypeVar, cast
from uuid import UUID

from prefect.artifacts import (
    create_link_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.futures import PrefectFuture, as_completed
from prefect.runtime import flow_run
from prefect.utilities.annotations import quote
from prefect.utilities.urls import url_for
from pydantic import BaseModel

from bhiv.attempt import Attempt
from bhiv.bucket import Bucket
from bhiv.cache import Made
from bhiv.plan import RenderPlan
from bhiv.progress import Count, Event, Progress, tell
from bhiv.record import STEPS, Summary

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

#: An update costs the server 17 ms; nobody reads faster.
_UPDATE_SECONDS = 1.0


class Watch:
    """Counts a run's steps as they end and shows how far they are."""

    def __init__(self, progress: Progress, attempt: Attempt) -> None:
        self._progress = progress
        self._attempt = attempt
        self._bar = create_progress_artifact(progress=0.0, key="progress", description="storyboard")
        self._updated = monotonic()
        self._made: dict[UUID, Made[Any]] = {}
        tell(Event(progress.now, progress.now, 0.0, page=url_for("flow-run", obj_id=flow_run.id)))

    def collect(self, **work: Sequence[PrefectFuture[Made[Any]]]) -> None:
        """Wait until every step's runs have ended, in whatever order they do; raises what the first failing one did."""
        steps = {future.task_run_id: STEPS[STEPS.index(step)] for step, futures in work.items() for future in futures}
        for step, runs in Counter(steps.values()).items():
            self._progress.expect(step, runs)
        for future in as_completed([future for futures in work.values() for future in futures]):
            step = steps[future.task_run_id]
            self._progress.current = step
            made = self._made[future.task_run_id] = future.result()
            event = self._progress.count(step, made)
            self._attempt.tell(event.now.step, event.percent, self._progress.stages)
            self._show(event.now, event.percent)

    def result(self, future: PrefectFuture[Made[M]]) -> M:
        """Return what a collected step made; to ask the future once more would take 4 ms."""
        return cast(M, self._made[future.task_run_id].result)

    def finish(self, summary: Summary, bucket: Bucket) -> None:
        """Show that all is done, where the video is, and where the time went."""
        self._updated = 0.0
        self._show(Count("upload", 1, 1), 100.0)
        address = bucket.uri(summary.video)
        create_link_artifact(key="video", link=address, link_text=address.rpartition("/")[2], description=address)
        rows = [{"step": step, **stage.model_dump()} for step, stage in summary.stages.items()]
        create_table_artifact(key="stages", table=rows, description="Seconds of all runs of a step together")

    def _show(self, now: Count, percent: float) -> None:
        if monotonic() - self._updated < _UPDATE_SECONDS:
            return
        self._updated = monotonic()
        update_progress_artifact(
            UUID(str(self._bar)), progress=percent, description=f"{now.step} {now.done}/{now.total}"
        )


def show_storyboard(plan: RenderPlan) -> None:
    """Show the scenes of a plan as a table."""
    rows = [
        {"scene": number, "title": scene.title or "", "narration": scene.narration, "camera": scene.camera}
        for number, scene in enumerate(plan.scenes, 1)
    ]
    create_table_artifact(key="storyboard", table=rows, description=plan.title)


def result(future: PrefectFuture[Made[M]]) -> M:
    """Return what an ended step made."""
    return future.result().result


def whole(value: T) -> T:
    """Return a value as what Prefect hands to a task as it is; in any other it looks at every part for a future."""
    return cast(T, quote(value))


def later(future: PrefectFuture[T]) -> T:
    """Return a future as what it will hold, which is what Prefect hands to the task that is given it."""
    return cast(T, future)
