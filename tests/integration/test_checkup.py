"""The catalog is looked at by `bhiv doctor`, and its log is cut by the clean-up."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from bhiv.catalog import Catalog, ledger, open_catalog, schema
from bhiv.catalog.checkup import check_catalog
from bhiv.catalog.database import catalog_file
from bhiv.catalog.models import Job
from bhiv.cleaning import CleanUpRules, clean_all
from bhiv.doctor import examine
from bhiv.errors import CatalogUnavailable
from bhiv.request import RenderRequest
from bhiv.settings import Settings


def enter(catalog: Catalog, count: int) -> None:
    for number in range(count):
        ledger.register(catalog, RenderRequest(script=f"River {number}.", title="A river"))


def jobs(catalog: Catalog) -> int | None:
    with catalog.reading() as connection:
        return connection.scalar(sqlalchemy.select(sqlalchemy.func.count(Job.id)))


def log_of(settings: Settings) -> Path:
    return catalog_file(settings).with_name("catalog.db-wal")


def change(settings: Settings, statement: str) -> None:
    with closing(sqlite3.connect(catalog_file(settings))) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_catalog_is_told_with_its_version(either: Settings) -> None:
    with open_catalog(either) as catalog:
        enter(catalog, 1)

        assert f"version {schema.HEAD}" in check_catalog(either)


def test_who_looks_makes_no_catalog(settings: Settings) -> None:
    assert "none yet" in check_catalog(settings)
    assert not settings.home.exists()


def test_who_looks_makes_no_tables(settings: Settings) -> None:
    settings.home.mkdir()
    with closing(sqlite3.connect(catalog_file(settings))) as connection:
        connection.execute("PRAGMA journal_mode = WAL")

    for _ in range(2):
        assert "without tables; the next job makes them" in check_catalog(settings)


def test_a_catalog_of_a_newer_version_is_told(settings: Settings) -> None:
    open_catalog(settings).close()
    change(settings, "UPDATE alembic_version SET version_num = 'r9999'")

    with pytest.raises(CatalogUnavailable, match=r"a newer BHIV .*'r9999'.*: update BHIV"):
        check_catalog(settings)


def test_a_catalog_in_which_readers_wait_is_told(settings: Settings) -> None:
    open_catalog(settings).close()
    change(settings, "PRAGMA journal_mode = DELETE")

    with pytest.raises(CatalogUnavailable, match=r"journal mode delete.*; run `sqlite3 .*catalog\.db 'PRAGMA"):
        check_catalog(settings)


def test_a_damaged_catalog_is_told_by_the_doctor(settings: Settings) -> None:
    with open_catalog(settings) as catalog:
        enter(catalog, 200)
    file = catalog_file(settings)
    whole = file.read_bytes()
    file.write_bytes(whole[:8192] + b"\xff" * 16_384 + whole[24_576:])

    [finding] = [one for one in examine(settings) if one.subject == "catalog"]

    assert not finding.ok
    assert "put a backup in its place" in finding.message
    file.write_bytes(whole)
    assert check_catalog(settings) == f"{file}, whole, version {schema.HEAD}"


def test_a_server_that_is_away_is_told_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(CatalogUnavailable) as raised:
        check_catalog(Settings(database_url=f"postgres://somebody:secret@/bhiv?host={tmp_path}"))
    assert "secret" not in str(raised.value)


def test_a_clean_up_cuts_the_log_of_a_catalog_that_is_never_closed(settings: Settings) -> None:
    with open_catalog(settings) as held:
        enter(held, 100)
        before = log_of(settings).stat().st_size

        clean_all(settings, CleanUpRules(dry_run=True))
        assert log_of(settings).stat().st_size >= before
        clean_all(settings, CleanUpRules())

        assert before > 500_000
        assert log_of(settings).stat().st_size == 0
        enter(held, 1)
        assert jobs(held) == 101


def test_a_log_that_is_read_is_cut_later(settings: Settings) -> None:
    with open_catalog(settings) as catalog, open_catalog(settings) as other:
        enter(catalog, 10)
        with other.reading() as connection:
            connection.execute(sqlalchemy.select(Job.id)).first()
            enter(catalog, 1)
            assert not catalog.checkpoint()
            enter(catalog, 1)
        assert catalog.checkpoint()
        assert log_of(settings).stat().st_size == 0
        with catalog.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000


def test_many_cuts_beside_writers_lose_nothing(settings: Settings) -> None:
    with open_catalog(settings) as catalog, open_catalog(settings) as other:
        writers = [threading.Thread(target=enter, args=(one, 50)) for one in (catalog, other)]
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            catalog.checkpoint()
            other.checkpoint()
        for writer in writers:
            writer.join()

        assert jobs(catalog) == 100
    assert "whole" in check_catalog(settings)


def test_postgresql_cuts_its_log_itself(either: Settings) -> None:
    with open_catalog(either) as catalog:
        assert catalog.checkpoint()
