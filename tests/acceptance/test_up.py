"""The whole system by one command: deployments, blocks, a worker that is restarted, and an end that leaves nothing."""

import json
import re
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.conftest import BHIV, ROOT
from tests.conftest import need
from tests.servers import voices
from tests.servers.lm import language_model_server
from tests.servers.starting import wait_until
from tests.servers.system import System
from tests.servers.vendor import vendor_server

REQUEST = {"script": "A river runs to the sea.", "title": "From up", "size": "144x144", "quality": "draft"}
DEPLOYMENTS = ["clean_up", "reconcile_jobs", "replay_failures", "report_failure", "rotate_logs", "script_to_video"]
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


def ended(system: System, run: str) -> str:
    return system.prefect.end_of(run)


def maintained(system: System, name: str, parameters: dict[str, Any] | None = None) -> str:
    """Run maintenance by hand and return the run; while its schedule has one going, another is cancelled at once."""

    def run_alone() -> str | None:
        run = system.run(name, uuid4().hex, parameters or {})
        state = ended(system, run)
        assert state in {"COMPLETED", "CANCELLED"}
        return run if state == "COMPLETED" else None

    return wait_until(run_alone, f"a turn of {name}", every=1)


def deployments(system: System) -> dict[str, Any]:
    """All deployments, without what only says when somebody looked."""
    found = {one["name"]: one for one in system.call("/deployments/filter", {})}
    for one in found.values():
        for name in ("updated", "last_polled", "status", "version_id"):
            one.pop(name, None)
        for schedule in one["schedules"]:
            schedule.pop("updated", None)
        for name in ("active_slots", "updated"):  # a run of the schedule may go on just then
            (one["global_concurrency_limit"] or {}).pop(name, None)
    return found


