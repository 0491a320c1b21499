"""The warm worker, on a server that BHIV keeps: real runs, most of them stuck in an encoder that never ends."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from bhiv import ffmpeg
from tests.acceptance.conftest import Checkout, stuck_ffmpeg
from tests.servers.prefect_api import PrefectApi
from tests.servers.starting import gone, wait_until

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
def waiting(sign: str):
    while not Path(sign).exists():
        time.sleep(0.05)
"""
#: Less than the 30 s after which Prefect ends by force what it has asked to end.
SOON = 25


@dataclass(frozen=True)
class Office:
    """A server with the pool and the deployments, and a folder for a worker's bucket and words."""

    prefect: PrefectApi
    folder: Path
    environment: dict[str, str]
    stuck: Path
    checkout: Path

    def submit(self) -> str:
        """Ask for a video and return the run's id."""
        return self.prefect.run("script_to_video", {"request": REQUEST})

    def submit_stuck(self) -> tuple[str, psutil.Process, psutil.Process]:
        """Return a run that waits for its encoder until something ends it, its process, and the encoder."""
        # A bucket of its own: nothing that another run has made can be found.
        own = {"IMAGEIO_FFMPEG_EXE": str(self.stuck), "BHIV_BUCKET_DIR": str(self.folder / uuid4().hex)}
        run = self.prefect.run("script_to_video", {"request": REQUEST}, job_variables={"env": own})
        process = self.process(run)
        return run, process, wait_until(lambda: encoders(process), "the encoder")[0]

    def submit_waiting(self, directory: Path, sign: Path) -> str:
        """Start a run that waits for a file, of a flow whose code is fetched by going to `directory`."""
        path = self.folder / "waiting.py"
        path.write_text(WAITING)
        pull = {"prefect.deployments.steps.set_working_directory": {"directory": str(directory)}}
        flow = self.prefect.call("/flows/", {"name": "waiting"})["id"]
        deployment = {"name": directory.name, "flow_id": flow, "work_pool_name": "bhiv", "pull_steps": [pull]}
        made = self.prefect.call("/deployments/", deployment | {"entrypoint": f"{path}:waiting"})
        return self.prefect.run_of(made["id"], {"sign": str(sign)})

    def process(self, run: str) -> psutil.Process:
        pid = wait_until(lambda: self.prefect.flow_run(run)["infrastructure_pid"], "the run's process", every=0.2)
        return psutil.Process(int(pid))

    def wait_for(self, run: str, state: str, seconds: float = 60) -> None:
        """Wait until the run is in that state."""
        wait_until(lambda: self.prefect.state(run) == state, f"a run that is {state}", seconds, every=0.2)

    def heard(self) -> str:
        """All that the workers have said."""
        return (self.folder / "worker.log").read_text()

    def start(self) -> "subprocess.Popen[bytes]":
        with (self.folder / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "deployments.warm_worker", "--pool", "bhiv", "--limit", str(LIMIT)],
                cwd=self.checkout, env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip


def encoders(process: psutil.Process) -> list[psutil.Process]:
    found = []
    for child in process.children():
        with suppress(psutil.NoSuchProcess):  # another child, which has just ended
            found += [child] if child.name() == "sleep" else []
    return found


@pytest.fixture(scope="module")
def office(
    shared_home: dict[str, str], prefect: PrefectApi, checkout: Checkout, tmp_path_factory: pytest.TempPathFactory
) -> Office:
    folder = tmp_path_factory.mktemp("office")
    # The worker says what it leaves for later only when it is asked for every detail.
    own = {"BHIV_BUCKET_DIR": str(folder / "bucket"), "PREFECT_LOGGING_LEVEL": "DEBUG"}
    environment = shared_home | checkout.environment | own
    return Office(prefect, folder, environment, stuck_ffmpeg(folder), checkout.folder)


