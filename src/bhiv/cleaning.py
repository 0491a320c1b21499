"""Cleaning: which objects of the bucket may go, by age, by disuse and by a cap, and their removal.

What can be made again (pictures, narrations, clips) goes when nobody has used it for a while, the least recently used
first. What can't (scripts, storyboards, videos and their records) goes by age alone, and only when a rule says so.
Where bucket and catalog disagree, that is reported; a row is never removed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Literal

from pydantic import Field

from bhiv.bucket import Bucket, Entry, entries, open_bucket
from bhiv.bucket.keys import SEGMENTS, Segment
from bhiv.bucket.opening import open_spool
from bhiv.catalog import Catalog, open_catalog, views
from bhiv.orphans import content_of, without_object, without_row
from bhiv.plan import Contract
from bhiv.settings import Settings

#: What the cache makes again when it is needed.
REMADE: tuple[Segment, ...] = ("audio", "images", "clips")
#: A bucket notes a use at most once an hour, and a job may have begun just before it looked.
_MARGIN = timedelta(hours=2)
_BATCH = 100
#: So many keys of a kind are reported by name.
_FIRST = 5


class CleanUpRules(Contract):
    """What may be removed; an empty rule removes nothing."""

    dry_run: bool = Field(False, description="Only say what would be removed.")
    tmp_hours: float | None = Field(24, ge=1, description="Temporary objects older than this go.")
    unused_days: float | None = Field(
        30, ge=0.1, description="Pictures, narrations and clips that nobody has used for so long go."
    )
    video_days: float | None = Field(
        None, ge=1, description="Videos with their scripts and records older than this go."
    )
    cap_gigabytes: float | None = Field(
        None, ge=0, description="Above this size, pictures, narrations and clips go, the least recently used first."
    )
    failed_days: float | None = Field(
        30, ge=0, description="Notes of changes that S3 refused once go so long after S3 has them. What waits stays."
    )
    orphan_days: float | None = Field(
        None,
        ge=1,
        description="Videos, scripts and records older than this go when the catalog does not know their content. Only "
        "for a bucket that no other catalog uses.",
    )


class Removed(Contract):
    """How much one rule removed, or would remove."""

    rule: str
    objects: int = 0
    bytes: int = 0


class Unmatched(Contract):
    """What is only in the bucket, or only in the catalog, for a day or longer, as it was found."""

    kind: Literal["objects without a row", "rows without an object"]
    objects: int = 0
    bytes: int = 0
    first: tuple[str, ...] = Field((), description="Keys of the first few.")


class CleanUpReport(Contract):
    """What a clean-up did."""

    dry_run: bool
    objects: int = Field(description="All that the bucket held, before.")
    bytes: int
    removed: tuple[Removed, ...]
    spared: int = Field(description="Objects that a rule named and a live job may still need.")
    unmatched: tuple[Unmatched, ...] = Field(description="Where bucket and catalog disagree.")


@dataclass
class Sizes:
    """What is counted while the bucket is listed; its size does not grow with the bucket's."""

    #: All that was listed.
    objects: int = 0
    bytes: int = 0
    #: Bytes that no rule by age names.
    left: int = 0
    #: Those of them that can be made again, by the hour of their last use since the epoch: a bucket knows no more.
    by_hour: Counter[int] = field(default_factory=Counter)


def clean_all(settings: Settings, rules: CleanUpRules) -> CleanUpReport:
    """Clean the bucket, the home's notes of changes that S3 has by now, and the catalog's log; otherwise as `clean`."""
    with open_catalog(settings) as catalog:
        report = clean(open_bucket(settings), rules, catalog)
        if not rules.dry_run:
            catalog.checkpoint()
    if rules.failed_days is None:
        return report
    before = datetime.now(UTC) - timedelta(days=rules.failed_days)
    count, size = open_spool(settings).forget_replayed(before, dry_run=rules.dry_run)
    gone = (Removed(rule="failed", objects=count, bytes=size),) if count else ()
    return report.model_copy(update={"removed": report.removed + gone})


def clean(bucket: Bucket, rules: CleanUpRules, catalog: Catalog) -> CleanUpReport:
    """Remove what the rules name and return what went; with `dry_run` nothing goes.

    Before every hundred removals the catalog is asked when the oldest job that waits or is made was accepted. What was
    used since then, or shortly before, stays: a job's use of an object is noted before the job relies on it. Where uses
    are not noted (S3), nothing goes while a job is live.
    """
    now, sizes, orphans = datetime.now(UTC), Sizes(), _Finding("objects without a row")
    removed: dict[str, Removed] = {}
    spared = 0
    chosen = choose(lambda segments: entries(bucket, segments), rules, now, sizes)
    named = chain(chosen, _orphans(bucket, catalog, rules, now, orphans))
    while batch := list(islice(named, _BATCH)):
        since = views.live_since(catalog)
        for rule, entry in batch:
            if _goes(bucket, entry, since, now, rules.dry_run):
                before = removed.get(rule, Removed(rule=rule))
                removed[rule] = Removed(rule=rule, objects=before.objects + 1, bytes=before.bytes + entry.size)
            else:
                spared += 1
    lost = _Finding("rows without an object")
    for key in without_object(bucket, catalog, now, rules.video_days):
        lost.add(key)
    return CleanUpReport(
        dry_run=rules.dry_run,
        objects=sizes.objects,
        bytes=sizes.bytes,
        removed=tuple(removed.values()),
        spared=spared,
        unmatched=tuple(found.told() for found in (orphans, lost) if found.objects),
    )


