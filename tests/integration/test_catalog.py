import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from bhiv.catalog import Catalog, ledger, open_catalog, schema, views
from bhiv.catalog.database import catalog_file, now
from bhiv.catalog.ledger import Lease
from bhiv.catalog.models import Base, Job, User
from bhiv.errors import CatalogUnavailable, InputRefused, LeaseLost, RunFailed
from bhiv.plan import RenderPlan, Scene
from bhiv.record import Failure, Metadata, Paths, Stage, started_now
from bhiv.request import RenderRequest
from bhiv.settings import Settings

ROOT = Path(__file__).parent.parent.parent
STAGES: dict[Any, Stage] = {"images": Stage(seconds=1.5, cached=1, total=3)}


def entered(catalog: Catalog, **fields: Any) -> RenderRequest:
    request = RenderRequest(**({"script": "A river runs to the sea.", "title": "A river"} | fields))
    ledger.register(catalog, request)
    return request


def taken(catalog: Catalog, request: RenderRequest, owner: str = "me", seconds: float = 30) -> Lease:
    lease = ledger.claim(catalog, request.job_id, owner, seconds)
    assert lease is not None
    return lease


def ending(request: RenderRequest, error: Failure | None = None) -> Metadata:
    timestamp, created_at = started_now()
    return Metadata(
        content_id=request.content_id,
        job_id=request.job_id,
        uploader_id="somebody",
        title="A river",
        timestamp=timestamp,
        created_at=created_at,
        paths=Paths(script="scripts/a_script.txt"),
        storyboard_source="rules",
        processing_status="failed" if error else "completed",
        error=error,
    )


def view(catalog: Catalog, request: RenderRequest) -> views.JobView:
    found = views.get(catalog, request.job_id)
    assert found is not None
    return found


def rivals(settings: Settings, count: int, *words: object) -> list[str]:
    """What `count` processes say that did the same at once; `OWNER` among the words is another for each."""
    url = settings.database_url
    environment = {**os.environ, "BHIV_HOME": str(settings.home)}
    if url is not None:
        environment["BHIV_DATABASE_URL"] = url.get_secret_value()
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.integration.rival", *(str(word).replace("OWNER", f"{n}") for word in words)],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for n in range(count)
    ]  # fmt: skip
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    ended = [child.communicate(timeout=120) for child in children]
    assert [child.returncode for child in children] == [0] * count, ended
    return [out.strip() for out, _ in ended]


def test_the_tables_are_those_of_the_models(catalog: Catalog) -> None:
    with catalog.reading() as connection:
        found = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata)

    assert found == []


def test_migrations_go_up_down_and_up_again(catalog: Catalog) -> None:
    entered(catalog)

    catalog.migrate("r0001")
    catalog.migrate("base")
    with catalog.reading() as connection:
        assert sqlalchemy.inspect(connection).get_table_names() == ["alembic_version"]
    catalog.migrate()

    assert views.recent(catalog) == []
    assert entered(catalog).job_id == views.recent(catalog)[0].id


def test_a_catalog_with_jobs_is_brought_up_to_date(catalog: Catalog) -> None:
    request = entered(catalog)
    catalog.migrate("r0001")

    catalog.migrate()

    assert view(catalog, request).title == "A river"
    with catalog.reading() as connection:
        assert connection.scalars(sqlalchemy.select(User.id)).all() == ["local"]


def test_the_newest_migration_is_the_one_that_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))

    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD


def test_a_catalog_of_a_newer_version_is_left_alone(either: Settings) -> None:
    with open_catalog(either) as catalog, catalog.writing() as connection:
        connection.execute(sqlalchemy.text("UPDATE alembic_version SET version_num = 'r9999'"))

    with pytest.raises(RunFailed, match="newer BHIV"):
        open_catalog(either)


