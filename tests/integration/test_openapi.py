"""The service does what its own description says, whatever requests are made of it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.servers.prefect import prefect_server
from tests.servers.service import WIDE, RunningService, running_service

#: A plan's parts must fit each other, which a schema can't say; and a job that waits has events without an end.
_LEFT_OUT = [
    "--exclude-checks", "positive_data_acceptance,negative_data_rejection",
    "--exclude-path", "/render/{job_id}/events",
]  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service of this module's own, with a Prefect server that takes every run."""
    with (
        prefect_server() as prefect,
        running_service(tmp_path_factory.mktemp("service"), prefect_api_url=prefect.url, **WIDE) as started,
    ):
        yield started


def test_a_thousand_requests_made_of_the_description_are_answered_as_it_says(
    service: RunningService, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [
            str(Path(sys.executable).with_name("st")), "run", f"{service.url}/openapi.json",
            "-H", f"Authorization: Bearer {service.key}", "--phases", "examples,coverage,fuzzing", "-n", "12",
            "--generation-deterministic", "--no-shrink", "--continue-on-failure", "--request-timeout", "10",
            "--max-time", "90", "--no-color", "--warnings", "off", *_LEFT_OUT,
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stdout
    made = re.search(r"(\d+) generated", ended.stdout)
    assert made is not None
    assert int(made[1]) >= 1000
    assert "Traceback" not in service.said()


def test_every_error_is_described_as_a_problem(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()

    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                if int(status) >= 400 and path != "/ready":
                    assert list(answer["content"]) == ["application/problem+json"], (method, path, status)
