"""The clean-up of a real bucket beside a real catalog: what it removes, and what it only tells."""

import os
import time
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy

from bhiv.bucket import Entry, Page
from bhiv.bucket.local import LocalBucket
from bhiv.catalog import Catalog, ledger, open_catalog
from bhiv.catalog.models import Job
from bhiv.cleaning import CleanUpReport, CleanUpRules, clean
from bhiv.record import Metadata, Paths, started_now
from bhiv.request import RenderRequest, new_id
from bhiv.settings import Settings

NONE = CleanUpRules(tmp_hours=None, unused_days=None)


def named_for(content: str) -> list[str]:
    """All that a completed job delivers."""
    return [
        f"scripts/{content}_script.txt",
        f"storyboards/{content}_storyboard.json",
        *(f"videos/{content}{end}" for end in (".mp4", ".srt", ".vtt", "_job_summary.json")),
        f"logs/{content}.json",
    ]


def put(bucket: LocalBucket, *keys: str, days: float = 0) -> None:
    for key in keys:
        bucket.put_bytes(key, b"1234", "application/octet-stream")
        then = time.time() - days * 86_400
        os.utime(bucket.path(key), (then, then))


def completed(catalog: Catalog, days: float) -> str:
    """Enter a job that was completed so long ago and return its content."""
    request = RenderRequest(script="A river runs to the sea.", title="A river")
    ledger.register(catalog, request)
    lease = ledger.claim(catalog, request.job_id, "me", 30)
    assert lease is not None
    timestamp, created_at = started_now()
    metadata = Metadata(
        content_id=request.content_id, job_id=request.job_id, uploader_id="somebody", title="A river",
        timestamp=timestamp, created_at=created_at, paths=Paths(), storyboard_source="rules",
        processing_status="completed",
    )  # fmt: skip
    ledger.finish(catalog, lease, "completed", metadata)
    with catalog.writing() as connection:
        then = datetime.now(UTC) - timedelta(days=days)
        connection.execute(sqlalchemy.update(Job).where(Job.id == request.job_id).values(finished_at=then))
    return request.content_id


def keys(bucket: LocalBucket) -> list[str]:
    return [entry.key for entry in bucket.list_page().entries]


def unmatched(report: CleanUpReport) -> dict[str, int]:
    return {found.kind: found.objects for found in report.unmatched}


def test_where_bucket_and_catalog_agree_nothing_is_told(catalog: Catalog, bucket: LocalBucket) -> None:
    put(bucket, *named_for(completed(catalog, days=9)), days=9)

    assert clean(bucket, NONE, catalog).unmatched == ()


@pytest.mark.parametrize("dry_run", [True, False])
def test_objects_without_a_row_are_told_and_stay(catalog: Catalog, bucket: LocalBucket, dry_run: bool) -> None:
    orphan = new_id()
    put(bucket, *named_for(orphan), days=400)

    report = clean(bucket, NONE.model_copy(update={"dry_run": dry_run}), catalog)

    [found] = report.unmatched
    assert (found.kind, found.objects, found.bytes) == ("objects without a row", 7, 28)
    assert found.first[0] == f"scripts/{orphan}_script.txt"
    assert len(found.first) == 5
    assert report.removed == ()
    assert sorted(keys(bucket)) == sorted(named_for(orphan))


def test_objects_without_a_row_go_when_a_rule_says_so(catalog: Catalog, bucket: LocalBucket) -> None:
    old, young, known = new_id(), new_id(), completed(catalog, days=60)
    put(bucket, *named_for(old), *named_for(known), days=60)
    put(bucket, *named_for(young), days=3)
    rules = NONE.model_copy(update={"orphan_days": 30})

    would = clean(bucket, rules.model_copy(update={"dry_run": True}), catalog)
    assert len(keys(bucket)) == 21
    did = clean(bucket, rules, catalog)

    assert [(one.rule, one.objects) for one in did.removed] == [("orphans", 7)]
    assert would.removed == did.removed
    assert sorted(keys(bucket)) == sorted(named_for(known) + named_for(young))
    assert unmatched(did) == {"objects without a row": 14}


def test_what_is_not_named_for_a_content_is_nobodys_orphan(catalog: Catalog, bucket: LocalBucket) -> None:
    put(bucket, "videos/gate-0123456789abcdef.json", "logs/home/worker.log-20260101t000000.gz", "tmp/a", days=400)

    report = clean(bucket, NONE.model_copy(update={"orphan_days": 1}), catalog)

    assert (report.removed, report.unmatched) == ((), ())


def test_a_run_that_has_just_begun_has_no_orphans(catalog: Catalog, bucket: LocalBucket) -> None:
    put(bucket, *named_for(new_id()))
    completed(catalog, days=0)

    assert clean(bucket, NONE, catalog).unmatched == ()


def test_a_job_whose_video_or_record_is_gone_is_told_and_its_row_stays(catalog: Catalog, bucket: LocalBucket) -> None:
    whole, bare, packed = (completed(catalog, days=9) for _ in range(3))
    put(bucket, *named_for(whole), f"videos/{packed}.mp4", f"logs/{packed}.json.gz", days=9)

    for dry_run in (True, False):
        [found] = clean(bucket, NONE.model_copy(update={"dry_run": dry_run}), catalog).unmatched
        assert (found.kind, found.objects) == ("rows without an object", 2)
        assert found.first == (f"videos/{bare}.mp4", f"logs/{bare}.json")

    with catalog.reading() as connection:
        assert connection.scalar(sqlalchemy.select(sqlalchemy.func.count(Job.id))) == 3


def test_what_a_rule_has_removed_is_not_missed(catalog: Catalog, bucket: LocalBucket) -> None:
    completed(catalog, days=400)

    assert clean(bucket, NONE.model_copy(update={"video_days": 365}), catalog).unmatched == ()
    assert unmatched(clean(bucket, NONE, catalog)) == {"rows without an object": 2}


def test_more_contents_than_a_page_holds_are_compared(
    catalog: Catalog, bucket: LocalBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bhiv.catalog.views._PAGE", 2)
    monkeypatch.setattr("bhiv.orphans._BATCH", 3)
    made = [completed(catalog, days=9) for _ in range(5)]
    for content in made[1:]:
        put(bucket, *named_for(content), days=9)
    put(bucket, f"videos/{new_id()}.mp4", days=9)

    assert unmatched(clean(bucket, NONE, catalog)) == {"objects without a row": 1, "rows without an object": 2}


LONG_AGO = datetime(2026, 1, 31, tzinfo=UTC)


class Vast(LocalBucket):
    """A folder of far more clips than are on this disk."""

    count = 8_000
    pages = 0

    def list_page(self, prefix: str = "", after: str = "", limit: int = 1000) -> Page:
        if prefix != "clips/":
            return Page((), None)
        self.pages += 1
        first = int(after.removeprefix("clips/")) + 1 if after else 0
        page = tuple(
            Entry(f"clips/{number:012d}", 1_000_000, LONG_AGO - timedelta(days=number % 300), None)
            for number in range(first, first + limit)
        )
        return Page(page, page[-1].key if first + limit < self.count else None)


def test_a_vast_bucket_is_never_held_in_memory(settings: Settings) -> None:
    bucket, catalog = Vast(settings.bucket_dir), open_catalog(settings)
    tracemalloc.start()
    try:
        report = clean(bucket, CleanUpRules(dry_run=True, unused_days=200_000, cap_gigabytes=4), catalog)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        catalog.close()

    assert (report.objects, report.removed[0].objects) == (8_000, 4_000)
    assert bucket.pages == 16
    assert peak < 1_500_000