def test_opening_a_current_catalog_loads_no_alembic(either: Settings) -> None:
    open_catalog(either).close()
    code = (
        "import sys; from bhiv.catalog import open_catalog; from bhiv.settings import load_settings;"
        "open_catalog(load_settings()).close(); assert 'alembic' not in sys.modules"
    )
    url = {"BHIV_DATABASE_URL": either.database_url.get_secret_value()} if either.database_url else {}

    subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "BHIV_HOME": str(either.home), **url}, check=True, timeout=60
    )


def test_several_processes_may_open_a_new_home_at_once(either: Settings) -> None:
    assert rivals(either, 4, "open") == ["opened"] * 4

    with open_catalog(either) as catalog:
        assert views.recent(catalog) == []


def test_of_eight_that_claim_a_job_at_once_one_gets_it(either: Settings) -> None:
    with open_catalog(either) as catalog:
        request = entered(catalog)

        answers = rivals(either, 8, "claim", request.job_id, "OWNER")

        assert sorted(answers) == ["1", *["none"] * 7]
        assert view(catalog, request).lease_owner == str(answers.index("1"))


def test_writers_wait_for_each_other_and_lose_nothing(either: Settings) -> None:
    with open_catalog(either) as catalog:
        request = entered(catalog)

        answers = rivals(either, 4, "claim", request.job_id, "the same", 50)

        assert sorted(int(token) for answer in answers for token in answer.split()) == list(range(1, 201))
        assert view(catalog, request).attempts == 200


def test_a_job_is_entered_once(catalog: Catalog) -> None:
    request = entered(catalog)
    lease = taken(catalog, request)

    ledger.register(catalog, request)

    assert view(catalog, request).state == "running"
    assert view(catalog, request).title == "A river"
    ledger.renew(catalog, lease, 30)


def test_a_content_keeps_its_script(catalog: Catalog) -> None:
    request = entered(catalog)

    with pytest.raises(InputRefused, match="another script"):
        entered(catalog, script="Another one.", content_id=request.content_id)
    assert len(views.recent(catalog)) == 1


@pytest.mark.parametrize(
    "source",
    [
        {"topic": "a mill", "minutes": 2.0},
        {"script": "नमस्ते 😀\n\nA second line."},
        {"plan": RenderPlan(title="A", scenes=(Scene(narration="Hello."),))},
    ],
)
def test_what_was_asked_for_can_be_run_again(catalog: Catalog, source: dict[str, Any]) -> None:
    request = RenderRequest(**source, fps=25, captions="off")
    ledger.register(catalog, request)

    assert views.request_of(catalog, request.job_id) == request


def test_a_claimed_job_runs_until_its_end_is_entered(catalog: Catalog) -> None:
    request = entered(catalog)
    assert view(catalog, request).state == "queued"

    lease = ledger.claim(catalog, request.job_id, "me", 30, "a-flow-run")
    assert lease is not None
    ledger.advance(catalog, lease, "images", 7.9, STAGES)

    running = view(catalog, request)
    assert (running.state, running.step, running.progress, running.stages) == ("running", "images", 7, STAGES)
    assert (running.attempts, running.flow_run_id, running.finished_at) == (1, "a-flow-run", None)
    metadata = ending(request)
    assert ledger.finish(catalog, lease, "completed", metadata, STAGES) == "completed"
    ended = view(catalog, request)
    assert (ended.state, ended.step, ended.progress, ended.lease_owner) == ("completed", "completed", 100, None)
    assert ended.started_at is not None
    assert ended.finished_at is not None
    assert ended.created_at <= ended.started_at <= ended.finished_at <= datetime.now(UTC) + timedelta(seconds=5)
    assert views.metadata_of(catalog, request.job_id) == metadata


def test_a_failed_job_says_why_and_may_be_taken_again(catalog: Catalog) -> None:
    request = entered(catalog)
    failure = Failure(category="render", message="the encoder ended", step="render")

    ledger.finish(catalog, taken(catalog, request), "failed", ending(request, failure))

    assert view(catalog, request).error == failure
    assert view(catalog, request).step == "render"
    taken(catalog, request)
    again = view(catalog, request)
    assert (again.state, again.error, again.attempts, again.progress) == ("running", None, 2, 0)


