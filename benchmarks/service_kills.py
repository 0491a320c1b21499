"""Kills the service right after each answer that accepts a job: none may be lost, and none made twice.

`python -m benchmarks service_kills` kills 200 times; the test suite 25 times.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bhiv.catalog import open_catalog, views
from tests.servers.prefect import PrefectServer, prefect_server
from tests.servers.service import PLAN, WIDE, RunningService, make, running_service, until

_KILLS = 200
#: Answers of Prefect's that fail, now and then.
_FAULTS = (201, 0, 503, 201, 201)


@dataclass
class Report:
    """What was killed, and what must be 0 afterwards."""

    kills: int = 0
    accepted: list[str] = field(default_factory=list)
    #: Accepted, and not there, or not ended.
    lost: list[str] = field(default_factory=list)
    #: With two runs in Prefect, or made by two.
    twice: list[str] = field(default_factory=list)
    #: Sent again under the same idempotency key, and another job.
    doubled: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether every accepted job was made once."""
        return not (self.lost or self.twice or self.doubled)


def kill(kills: int, folder: Path) -> Report:
    """Kill the service so often, then let everything end; return what came of it."""
    report = Report(kills)
    with (
        prefect_server() as prefect,
        running_service(folder, prefect_api_url=prefect.url, dispatch_window=10 * kills, **WIDE) as service,
    ):
        for number in range(kills):
            prefect.faults = [*_FAULTS[number % len(_FAULTS) :]]
            report.accepted.append(_submit(service, number))
            service.kill()
            service.start()
            if _submit(service, number) != report.accepted[-1]:
                report.doubled.append(report.accepted[-1])
        prefect.faults.clear()
        until(lambda: set(prefect.jobs()) >= set(report.accepted), "every job's run", seconds=60)
        _work(service, prefect, report)
    return report


def _submit(service: RunningService, number: int) -> str:
    # A connection for each: the one before went with the process.
    headers = {"Authorization": f"Bearer {service.key}", "Idempotency-Key": str(number)}
    answer = httpx.post(f"{service.url}/render", json=PLAN, headers=headers, timeout=30, trust_env=False)
    return str(answer.raise_for_status().json()["job_id"])


def _work(service: RunningService, prefect: PrefectServer, report: Report) -> None:
    made: Counter[str] = Counter()
    with open_catalog(service.settings) as catalog:
        for run in list(prefect.runs.values()):
            job = run["parameters"]["request"]["job_id"]
            made[job] += make(catalog, job, run["id"])
        states = {job: view.state for job in report.accepted if (view := views.get(catalog, job))}
    report.lost = [job for job in report.accepted if states.get(job) != "completed"]
    runs = Counter(prefect.jobs())
    report.twice = [job for job in report.accepted if made[job] > 1 or runs[job] > 1]


def measure() -> Iterator[str]:
    """Yield what 200 kills have come to."""
    with tempfile.TemporaryDirectory(prefix="bhiv-kills-") as folder:
        report = kill(_KILLS, Path(folder) / "service")
    yield (
        f"{report.kills} kills after {len(report.accepted)} accepted jobs: {len(report.lost)} lost,"
        f" {len(report.twice)} made twice, {len(report.doubled)} accepted twice under one key"
    )
    if not report.is_good:
        sys.exit(1)
