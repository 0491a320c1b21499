"""Jobs as they are driven from outside, on both databases: submitted, cancelled, made again, and started in turn."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bhiv import api_keys, jobs
from bhiv.catalog import Catalog, ledger, open_catalog, outbox, views
from bhiv.catalog.outbox import Letter
from bhiv.errors import IdempotencyConflict, InputRefused, JobMissing, JobStateConflict, LeaseLost
from bhiv.jobs import Order, Submitted
from bhiv.record import Failure, Metadata, started_now
from bhiv.request import RenderRequest, new_id
from bhiv.settings import Settings

ROOT = Path(__file__).parent.parent.parent


def order(script: str = "A river runs to the sea.", **given: Any) -> Order:
    fields = {"request": RenderRequest(script=script, **given.pop("request", {}))}
    return Order(**fields | {"fingerprint": jobs.fingerprint(script)} | given)


def submit(catalog: Catalog, given: Order | None = None) -> Submitted:
    with catalog.writing() as connection:
        return jobs.submit(connection, given or order())


def cancel(catalog: Catalog, job: str) -> bool:
    with catalog.writing() as connection:
        return jobs.cancel(connection, job, core=True)


def retry(catalog: Catalog, job: str) -> None:
    with catalog.writing() as connection:
        jobs.retry(connection, job)


def start(catalog: Catalog, letter: Letter, run: str) -> None:
    with catalog.writing() as connection:
        jobs.started(connection, letter, run)


def state(catalog: Catalog, job: str) -> str:
    found = views.get(catalog, job)
    assert found is not None
    return found.state


def letters(catalog: Catalog, *kinds: outbox.Kind) -> list[Letter]:
    return outbox.due(catalog, kinds, 1000)


def ended(catalog: Catalog, job: str, how: Any) -> None:
    lease = ledger.claim(catalog, job, "a run", 30)
    assert lease is not None
    ledger.finish(catalog, lease, how, metadata(catalog, job, how), core=True)


def metadata(catalog: Catalog, job: str, how: str) -> Metadata:
    view = views.get(catalog, job)
    assert view is not None
    timestamp, created_at = started_now()
    failure = None if how == "completed" else Failure(category="render", message="it broke", step="render")
    return Metadata(
        content_id=view.content_id, job_id=job, uploader_id="local", title=view.title, timestamp=timestamp,
        created_at=created_at, storyboard_source="rules", error=failure,
        processing_status="failed" if failure else "completed",
    )  # fmt: skip


def test_what_is_submitted_waits_and_is_to_be_started(catalog: Catalog) -> None:
    submitted = submit(catalog)

    assert submitted.is_new
    assert state(catalog, submitted.job_id) == "queued"
    [letter] = outbox.fair_runs(catalog, 10)
    assert (letter.job_id, letter.payload) == (submitted.job_id, {"key": submitted.job_id})


def test_the_same_order_of_one_key_is_one_job(catalog: Catalog) -> None:
    first = submit(catalog, order(idempotency_key="one"))
    again = submit(catalog, order(idempotency_key="one"))

    assert (again.is_new, again.job_id) == (False, first.job_id)
    with pytest.raises(IdempotencyConflict):
        submit(catalog, order("Another script.", idempotency_key="one"))
    assert len(outbox.fair_runs(catalog, 10)) == 1


def test_a_job_of_the_same_id_is_the_same_job_or_none(catalog: Catalog) -> None:
    given = order(request={"job_id": new_id(), "content_id": new_id()})
    submit(catalog, given)

    assert not submit(catalog, given).is_new
    with pytest.raises(JobStateConflict):
        submit(catalog, order(request={"job_id": given.request.job_id}))
    assert len(outbox.fair_runs(catalog, 10)) == 1


def test_a_job_that_waits_is_cancelled_and_never_started(catalog: Catalog) -> None:
    job = submit(catalog).job_id

    assert cancel(catalog, job)
    assert not cancel(catalog, job)
    assert state(catalog, job) == "cancelled"
    assert outbox.fair_runs(catalog, 10) == letters(catalog, "cancel") == []
    [told] = letters(catalog, "core")
    assert told.payload["type"] == "job.cancelled"


def test_a_run_that_makes_a_cancelled_job_can_write_nothing_and_is_ended(catalog: Catalog) -> None:
    job = submit(catalog).job_id
    start(catalog, outbox.fair_runs(catalog, 1)[0], "a-run")
    lease = ledger.claim(catalog, job, "worker", 30, "a-run")
    assert lease is not None

    cancel(catalog, job)

    with pytest.raises(LeaseLost):
        ledger.advance(catalog, lease, "render", 50, {})
    with pytest.raises(LeaseLost):
        ledger.finish(catalog, lease, "completed", metadata(catalog, job, "completed"))
    [letter] = letters(catalog, "cancel")
    assert letter.payload == {"flow_run_id": "a-run"}
    assert ledger.claim(catalog, job, "another", 30) is None


def test_a_job_that_is_cancelled_while_it_is_being_started_is_cancelled_there(catalog: Catalog) -> None:
    job = submit(catalog).job_id
    [letter] = outbox.fair_runs(catalog, 1)

    cancel(catalog, job)
    start(catalog, letter, "too-late")

    assert [one.payload["flow_run_id"] for one in letters(catalog, "cancel")] == ["too-late"]


def test_a_job_that_is_made_again_while_its_first_run_is_being_started_has_one_run(catalog: Catalog) -> None:
    job = submit(catalog).job_id
    [first] = outbox.fair_runs(catalog, 1)
    cancel(catalog, job)
    retry(catalog, job)

    start(catalog, first, "too-late")

    assert [one.payload["flow_run_id"] for one in letters(catalog, "cancel")] == ["too-late"]
    [second] = outbox.fair_runs(catalog, 10)
    assert second.payload["key"] != first.payload["key"]
    start(catalog, second, "the-run")
    view = views.get(catalog, job)
    assert view is not None
    assert (view.state, view.flow_run_id) == ("queued", "the-run")


@pytest.mark.parametrize("how", ["failed", "cancelled"])
def test_what_was_not_completed_can_be_made_again(catalog: Catalog, how: str) -> None:
    job = submit(catalog).job_id
    start(catalog, outbox.fair_runs(catalog, 1)[0], "first")
    ended(catalog, job, how)

    retry(catalog, job)

    view = views.get(catalog, job)
    assert view is not None
    assert (view.state, view.step, view.progress, view.error, view.flow_run_id) == (
        "queued", "storyboard", 0, None, None,
    )  # fmt: skip
    assert len(outbox.fair_runs(catalog, 10)) == 1


def test_what_has_ended_well_is_neither_cancelled_nor_made_again(catalog: Catalog) -> None:
    job = submit(catalog).job_id
    ended(catalog, job, "completed")

    with pytest.raises(JobStateConflict, match="has ended as completed"):
        cancel(catalog, job)
    with pytest.raises(JobStateConflict, match="is completed"):
        retry(catalog, job)


def test_a_job_that_waits_or_is_made_is_not_made_again(catalog: Catalog) -> None:
    job = submit(catalog).job_id
    with pytest.raises(JobStateConflict, match="is queued"):
        retry(catalog, job)

    ledger.claim(catalog, job, "worker", 30)

    with pytest.raises(JobStateConflict, match="is running"):
        retry(catalog, job)


def test_a_job_that_prefect_refuses_has_failed(catalog: Catalog) -> None:
    job = submit(catalog).job_id
    [letter] = outbox.fair_runs(catalog, 1)

    with catalog.writing() as connection:
        jobs.refuse(connection, letter, "no such parameter")

    view = views.get(catalog, job)
    assert view is not None
    assert view.state == "failed"
    assert view.error is not None
    assert (view.error.category, view.error.message) == ("refused", "no such parameter")
    assert outbox.fair_runs(catalog, 10) == []


def test_nothing_can_be_done_to_a_job_that_is_not_there(catalog: Catalog) -> None:
    for do in (cancel, retry):
        with pytest.raises(JobMissing):
            do(catalog, new_id())
    with pytest.raises(JobMissing), catalog.writing() as connection:
        jobs.add_callback(connection, new_id(), "https://example.com", None)


def test_a_callback_is_told_of_the_end_whenever_it_was_registered(catalog: Catalog) -> None:
    job = submit(catalog).job_id

    def register(url: str) -> str:
        with catalog.writing() as connection:
            return jobs.add_callback(connection, job, url, None)

    early = register("https://example.com/early")
    assert register("https://example.com/early") == early
    ended(catalog, job, "completed")
    late = register("https://example.com/late")

    told = letters(catalog, "callback")
    assert [letter.callback_id for letter in told] == [early, late]
    assert {letter.payload["type"] for letter in told} == {"job.completed"}


def test_a_thousand_jobs_of_one_key_delay_another_by_one(catalog: Catalog) -> None:
    with catalog.writing() as connection:
        many, one = (api_keys.create(connection, name, ["admin"]).split("_")[1] for name in ("many", "one"))
        first = [jobs.submit(connection, order(api_key_id=many)).job_id for _ in range(1000)]
        second = [jobs.submit(connection, order(api_key_id=one)).job_id for _ in range(3)]

    started: list[str | None] = []
    for _ in range(3):
        for letter in outbox.fair_runs(catalog, 3):
            started.append(letter.job_id)
            start(catalog, letter, f"run-{letter.job_id}")

    assert started[:7] == [first[0], second[0], first[1], second[1], first[2], second[2], first[3]]


def test_who_needs_no_key_has_a_turn_as_one_key_has(catalog: Catalog) -> None:
    with catalog.writing() as connection:
        key = api_keys.create(connection, "one", ["admin"]).split("_")[1]
        nobody = [jobs.submit(connection, order()).job_id for _ in range(4)]
        somebody = jobs.submit(connection, order(api_key_id=key)).job_id

    assert [letter.job_id for letter in outbox.fair_runs(catalog, 3)] == [nobody[0], somebody, nobody[1]]
    assert outbox.fair_runs(catalog, 0) == []


def test_the_history_of_a_job_is_every_change(catalog: Catalog) -> None:
    job = submit(catalog).job_id
    lease = ledger.claim(catalog, job, "worker", 30)
    assert lease is not None
    for step, progress in (("images", 10), ("images", 20), ("render", 60)):
        ledger.advance(catalog, lease, step, progress, {})  # type: ignore[arg-type]
    ledger.finish(catalog, lease, "failed", metadata(catalog, job, "failed"))
    retry(catalog, job)

    told = views.history(catalog, job)

    assert [(change.state, change.step, change.progress) for change in told] == [
        ("queued", "storyboard", 0),
        ("running", "storyboard", 0),
        ("running", "images", 10),
        ("running", "render", 60),
        ("failed", "render", 60),
        ("queued", "storyboard", 0),
    ]
    assert [change.at for change in told] == sorted(change.at for change in told)


def test_a_key_is_shown_once_and_kept_as_a_hash(catalog: Catalog) -> None:
    with catalog.writing() as connection:
        key = api_keys.create(connection, " reader ", ["render:read"])

    found = api_keys.check(catalog, key)
    assert found is not None
    assert (found.name, found.scopes, found.last_used_at) == ("reader", ("render:read",), None)
    assert found.allows("render:read")
    assert not found.allows("render:write")
    assert key.split("_", 2)[2] not in repr(api_keys.listed(catalog))


@pytest.mark.parametrize("wrong", ["", "x", "bhiv_", "{}A", "{}\n", " {}", "bhiv_000000000000_" + "A" * 43])
def test_what_is_not_quite_a_key_opens_nothing(catalog: Catalog, wrong: str) -> None:
    with catalog.writing() as connection:
        key = api_keys.create(connection, "one", ["admin"])

    assert api_keys.check(catalog, wrong.format(key)) is None
    assert api_keys.check(catalog, key.upper()) is None


def test_a_revoked_key_opens_nothing_and_stays_listed(catalog: Catalog) -> None:
    with catalog.writing() as connection:
        key = api_keys.create(connection, "one", ["admin"])
        api_keys.note_use(connection, key.split("_")[1])
        api_keys.revoke(connection, key.split("_")[1])

    assert api_keys.check(catalog, key) is None
    [kept] = api_keys.listed(catalog)
    assert kept.revoked_at is not None
    assert kept.last_used_at is not None


@pytest.mark.parametrize(("name", "scopes"), [("", ["admin"]), (" ", ["admin"]), ("x" * 201, ["admin"]), ("x", [])])
def test_a_key_needs_a_name_and_scopes_that_there_are(catalog: Catalog, name: str, scopes: list[str]) -> None:
    for given in (scopes, ["everything"]):
        with pytest.raises(InputRefused), catalog.writing() as connection:
            api_keys.create(connection, name, given)
    with pytest.raises(InputRefused), catalog.writing() as connection:
        api_keys.revoke(connection, "000000000000")


def test_one_process_is_alone_until_it_ends_however_it_ends(either: Settings) -> None:
    url = either.database_url
    environment = {**os.environ, "BHIV_HOME": str(either.home)}
    if url is not None:
        environment["BHIV_DATABASE_URL"] = url.get_secret_value()
    argv = [sys.executable, "-m", "tests.integration.rival", "alone"]
    with open_catalog(either) as catalog:
        with subprocess.Popen(argv, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"ready\n"
            with catalog.alone("dispatch") as held, catalog.alone("another") as another:
                assert (held, another) == (False, True)
            other.kill()
        with catalog.alone("dispatch") as held, catalog.alone("dispatch") as twice:
            assert (held, twice) == (True, False)
        with catalog.alone("dispatch") as held:
            assert held