def test_an_error_with_characters_that_no_database_takes_is_kept(catalog: Catalog) -> None:
    request = entered(catalog)
    failure = Failure(category="render", message="half \ud83d and \0 nothing", step="render")

    ledger.finish(catalog, taken(catalog, request), "failed", ending(request, failure))

    error = view(catalog, request).error
    assert error is not None
    assert error.message == "half ? and � nothing"


def test_the_same_end_may_be_told_twice_and_the_first_stays(catalog: Catalog) -> None:
    request = entered(catalog)
    lease = taken(catalog, request)

    assert ledger.finish(catalog, lease, "completed", ending(request)) == "completed"
    assert ledger.finish(catalog, lease, "completed", ending(request)) == "completed"
    late = Failure(category="upload", message="too late", step="upload")
    assert ledger.finish(catalog, lease, "failed", ending(request, late)) == "completed"
    ledger.advance(catalog, lease, "render", 50, {})
    ledger.renew(catalog, lease, 30)

    ended = view(catalog, request)
    assert (ended.state, ended.progress, ended.error, ended.lease_expires_at) == ("completed", 100, None, None)
    assert ledger.claim(catalog, request.job_id, "another", 30) is None


def test_who_has_lost_a_job_can_write_nothing_about_it(catalog: Catalog) -> None:
    request = entered(catalog)
    old = taken(catalog, request, "the old one", seconds=0)
    new = taken(catalog, request, "the new one")
    assert new.token > old.token

    for write in (
        lambda: ledger.renew(catalog, old, 30),
        lambda: ledger.advance(catalog, old, "render", 50, STAGES),
        lambda: ledger.finish(catalog, old, "completed", ending(request)),
        lambda: ledger.release(catalog, old),
    ):
        with pytest.raises(LeaseLost, match="taken the job"):
            write()

    kept = view(catalog, request)
    assert (kept.state, kept.lease_owner, kept.progress) == ("running", "the new one", 0)
    assert views.metadata_of(catalog, request.job_id) is None
    ledger.finish(catalog, new, "completed", ending(request))


def test_an_expired_lease_is_found_and_is_good_until_somebody_takes_it(catalog: Catalog) -> None:
    lost, alive, queued = entered(catalog), entered(catalog), entered(catalog)
    lease = taken(catalog, lost, seconds=0)
    taken(catalog, alive)

    assert [job.id for job in views.expired(catalog)] == [lost.job_id]
    assert view(catalog, queued).state == "queued"
    ledger.renew(catalog, lease, 30)
    assert views.expired(catalog) == []


def test_a_released_job_waits_for_the_next(catalog: Catalog) -> None:
    request = entered(catalog)

    ledger.release(catalog, taken(catalog, request))

    assert view(catalog, request).state == "queued"
    taken(catalog, request, "another")


def test_a_job_that_is_not_there_can_not_be_claimed(catalog: Catalog) -> None:
    with pytest.raises(InputRefused, match="there is no job"):
        ledger.claim(catalog, "0" * 24, "me", 30)
    assert views.get(catalog, "0" * 24) is None


def test_jobs_are_listed_newest_change_first(catalog: Catalog) -> None:
    first, second, third = entered(catalog), entered(catalog), entered(catalog)
    taken(catalog, first)

    assert [job.id for job in views.recent(catalog)] == [first.job_id, third.job_id, second.job_id]
    assert [job.id for job in views.recent(catalog, "queued", limit=1)] == [third.job_id]


def test_a_job_is_found_by_either_end_of_its_id(catalog: Catalog) -> None:
    one = entered(catalog, job_id="aaaa" + "0" * 16 + "bbbb")
    entered(catalog, job_id="aaaa" + "1" * 16 + "cccc")

    assert views.find(catalog, one.job_id).id == one.job_id
    assert views.find(catalog, "bbbb").id == views.find(catalog, "AAAA0").id == one.job_id
    with pytest.raises(InputRefused, match="several jobs"):
        views.find(catalog, "aaaa")
    for unknown in ("dddd", "%", "", "\0"):
        with pytest.raises(InputRefused, match="there is no job"):
            views.find(catalog, unknown)


