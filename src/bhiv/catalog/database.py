"""The catalog's database: a file in the home, or a PostgreSQL server.

SQLite lets one write at a time. Whoever means to write says so at the start (BEGIN IMMEDIATE) and waits its turn: a
transaction that begins by reading is refused at once when it then wants to write and another was faster.
"""

import contextlib
import fcntl
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, OperationalError, StatementError

from bhiv.catalog import schema
from bhiv.errors import CatalogUnavailable, InputRefused, RunFailed
from bhiv.settings import Settings

#: How long one waits for another's write.
_BUSY_MS = 60_000
#: How long all writers may wait for a log that is to be cut.
_CUT_MS = 1_000
#: For a server that is away without saying so.
_POSTGRESQL = {"connect_timeout": 5, "tcp_user_timeout": 20_000, "options": f"-c statement_timeout={_BUSY_MS}"}


class Catalog:
    """An open catalog; for any number of threads, not to be taken over a fork."""

    def __init__(self, engine: Engine, file: Path | None) -> None:
        self._engine = engine
        self._file = file
        self._watch: sqlite3.Connection | None = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a transaction that may write, alone in SQLite; it is committed on leaving, undone by an error.

        Raises:
            CatalogUnavailable: the database does not answer, or is busy for a minute.
            InputRefused: a text that can't be stored.
        """
        with explained(self._engine), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def part(self, connection: Connection) -> Iterator[None]:
        """Make a part of a transaction that an error undoes alone; errors as with `writing`."""
        with explained(self._engine), connection.begin_nested():
            yield

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a transaction that only reads, and that waits for no writer; errors as with `writing`."""
        with explained(self._engine), self._engine.execution_options(reads_only=True).begin() as connection:
            yield connection

    def version(self) -> int | None:
        """Return a number that is another one after each commit, for one thread to ask; None where nobody counts.

        It costs a tenth of the cheapest query. PostgreSQL has none.
        """
        if self._file is None:
            return None
        if self._watch is None:
            self._watch = sqlite3.connect(self._file, isolation_level=None)
        [version] = self._watch.execute("PRAGMA data_version").fetchone()
        return int(version)

    @contextmanager
    def alone(self, name: str) -> Iterator[bool]:
        """Hold a lock of that name among all processes that have the catalog open; yields False when another does."""
        if self._file is not None:
            with _lock_file(self._file.with_name(f"{self._file.stem}-{name}"), wait=False) as held:
                yield held
            return
        with explained(self._engine), self._engine.connect() as connection:
            query = sqlalchemy.select(sqlalchemy.func.pg_try_advisory_lock(sqlalchemy.func.hashtext(f"bhiv.{name}")))
            held = bool(connection.scalar(query))
            connection.commit()
            try:
                yield held
            finally:
                # Closed, not given back: the lock is the connection's.
                connection.invalidate()

    def migrate(self, to: str = "head") -> None:
        """Bring the tables to a version, `base` for none; current ones stay untouched. Nobody else may use them."""
        with explained(self._engine), _migrating(self._engine) as connection:
            schema.migrate(connection, to)

    def close(self) -> None:
        """Close all connections; before that, move what was written into the file of SQLite."""
        if self._watch is not None:
            self._watch.close()
        if self._file is not None:
            with contextlib.suppress(CatalogUnavailable), _lock_file(self._file, wait=False) as held:
                if held:
                    self._checkpoint("PASSIVE")
        self._engine.dispose()

    def __enter__(self) -> "Catalog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def checkpoint(self) -> bool:
        """Move what was written into the file of SQLite and cut its log; whether nobody was in the way.

        Who writes waits for it, a second at most when somebody reads on. PostgreSQL does this by itself: True.

        Raises:
            CatalogUnavailable: the database can't be used.
        """
        if self._file is None:
            return True
        with _lock_file(self._file, wait=False) as held:
            return held and self._checkpoint("TRUNCATE", _CUT_MS)

    def _checkpoint(self, mode: str, wait_ms: int = _BUSY_MS) -> bool:
        with explained(self._engine), contextlib.closing(self._engine.raw_connection()) as connection:
            cursor = connection.cursor()
            try:
                cursor.execute(f"PRAGMA busy_timeout = {wait_ms}")
                [busy, *_] = cursor.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
            finally:
                cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            return not busy


def open_catalog(settings: Settings) -> Catalog:
    """Open the catalog that the settings name; makes it, or brings its tables up to date, where needed.

    Raises:
        CatalogUnavailable: the database does not answer or can't be used.
        InputRefused: `database_url` is not the address of a PostgreSQL database.
    """
    if settings.database_url is not None:
        return _open_postgresql(settings.database_url.get_secret_value())
    return _open_sqlite(catalog_file(settings))


def catalog_file(settings: Settings) -> Path:
    """Where the catalog is when no `database_url` is set."""
    return settings.home / "catalog.db"