@pytest.fixture(scope="class")
def worker(office: Office) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker that several tests share."""
    worker = office.start()
    wait_until(psutil.Process(worker.pid).children, "the process that it forks from")
    yield worker
    worker.terminate()
    assert worker.wait(timeout=60) == 0, office.heard()


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

        assert office.prefect.end_of(run) == "COMPLETED", office.heard()
        [video] = (office.folder / "bucket" / "videos").glob("*.mp4")
        assert [stream.kind for stream in ffmpeg.inspect(video).all] == ["Video", "Audio", "Subtitle"]

        def logged() -> str:
            logs = office.prefect.call("/logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}})
            return " ".join(log["message"] for log in logs)

        wait_until(lambda: "Finished in state Completed" in logged(), "the run's last words", every=0.2)
        assert "Beginning flow run" in logged()

    def test_runs_are_processes_of_their_own_and_no_more_than_the_limit(self, office: Office) -> None:
        (first, one, _), (second, two, _) = office.submit_stuck(), office.submit_stuck()
        third = office.submit()

        assert one.pid != two.pid
        assert one.ppid() == two.ppid()
        assert psutil.Process(one.ppid()).num_threads() == 1
        wait_until(lambda: "Flow run limit reached; 2" in office.heard(), "a run that the worker leaves for later")
        assert office.prefect.state(third) == "SCHEDULED"

        one.kill()
        two.kill()
        office.wait_for(third, "COMPLETED")
        assert {office.prefect.state(first), office.prefect.state(second)} == {"CRASHED"}

    def test_a_killed_run_crashes_with_a_reason_and_its_encoder_ends(self, office: Office) -> None:
        run, process, encoder = office.submit_stuck()

        process.kill()

        office.wait_for(run, "CRASHED")
        assert "status code: -9" in office.prefect.flow_run(run)["state"]["message"]
        wait_until(lambda: gone(encoder), "the end of the encoder", SOON)

    def test_a_cancelled_run_ends_with_its_encoder(self, office: Office) -> None:
        run, process, encoder = office.submit_stuck()

        office.prefect.call(f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})

        wait_until(lambda: gone(encoder), "the end of the encoder", SOON)
        office.wait_for(run, "CANCELLED")
        wait_until(lambda: gone(process), "the end of its process")

    def test_a_flow_that_it_does_not_know_runs_as_well_and_its_hooks_run(self, office: Office) -> None:
        run = office.submit_waiting(office.checkout, office.folder / "never")
        office.wait_for(run, "RUNNING")

        office.process(run).kill()

        noted = office.folder / "noted"
        wait_until(lambda: noted.exists() and noted.read_text(), "the hook")
        assert (noted.read_text(), office.prefect.state(run)) == ("Crashed", "CRASHED")

    def test_a_run_of_another_checkout_starts_cold(self, office: Office, worker: "subprocess.Popen[bytes]") -> None:
        sign = office.folder / "go on"
        run = office.submit_waiting(office.folder, sign)

        assert office.process(run).ppid() == worker.pid, "it was not forked"
        sign.touch()
        office.wait_for(run, "COMPLETED")


def test_a_run_after_an_edit_has_the_new_code(office: Office, own_worker: "subprocess.Popen[bytes]") -> None:
    _, before, _ = office.submit_stuck()
    old = before.parent()
    assert old is not None

    (office.checkout / "flows" / "__init__.py").touch()

    _, after, _ = office.submit_stuck()
    assert after.ppid() != old.pid
    assert not gone(old)
    before.kill()
    wait_until(lambda: gone(old), "the end of the process that has the old code")


@pytest.mark.usefixtures("own_worker")
def test_a_worker_whose_forkserver_is_killed_starts_another(office: Office) -> None:
    run, process, encoder = office.submit_stuck()
    forkserver = process.parent()
    assert forkserver is not None

    forkserver.kill()

    office.wait_for(run, "CRASHED")
    encoder.kill()  # a real one ends because nothing comes to its input any more
    wait_until(lambda: gone(process), "the end of its process")
    assert office.prefect.end_of(office.submit()) == "COMPLETED"


def test_a_worker_that_is_asked_to_end_ends_its_runs_first(
    office: Office, own_worker: "subprocess.Popen[bytes]"
) -> None:
    run, process, encoder = office.submit_stuck()
    everything = psutil.Process(own_worker.pid).children(recursive=True)

    own_worker.terminate()

    assert own_worker.wait(timeout=60) == 0
    assert gone(process, encoder, *everything)
    assert office.prefect.state(run) == "CRASHED"


def test_the_runs_of_a_killed_worker_end_at_once(office: Office, own_worker: "subprocess.Popen[bytes]") -> None:
    run, process, encoder = office.submit_stuck()
    everything = psutil.Process(own_worker.pid).children(recursive=True)

    own_worker.kill()

    wait_until(lambda: gone(process, encoder, *everything), "the end of all its processes", SOON)
    assert office.prefect.state(run) == "CRASHED"
