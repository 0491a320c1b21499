"""The page of the API is right: its commands are run, in order, and it leaves no route out."""

import re
import subprocess
from pathlib import Path

import httpx

from bhiv.settings import inherited_environment
from tests.servers.service import RunningService

PAGE = (Path(__file__).parent.parent.parent / "docs" / "api.md").read_text(encoding="utf-8")


def test_every_command_of_the_page_works(service: RunningService, tmp_path: Path) -> None:
    commands = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(commands) >= 6
    environment = inherited_environment() | {"URL": service.url, "KEY": service.key, "no_proxy": "127.0.0.1"}

    ran = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", "\n".join(commands)],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.count('"state":"cancelled"') >= 3
    assert 'data: {"job_id"' in ran.stdout
    assert (tmp_path / "openapi.json").stat().st_size > 1000


def test_every_route_is_on_the_page(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]

    shown = PAGE.replace("$JOB", "{job_id}")
    assert [path for path in paths if path not in shown] == []