def remove(bucket: Bucket, catalog: Catalog, key: str) -> bool:
    """Remove an object that a person names, unless a live job may need it; whether it was removed.

    What is named for a content stays as long as a job of that content waits or is made. Anything else stays when it was
    used since the oldest such job was accepted, or shortly before; where no uses are noted (S3), while any job is live.

    Raises:
        ObjectMissing: there is none.
    """
    bucket.stat(key)
    if content := content_of(key):
        if views.is_live(catalog, content):
            return False
        bucket.delete(key)
        return True
    since = views.live_since(catalog)
    if since is None:
        bucket.delete(key)
        return True
    notes_uses = any(entry.used_at for entry in bucket.list_page(key, limit=1).entries)
    return notes_uses and bucket.delete_unused(key, since - _MARGIN)


@dataclass
class _Finding:
    """An `Unmatched` that grows."""

    kind: Literal["objects without a row", "rows without an object"]
    objects: int = 0
    bytes: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, key: str, size: int = 0) -> None:
        self.objects += 1
        self.bytes += size
        if len(self.first) < _FIRST:
            self.first.append(key)

    def told(self) -> Unmatched:
        return Unmatched(kind=self.kind, objects=self.objects, bytes=self.bytes, first=tuple(self.first))


def _orphans(
    bucket: Bucket, catalog: Catalog, rules: CleanUpRules, now: datetime, found: _Finding
) -> Iterator[tuple[str, Entry]]:
    """Yield the orphans that the rules name; all of them are entered into `found`."""
    for entry in without_row(bucket, catalog, now):
        found.add(entry.key, entry.size)
        if not _by_age(entry, rules, now) and _is_past(entry.changed_at, rules.orphan_days, timedelta(days=1), now):
            yield "orphans", entry


def _goes(bucket: Bucket, entry: Entry, since: datetime | None, now: datetime, dry_run: bool) -> bool:
    if entry.used_at is None and since is not None:
        return False
    before = min(since or now, now) - _MARGIN
    if _used(entry) >= before:
        return False
    return dry_run or bucket.delete_unused(entry.key, before)


def choose(
    listed: Callable[[Sequence[Segment]], Iterable[Entry]], rules: CleanUpRules, now: datetime, sizes: Sizes
) -> Iterator[tuple[str, Entry]]:
    """Yield the objects that the rules name, each once, with the name of the rule; `sizes` counts what is held.

    `listed` returns what segments hold: all are listed once, and those that the cap concerns again when it is exceeded.
    The least recently used go first, to the hour.
    """
    for entry in listed(SEGMENTS):
        sizes.objects += 1
        sizes.bytes += entry.size
        if rule := _by_age(entry, rules, now):
            yield rule, entry
            continue
        sizes.left += entry.size
        if _segment(entry) in REMADE:
            sizes.by_hour[_hour(entry)] += entry.size
    if rules.cap_gigabytes is not None and (excess := sizes.left - int(rules.cap_gigabytes * 1e9)) > 0:
        yield from (("cap", entry) for entry in _over(listed(REMADE), rules, now, sizes.by_hour, excess))


def _by_age(entry: Entry, rules: CleanUpRules, now: datetime) -> str:
    segment = _segment(entry)
    if segment == "tmp":
        return "tmp" if _is_past(entry.changed_at, rules.tmp_hours, timedelta(hours=1), now) else ""
    if segment in REMADE:
        return "unused" if _is_past(_used(entry), rules.unused_days, timedelta(days=1), now) else ""
    return "videos" if _is_past(entry.changed_at, rules.video_days, timedelta(days=1), now) else ""


def _used(entry: Entry) -> datetime:
    return entry.used_at or entry.changed_at


def _is_past(when: datetime, most: float | None, unit: timedelta, now: datetime) -> bool:
    return most is not None and now - when > most * unit


def _over(
    held: Iterable[Entry], rules: CleanUpRules, now: datetime, by_hour: Counter[int], excess: int
) -> Iterator[Entry]:
    """Yield what goes for `excess` bytes: all of the earliest hours, and some of the last hour that is concerned."""
    last = -1
    for last in sorted(by_hour):
        if excess <= by_hour[last]:
            break
        excess -= by_hour[last]
    else:
        last += 1  # all of them go
    for entry in held:
        if _by_age(entry, rules, now) or (hour := _hour(entry)) > last:
            continue
        if hour == last:
            if excess <= 0:
                continue
            excess -= entry.size
        yield entry


def _segment(entry: Entry) -> str:
    return entry.key.split("/", 1)[0]


def _hour(entry: Entry) -> int:
    return int(_used(entry).timestamp() // 3600)
