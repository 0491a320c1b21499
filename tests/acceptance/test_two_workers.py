"""Two workers with homes of their own, as on two machines, on one Prefect server, one S3 bucket and one PostgreSQL."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bhiv.catalog import open_catalog, views
from bhiv.catalog.views import JobView
from bhiv.settings import Settings
from tests.acceptance.conftest import Checkout
from tests.integration.conftest import start_postgres
from tests.servers.prefect_api import PrefectApi
from tests.servers.s3 import as_environment, s3_settings
from tests.servers.starting import S3Server, wait_until

FILMS, JOBS, AGAIN = 10, 20, 5


@dataclass(frozen=True)
class Plant:
    """The shared services, and a folder for the homes of the workers."""

    prefect: PrefectApi
    folder: Path
    settings: Settings
    environment: dict[str, str]
    checkout: Path

    def start_worker(self, name: str) -> "subprocess.Popen[bytes]":
        """Start a worker whose home nobody else has."""
        own = {"BHIV_HOME": str(self.folder / name), "PREFECT_API_URL": self.prefect.address()}
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "deployments.warm_worker", "--limit", "2", "--name", name],
                cwd=self.checkout, env=self.environment | own, stdout=log, stderr=log,
            )  # fmt: skip

    def submit(self, film: int) -> str:
        """Ask for a film and return the run's id."""
        request = {"script": f"Film {film} begins and ends.", "size": "144x144", "quality": "draft", "fps": 24}
        return self.prefect.run("script_to_video", {"request": request})

    def wait_for(self, runs: list[str]) -> list[JobView]:
        """Return the jobs of the runs once all have ended."""
        ids = {run.replace("-", "")[:24] for run in runs}
        with open_catalog(self.settings) as catalog:

            def all_ended() -> list[JobView] | None:
                jobs = [job for job in views.recent(catalog, limit=200) if job.id in ids]
                return jobs if len(jobs) == len(ids) and all(job.finished_at for job in jobs) else None

            return wait_until(all_ended, f"the end of {len(ids)} jobs", 240, every=0.3)


@pytest.fixture(scope="module")
def plant(
    shared_home: dict[str, str],
    prefect: PrefectApi,
    checkout: Checkout,
    ceph_server: S3Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Plant]:
    folder = tmp_path_factory.mktemp("plant")
    starting = start_postgres()
    url = next(starting).new_database()
    settings = s3_settings(ceph_server, folder).model_copy(update={"home": Path(shared_home["BHIV_HOME"])})
    settings = Settings(**settings.model_dump(exclude_unset=True) | {"database_url": url})
    environment = shared_home | as_environment(settings) | {"BHIV_DATABASE_URL": url} | checkout.environment
    yield Plant(prefect, folder, settings, environment, checkout.folder)
    next(starting, None)


@pytest.mark.timeout(600)
def test_two_workers_share_twenty_jobs_and_each_others_scenes(plant: Plant) -> None:
    first, second = plant.start_worker("first"), plant.start_worker("second")
    try:
        jobs = plant.wait_for([plant.submit(number % FILMS) for number in range(JOBS)])
        first.terminate()
        first.wait(60)
        again = plant.wait_for([plant.submit(film) for film in range(AGAIN)])
    finally:
        for worker in (first, second):
            worker.terminate()
            worker.wait(60)

    assert [job.state for job in jobs] == ["completed"] * JOBS
    assert {job.attempts for job in jobs} == {1}
    assert all((plant.folder / name / "copies").is_dir() for name in ("first", "second")), "one worker did it all"
    rendered = [job.stages["render"] for job in again]
    assert [stage.cached for stage in rendered] == [stage.total for stage in rendered] == [1] * AGAIN