def now(connection: Connection) -> datetime:
    """Return the time by the database's clock, which is the same for all who share it.

    SQLite has none but the clock of the machine that its file is on.
    """
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    moment = connection.scalar(sqlalchemy.select(sqlalchemy.func.clock_timestamp()))
    assert isinstance(moment, datetime)
    return moment.astimezone(UTC)


def postgresql_engine(url: str) -> Engine:
    """Return what connects to a PostgreSQL server; nobody is asked yet.

    Raises:
        InputRefused: it is not the address of a PostgreSQL database.
    """
    try:
        address = sqlalchemy.make_url(re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql+psycopg://", url))
    except (sqlalchemy.exc.ArgumentError, ValueError):  # its message may hold the password
        address = None
    if address is None or address.drivername != "postgresql+psycopg":
        raise InputRefused("BHIV_DATABASE_URL is not of the form postgresql://user:password@host/database")
    return sqlalchemy.create_engine(address, pool_pre_ping=True, connect_args=_POSTGRESQL)


def _open_postgresql(url: str) -> Catalog:
    engine = postgresql_engine(url)
    try:
        with explained(engine):
            with engine.connect() as connection:
                current = schema.is_current(connection)
            if not current:
                with engine.begin() as connection:
                    connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(hashtext('bhiv.catalog'))"))
                    schema.migrate(connection)
    except BaseException:  # not handled: cleaned up after, then passed on
        engine.dispose()
        raise
    return Catalog(engine, None)


def _open_sqlite(file: Path) -> Catalog:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CatalogUnavailable(f"the catalog {file} can't be made: {error.strerror}; set BHIV_HOME") from error
    engine = sqlalchemy.create_engine(f"sqlite:///{file}", connect_args={"timeout": _BUSY_MS / 1000})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    try:
        with explained(engine):
            if not (file.exists() and _is_current(engine)):
                with _lock_file(file, wait=True):
                    _make(engine)
    except BaseException:  # not handled: cleaned up after, then passed on
        engine.dispose()
        raise
    return Catalog(engine, file)


def _make(engine: Engine) -> None:
    with contextlib.closing(engine.raw_connection()) as connection:
        # Here only: it stays with the file, and those who change it at once may not wait for each other.
        connection.cursor().execute("PRAGMA journal_mode = WAL")
    with _migrating(engine) as transaction:
        schema.migrate(transaction)


@contextmanager
def _migrating(engine: Engine) -> Iterator[Connection]:
    """Yield a transaction for changes of tables: SQLite makes a changed table anew, which others still refer to."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # Not within a transaction, where it would change nothing.
            _pragma(connection, "foreign_keys = OFF")
        try:
            with connection.begin():
                yield connection
                if engine.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                    raise RunFailed("the catalog's tables can't be changed: rows refer to others that are missing")
        finally:
            if engine.dialect.name == "sqlite":
                _pragma(connection, "foreign_keys = ON")


def _pragma(connection: Connection, pragma: str) -> None:
    raw = connection.connection.driver_connection
    assert raw is not None
    raw.execute(f"PRAGMA {pragma}")


def _is_current(engine: Engine) -> bool:
    try:
        with engine.execution_options(reads_only=True).connect() as connection:
            return schema.is_current(connection)
    except OperationalError:  # somebody just makes it; looked at again under the lock
        return False


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # so that `_begin` decides how a transaction begins
    connection.create_function("lower", 1, _lower, deterministic=True)
    for pragma in (
        # A job that was accepted must be there after a power cut.
        "synchronous = FULL",
        "foreign_keys = ON",
        f"busy_timeout = {_BUSY_MS}",
        # Before 3.51.3 two that checkpoint at once beside a writer can harm the file: `close` does it, one at a time.
        "wal_autocheckpoint = 0",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _lower(text: object) -> object:
    """Do what SQLite's own function does for ASCII only."""
    return text.lower() if isinstance(text, str) else text


def _begin(connection: Connection) -> None:
    reads_only = connection.get_execution_options().get("reads_only", False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")


@contextmanager
def _lock_file(file: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the file's lock among processes and threads, or with `wait` off yield whether it could be had."""
    with file.with_suffix(".lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True


@contextmanager
def explained(engine: Engine) -> Iterator[None]:
    """Say what the database refuses in words for a person; mistakes of ours pass as they are."""
    try:
        yield
    except StatementError as error:
        if isinstance(error.orig, InputRefused):
            raise error.orig from None
        if not isinstance(error, DBAPIError) or not (
            isinstance(error, OperationalError) or error.connection_invalidated or _is_no_database(error)
        ):
            raise
        where = engine.url.database if engine.dialect.name == "sqlite" else engine.url.render_as_string()
        reason = str(error.orig).strip().partition("\n")[0]
        raise CatalogUnavailable(f"the catalog {where} can't be used: {reason}") from error


def _is_no_database(error: DBAPIError) -> bool:
    return "not a database" in str(error.orig) or "malformed" in str(error.orig)
