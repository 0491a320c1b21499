"""Metrics: what the service is watched by, as JSON and in Prometheus' text format.

Taken from the catalog when they are asked for, so they are right after a restart and in every process. Only what is
said to be of this process is not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from bhiv.bucket import Bucket
from bhiv.bucket.replay import spooled
from bhiv.bucket.usage import LatestUsage, Usage
from bhiv.catalog import Catalog
from bhiv.catalog.tallies import BOUNDS, WHOLE, Durations, Spread, Spreads, Tallies, by_outcome, tallies
from bhiv.connectors import SendCounts
from bhiv.core_message import Event
from bhiv.record import STEPS
from bhiv.settings import Settings

MEDIA_TYPE = CONTENT_TYPE_LATEST
#: Kinds of errors that are always told, also when there were none; all others are told together.
CATEGORIES = ("lm", "image", "tts", "subtitle", "render", "stitch", "upload", "youtube")
_LETTERS = ("run", "cancel", "callback", "core", "record")
_SENDS: tuple[Event, ...] = ("sent", "failed", "retried", "replayed")


@dataclass(frozen=True)
class Figures:
    """All that is measured, at one moment."""

    tallies: Tallies
    spreads: Spreads
    #: By category; `other` for those that are not in `CATEGORIES`.
    errors: Mapping[str, int]
    #: None when the bucket could not be listed yet.
    usage: Usage | None
    spooled: int
    sends: Mapping[str, int]
    prefect_answers: bool

    @property
    def success_rate(self) -> float | None:
        """The share of ends that were good; None when nothing has ended."""
        completed, failed = self.tallies.jobs["completed"], sum(self.errors.values())
        return completed / (completed + failed) if completed + failed else None


class Meter:
    """Takes the figures; for one thread at a time. `sends` counts what this process sends to Core."""

    def __init__(self, settings: Settings, catalog: Catalog, bucket: Bucket) -> None:
        self.sends = SendCounts()
        self.usage = LatestUsage(bucket)
        self._settings, self._catalog = settings, catalog
        self._durations = Durations()

    def read(self, *, prefect_answers: bool) -> Figures:
        """Return the figures of now; may take a second the first time.

        Raises:
            CatalogUnavailable: the catalog is away.
        """
        counted = tallies(self._catalog)
        return Figures(
            tallies=counted,
            spreads=self._durations.read(self._catalog),
            errors=_by_category(counted.errors),
            usage=self.usage.get(),
            spooled=spooled(self._settings).operations,
            sends={event: self.sends.counts[event] for event in _SENDS},
            prefect_answers=prefect_answers,
        )


def _by_category(errors: Mapping[str, int]) -> Mapping[str, int]:
    known = {category: errors.get(category, 0) for category in CATEGORIES}
    return known | {"other": sum(errors.values()) - sum(known.values())}


def as_json(figures: Figures) -> dict[str, Any]:
    """Return the figures that the JSON answer has."""
    rate = figures.success_rate
    return {
        "jobs_started": figures.tallies.started,
        "jobs_completed": figures.tallies.jobs["completed"],
        "jobs_failed": sum(figures.errors.values()),
        "total_duration_seconds": round(figures.spreads[WHOLE].total, 3),
        "success_rate": None if rate is None else round(rate, 4),
    } | {f"{category}_errors": count for category, count in figures.errors.items()}


def as_text(figures: Figures) -> bytes:
    """Return the figures, and those of this process, in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Snapshot(figures))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Snapshot(Collector):
    """Figures as Prometheus' client wants them."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        figures = self._figures
        yield from _jobs(figures)
        yield from _durations(figures.spreads)
        yield from _mail(figures)
        yield from _storage(figures)
        yield _gauge("bhiv_prefect_reachable", "Whether the Prefect server answers.", float(figures.prefect_answers))


def _jobs(figures: Figures) -> Iterator[Metric]:
    counted = figures.tallies
    yield _counter("bhiv_jobs_started", "Jobs that were begun at least once.", counted.started)
    yield _counter("bhiv_jobs_completed", "Jobs that were completed.", counted.jobs["completed"])
    yield _counter("bhiv_jobs_failed", "How often a job has failed.", sum(figures.errors.values()))
    yield _counters("bhiv_job_errors", "How often a job has failed, by category.", "category", figures.errors)
    yield _gauges("bhiv_jobs", "Jobs by state.", "state", counted.jobs)
    yield _gauge("bhiv_queue_depth", "Jobs that wait.", counted.queue.count)
    yield _gauge(
        "bhiv_queue_oldest_age_seconds", "How long the job waits that waits longest.", counted.queue.oldest_seconds
    )
    if figures.success_rate is not None:
        yield _gauge("bhiv_job_success_ratio", "Of all ends of jobs, those that were good.", figures.success_rate)


def _durations(spreads: Spreads) -> Iterator[Metric]:
    whole = HistogramMetricFamily("bhiv_job_duration_seconds", "Seconds from begin to end of completed jobs.")
    whole.add_metric([], *_buckets(spreads[WHOLE]))
    yield whole
    steps = HistogramMetricFamily(
        "bhiv_stage_seconds", "Seconds of all runs of a step together, in completed jobs.", labels=["stage"]
    )
    for step in STEPS:
        steps.add_metric([step], *_buckets(spreads[step]))
    yield steps


def _buckets(spread: Spread) -> tuple[list[tuple[str, float]], float]:
    ends = [*map(str, BOUNDS), "+Inf"]
    return [(end, float(sum(spread.counts[: place + 1]))) for place, end in enumerate(ends)], spread.total


def _mail(figures: Figures) -> Iterator[Metric]:
    waiting = figures.tallies.outbox
    kinds = sorted({*_LETTERS, *waiting})
    depth = {kind: waiting[kind].count if kind in waiting else 0 for kind in kinds}
    age = {kind: waiting[kind].oldest_seconds if kind in waiting else 0.0 for kind in kinds}
    yield _gauges("bhiv_outbox_depth", "What others must still be told, by kind.", "kind", depth)
    yield _gauges("bhiv_outbox_oldest_age_seconds", "How long the oldest of it waits, by kind.", "kind", age)
    outcomes = by_outcome(figures.tallies.deliveries)
    yield _counters("bhiv_callback_attempts", "Tries to reach a callback, by outcome.", "outcome", outcomes)
    sends = {event: figures.sends.get(event, 0) for event in _SENDS}
    yield _counters("bhiv_core_sends", "Messages to Core from this process, by what became of them.", "event", sends)


def _storage(figures: Figures) -> Iterator[Metric]:
    yield _gauge("bhiv_spool_operations", "Changes of the bucket that wait for S3.", figures.spooled)
    if (usage := figures.usage) is None:
        return
    yield _gauges(
        "bhiv_bucket_bytes",
        "Bytes in the bucket, by segment.",
        "segment",
        {segment: held.bytes for segment, held in usage.segments.items()},
    )
    yield _gauges(
        "bhiv_bucket_objects",
        "Objects in the bucket, by segment.",
        "segment",
        {segment: held.objects for segment, held in usage.segments.items()},
    )
    listed = usage.listed_at.timestamp()
    yield _gauge("bhiv_bucket_listed_timestamp_seconds", "When the bucket was listed for these figures.", listed)


def _gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_, value=value)


def _counter(name: str, help_: str, value: float) -> Metric:
    return CounterMetricFamily(name, help_, value=value)


def _gauges(name: str, help_: str, label: str, values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(name, help_, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _counters(name: str, help_: str, label: str, values: Mapping[Any, float]) -> Metric:
    family = CounterMetricFamily(name, help_, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
