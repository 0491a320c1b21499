"""The service as other programs use it: the real process, over real connections."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest

from bhiv import api_keys
from bhiv.bucket import open_bucket
from bhiv.catalog import open_catalog, views
from bhiv.request import new_id
from bhiv.settings import Settings, inherited_environment
from tests.servers.lm import language_model_server
from tests.servers.prefect import PrefectServer, prefect_server
from tests.servers.service import PLAN, RunningService, make, running_service, until


def submitted(client: httpx.Client, **headers: str) -> dict[str, Any]:
    answer = client.post("/render", json=PLAN, headers=headers)
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    return body


def problem(answer: httpx.Response, status: int) -> str:
    """What a refusal says."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status
    return str(answer.json().get("detail", ""))


def test_a_plan_becomes_a_job_that_waits(client: httpx.Client) -> None:
    answer = client.post("/render", json=PLAN)

    assert answer.status_code == 202
    accepted = answer.json()
    assert accepted["status"] == "pending"
    assert accepted["estimated_wait_seconds"] > 0
    assert answer.headers["location"] == f"/render/{accepted['job_id']}/status"
    status = client.get(answer.headers["location"]).json()
    assert (status["state"], status["title"], status["progress_pct"]) == ("pending", "A river", 0)


def test_a_script_becomes_a_job_too(client: httpx.Client) -> None:
    accepted = client.post("/render", json={"script": "The mill\n\nA mill stands by the river."}).json()

    assert client.get(f"/render/{accepted['job_id']}/status").json()["title"] == "The mill"


def test_a_topic_is_refused_where_there_is_no_language_model(client: httpx.Client) -> None:
    assert "set BHIV_LM_BASE_URL and BHIV_LM_MODEL" in problem(client.post("/render", json={"topic": "a mill"}), 422)


def test_a_topic_becomes_a_job_where_there_is_one_and_it_is_not_asked_yet(tmp_path: Path) -> None:
    with (
        language_model_server() as model,
        running_service(tmp_path / "home", lm_base_url=model.base_url, lm_model="tiny") as service,
        open_catalog(service.settings) as catalog,
    ):
        client = service.client()
        accepted = client.post("/render", json={"topic": "a mill", "minutes": 2, "size": "portrait"})

        assert accepted.status_code == 202, accepted.text
        job = accepted.json()["job_id"]
        assert client.get(f"/render/{job}/status").json()["title"] == "a mill"
        kept = views.request_of(catalog, job)
        assert (kept.topic, kept.minutes, kept.size, kept.script) == ("a mill", 2, "portrait", None)
        assert "size" in problem(client.post("/render", json={"topic": "a mill", "size": "9x9"}), 422)
        assert "either a script" in problem(client.post("/render", json={"topic": "a mill", "script": "A mill."}), 422)
        assert model.requests == []


def test_a_job_is_cancelled_made_again_and_cancelled_once_more(client: httpx.Client) -> None:
    job = submitted(client)["job_id"]

    assert client.post(f"/render/{job}/cancel").json()["state"] == "cancelled"
    assert client.post(f"/render/{job}/cancel").json()["state"] == "cancelled"
    again = client.post(f"/render/{job}/retry")
    assert (again.status_code, again.json()["state"]) == (202, "pending")
    assert "only a failed or cancelled one" in problem(client.post(f"/render/{job}/retry"), 409)
    assert client.post(f"/render/{job}/cancel").json()["state"] == "cancelled"


def test_a_status_has_its_history_when_it_is_asked_for(client: httpx.Client) -> None:
    job = submitted(client)["job_id"]
    client.post(f"/render/{job}/cancel")

    told = client.get(f"/render/{job}/status", params={"include_history": "true"}).json()

    assert [change["state"] for change in told["history"]] == ["queued", "cancelled"]
    assert client.get(f"/render/{job}/status").json()["history"] is None


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_a_status_that_is_known_is_not_sent_again(client: httpx.Client, form: str) -> None:
    job = submitted(client)["job_id"]
    etag = client.get(f"/render/{job}/status").headers["etag"]
    known = {"If-None-Match": form.format(etag)}

    same = client.get(f"/render/{job}/status", headers=known)
    client.post(f"/render/{job}/cancel")
    changed = client.get(f"/render/{job}/status", headers=known)

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    assert changed.status_code == (304 if form == "*" else 200)


