"""In an environment made from requirements.lock alone: a server, a deployment from prefect.yaml, a worker, a video."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError

import pytest

from bhiv import ffmpeg
from tests.acceptance.conftest import ROOT
from tests.servers.prefect_api import PrefectApi

REQUEST = {"script": "A river runs to the sea.", "title": "From a worker", "size": "320x180", "quality": "draft"}


@dataclass(frozen=True)
class House:
    """An environment with the locked packages only, and a Prefect server in it."""

    bin: Path
    folder: Path
    api: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(self.folder / "user"),
            "PWD": str(ROOT),
            "PREFECT_API_URL": self.api,
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "DO_NOT_TRACK": "1",
            "COLUMNS": "200",  # tables are cut to the terminal's width
            "BHIV_HOME": str(self.folder / "home"),
            "BHIV_BUCKET_DIR": str(self.folder / "bucket"),
        }

    def run(self, *argv: str) -> str:
        ended = subprocess.run(
            [str(self.bin / argv[0]), *argv[1:]],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    @property
    def prefect(self) -> PrefectApi:
        return PrefectApi(lambda: self.api)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a new environment with what requirements.lock names and nothing else."""
    venv = tmp_path_factory.mktemp("locked") / "venv"
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, venv], check=True, timeout=120)
    into = ("--quiet", "--python", venv / "bin" / "python")
    locked = ("--no-deps", "-r", ROOT / "requirements.lock")
    subprocess.run([uv, "pip", "install", *into, *locked], check=True, timeout=600)
    subprocess.run([uv, "pip", "install", *into, "--no-deps", "-e", ROOT], check=True, timeout=120)
    check: list[str | Path] = [uv, "pip", "check", "--python", venv / "bin" / "python"]
    said = subprocess.run(check, capture_output=True, text=True, timeout=60).stderr
    # What overrides.txt settles, and no more.
    assert [line for line in said.splitlines() if "requires" in line and "`moviepy` requires `pillow" not in line] == []
    return venv / "bin"


@pytest.fixture(scope="module")
def house(locked: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server that BHIV keeps, in that environment."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "user").mkdir()
    house = House(locked, folder, "")
    start = "from bhiv.prefect_server import start_server as s; from bhiv.settings import Settings; "
    start += "print(s(Settings()).wait().api_url)"
    environment = {name: value for name, value in house.environment.items() if name != "PREFECT_API_URL"}
    api = subprocess.run(
        [str(locked / "python"), "-c", start], env=environment, capture_output=True, text=True, check=True, timeout=240
    ).stdout.strip()
    yield House(locked, folder, api)
    subprocess.run([str(locked / "bhiv"), "down"], env=environment, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def deployed(house: House) -> House:
    """The server with a work pool and all deployments of prefect.yaml."""
    house.run("prefect", "work-pool", "create", "bhiv", "--type", "process")
    house.run("prefect", "--no-prompt", "deploy", "--all")
    return house


def test_the_lock_holds_nothing_of_the_tests(locked: Path) -> None:
    listed = subprocess.run(
        [str(Path(sys.executable).with_name("uv")), "pip", "freeze", "--python", str(locked / "python")],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip

    assert "prefect==" in listed
    assert "pytest" not in listed


def test_the_deployment_is_listed_with_a_form(deployed: House) -> None:
    assert "script_to_video/script_to_video" in deployed.run("prefect", "deployment", "ls")
    deployment = deployed.prefect.call("/deployments/name/script_to_video/script_to_video")
    assert deployment["enforce_parameter_schema"] is True
    assert "RenderRequest" in deployment["parameter_openapi_schema"]["definitions"]


def test_a_worker_makes_a_video(deployed: House) -> None:
    worker = subprocess.Popen(
        [str(deployed.bin / "prefect"), "worker", "start", "--pool", "bhiv", "--name", "tester"],
        cwd=deployed.folder, env=deployed.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        state = deployed.prefect.end_of(deployed.prefect.run("script_to_video", {"request": REQUEST}))
    finally:
        said = end(worker)

    assert state == "COMPLETED", said
    [video] = (deployed.folder / "bucket" / "videos").glob("*.mp4")
    assert [stream.kind for stream in ffmpeg.inspect(video).all] == ["Video", "Audio", "Subtitle"]
    assert list((deployed.folder / "user").iterdir()) == []


def end(worker: "subprocess.Popen[bytes]") -> str:
    """Ask the stock worker to end, which it does not always hear, and return what it said."""
    worker.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        worker.wait(15)
    worker.kill()
    return worker.communicate()[0].decode()


def test_an_unknown_parameter_is_refused_before_it_runs(deployed: House) -> None:
    with pytest.raises(HTTPError, match="409"):
        deployed.prefect.run("script_to_video", {"request": REQUEST | {"colour": "red"}})
