"""The whole system by one command: deployments, blocks, a worker that is restarted, and an end that leaves nothing."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.chaos import System
from tests.acceptance.conftest import BHIV

REQUEST = {"script": "A river runs to the sea.", "title": "From up", "size": "144x144", "quality": "draft"}
DEPLOYMENTS = ["clean_up", "reconcile_jobs", "replay_failures", "rotate_logs", "script_to_video"]
SCHEDULED = {"clean_up", "reconcile_jobs", "replay_failures", "rotate_logs"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("up"))
    system.start()
    try:
        system.wait_until_ready()
        yield system
    finally:
        system.stop()


def wait_until(happened: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (answer := happened()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.2)
    return answer


def ended(system: System, run: str) -> str:
    over = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
    state: str = wait_until(
        lambda: (state := system.call(f"/flow_runs/{run}")["state_type"]) in over and state, "the end of a run"
    )
    return state


def deployments(system: System) -> dict[str, Any]:
    """All deployments, without what only says when somebody looked."""
    found = {one["name"]: one for one in system.call("/deployments/filter", {})}
    for one in found.values():
        for name in ("updated", "last_polled", "status", "version_id"):
            one.pop(name, None)
        for schedule in one["schedules"]:
            schedule.pop("updated", None)
    return found


def block(system: System, slug: str) -> Any:
    documents = system.call("/block_documents/filter", {"include_secrets": True})
    return next(one for one in documents if one["block_type"]["slug"] == slug)


def test_all_deployments_are_there_with_their_schedules(system: System) -> None:
    found = deployments(system)

    assert sorted(found) == DEPLOYMENTS
    crons = {name: [schedule["schedule"]["cron"] for schedule in one["schedules"]] for name, one in found.items()}
    assert crons["clean_up"] == ["17 * * * *"]
    assert crons["script_to_video"] == []
    assert all(one["description"] and one["enforce_parameter_schema"] for one in found.values())


def test_schedules_have_made_their_next_runs(system: System) -> None:
    def ahead() -> set[str]:
        waiting = system.call("/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}})
        names = {one["id"]: one["name"] for one in system.call("/deployments/filter", {})}
        return {names[run["deployment_id"]] for run in waiting if run["auto_scheduled"]}

    wait_until(lambda: ahead() == SCHEDULED, "runs ahead of every schedule")


def test_to_deploy_again_changes_nothing(system: System) -> None:
    before = deployments(system)
    root = Path(__file__).parent.parent.parent
    api = f"http://127.0.0.1:{(system.home / 'server' / 'port').read_text()}/api"

    subprocess.run(
        [str(Path(BHIV).with_name("prefect")), "--no-prompt", "deploy", "--all"],
        cwd=root, env=system.environment | {"PREFECT_API_URL": api, "PWD": str(root)},
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip

    assert deployments(system) == before


def test_a_second_start_finds_the_first(system: System) -> None:
    second = subprocess.run(
        [BHIV, "up"], cwd=system.folder, env=system.environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert second.returncode == 0
    assert "runs already" in second.stdout


def test_a_run_of_the_deployment_makes_a_video(system: System) -> None:
    run = system.run("script_to_video", "first", {"request": REQUEST})

    assert ended(system, run) == "COMPLETED"
    job = run.replace("-", "")[:24]
    assert (system.bucket / "videos" / f"{job}.mp4").is_file()
    told = system.job(job)
    assert told is not None
    assert (told["state"], told["flow_run_id"]) == ("completed", run)


@pytest.mark.parametrize("name", [name for name in DEPLOYMENTS if name != "script_to_video"])
def test_maintenance_runs_and_leaves_a_report(system: System, name: str) -> None:
    run = system.run(name, f"by hand {name}", {})

    assert ended(system, run) == "COMPLETED"
    left = system.call("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run]}}})
    assert len(left) == (name != "reconcile_jobs")  # it has something to report only when it found something


def test_a_block_that_was_edited_serves_the_next_run(system: System) -> None:
    storage, elsewhere = block(system, "bhiv-storage"), system.folder / "elsewhere"
    edited = {"data": storage["data"] | {"folder": str(elsewhere)}, "merge_existing_data": False}
    edited["block_schema_id"] = storage["block_schema_id"]
    system.patch(f"/block_documents/{storage['id']}", edited)
    try:
        run = system.run("script_to_video", "elsewhere", {"request": REQUEST})
        assert ended(system, run) == "COMPLETED"
    finally:
        system.patch(f"/block_documents/{storage['id']}", edited | {"data": storage["data"]})

    assert len(list((elsewhere / "videos").glob("*.mp4"))) == 1


def test_secrets_are_masked(system: System) -> None:
    model = block(system, "bhiv-language-model")
    edited = {"data": model["data"] | {"api_key": "very-secret"}, "block_schema_id": model["block_schema_id"]}
    system.patch(f"/block_documents/{model['id']}", edited)

    shown = json.dumps(system.call("/block_documents/filter", {}))

    assert "very-secret" not in shown
    assert block(system, "bhiv-language-model")["data"]["api_key"] == "very-secret"


def test_a_worker_that_is_killed_is_started_again(system: System) -> None:
    [worker] = [one for one in system.processes()["worker"] if "forkserver" not in " ".join(one.cmdline())]
    worker.kill()

    wait_until(lambda: b"started again" in (system.folder / "up.log").read_bytes(), "a new worker")
    assert ended(system, system.run("script_to_video", "after", {"request": REQUEST})) == "COMPLETED"


def test_ctrl_c_ends_everything(system: System) -> None:
    """Last, for it ends what the others use."""
    system.interrupt()

    assert system.processes() == {}
    said = (system.folder / "up.log").read_text()
    assert "stopped" in said
    assert "Traceback" not in said


def test_the_log_of_a_start_is_for_people(system: System) -> None:
    said = (system.folder / "up.log").read_text().splitlines()

    assert [line.split()[0] for line in said[:7]] == [
        "server", "blocks", "blocks", "blocks", "worker", "deployments", "ready",
    ]  # fmt: skip