def test_events_tell_every_change_and_end_with_the_job(service: RunningService, client: httpx.Client) -> None:
    job = submitted(client)["job_id"]
    told = []
    with client.stream("GET", f"/render/{job}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("data: "):
                told.append(json.loads(line[6:])["state"])
                if len(told) == 1:
                    service.client().post(f"/render/{job}/cancel")

    assert told == ["pending", "cancelled"]


def test_who_has_seen_the_last_event_is_not_told_it_again(client: httpx.Client) -> None:
    job = submitted(client)["job_id"]
    client.post(f"/render/{job}/cancel")
    first = client.get(f"/render/{job}/events").text
    seen = first.partition("id: ")[2].partition("\n")[0]

    assert client.get(f"/render/{job}/events", headers={"Last-Event-ID": seen}).text == ""


def test_a_callback_is_registered_once_for_an_address(client: httpx.Client) -> None:
    job = submitted(client)["job_id"]
    for _ in range(2):
        answer = client.put(f"/render/{job}/webhook", json={"url": "https://example.com/hook"})
        assert (answer.status_code, answer.json()["job_id"]) == (200, job)

    assert "url" in problem(client.put(f"/render/{job}/webhook", json={"url": "ftp://example.com"}), 422)


def test_five_hundred_posts_of_one_key_at_once_make_one_job(service: RunningService) -> None:
    key = {"Idempotency-Key": f"many-{new_id()}"}
    with httpx.Client(
        base_url=service.url, headers={"Authorization": f"Bearer {service.key}"} | key, timeout=60, trust_env=False,
        limits=httpx.Limits(max_connections=100),
    ) as client, ThreadPoolExecutor(100) as pool:  # fmt: skip
        answers = list(pool.map(lambda _: client.post("/render", json=PLAN), range(500)))

    assert Counter(answer.status_code for answer in answers) == {202: 1, 200: 499}
    assert len({answer.json()["job_id"] for answer in answers}) == 1


def test_a_connection_is_kept_for_longer_than_clients_keep_one(service: RunningService) -> None:
    kept = HTTPConnection("127.0.0.1", service.port, timeout=20)
    kept.request("GET", "/health")
    assert kept.getresponse().read()
    ours = kept.sock

    time.sleep(6)  # httpx gives one up after 5
    kept.request("GET", "/health")

    assert kept.getresponse().status == 200
    assert kept.sock is ours
    kept.close()


def test_an_idempotency_key_is_good_for_one_request_of_one_api_key(service: RunningService) -> None:
    client, other = service.client(), service.client(service.new_key("render:write"))
    key = {"Idempotency-Key": f"one-{new_id()}"}
    first = submitted(client, **key)

    reordered = client.post("/render", json=dict(reversed(PLAN.items())), headers=key)
    changed = client.post("/render", json=PLAN | {"title": "Another"}, headers=key)

    assert (reordered.status_code, reordered.json()["job_id"]) == (200, first["job_id"])
    assert "another request" in problem(changed, 422)
    assert submitted(other, **key)["job_id"] != first["job_id"]


def test_a_job_that_is_there_is_no_other_job(client: httpx.Client) -> None:
    ids = {"job_id": new_id(), "content_id": new_id()}
    first = client.post("/render", json={"script": "A river runs."} | ids)

    same = client.post("/render", json={"script": "A river runs."} | ids)
    other = client.post("/render", json={"script": "A mill stands."} | ids)
    moved = client.post("/render", json={"script": "A mill stands.", "job_id": ids["job_id"]})

    assert (first.status_code, same.status_code) == (202, 200)
    assert problem(other, 422)
    assert "another job of this id" in problem(moved, 409)


def test_who_has_no_key_or_the_wrong_one_gets_nothing(service: RunningService) -> None:
    job = submitted(service.client())["job_id"]
    for wrong in ("", "bhiv_000000000000_" + "A" * 43, service.key[:-1], service.key + "A", "nonsense"):
        answer = service.client(wrong).get(f"/render/{job}/status")
        assert problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_key_may_also_come_in_a_header_of_its_own(service: RunningService) -> None:
    answer = service.client("").post("/render", json=PLAN, headers={"X-API-Key": service.key})

    assert answer.status_code == 202


def test_a_key_opens_what_its_scopes_say(service: RunningService) -> None:
    job = submitted(service.client())["job_id"]
    reader = service.client(service.new_key("render:read"))

    assert reader.get(f"/render/{job}/status").status_code == 200
    assert "render:write" in problem(reader.post("/render", json=PLAN), 403)
    assert problem(service.client(service.new_key("metrics")).get(f"/render/{job}/status"), 403)


def test_a_revoked_key_is_refused_soon(service: RunningService) -> None:
    key = service.new_key("render:read")
    client, path = service.client(key), f"/render/{submitted(service.client())['job_id']}/status"
    assert client.get(path).status_code == 200

    with open_catalog(service.settings) as catalog, catalog.writing() as connection:
        api_keys.revoke(connection, key.split("_")[1])

    until(lambda: client.get(path).status_code == 401, "the refusal of a revoked key", seconds=5)


def test_the_first_key_is_shown_once(tmp_path: Path) -> None:
    with running_service(tmp_path / "home") as service:
        assert service.key in service.said()
        service.stop()
        service.start()
        assert "bhiv_" not in service.said()
        assert service.client().post("/render", json=PLAN).status_code == 202
        assert service.stop() == 130  # as a shell counts an end that was asked for
        assert "Traceback" not in service.said()


def test_health_needs_no_key_and_readiness_names_what_is_away(service: RunningService) -> None:
    client = service.client("")

    assert client.get("/health").json() == {"status": "ok"}
    ready = client.get("/ready")
    parts = {part["name"]: part["state"] for part in ready.json()["parts"]}
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert parts == {"catalog": "ok", "bucket": "ok", "prefect": "away"}


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[RunningService]:
    """A service with little room, and none for strangers' names."""
    given = {"rate_limit_per_minute": 8, "queue_limit": 6, "key_queue_limit": 3}
    with running_service(tmp_path / "narrow", **given) as started:
        yield started


def test_a_full_queue_and_a_hasty_key_are_told_when_to_come_back(narrow: RunningService) -> None:
    client, other = narrow.client(), narrow.client(narrow.new_key("render:write"))
    key = {"Idempotency-Key": "kept"}
    first = submitted(client, **key)
    for _ in range(2):
        submitted(client)

    full = client.post("/render", json=PLAN)
    assert "of this key wait" in problem(full, 429)
    assert int(full.headers["retry-after"]) > 0
    again = client.post("/render", json=PLAN, headers=key)
    assert (again.status_code, again.json()["job_id"]) == (200, first["job_id"])
    submitted(other)

    answers = [client.post("/render", json=PLAN) for _ in range(6)]
    assert "changes a minute" in problem(answers[-1], 429)
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    submitted(other)


def test_without_keys_only_this_machine_is_served(tmp_path: Path) -> None:
    with running_service(tmp_path / "open", auth="off") as service:
        client = service.client("")
        assert client.post("/render", json=PLAN).status_code == 202
        for host in ("localhost:1", f"127.0.0.1:{service.port}", "[::1]:80"):
            assert client.post("/render", json=PLAN, headers={"Host": host}).status_code == 202, host
        for host in ("evil.example", "127.0.0.1.evil.example", "", "[::1", "localhost.evil.example:80", "0.0.0.0"):
            assert problem(client.post("/render", json=PLAN, headers={"Host": host}), 421), host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
def test_without_keys_no_other_address_is_listened_on(tmp_path: Path, host: str) -> None:
    given = {"BHIV_AUTH": "off", "BHIV_SERVICE_HOST": host, "BHIV_HOME": str(tmp_path / "home")}

    ended = subprocess.run(
        [sys.executable, "-m", "bhiv.cli", "serve"], env=inherited_environment() | given, cwd=tmp_path,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "BHIV_AUTH=off is for loopback addresses" in ended.stderr


@pytest.fixture
def prefect() -> Iterator[PrefectServer]:
    with prefect_server() as running:
        yield running


def test_jobs_that_were_accepted_while_prefect_was_away_start_in_fair_order_once(
    tmp_path: Path, prefect: PrefectServer
) -> None:
    prefect.busy = True
    with running_service(tmp_path / "home", prefect_api_url=prefect.url) as service:
        many, one = service.client(), service.client(service.new_key("render:write"))
        first = [submitted(many)["job_id"] for _ in range(5)]
        second = submitted(one)["job_id"]
        withdrawn = submitted(many)["job_id"]
        many.post(f"/render/{withdrawn}/cancel")
        until(lambda: many.get("/ready").json()["status"] == "degraded", "trouble to be named")
        prefect.faults = [503, 201, 0, 500]

        prefect.busy = False
        until(lambda: len(prefect.runs) == 6, "all runs")

        assert prefect.jobs() == [first[0], second, *first[1:]]
        # The answer that was lost was asked for again, under the same key.
        until(lambda: len(prefect.asked) == 7, "the lost answer")
        assert Counter(prefect.asked).most_common(1)[0][1] == 2
        until(lambda: many.get("/ready").json()["status"] == "ready", "the end of the trouble")


def test_a_job_is_made_by_a_worker_and_its_status_tells_so(tmp_path: Path, prefect: PrefectServer) -> None:
    with (
        running_service(tmp_path / "home", prefect_api_url=prefect.url) as service,
        open_catalog(service.settings) as catalog,
    ):
        client = service.client()
        job = submitted(client)["job_id"]
        until(lambda: prefect.runs, "the run")
        [run] = prefect.runs.values()

        assert make(catalog, job, run["id"])

        told = client.get(f"/render/{job}/status", params={"include_history": "1"}).json()
        assert (told["state"], told["progress_pct"]) == ("success", 100)
        assert told["storyboard_source"] == "plan"
        assert told["prefect_url"].endswith(f"/runs/flow-run/{run['id']}")
        assert told["final_video_url"] == f"/bucket/videos/{told['content_id']}.mp4"
        assert [change["state"] for change in told["history"]] == ["queued", "running", "running", "completed"]
        assert "retry-after" not in client.get(f"/render/{job}/status").headers
        assert problem(client.post(f"/render/{job}/cancel"), 409)


def test_a_job_that_is_cancelled_is_cancelled_in_prefect_and_runs_again_under_another_key(
    tmp_path: Path, prefect: PrefectServer
) -> None:
    with running_service(tmp_path / "home", prefect_api_url=prefect.url) as service:
        client = service.client()
        job = submitted(client)["job_id"]
        until(lambda: client.get(f"/render/{job}/status").json()["prefect_url"], "the run")
        [run] = prefect.runs.values()

        client.post(f"/render/{job}/cancel")
        until(lambda: prefect.cancelled == [run["id"]], "the cancelled run")
        client.post(f"/render/{job}/retry")
        until(lambda: len(prefect.runs) == 2, "another run")

        assert prefect.jobs() == [job, job]


def test_a_prefect_server_that_is_silent_holds_nobody_up(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with running_service(tmp_path / "home", prefect_api_url=f"http://127.0.0.1:{port}/api") as service:
            client = service.client()
            client.timeout = httpx.Timeout(4)
            for _ in range(50):
                submitted(client)


def test_settings_that_can_not_be_are_said(service: RunningService) -> None:
    taken = Settings(home=service.settings.home, service_port=service.port)

    ended = subprocess.run(
        [sys.executable, "-m", "bhiv.cli", "serve"],
        env=inherited_environment() | {"BHIV_HOME": str(taken.home), "BHIV_SERVICE_PORT": str(taken.service_port)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert ended.returncode == 1
    assert f"can't listen on 127.0.0.1:{service.port}" in ended.stderr


def test_a_plan_may_name_a_picture_that_is_in_the_bucket(client: httpx.Client, service: RunningService) -> None:
    picture = {"object": "images/mine.png"}
    plan = PLAN | {"scenes": [{"narration": "A river runs.", "picture": picture}]}

    missing = client.post("/render", json=plan)
    open_bucket(service.settings).put_bytes("images/mine.png", b"looked at by the run", "image/png")
    accepted = client.post("/render", json=plan)

    assert problem(missing, 422) == "scenes.0.picture.object: is not in the bucket"
    assert missing.json()["field"] == "scenes.0.picture.object"
    assert accepted.status_code == 202


def test_a_file_of_the_server_is_no_picture(client: httpx.Client) -> None:
    plan = PLAN | {"scenes": [{"narration": "A river runs.", "picture": {"file": "/etc/passwd"}}]}

    answer = client.post("/render", json=plan)

    assert "is for `bhiv render`" in problem(answer, 422)
    assert answer.json()["field"] == "scenes.0.picture.file"
