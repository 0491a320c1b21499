"""A look at the catalog that changes nothing: neither makes it nor brings it up to date."""

import contextlib
import sqlite3
from pathlib import Path

from bhiv.catalog import schema
from bhiv.catalog.database import catalog_file, explained, postgresql_engine
from bhiv.errors import CatalogUnavailable
from bhiv.settings import Settings


def check_catalog(settings: Settings) -> str:
    """Return where the catalog is and of which version, after it was looked at.

    Raises:
        CatalogUnavailable: it can't be used, or not as it should be; the message says what to do.
        InputRefused: `database_url` is not the address of a PostgreSQL database.
    """
    if settings.database_url is not None:
        return _check_postgresql(settings.database_url.get_secret_value())
    file = catalog_file(settings)
    return _check_sqlite(file) if file.exists() else f"none yet; the first job makes {file}"


def _check_postgresql(url: str) -> str:
    engine = postgresql_engine(url)
    try:
        with explained(engine), engine.connect() as connection:
            version = schema.revision(connection)
            server = ".".join(map(str, connection.dialect.server_version_info or ()))
    finally:
        engine.dispose()
    return f"{engine.url.render_as_string()}, PostgreSQL {server}, {_told(version)}"


def _check_sqlite(file: Path) -> str:
    try:
        with contextlib.closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True)) as connection:
            connection.execute("PRAGMA query_only = ON")
            [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
            [mode] = connection.execute("PRAGMA journal_mode").fetchone()
            has_version = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if has_version else None
    except sqlite3.Error as error:
        found = str(error)
    if found != "ok":
        raise CatalogUnavailable(
            f"{file} can't be read: {found}; put a backup in its place, or move it away: videos stay, but the list of "
            "jobs begins anew"
        )
    if mode != "wal":
        raise CatalogUnavailable(
            f"{file} is in journal mode {mode}, in which who reads waits for who writes; run "
            f"`sqlite3 {file} 'PRAGMA journal_mode = WAL'`"
        )
    return f"{file}, whole, {_told(row[0] if row else None)}"


def _told(version: str | None) -> str:
    """Say of which version the tables are; they are numbered in the order of their making."""
    if version is None:
        return "without tables; the next job makes them"
    if version > schema.HEAD:
        raise CatalogUnavailable(f"the catalog was made by a newer BHIV (its version is {version!r}): update BHIV")
    return f"version {version}" + ("" if version == schema.HEAD else f"; the next job brings it to {schema.HEAD}")