def automations(system: System) -> list[Any]:
    """All automations, without what tells one from its like; a new deploy makes new ones in their place."""
    ids = {one["id"] for one in system.call("/deployments/filter", {})}
    found = system.call("/automations/filter", {})
    for one in found:
        for name in ("id", "created", "updated"):
            one.pop(name, None)
        one["trigger"].pop("id", None)
        one["trigger"]["expect"].sort()
        assert {action.get("deployment_id") for action in one["actions"]} <= ids
    return list(found)


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
    before = deployments(system), automations(system)

    subprocess.run(
        [str(Path(BHIV).with_name("prefect")), "--no-prompt", "deploy", "--all"],
        cwd=ROOT, env=system.environment | {"PREFECT_API_URL": system.api_url(), "PWD": str(ROOT)},
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip

    after = deployments(system), automations(system)
    for name, deployment in before[0].items():
        changed = {field for field, value in deployment.items() if after[0][name][field] != value}
        assert {field: (deployment[field], after[0][name][field]) for field in changed} == {}, name
    assert after == before
    assert [one["name"] for one in before[1]] == ["bhiv-report-failure"]


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


@pytest.mark.parametrize("name", sorted(SCHEDULED))
def test_maintenance_runs_and_leaves_a_report(system: System, name: str) -> None:
    run = maintained(system, name)

    left = system.call("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run]}}})
    assert len(left) == (name != "reconcile_jobs")  # it has something to report only when it found something


def test_each_task_says_what_it_made(system: System) -> None:
    script = "The mill\n\nA mill stands by the river."
    request = {name: value for name, value in REQUEST.items() if name != "title"} | {"script": script}
    run = system.run("script_to_video", "lines", {"request": request})
    assert ended(system, run) == "COMPLETED"

    told = system.call(f"/flow_runs/{run}")
    assert told["name"] == f"The mill · {run.replace('-', '')[:24][-6:]}"
    logs = wait_until(
        lambda: (logs := lines(system, run)) and any(line.startswith("record: ") for line in logs) and logs, "the lines"
    )
    patterns = [
        r"storyboard: 1 scene, en, 72x72 at 30 frames a second, by rules, made in \d+\.\d s",
        r"picture 1 of 1: \d+ kB, (made in \d+\.\d s|found, made before)",
        r"narration 1 of 1: 6 words, \d+ kB, .*",
        r"captions 1 of 1: \d+ cues?, \d\.\d s, .*",
        r"sound: \d+ kB, .*",
        r"clip 1 of 1: \d\.\d s, 72x72, \d+ kB, .*",
        r"join: \d+ frames, \d+ kB, .*",
        r"gate: passed: \d\.\d s, -\d+\.\d LUFS, .*",
        r"record: videos/\w+\.mp4, \d\.\d s, .*",
    ]
    assert [[bool(re.fullmatch(pattern, line)) for line in logs].count(True) for pattern in patterns] == [1] * 9, logs


def lines(system: System, run: str) -> list[str]:
    """What the log of a run says, without Prefect's own words on the ends of tasks."""
    logs = system.call("/logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}})
    return [log["message"] for log in logs if not log["message"].startswith("Finished in state")]


def test_a_cancelled_run_ends_its_job_as_cancelled_by_itself(system: System) -> None:
    scenes = "\n\n".join(f"The mill turns {number} times." for number in range(40))
    run = system.run("script_to_video", "cancel", {"request": REQUEST | {"script": scenes, "size": "1920x1080"}})
    job = run.replace("-", "")[:24]
    wait_until(lambda: "ffmpeg" in system.processes(), "the first encoder")

    system.call(f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})

    assert ended(system, run) == "CANCELLED"
    told = wait_until(lambda: (told := system.job(job)) and told["state"] != "running" and told, "the end of the job")
    assert (told["state"], told["error"]["message"]) == ("cancelled", "cancelled in Prefect")
    assert "ffmpeg" not in system.processes()


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


def test_a_voice_that_was_set_in_its_block_speaks_in_the_next_run(system: System) -> None:
    speech = block(system, "bhiv-speech")
    with vendor_server(voices.openai) as server:
        chosen = {"voices": "openai:nova", "base_url": f"{server.url}/v1", "api_key": "sk-speech"}
        edited = {"data": speech["data"] | chosen, "block_schema_id": speech["block_schema_id"]}
        system.patch(f"/block_documents/{speech['id']}", edited)
        try:
            run = system.run("script_to_video", "spoken", {"request": REQUEST | {"script": "A petal opened."}})
            assert ended(system, run) == "COMPLETED"
        finally:
            system.patch(f"/block_documents/{speech['id']}", edited | {"data": speech["data"]})

    assert [asked.json["input"] for asked in server.requests] == ["A petal opened."]


def test_a_language_model_that_was_set_in_its_block_writes_for_the_next_run(system: System) -> None:
    document = block(system, "bhiv-language-model")
    edited = {"merge_existing_data": False, "block_schema_id": document["block_schema_id"]}
    options = {name: value for name, value in REQUEST.items() if name not in {"script", "title"}}
    with language_model_server() as model:
        set_up = document["data"] | {"base_url": model.base_url, "model": "tiny"}
        system.patch(f"/block_documents/{document['id']}", edited | {"data": set_up})
        try:
            about = options | {"topic": "a mill", "minutes": 0.3}
            run = system.run("script_to_video", "topic", {"request": about})
            assert ended(system, run) == "COMPLETED"
        finally:
            system.patch(f"/block_documents/{document['id']}", edited | {"data": document["data"]})

    job = run.replace("-", "")[:24]
    summary = json.loads((system.bucket / f"videos/{job}_job_summary.json").read_text())
    assert (summary["storyboard_source"], summary["lm"]["model"], summary["lm"]["answers"]) == ("lm", "tiny", 3)
    said = ", by lm, 3 answers of tiny, made in "
    wait_until(lambda: any(said in line for line in lines(system, run)), "the line of the storyboard")


def test_secrets_are_masked(system: System) -> None:
    model = block(system, "bhiv-language-model")
    edited = {"data": model["data"] | {"api_key": "very-secret"}, "block_schema_id": model["block_schema_id"]}
    system.patch(f"/block_documents/{model['id']}", edited)

    shown = json.dumps(system.call("/block_documents/filter", {}))

    assert "very-secret" not in shown
    assert block(system, "bhiv-language-model")["data"]["api_key"] == "very-secret"


@pytest.fixture
def inbox(system: System) -> Iterator[list[dict[str, Any]]]:
    """What is posted to a webhook that is set as the notification block."""
    posted: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(503 if len(posted) == 1 else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    kind = system.call("/block_types/slug/custom-webhook")
    [schema] = system.call("/block_schemas/filter", {"block_schemas": {"block_type_id": {"any_": [kind["id"]]}}})
    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        template = {"subject": "{{subject}}", "body": "{{body}}"}
        data = {"name": "tests", "url": f"http://127.0.0.1:{server.server_port}/", "json_data": template}
        document = {"name": "bhiv-failures", "data": data, "block_type_id": kind["id"], "block_schema_id": schema["id"]}
        made = system.call("/block_documents/", document)
        yield posted
        system.call(f"/block_documents/{made['id']}", method="DELETE")
        server.shutdown()


def reports(system: System) -> list[Any]:
    deployment = system.call("/deployments/name/report_failure/report_failure")["id"]
    asked = {"flow_runs": {"deployment_id": {"any_": [deployment]}}, "sort": "START_TIME_DESC"}
    return list(system.call("/flow_runs/filter", asked))


def test_a_failed_run_is_reported_once(system: System, inbox: list[dict[str, Any]]) -> None:
    """And the message that the other side would not take is sent again."""
    run = system.run("script_to_video", "to fail", {"request": REQUEST | {"script": "Bad [music: jazz] here."}})

    assert ended(system, run) == "FAILED"
    wait_until(lambda: [one["state_type"] for one in reports(system)] == ["COMPLETED"], "the report")
    refused, taken = inbox
    assert refused == taken
    job = system.job(run.replace("-", "")[:24])
    assert job is not None
    assert taken["subject"] == "BHIV could not make 'From up'"
    lines = taken["body"].splitlines()
    assert lines[0] == f"job: {job['id']}"
    assert lines[1:3] == ["step: storyboard", f"error: {job['error']['message']}"]
    assert lines[3].endswith(f"/runs/flow-run/{run}")
    [report] = reports(system)
    system.call(f"/flow_runs/{report['id']}", method="DELETE")


def test_a_failure_is_nobodys_when_no_block_is_set(system: System) -> None:
    system.run("script_to_video", "to fail again", {"request": REQUEST | {"script": "Bad [music: jazz] here."}})

    [report] = wait_until(
        lambda: [one for one in reports(system) if one["state_type"] == "COMPLETED"], "the report of nothing"
    )
    said = "send the message: not sent: there is no notification block named bhiv-failures"
    wait_until(lambda: said in lines(system, report["id"]), "the line in the log")


def test_a_run_that_is_given_up_is_failed_and_reported(system: System, inbox: list[dict[str, Any]]) -> None:
    inbox.append({})  # so that the next is taken
    deployment = system.call("/deployments/name/script_to_video/script_to_video")
    made = {"deployment_id": deployment["id"], "flow_id": deployment["flow_id"], "parameters": {"request": REQUEST}}
    gone = {"type": "CRASHED", "message": "killed"}
    run = system.call("/flow_runs/", made | {"name": "Gone", "state": gone})["id"]
    with closing(sqlite3.connect(system.home / "prefect" / "prefect.db", timeout=30)) as database, database:
        database.execute("UPDATE flow_run SET run_count = 1000 WHERE id = ?", [run])

    maintained(system, "reconcile_jobs")

    assert system.call(f"/flow_runs/{run}")["state"]["message"] == "the run was crashed and had no job"
    _, taken = wait_until(lambda: len(inbox) == 2 and inbox, "the message")
    assert taken["subject"] == "BHIV could not make a video: Gone"


def test_of_maintenance_that_was_missed_the_newest_run_is_left(system: System) -> None:
    deployment = system.call("/deployments/name/clean_up/clean_up")["id"]
    asked: dict[str, Any] = {}
    asked["flow_runs"] = {"deployment_id": {"any_": [deployment]}, "state": {"type": {"any_": ["SCHEDULED"]}}}
    asked["sort"] = "EXPECTED_START_TIME_DESC"

    def scheduled() -> list[str]:
        return [run["id"] for run in system.call("/flow_runs/filter", asked) if run["auto_scheduled"]]

    runs = wait_until(lambda: len(scheduled()) >= 3 and scheduled(), "the scheduler's runs", 120)
    with closing(sqlite3.connect(system.home / "prefect" / "prefect.db", timeout=30)) as database, database:
        # Not when it is next offered to a worker, which would take it.
        shift = "UPDATE flow_run SET expected_start_time = datetime(expected_start_time, '-2 days') || '.000000'"
        database.execute(f"{shift} WHERE id IN ({', '.join('?' * len(runs))})", runs)

    maintained(system, "reconcile_jobs")

    left = {run["id"] for run in system.call("/flow_runs/filter", asked)}
    assert [run in left for run in runs] == [True, *[False] * (len(runs) - 1)]


def test_maintenance_that_was_killed_is_set_to_crashed(system: System) -> None:
    deployment = system.call("/deployments/name/clean_up/clean_up")
    made = {"deployment_id": deployment["id"], "flow_id": deployment["flow_id"], "tags": []}
    zombie = system.call("/flow_runs/", made | {"state": {"type": "RUNNING"}})["id"]

    maintained(system, "reconcile_jobs", {"rules": {"zombie_minutes": 0.0001}})

    state = system.call(f"/flow_runs/{zombie}")["state"]
    assert (state["type"], state["message"]) == ("CRASHED", "it was running for more than 0.0001 minutes")


def test_a_worker_that_is_killed_is_started_again(system: System) -> None:
    [worker] = [one for one in system.processes()["worker"] if "forkserver" not in " ".join(one.cmdline())]
    worker.kill()

    wait_until(lambda: b"started again" in (system.folder / "up.log").read_bytes(), "a new worker")
    assert ended(system, system.run("script_to_video", "after", {"request": REQUEST})) == "COMPLETED"


def service(system: System) -> httpx.Client:
    """Asks the service by what the start has said of it."""
    said = (system.folder / "up.log").read_text()
    key, address = re.search(r"^key +(\S+)", said, re.MULTILINE), re.search(r"^service +(http\S+)", said, re.MULTILINE)
    assert key is not None
    assert address is not None
    headers = {"Authorization": f"Bearer {key[1]}"}
    return httpx.Client(base_url=address[1], headers=headers, timeout=30, trust_env=False)


def test_a_script_that_is_posted_becomes_a_video_in_the_bucket(system: System) -> None:
    with service(system) as client:
        accepted = client.post("/render", json=REQUEST).raise_for_status().json()
        path = f"/render/{accepted['job_id']}/status"

        told = wait_until(
            lambda: (told := client.get(path).json())["state"] in {"success", "error"} and told, "the end of the job"
        )

        assert (told["state"], told["progress_pct"]) == ("success", 100), told
        assert {step["state"] for step in told["steps"]} == {"done"}
        video = system.bucket / told["final_video_url"].removeprefix("/bucket/")
        assert video.read_bytes()[4:8] == b"ftyp"
        assert client.get("/ready").json()["status"] == "ready"


def test_every_command_of_the_page_of_the_api_works(system: System, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        need("curl; THE PAGE OF THE API IS NOT TRIED")
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    commands = "\n".join(re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    with service(system) as client:
        key = client.headers["authorization"].removeprefix("Bearer ")
        given = {"URL": str(client.base_url).rstrip("/"), "KEY": key, "no_proxy": "127.0.0.1"}

    ran = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", commands],
        env=system.environment | given, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip

    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    assert commands.count("curl ") > 30
    assert (tmp_path / "river.mp4").read_bytes()[4:8] == b"ftyp"
    assert (tmp_path / "start.mp4").stat().st_size == 100
    assert "bhiv_" in (tmp_path / "metrics.txt").read_text()


def test_a_job_that_is_posted_while_prefect_is_gone_is_made_when_it_is_back(system: System) -> None:
    [server] = system.processes()["server"]
    server.kill()
    with service(system) as client:
        posted = client.post("/render", json=REQUEST | {"script": "A mill stands by the river."})
        assert posted.status_code == 202
        path = posted.headers["location"]

        told = wait_until(
            lambda: (told := client.get(path).json())["state"] in {"success", "error"} and told, "the end", seconds=120
        )

        assert told["state"] == "success", told
        deployment = system.call("/deployments/name/script_to_video/script_to_video")["id"]
        runs = system.call("/flow_runs/filter", {"flow_runs": {"deployment_id": {"any_": [deployment]}}})
        assert [run["parameters"]["request"].get("job_id") for run in runs].count(told["job_id"]) == 1


def test_a_job_that_is_cancelled_by_the_service_is_cancelled_in_prefect(system: System) -> None:
    scenes = "\n\n".join(f"The wheel turns {number} times." for number in range(40))
    with service(system) as client:
        job = client.post("/render", json=REQUEST | {"script": scenes, "size": "1920x1080"}).json()["job_id"]
        told = wait_until(
            lambda: (told := client.get(f"/render/{job}/status").json())["step"] == "render" and told, "the encoders"
        )

        assert client.post(f"/render/{job}/cancel").json()["state"] == "cancelled"

        assert ended(system, told["prefect_url"].rpartition("/")[2]) in {"CANCELLED", "FAILED", "COMPLETED"}
        assert client.get(f"/render/{job}/status").json()["state"] == "cancelled"


def test_a_service_that_is_killed_is_started_again_under_its_address(system: System) -> None:
    [process] = system.processes()["service"]
    process.kill()

    wait_until(lambda: "service     ended" in (system.folder / "up.log").read_text(), "a new service")
    with service(system) as client:

        def lives() -> bool:
            with suppress(httpx.TransportError):
                return client.get("/health").is_success
            return False

        wait_until(lives, "the service")
        assert client.post("/render", json=REQUEST | {"script": "After."}).status_code == 202


def test_ctrl_c_ends_everything(system: System) -> None:
    """Last, for it ends what the others use."""
    system.interrupt()

    assert system.processes() == {}
    said = (system.folder / "up.log").read_text()
    assert "stopped" in said
    assert "Traceback" not in said


def test_the_log_of_a_start_is_for_people(system: System) -> None:
    said = (system.folder / "up.log").read_text().splitlines()

    assert [line.split()[0] for line in said[:11]] == [
        "server", *["blocks"] * 5, "worker", "deployments", "key", "service", "ready",
    ]  # fmt: skip
