"""The warm worker, on a server that BHIV keeps: real runs, most of them stuck in an encoder that never ends."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pytest

from bhiv import ffmpeg
from tests.acceptance.conftest import ROOT

LIMIT = 2
REQUEST = {"script": "A river runs to the sea.", "title": "Warm", "size": "144x144", "quality": "draft"}
#: A flow that the worker has never heard of, with hooks.
WAITING = """
import time
from pathlib import Path
from prefect import flow

def note(flow, flow_run, state):
    Path(__file__).with_name("noted").write_text(state.name)

@flow(on_crashed=[note], on_cancellation=[note])
def waiting(seconds: float):
    time.sleep(seconds)
"""
START_SERVER = "from bhiv.prefect_server import start_server as s; from bhiv.settings import Settings; "
START_SERVER += "print(s(Settings()).wait().api_url)"


@dataclass(frozen=True)
class Office:
    """A server with the pool and the deployments, and a folder for a worker's bucket and words."""

    api: str
    folder: Path
    environment: dict[str, str]
    stuck: Path

    def call(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        for _ in range(20):  # SQLite refuses what comes while it writes
            try:
                with urlopen(Request(self.api + path, data, {"content-type": "application/json"}), timeout=30) as said:
                    return json.loads(said.read())
            except HTTPError as error:
                if error.code != 503:
                    raise
                time.sleep(0.1)
        raise AssertionError("the server stays unavailable")

    def submit(self, *, stuck: bool = False) -> str:
        """Ask for a video and return the run's id; a stuck one waits for its encoder until something ends it."""
        deployment = self.call("/deployments/name/script_to_video/script_to_video")
        body: dict[str, Any] = {"parameters": {"request": REQUEST}}
        if stuck:
            # A bucket of its own: nothing that another run has made can be found.
            own = {"IMAGEIO_FFMPEG_EXE": str(self.stuck), "BHIV_BUCKET_DIR": str(self.folder / f"{time.time_ns()}")}
            body["job_variables"] = {"env": own}
        return str(self.call(f"/deployments/{deployment['id']}/create_flow_run", body)["id"])

    def deploy_waiting(self, directory: Path) -> str:
        """Deploy a flow from a file of its own, whose code is fetched by going to `directory`, and return its id."""
        path = self.folder / "waiting.py"
        path.write_text(WAITING)
        pull = {"prefect.deployments.steps.set_working_directory": {"directory": str(directory)}}
        flow = self.call("/flows/", {"name": "waiting"})["id"]
        deployment = {"name": directory.name, "flow_id": flow, "work_pool_name": "bhiv", "pull_steps": [pull]}
        return str(self.call("/deployments/", deployment | {"entrypoint": f"{path}:waiting"})["id"])

    def submit_waiting(self, deployment: str, seconds: float) -> str:
        created = self.call(f"/deployments/{deployment}/create_flow_run", {"parameters": {"seconds": seconds}})
        return str(created["id"])

    def run(self, run: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call(f"/flow_runs/{run}")
        return found

    def state(self, run: str) -> str:
        return str(self.run(run)["state_type"])

    def process(self, run: str) -> psutil.Process:
        wait_until(lambda: self.run(run)["infrastructure_pid"], "the run's process")
        return psutil.Process(int(self.run(run)["infrastructure_pid"]))

    def submit_stuck(self) -> tuple[str, psutil.Process, psutil.Process]:
        """Return a run that waits for its encoder, its process, and the encoder."""
        run = self.submit(stuck=True)
        process = self.process(run)
        wait_until(lambda: encoders(process), "the encoder")
        return run, process, encoders(process)[0]

    def start(self) -> "subprocess.Popen[bytes]":
        with (self.folder / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "deployments.warm_worker", "--pool", "bhiv", "--limit", str(LIMIT)],
                cwd=ROOT, env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip


def encoders(process: psutil.Process) -> list[psutil.Process]:
    found = []
    for child in process.children():
        with suppress(psutil.NoSuchProcess):  # another child, which has just ended
            found += [child] if child.name() == "sleep" else []
    return found


def wait_until(happened: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def ended(*processes: psutil.Process) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


@pytest.fixture(scope="module")
def office(shared_home: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Office:
    folder = tmp_path_factory.mktemp("office")
    environment = shared_home | {
        "PWD": str(ROOT),
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        "BHIV_BUCKET_DIR": str(folder / "bucket"),
    }

    def run(*argv: str, **more: str) -> str:
        return subprocess.run(
            [sys.executable, *argv], cwd=ROOT, env=environment | more, capture_output=True, text=True, check=True,
            timeout=240,
        ).stdout.strip()  # fmt: skip

    api = run("-c", START_SERVER)
    prefect = {"PREFECT_API_URL": api, "PREFECT_HOME": str(folder / "prefect"), "DO_NOT_TRACK": "1"}
    run("-c", "from deployments.warm_process import ensure_pool; ensure_pool('bhiv'); ensure_pool('bhiv')", **prefect)
    run("-m", "prefect", "--no-prompt", "deploy", "--all", **prefect)
    stuck = folder / "ffmpeg-stuck"
    stuck.write_text(f'#!/bin/sh\ncase "$*" in *rawvideo*) exec sleep 600;; esac\nexec {ffmpeg.executable()} "$@"\n')
    stuck.chmod(0o755)
    return Office(api, folder, environment, stuck)


@pytest.fixture(scope="class")
def worker(office: Office) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker that several tests share."""
    worker = office.start()
    wait_until(psutil.Process(worker.pid).children, "the process that it forks from")
    yield worker
    worker.terminate()
    assert worker.wait(timeout=60) == 0, (office.folder / "worker.log").read_text()


@pytest.fixture
def own_worker(office: Office) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker for a test that ends it."""
    worker = office.start()
    yield worker
    worker.terminate()
    worker.wait(timeout=60)


@pytest.mark.usefixtures("worker")
class TestOneWorker:
    def test_a_run_completes_and_its_logs_are_at_the_server(self, office: Office) -> None:
        run = office.submit()

        wait_until(lambda: office.state(run) in {"COMPLETED", "FAILED", "CRASHED"}, "the end of the run")

        assert office.state(run) == "COMPLETED", (office.folder / "worker.log").read_text()
        [video] = (office.folder / "bucket" / "videos").glob("*.mp4")
        assert [stream.kind for stream in ffmpeg.inspect(video).all] == ["Video", "Audio", "Subtitle"]

        def heard() -> str:
            logs = office.call("/logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}})
            return " ".join(log["message"] for log in logs)

        wait_until(lambda: "Finished in state Completed" in heard(), "the run's last words")
        assert "Beginning flow run" in heard()

    def test_runs_are_processes_of_their_own_and_no_more_than_the_limit(self, office: Office) -> None:
        (first, one, _), (second, two, _) = office.submit_stuck(), office.submit_stuck()
        third = office.submit()

        assert one.pid != two.pid
        assert one.ppid() == two.ppid()
        assert psutil.Process(one.ppid()).num_threads() == 1
        time.sleep(1.5)  # three times the interval at which the worker asks for work
        assert office.state(third) == "SCHEDULED"

        one.kill()
        two.kill()
        wait_until(lambda: office.state(third) == "COMPLETED", "the run that had to wait")
        assert {office.state(first), office.state(second)} == {"CRASHED"}

    def test_a_killed_run_crashes_with_a_reason_and_its_encoder_ends(self, office: Office) -> None:
        run, process, encoder = office.submit_stuck()

        process.kill()

        wait_until(lambda: office.state(run) == "CRASHED", "the crash", seconds=10)
        assert "status code: -9" in office.run(run)["state"]["message"]
        wait_until(lambda: ended(encoder), "the end of the encoder", seconds=10)

    def test_a_cancelled_run_ends_with_its_encoder(self, office: Office) -> None:
        run, process, encoder = office.submit_stuck()

        office.call(f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})

        wait_until(lambda: ended(encoder), "the end of the encoder", seconds=10)
        wait_until(lambda: office.state(run) == "CANCELLED", "the cancelled state", seconds=15)
        assert ended(process)

    def test_a_flow_that_it_does_not_know_runs_as_well_and_its_hooks_run(self, office: Office) -> None:
        run = office.submit_waiting(office.deploy_waiting(ROOT), 600)
        wait_until(lambda: office.state(run) == "RUNNING", "the flow")

        office.process(run).kill()

        noted = office.folder / "noted"
        wait_until(noted.exists, "the hook", seconds=15)
        assert (noted.read_text(), office.state(run)) == ("Crashed", "CRASHED")

    def test_a_run_of_another_checkout_starts_cold(self, office: Office, worker: "subprocess.Popen[bytes]") -> None:
        run = office.submit_waiting(office.deploy_waiting(office.folder), 1)

        assert office.process(run).ppid() == worker.pid, "it was not forked"
        wait_until(lambda: office.state(run) == "COMPLETED", "the end of the run")


def test_a_run_after_an_edit_has_the_new_code(office: Office, own_worker: "subprocess.Popen[bytes]") -> None:
    _, before, _ = office.submit_stuck()
    old = before.parent()
    assert old is not None

    (ROOT / "flows" / "__init__.py").touch()

    _, after, _ = office.submit_stuck()
    assert after.ppid() != old.pid
    assert old.is_running()
    before.kill()
    wait_until(lambda: ended(old), "the end of the process that has the old code")


@pytest.mark.usefixtures("own_worker")
def test_a_worker_whose_forkserver_is_killed_starts_another(office: Office) -> None:
    run, process, encoder = office.submit_stuck()
    forkserver = process.parent()
    assert forkserver is not None

    forkserver.kill()

    wait_until(lambda: office.state(run) == "CRASHED", "the crash")
    encoder.kill()  # a real one ends because nothing comes to its input any more
    assert ended(process)
    again = office.submit()
    wait_until(lambda: office.state(again) == "COMPLETED", "a run in a new one")


def test_a_worker_that_is_asked_to_end_ends_its_runs_first(
    office: Office, own_worker: "subprocess.Popen[bytes]"
) -> None:
    run, process, encoder = office.submit_stuck()
    everything = psutil.Process(own_worker.pid).children(recursive=True)

    own_worker.terminate()

    assert own_worker.wait(timeout=30) == 0
    assert ended(process, encoder, *everything)
    assert office.state(run) == "CRASHED"


def test_the_runs_of_a_killed_worker_end_at_once(office: Office, own_worker: "subprocess.Popen[bytes]") -> None:
    run, process, encoder = office.submit_stuck()
    everything = psutil.Process(own_worker.pid).children(recursive=True)

    own_worker.kill()

    wait_until(lambda: ended(process, encoder, *everything), "the end of all its processes", seconds=15)
    assert office.state(run) == "CRASHED"