@pytest.mark.parametrize("wrong", ["nothing \0 here", "half \ud83d a pair"])
def test_text_that_can_not_be_stored_is_refused_alike(catalog: Catalog, wrong: str) -> None:
    request = entered(catalog)

    with pytest.raises(InputRefused, match="can't be stored"):
        views.get(catalog, wrong)
    with pytest.raises(InputRefused, match="can't be stored"):
        ledger.claim(catalog, request.job_id, "me", 30, wrong)
    for nested in ({"a": [wrong]}, {wrong: 1}):
        with pytest.raises(InputRefused, match="can't be stored"), catalog.writing() as connection:
            connection.execute(sqlalchemy.update(Job).values(request=nested))
    assert view(catalog, request).flow_run_id is None


def test_an_error_undoes_the_whole_transaction(catalog: Catalog) -> None:
    request = entered(catalog)

    with pytest.raises(ZeroDivisionError), catalog.writing() as connection:
        connection.execute(sqlalchemy.update(Job).values(title="changed"))
        raise ZeroDivisionError

    assert view(catalog, request).title == "A river"


def test_the_tables_refuse_what_can_not_be(catalog: Catalog) -> None:
    request = entered(catalog)

    for values in ({"state": "thinking"}, {"progress": 101}, {"content_id": "0" * 24}):
        with pytest.raises(sqlalchemy.exc.IntegrityError), catalog.writing() as connection:
            connection.execute(sqlalchemy.update(Job).where(Job.id == request.job_id).values(values))


def test_the_database_has_the_time(catalog: Catalog) -> None:
    with catalog.reading() as connection:
        moment = now(connection)

    assert moment.utcoffset() == timedelta()
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)


def test_who_reads_waits_for_no_writer(catalog: Catalog) -> None:
    request = entered(catalog)

    with catalog.writing() as connection:
        connection.execute(sqlalchemy.update(Job).values(title="not yet"))
        seen = view(catalog, request).title

    assert (seen, view(catalog, request).title) == ("A river", "not yet")


def test_the_file_survives_a_power_cut_and_holds_all_when_closed(settings: Settings) -> None:
    with open_catalog(settings) as catalog:
        entered(catalog)
        with catalog.reading() as connection:
            pragmas = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
            ]
            checks = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("foreign_keys", "busy_timeout")
            ]

    assert (pragmas, checks) == (["wal", 2], [1, 60_000])
    assert sorted(path.name for path in settings.home.iterdir()) == ["catalog.db", "catalog.lock"]


def test_a_file_that_is_no_catalog_is_said(settings: Settings) -> None:
    settings.home.mkdir()
    catalog_file(settings).write_bytes(b"nothing of the kind " * 100)

    with pytest.raises(CatalogUnavailable, match=r"catalog\.db can't be used: file is not a database"):
        open_catalog(settings)


def test_a_server_that_is_away_is_said_without_its_password(settings: Settings, tmp_path: Path) -> None:
    url = f"postgres://somebody:secret@/bhiv?host={tmp_path}"

    with pytest.raises(CatalogUnavailable, match="can't be used: ") as raised:
        open_catalog(Settings(home=settings.home, database_url=url))
    assert "secret" not in str(raised.value)
    assert raised.value.retryable


@pytest.mark.parametrize("url", ["mysql://me:secret@host/bhiv", "secret", "postgresql://me:secret@host:port/bhiv"])
def test_another_kind_of_database_is_refused(settings: Settings, url: str) -> None:
    with pytest.raises(InputRefused, match="BHIV_DATABASE_URL is not of the form") as raised:
        open_catalog(Settings(home=settings.home, database_url=url))
    assert "secret" not in str(raised.value)
