"""Cleaning: which objects of the bucket may go, by age, by disuse and by a cap, and their removal.

What can be made again (pictures, narrations, clips) goes when nobody has used it for a while, the least recently used
first. What can't (scripts, storyboards, videos and their records) goes by age alone, and only when a rule says so.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from pydantic import Field

from bhiv.bucket import Bucket, Entry
from bhiv.bucket.keys import SEGMENTS, Segment
from bhiv.plan import Contract

#: What the cache makes again when it is needed.
REMADE: tuple[Segment, ...] = ("audio", "images", "clips")
#: A bucket notes a use at most once an hour, and a job may have begun just before it looked.
_MARGIN = timedelta(hours=2)
_BATCH = 100


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


class Removed(Contract):
    """How much one rule removed, or would remove."""

    rule: str
    objects: int = 0
    bytes: int = 0


class CleanUpReport(Contract):
    """What a clean-up did."""

    dry_run: bool
    objects: int = Field(description="All that the bucket held, before.")
    bytes: int
    removed: tuple[Removed, ...]
    spared: int = Field(description="Objects that a rule named and a live job may still need.")


def clean(bucket: Bucket, rules: CleanUpRules, live_since: Callable[[], datetime | None]) -> CleanUpReport:
    """Remove what the rules name and return what went; with `dry_run` nothing goes.

    `live_since` tells when the oldest job that waits or is made was accepted, None when there is none; it is asked
    before every hundred removals. What was used since then, or shortly before, stays: a job's use of an object is noted
    before the job relies on it. Where uses are not noted (S3), nothing goes while a job is live.
    """
    now = datetime.now(UTC)
    held = list(_all(bucket))
    named = list(choose(held, rules, now))
    gone = []
    for start in range(0, len(named), _BATCH):
        since = live_since()
        gone += [one for one in named[start : start + _BATCH] if _goes(bucket, one[1], since, now, rules.dry_run)]
    return CleanUpReport(
        dry_run=rules.dry_run,
        objects=len(held),
        bytes=sum(entry.size for entry in held),
        removed=_sums(gone),
        spared=len(named) - len(gone),
    )


def _goes(bucket: Bucket, entry: Entry, since: datetime | None, now: datetime, dry_run: bool) -> bool:
    if entry.used_at is None and since is not None:
        return False
    before = min(since or now, now) - _MARGIN
    if _used(entry) >= before:
        return False
    return dry_run or bucket.delete_unused(entry.key, before)


def choose(held: Iterable[Entry], rules: CleanUpRules, now: datetime) -> Iterator[tuple[str, Entry]]:
    """Yield the objects that the rules name, each once, with the name of the rule."""
    left = []
    for entry in held:
        rule = _by_age(entry, rules, now)
        if rule:
            yield rule, entry
        else:
            left.append(entry)
    if rules.cap_gigabytes is not None:
        yield from (("cap", entry) for entry in _over(left, int(rules.cap_gigabytes * 1e9)))


def _by_age(entry: Entry, rules: CleanUpRules, now: datetime) -> str:
    segment = entry.key.split("/", 1)[0]
    if segment == "tmp":
        return "tmp" if _is_past(entry.changed_at, rules.tmp_hours, timedelta(hours=1), now) else ""
    if segment in REMADE:
        return "unused" if _is_past(_used(entry), rules.unused_days, timedelta(days=1), now) else ""
    return "videos" if _is_past(entry.changed_at, rules.video_days, timedelta(days=1), now) else ""


def _used(entry: Entry) -> datetime:
    return entry.used_at or entry.changed_at


def _is_past(when: datetime, most: float | None, unit: timedelta, now: datetime) -> bool:
    return most is not None and now - when > most * unit


def _over(held: list[Entry], cap: int) -> Iterator[Entry]:
    excess = sum(entry.size for entry in held) - cap
    for entry in sorted((one for one in held if one.key.split("/", 1)[0] in REMADE), key=_used):
        if excess <= 0:
            return
        excess -= entry.size
        yield entry


def _all(bucket: Bucket) -> Iterator[Entry]:
    for segment in SEGMENTS:
        after: str | None = ""
        while after is not None:
            page = bucket.list_page(f"{segment}/", after)
            yield from page.entries
            after = page.after


def _sums(goes: Iterable[tuple[str, Entry]]) -> tuple[Removed, ...]:
    sums: dict[str, Removed] = {}
    for rule, entry in goes:
        before = sums.get(rule, Removed(rule=rule))
        sums[rule] = Removed(rule=rule, objects=before.objects + 1, bytes=before.bytes + entry.size)
    return tuple(sums.values())
