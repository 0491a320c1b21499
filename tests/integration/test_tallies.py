"""What is counted in a catalog, searched for and summed up, in SQLite and in PostgreSQL."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy

from bhiv.catalog import Catalog, analytics, ledger, opinions, outbox, views
from bhiv.catalog.database import now
from bhiv.catalog.models import Delivery, Job, Outbox
from bhiv.catalog.rows import insert
from bhiv.catalog.tallies import BOUNDS, WHOLE, Durations, by_outcome, tallies
from bhiv.errors import ContentMissing
from bhiv.jobs import add_callback, retry
from bhiv.record import Failure, Metadata, Stage, StepName, started_now
from bhiv.request import RenderRequest

RENDER: dict[StepName, Stage] = {"render": Stage(seconds=2.0, cached=0, total=3)}


def submitted(catalog: Catalog, title: str = "A river", uploader: str = "anna", script: str = "A river.") -> str:
    request = RenderRequest(script=script, title=title, uploader_id=uploader)
    ledger.register(catalog, request)
    return request.job_id


def content(catalog: Catalog, job_id: str) -> str:
    job = views.get(catalog, job_id)
    assert job is not None
    return job.content_id


def ended(catalog: Catalog, job_id: str, category: str | None = None) -> None:
    """Make a job, or have it fail."""
    lease = ledger.claim(catalog, job_id, "me", 30)
    assert lease is not None
    timestamp, created_at = started_now()
    error = Failure(category=category, message="no", step="render") if category else None
    metadata = Metadata(
        content_id=content(catalog, job_id), job_id=job_id, uploader_id="anna", title="A river", timestamp=timestamp,
        created_at=created_at, storyboard_source="rules", processing_status="failed" if error else "completed",
        error=error,
    )  # fmt: skip
    ledger.finish(catalog, lease, "failed" if error else "completed", metadata, RENDER)


def moved(catalog: Catalog, job_id: str, back: timedelta, seconds: float = 10) -> None:
    """Have a job been made so long ago, in so many seconds."""
    with catalog.writing() as connection:
        end = now(connection) - back
        moments = {"started_at": end - timedelta(seconds=seconds), "finished_at": end}
        connection.execute(sqlalchemy.update(Job).where(Job.id == job_id).values(**moments))


def test_jobs_are_counted_by_what_became_of_them(catalog: Catalog) -> None:
    submitted(catalog)
    ended(catalog, submitted(catalog))
    ended(catalog, submitted(catalog), "tts")
    ledger.claim(catalog, submitted(catalog), "me", 30)

    found = tallies(catalog)

    assert found.jobs == {"queued": 1, "running": 1, "completed": 1, "failed": 1, "cancelled": 0}
    assert (found.started, found.errors, found.queue.count) == (3, {"tts": 1}, 1)


def test_an_error_stays_counted_when_its_job_is_made_again(catalog: Catalog) -> None:
    job = submitted(catalog)
    ended(catalog, job, "render")
    with catalog.writing() as connection:
        retry(connection, job)
    ended(catalog, job)

    found = tallies(catalog)

    assert (found.errors, found.jobs["completed"], found.jobs["failed"], found.started) == ({"render": 1}, 1, 0, 1)


def test_what_waits_has_an_age(catalog: Catalog) -> None:
    job = submitted(catalog)
    with catalog.writing() as connection:
        outbox.put(connection, "core", {}, now(connection) - timedelta(hours=1), job_id=job)

    found = tallies(catalog)

    assert found.outbox["core"].count == 1
    assert found.outbox["core"].oldest_seconds >= 3600
    assert 0 <= found.queue.oldest_seconds < 3600


def test_tries_to_reach_a_callback_are_counted_by_outcome(catalog: Catalog) -> None:
    job = submitted(catalog)
    with catalog.writing() as connection:
        callback = add_callback(connection, job, "https://example.org", None)
        letter = outbox.put(connection, "callback", {}, now(connection), job_id=job, callback_id=callback)
        for status in (200, 204, 500, None):
            values = {"outbox_id": letter, "callback_id": callback, "at": now(connection), "status": status}
            insert(connection, Delivery, values | {"seconds": 0.1})

    assert by_outcome(tallies(catalog).deliveries) == {"delivered": 2, "refused": 1, "unanswered": 1}


def test_durations_are_those_of_completed_jobs_however_they_are_read(catalog: Catalog) -> None:
    long_ago, just_now, failed = submitted(catalog), submitted(catalog), submitted(catalog)
    ended(catalog, long_ago)
    moved(catalog, long_ago, timedelta(days=3))
    ended(catalog, failed, "render")
    watched = Durations()
    before = watched.read(catalog)
    ended(catalog, just_now)
    moved(catalog, just_now, timedelta(), seconds=0.2)

    after = watched.read(catalog)

    assert before[WHOLE].total == pytest.approx(10, abs=0.01)
    assert after[WHOLE].total == pytest.approx(10.2, abs=0.01)
    assert (after["render"].total, after["render"].counts[BOUNDS.index(2.5)], sum(after["tts"].counts)) == (4.0, 2, 0)
    assert after == watched.read(catalog) == Durations().read(catalog)


def test_jobs_are_found_by_any_part_of_their_title_in_any_case(catalog: Catalog) -> None:
    wanted = submitted(catalog, "The Great River at 100 %")
    submitted(catalog, "The sea at 100 m")

    assert [job.id for job in views.search(catalog, title="gREAT riv")] == [wanted]
    assert [job.id for job in views.search(catalog, title="100 %")] == [wanted]
    assert views.search(catalog, title="100_%") == []


def test_jobs_are_found_by_state_and_uploader_page_by_page(catalog: Catalog) -> None:
    ids = sorted((submitted(catalog, uploader="bert") for _ in range(5)), reverse=True)
    submitted(catalog, uploader="anna")
    ended(catalog, ids[0])

    first = views.search(catalog, "queued", "bert", limit=2)
    second = views.search(catalog, "queued", "bert", after=first[-1].id, limit=5)

    assert [job.id for job in (*first, *second)] == ids[1:]
    assert {job.uploader_id for job in first} == {"bert"}


def test_shares_sum_up_jobs_and_ratings(catalog: Catalog) -> None:
    river, sea, hindi = (
        submitted(catalog),
        submitted(catalog),
        submitted(catalog, script="नदी बहती है।", uploader="bert"),
    )
    ended(catalog, river)
    moved(catalog, river, timedelta(), seconds=8)
    ended(catalog, sea, "tts")
    with catalog.writing() as connection:
        for rating in (5, 2):
            opinions.give(connection, content(catalog, river), "carl", rating, None, core=False)

    by_language = {share.key: share for share in analytics.shares(catalog, "language", 1, 10)}
    by_uploader = {share.key: share.jobs for share in analytics.shares(catalog, "uploader", 1, 10)}
    [today] = analytics.shares(catalog, "day", 1, 10)

    english = by_language["en"]
    assert (english.jobs, english.completed, english.failed, english.success_rate) == (2, 1, 1, 0.5)
    assert english.average_duration_seconds == pytest.approx(8, abs=0.01)
    assert (english.ratings, english.average_rating, by_language["hi"].jobs) == (2, 3.5, 1)
    assert by_uploader == {"anna": 2, "bert": 1}
    assert (today.key, today.jobs, today.ratings) == (f"{datetime.now(UTC):%Y-%m-%d}", 3, 2)
    assert content(catalog, hindi)


def test_an_opinion_is_worth_a_reward_that_core_is_told_of(catalog: Catalog) -> None:
    job = submitted(catalog)
    with catalog.writing() as connection:
        given = opinions.give(connection, content(catalog, job), "carl", 5, "fine", core=True)

    with catalog.reading() as connection:
        [row] = connection.execute(sqlalchemy.select(*Outbox.__table__.columns)).mappings()

    assert (row["kind"], row["payload"]["type"], row["payload"]["data"]["reward"]) == ("core", "reward", 1.0)
    assert row["payload"]["data"]["feedback_id"] == given.id


def test_opinions_are_listed_newest_first_with_the_average_of_all(catalog: Catalog) -> None:
    content_id = content(catalog, submitted(catalog))
    with catalog.writing() as connection:
        given = [opinions.give(connection, content_id, "carl", rating, None, core=False) for rating in (1, 2, 5)]

    ids = sorted((opinion.id for opinion in given), reverse=True)
    first = opinions.of_content(catalog, content_id, limit=2)
    rest = opinions.of_content(catalog, content_id, after=first.next)

    assert ([one.id for one in (*first.feedback, *rest.feedback)], rest.next) == (ids, None)
    assert (first.ratings, first.average_rating) == (3, 2.667)


def test_nothing_is_thought_of_a_content_that_is_not_there(catalog: Catalog) -> None:
    with pytest.raises(ContentMissing), catalog.writing() as connection:
        opinions.give(connection, "0" * 24, "carl", 5, None, core=True)
    with pytest.raises(ContentMissing):
        opinions.of_content(catalog, "0" * 24)
