"""What `bhiv status` prints: the recent jobs as a table, or one job in full."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bhiv.bucket.replay import spooled
from bhiv.catalog import open_catalog, views
from bhiv.catalog.database import catalog_file
from bhiv.catalog.views import JobView
from bhiv.console import complain
from bhiv.errors import InputRefused
from bhiv.record import Metadata
from bhiv.settings import Settings

_COLOURS = {"running": "cyan", "completed": "green", "failed": "red", "cancelled": "yellow", "queued": ""}
#: Enough of an id to tell jobs apart; also in the name of the job's Prefect run.
_SHORT = 6
#: Where output goes to a file, lines stay whole up to here.
_FILE_WIDTH = 200


def show_recent(settings: Settings, limit: int, *, as_json: bool) -> None:
    """Print the jobs that changed last, newest first, and what waits for S3: a warning on stderr beside JSON."""
    found = []
    if _is_there(settings):
        with open_catalog(settings) as catalog:
            found = views.recent(catalog, limit=limit)
    if as_json:
        sys.stdout.write(json.dumps([job.model_dump(mode="json") for job in found], ensure_ascii=False) + "\n")
    elif found:
        _console().print(_table(found))
    else:
        sys.stdout.write(f"no jobs yet in {settings.home}\n")
    if waiting := spooled(settings).told:
        warning = f"the bucket is degraded: {waiting}; `bhiv doctor` says why"
        if as_json:
            complain(warning)
        else:
            _console().print(Text(warning, "yellow"))


def show_one(settings: Settings, given: str, *, as_json: bool) -> None:
    """Print one job; raises InputRefused when none, or more than one, is meant."""
    if not _is_there(settings):
        raise InputRefused(f"there is no job {given!r}: there are no jobs yet in {settings.home}")
    with open_catalog(settings) as catalog:
        job = views.find(catalog, given)
        metadata = views.metadata_of(catalog, job.id) if job.finished_at else None
    if as_json:
        sys.stdout.write(job.model_dump_json() + "\n")
        return
    sheet = Table.grid(padding=(0, 2))
    for name, value in (*_facts(job), *_ending(metadata)):
        sheet.add_row(Text(name, "dim"), Text(value))
    _console().print(sheet)


def _is_there(settings: Settings) -> bool:
    """Whether there is a catalog: one who only looks makes none."""
    return settings.database_url is not None or catalog_file(settings).exists()


def _table(jobs: list[JobView]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("job", "state", "step"):
        table.add_column(name, no_wrap=True)
    for name in ("%", "ago", "took"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("title or error", overflow="fold")
    for job in jobs:
        table.add_row(
            job.id[-_SHORT:],
            Text(job.state, _COLOURS[job.state]),
            job.step,
            str(job.progress),
            _span(_since(job.updated_at)),
            _took(job),
            Text(job.title) + _trouble(job),
        )
    return table


def _trouble(job: JobView) -> Text:
    if job.error:
        return Text(f"\n{job.error.message}", "red")
    if silent := _silent(job):
        return Text(f"\nno sign of life for {_span(silent)}", "yellow")
    return Text()


def _facts(job: JobView) -> Iterator[tuple[str, str]]:
    yield "job", job.id
    yield "content", job.content_id
    yield "title", job.title
    yield "state", f"{job.state}, {job.progress} %"
    yield "step", job.step
    if job.error:
        yield "error", f"{job.error.message} (in {job.error.step}, {job.error.category})"
    yield "attempts", str(job.attempts)
    for name in ("created", "started", "finished"):
        if moment := getattr(job, f"{name}_at"):
            yield name, f"{moment.astimezone():%Y-%m-%d %H:%M:%S %Z}, {_span(_since(moment))} ago"
    if took := _took(job):
        yield "took", took
    if job.lease_owner and job.lease_expires_at:
        silent = _silent(job)
        yield "made by", f"{job.lease_owner}{f', without a sign of life for {_span(silent)}' if silent else ''}"
    if job.flow_run_id:
        yield "Prefect run", job.flow_run_id
    for step, stage in job.stages.items():
        before = f", {stage.cached} of them made before" if stage.cached else ""
        yield f"  {step}", f"{stage.seconds:.1f} s, {stage.total} done{before}"


def _ending(metadata: Metadata | None) -> Iterator[tuple[str, str]]:
    if metadata is not None:
        yield "storyboard by", metadata.storyboard_source


def _silent(job: JobView) -> timedelta | None:
    """Return how long a running job has been without a living lease, None when it has one."""
    if job.state != "running" or job.lease_expires_at is None or job.lease_expires_at > datetime.now(UTC):
        return None
    return _since(job.lease_expires_at)


def _took(job: JobView) -> str:
    if job.started_at is None:
        return ""
    return _span((job.finished_at or datetime.now(UTC)) - job.started_at)


def _since(moment: datetime) -> timedelta:
    return datetime.now(UTC) - moment


def _span(length: timedelta) -> str:
    """Return a length in its largest unit: 42 s, 3 min, 5 h, 2 d."""
    seconds = max(0, round(length.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _console() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, _FILE_WIDTH)
    return console
