import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import func, select
from standardwebhooks import Webhook

from bhiv import api_keys, incoming
from bhiv.catalog import Catalog, ledger, open_catalog, outbox, views
from bhiv.catalog.models import IngestEvent, Job
from bhiv.errors import InputRefused
from bhiv.incoming import Event
from bhiv.jobs import Order
from bhiv.record import Metadata, started_now
from bhiv.request import RenderRequest, new_id
from bhiv.webhook_secrets import ingest_secrets
from bhiv.webhook_signing import new_secret
from tests.servers.api import Api, api
from tests.servers.sink import Sink, receiving
from tests.servers.starting import wait_until

SECRET, GITHUB_SECRET = new_secret(), "a word that two share"
SCRIPT = "The river runs to the sea.\n\nThe sea waits."
BOUNDARY = b"--a-boundary"


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with receiving() as started:
        yield started


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, sink: Sink) -> Iterator[Api]:
    """A service that wants keys."""
    allowed = {"allowed_hosts": sink.host, "callback_secrets": SECRET}
    with api(tmp_path_factory.mktemp("service"), max_script_bytes=50_000, **allowed) as started:
        yield started


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A service that wants webhooks to be signed."""
    with api(tmp_path_factory.mktemp("signing"), ingest_secrets=f"{SECRET},{GITHUB_SECRET}") as started:
        yield started


def shapes() -> list[Any]:
    """Content type, body and what becomes of it: each way to send a script."""
    kinds: list[Any] = []
    for field in ("script", "text", "content", "message"):
        values = {field: SCRIPT, "title": "A river", "uploader_id": "ada", "fps": "30", "other": "thing"}
        kinds += [
            pytest.param({"json": values | {"fps": 30, "other": {"deep": [1]}}}, id=f"json {field}"),
            pytest.param({"data": values}, id=f"form {field}"),
            pytest.param({"files": {name: (None, value) for name, value in values.items()}}, id=f"multipart {field}"),
        ]
    told = {"title": "A river", "uploader_id": "ada", "fps": "30"}
    upload = {"data": told, "files": {"upload": ("a_river.md", SCRIPT.encode(), "text/markdown")}}
    return [*kinds, pytest.param(upload, id="uploaded file")]


def built(service: Api, given: dict[str, Any], path: str = "/ingest/webhook") -> httpx.Request:
    return service.client.build_request("POST", path, **given)


def signed(service: Api, request: httpx.Request, webhook_id: str = "") -> httpx.Request:
    """The request as somebody sends it who knows the secret and has no key."""
    webhook_id, moment = webhook_id or f"msg_{uuid4().hex}", datetime.now(UTC)
    body = request.read()
    del request.headers["Authorization"]
    request.headers["webhook-id"] = webhook_id
    request.headers["webhook-timestamp"] = str(int(moment.timestamp()))
    # Its own way to the bytes is text.
    request.headers["webhook-signature"] = Webhook(SECRET).sign(webhook_id, moment, body.decode())
    return request


def requested(service: Api, job_id: str) -> RenderRequest:
    with open_catalog(service.settings) as catalog:
        return views.request_of(catalog, job_id)


def counted(service: Api) -> tuple[int, int]:
    """How many events and jobs there are."""
    with open_catalog(service.settings) as catalog, catalog.reading() as connection:
        events = connection.scalar(select(func.count()).select_from(IngestEvent))
        return events or 0, connection.scalar(select(func.count()).select_from(Job)) or 0


@pytest.mark.parametrize("given", shapes())
def test_each_shape_of_a_script_becomes_a_job(service: Api, given: dict[str, Any]) -> None:
    answer = service.client.send(built(service, given))

    assert answer.status_code == 202, answer.text
    [job_id] = answer.json()["jobs"]
    request = requested(service, job_id)
    assert (request.script, request.title, request.uploader_id, request.fps) == (SCRIPT, "A river", "ada", 30)
    assert service.client.get(f"/render/{job_id}/status").json()["state"] == "pending"


@pytest.mark.parametrize("given", shapes())
def test_each_shape_is_accepted_with_a_signature_in_place_of_a_key(signing: Api, given: dict[str, Any]) -> None:
    webhook_id = f"msg_{uuid4().hex}"
    first = signing.client.send(signed(signing, built(signing, given), webhook_id))
    again = signing.client.send(signed(signing, built(signing, given), webhook_id))

    assert (first.status_code, again.status_code) == (202, 200), first.text
    assert first.json() == again.json()
    assert requested(signing, first.json()["jobs"][0]).script == SCRIPT


def test_an_uploaded_file_without_a_title_has_that_of_its_name(service: Api) -> None:
    answer = service.client.post("/ingest/webhook", files={"file": ("C:\\texts\\the_long-river.txt", b"It runs.")})

    assert requested(service, answer.json()["jobs"][0]).shown_title == "The long river"


def test_github_signs_in_its_own_way(signing: Api) -> None:
    body, delivery = json.dumps({"message": SCRIPT}).encode(), str(uuid4())
    signature = "sha256=" + hmac.new(GITHUB_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Delivery": delivery, "X-Hub-Signature-256": signature, "Content-Type": "application/json"}
    with signing.without_key() as client:
        answers = [client.post("/ingest/webhook", content=body, headers=headers) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, 200, 200]
    assert len({answer.text for answer in answers}) == 1


def test_what_is_not_signed_or_signed_wrongly_is_refused_even_with_a_key(signing: Api) -> None:
    before = counted(signing)
    unsigned = built(signing, {"json": {"script": SCRIPT}})
    changed = signed(signing, built(signing, {"json": {"script": SCRIPT}}))
    changed.headers["webhook-id"] = "another"
    old = signed(signing, built(signing, {"json": {"script": SCRIPT}}))
    moment = datetime.now(UTC) - timedelta(minutes=10)
    old.headers["webhook-timestamp"] = str(int(moment.timestamp()))
    old.headers["webhook-signature"] = Webhook(SECRET).sign(old.headers["webhook-id"], moment, old.read().decode())
    garbled = signed(signing, built(signing, {"json": {"script": SCRIPT}}))
    garbled.headers["webhook-signature"] = "v1,a,,, v1"

    answers = [signing.client.send(request) for request in (unsigned, changed, old, garbled)]

    assert [answer.status_code for answer in answers] == [401] * 4
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert counted(signing) == before


def test_without_a_key_of_the_scope_nothing_is_taken_in(service: Api) -> None:
    with open_catalog(service.settings) as catalog, catalog.writing() as connection:
        poor = api_keys.create(connection, "poor", ("render:read",))
        right = api_keys.create(connection, "right", ("ingest",))
    with service.without_key() as client:
        answers = [
            client.post("/ingest/webhook", json={"script": SCRIPT}, headers={"X-API-Key": key})
            for key in ("", poor, right)
        ]

    assert [answer.status_code for answer in answers] == [401, 403, 202]


def test_the_same_webhook_makes_its_jobs_once(service: Api) -> None:
    headers = {"webhook-id": uuid4().hex}
    before = counted(service)
    answers = [
        service.client.post("/ingest/webhook", json=[{"text": SCRIPT}, {"text": "Two."}], headers=headers)
        for _ in range(5)
    ]

    assert [answer.status_code for answer in answers] == [202, 200, 200, 200, 200]
    assert len({answer.text for answer in answers}) == 1
    events, made = counted(service)
    assert (events - before[0], made - before[1]) == (1, 2)


def test_two_senders_may_choose_the_same_name(service: Api) -> None:
    with open_catalog(service.settings) as catalog, catalog.writing() as connection:
        other = api_keys.create(connection, "other", ("ingest",))
    headers = {"webhook-id": uuid4().hex}
    own = service.client.post("/ingest/webhook", json={"text": SCRIPT}, headers=headers)
    others = service.client.post(
        "/ingest/webhook", json={"text": SCRIPT}, headers=headers | {"Authorization": f"Bearer {other}"}
    )

    assert (own.status_code, others.status_code) == (202, 202)
    assert own.json()["jobs"] != others.json()["jobs"]


def test_without_a_name_each_post_is_new(service: Api) -> None:
    made = [service.client.post("/ingest/webhook", json={"text": SCRIPT}).json()["event_id"] for _ in range(3)]

    assert len(set(made)) == 3


@pytest.mark.parametrize(
    "payload", [{"action": "opened"}, {"text": "  "}, {"message": {"chat": 1}}, {"script": None}, {}]
)
def test_a_payload_without_a_script_is_kept_as_an_event(service: Api, payload: dict[str, Any]) -> None:
    answer = service.client.post("/ingest/webhook", json=payload)

    assert (answer.status_code, answer.json()["jobs"]) == (202, [])
    with open_catalog(service.settings) as catalog, catalog.reading() as connection:
        kept = connection.scalar(select(IngestEvent.payload).where(IngestEvent.id == answer.json()["event_id"]))
    assert kept == payload


def test_a_list_is_taken_as_a_whole_or_not_at_all(service: Api) -> None:
    before = counted(service)
    bad = service.client.post("/ingest/webhook", json=[{"text": SCRIPT}, {"text": SCRIPT, "fps": 3}])
    assert (bad.status_code, counted(service)) == (422, before)
    assert bad.json()["detail"].startswith("1: ")

    good = service.client.post("/ingest/webhook", json=[{"text": f"Number {n}."} for n in range(99)] + [{"a": 1}])
    assert good.status_code == 202
    assert len(good.json()["jobs"]) == 99
    assert service.client.post("/ingest/webhook", json=[{"text": "One."}] * 101).status_code == 422
    assert service.client.post("/ingest/webhook", json=[]).status_code == 422


def part(name: str, data: bytes, file: bool = True) -> bytes:
    filename = b'; filename="a.txt"' if file else b""
    return (
        BOUNDARY
        + b'\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n' % (name.encode(), filename)
        + data
        + b"\r\n"
    )


JSON, FORM, UPLOAD = "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a-boundary"
END = BOUNDARY + b"--\r\n"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        *[
            (JSON, body)
            for body in (
                b"", b"nonsense", b'"text"', b"5", b"null", b"true", b"[5]", b"[[]]", b"[null]", b'{"script": [1]}',
                b'{"script": {"a": 1}}', b'{"script": 5}', b'{"script": "a", "title": {"a": 1}}', b"[" * 100_000,
                b'{"a":' * 100_000, b'{"script": NaN}', b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1e400}',
                b'{"a": ' + b"9" * 5_000 + b"}", b'{"script": "\\ud800"}', b'{"a": "\\ud800"}', b'{"a": "\\u0000"}',
                b'{"script": "\\u0000"}', b'{"script": "\xff"}', b'{"script": "a", "fps": 1e400}',
                b'{"script": "a", "uploader_id": "\\u0000"}', b'{"script": "a", "callback_url": "http://10.0.0.1/"}',
                json.dumps({"script": "a " * 30_000}).encode(), b'{"script": "\xf0\x9f\x98"}',
            )
        ],
        *[
            (FORM, body)
            for body in (
                b"script=%ff", b"script=%ED%A0%80", b"script=\xff", b"&".join([b"a=1"] * 1_000), b"script=a&fps=many",
                b"script=%00", b"a=%00",
            )
        ],
        *[
            (UPLOAD, body)
            for body in (
                b"", b"nonsense", BOUNDARY, part("file", b"Text."), part("file", b"Text.")[:60],
                part("file", b"\xff\xfe\xfd") + END, part("file", b"\x89PNG\r\n\x1a\n\0\0") + END,
                part("file", b"") + END, part("script", b"\xff", file=False) + END, part("file", b"A") * 2 + END,
                part("script", b"A.", file=False) + part("file", b"B.") + END,
                part("a", b"1", file=False) * 1_000 + END, part("file", b"a " * 100_000) + END,
                part("file", b"a " * 28_000) + END, BOUNDARY + b"\r\nX: y\r\n\r\nA.\r\n" + END,
                BOUNDARY + b"\r\n" + b"X" * 50_000 + b": y\r\n\r\nA.\r\n" + END,
                BOUNDARY + b"\r\nContent-Disposition: form-data\r\n\r\nA.\r\n" + END,
            )
        ],
        ("multipart/form-data", part("file", b"A.") + END),
        ("multipart/form-data; boundary=" + "b" * 500, b"A."),
        ("application/json; charset=utf-16", '{"script": "A."}'.encode("utf-16")),
        ("application/json; charset=nothing", b'{"script": "A."}'),
        ("application/x-www-form-urlencoded; charset=latin-1", b"script=%E4"),
        ("text/plain", b"A script."),
        ("", b'{"script": "A."}'),
        ("; ;;=", b"A."),
    ],
)  # fmt: skip
def test_hostile_input_is_refused_as_a_problem(service: Api, content_type: str, body: bytes) -> None:
    before = counted(service)

    answer = service.client.post("/ingest/webhook", content=body, headers={"Content-Type": content_type})

    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert counted(service) == before


@pytest.mark.parametrize("webhook_id", [b"", b"\xff", b"a" * 300])
def test_a_name_that_is_none_is_refused(service: Api, webhook_id: bytes) -> None:
    answer = service.client.post("/ingest/webhook", json={"text": "A."}, headers={b"webhook-id": webhook_id})

    assert answer.status_code == 400


def test_an_upload_that_does_not_say_how_long_it_is_is_refused_when_it_is_too_long(service: Api) -> None:
    answer = service.client.post(
        "/ingest/webhook", content=iter([b"x" * 200_000] * 5), headers={"Content-Type": UPLOAD}
    )

    assert answer.status_code == 413


def test_every_content_type_is_in_the_document(service: Api) -> None:
    paths = service.client.get("/openapi.json").json()["paths"]

    assert set(paths["/ingest/webhook"]["post"]["requestBody"]["content"]) == {JSON, FORM, "multipart/form-data"}
    assert set(paths["/scripts"]["post"]["requestBody"]["content"]) == {
        "multipart/form-data", "text/plain", "text/markdown",
    }  # fmt: skip


def test_of_two_that_bring_the_same_webhook_at_once_one_makes_the_jobs(catalog: Catalog) -> None:
    name = "sender:one"

    def take(catalog: Catalog) -> tuple[incoming.Receipt, bool]:
        event = Event(id=new_id(), webhook_id=name, content_type=JSON, payload={})
        order = Order(request=RenderRequest(script="A."), fingerprint="")
        with catalog.writing() as connection:
            return incoming.take(connection, event, [order])

    [(first, was_new), (again, is_new)] = take(catalog), take(catalog)

    assert (was_new, is_new) == (True, False)
    assert first == again == incoming.seen(catalog, name)


def test_a_method_that_a_path_has_not_is_answered_with_all_that_it_has(service: Api) -> None:
    answer = service.client.delete(f"/render/{new_id()}/webhook")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, PUT")


# --- scripts ---


def test_a_script_is_uploaded_with_title_and_uploader(service: Api) -> None:
    answer = service.client.post(
        "/scripts", data={"title": "A river", "uploader_id": "ada"}, files={"file": ("a.md", SCRIPT.encode())}
    )

    assert answer.status_code == 202
    request = requested(service, answer.json()["job_id"])
    assert (request.script, request.title, request.uploader_id) == (SCRIPT, "A river", "ada")
    assert answer.headers["Location"] == f"/render/{answer.json()['job_id']}/status"


@pytest.mark.parametrize("kind", ["text/plain", "text/markdown; charset=utf-8"])
def test_a_script_may_be_the_body_itself(service: Api, kind: str) -> None:
    answer = service.client.post(
        "/scripts", params={"title": "A river", "fps": "24"}, content=SCRIPT, headers={"Content-Type": kind}
    )

    request = requested(service, answer.json()["job_id"])
    assert (request.script, request.title, request.fps) == (SCRIPT, "A river", 24)


def test_an_upload_with_an_idempotency_key_makes_one_job(service: Api) -> None:
    def upload(text: str) -> httpx.Response:
        return service.client.post("/scripts", files={"file": ("a.md", text)}, headers={"Idempotency-Key": key})

    key = uuid4().hex
    first, again, other = upload(SCRIPT), upload(SCRIPT), upload("Another.")

    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 422)
    assert first.json()["job_id"] == again.json()["job_id"]


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"content": b"", "headers": {"Content-Type": "text/plain"}}, 422),
        ({"content": b"\xff\xff", "headers": {"Content-Type": "text/plain"}}, 422),
        ({"content": b"A.", "headers": {"Content-Type": "text/plain; charset=latin-1"}}, 415),
        ({"json": {"script": "A."}}, 415),
        ({"data": {"title": "A"}, "files": {"file": ("a.md", b"")}}, 422),
        ({"files": {"title": (None, "A")}}, 422),
        ({"data": {"job_id": "0" * 24}, "files": {"file": ("a.md", b"A.")}}, 422),
        ({"data": {"fps": "many"}, "files": {"file": ("a.md", b"A.")}}, 422),
        ({"files": {"file": ("a.md", b"a " * 200_000)}}, 413),
    ],
)
def test_an_upload_that_is_no_script_is_refused(service: Api, given: dict[str, Any], status: int) -> None:
    answer = service.client.post("/scripts", **given)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


# --- callbacks ---


def finish(service: Api, job_id: str) -> None:
    """Make the job as a worker does, but for the video."""
    with open_catalog(service.settings) as catalog:
        lease = ledger.claim(catalog, job_id, "a worker", 30)
        job = views.get(catalog, job_id)
        assert lease is not None
        assert job is not None
        timestamp, created_at = started_now()
        metadata = Metadata(
            content_id=job.content_id, job_id=job_id, uploader_id="local", title="A river", timestamp=timestamp,
            created_at=created_at, storyboard_source="rules", processing_status="completed",
        )  # fmt: skip
        ledger.finish(catalog, lease, "completed", metadata)


def test_who_registered_is_told_of_the_end_and_again_when_asked(service: Api, sink: Sink) -> None:
    client = service.client
    job_id = client.post("/render", json={"script": SCRIPT}).json()["job_id"]
    own = new_secret()
    assert client.put(f"/render/{job_id}/webhook", json={"url": sink.url, "secret": own}).status_code == 200
    finish(service, job_id)
    arrived = partial(_letters, client, job_id, "delivered")
    wait_until(arrived, "the callback", 30)

    [callback] = client.get(f"/render/{job_id}/webhook").json()
    [tried] = client.get(f"/render/{job_id}/webhook/deliveries").json()
    [letter] = callback["letters"]
    posted = [one for one in sink.requests if one.id == letter["id"]]
    assert Webhook(own).verify(posted[0].body, posted[0].headers)["data"]["job_id"] == job_id
    assert own not in client.get(f"/render/{job_id}/webhook").text
    assert (callback["url"], callback["state"], tried["status"]) == (sink.url, "active", 204)

    assert client.post(f"/deliveries/{letter['id']}/replay").json()["state"] in {"waiting", "delivered"}
    wait_until(lambda: len([one for one in sink.requests if one.id == letter["id"]]) == 2, "the replay", 30)


def _letters(client: httpx.Client, job_id: str, state: str) -> bool:
    [callback] = client.get(f"/render/{job_id}/webhook").json()
    return [letter["state"] for letter in callback["letters"]] == [state]


def test_what_was_given_up_is_listed_and_replayed(service: Api, sink: Sink) -> None:
    sink.faults = ["410"]
    job_id = service.client.post("/render", json={"script": SCRIPT, "callback_url": sink.url}).json()["job_id"]
    finish(service, job_id)
    wait_until(partial(_letters, service.client, job_id, "given_up"), "the end of the callback", 30)

    [dead] = service.client.get("/deadletters").json()
    assert (dead["job_id"], dead["error"]) == (job_id, "answered 410")
    assert service.client.post(f"/deadletters/{dead['id']}/replay").status_code == 202
    wait_until(partial(_letters, service.client, job_id, "delivered"), "the replay", 30)
    assert service.client.get("/deadletters").json() == []
    assert service.client.post("/deadletters/replay").json() == {"replayed": 0}


@pytest.mark.parametrize("url", ["http://example.org/", "https://10.0.0.1/", "https://[::1]/", "http://127.0.0.1:1/"])
def test_an_address_that_no_try_could_reach_is_refused_when_it_is_given(service: Api, url: str) -> None:
    job_id = service.client.post("/render", json={"script": SCRIPT}).json()["job_id"]

    answers = [
        service.client.put(f"/render/{job_id}/webhook", json={"url": url}),
        service.client.post("/render", json={"script": SCRIPT, "callback_url": url}),
        service.client.post("/render", json={"title": "A", "scenes": [{"narration": "A."}], "callback_url": url}),
    ]

    assert [answer.status_code for answer in answers] == [422] * 3
    assert all("BHIV_ALLOWED_HOSTS" in answer.json()["detail"] for answer in answers)


def test_a_letter_or_job_that_is_not_there_is_not_found(service: Api) -> None:
    nobody = new_id()
    client = service.client
    run = client.post("/render", json={"script": SCRIPT}).json()["job_id"]
    with open_catalog(service.settings) as catalog:
        letters = [letter.id for letter in outbox.due(catalog, ["run"], 1000) if letter.job_id == run]

    answers = [
        client.get(f"/render/{nobody}/webhook"),
        client.get(f"/render/{nobody}/webhook/deliveries"),
        client.post(f"/deliveries/{nobody}/replay"),
        client.post(f"/deadletters/{letters[0]}/replay"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4


def test_only_an_administrator_sees_all_that_was_given_up(service: Api) -> None:
    with open_catalog(service.settings) as catalog, catalog.writing() as connection:
        key = api_keys.create(connection, "writer", ("render:write", "render:read"))
    with service.without_key() as client:
        client.headers["X-API-Key"] = key
        answers = [client.get("/deadletters"), client.post("/deadletters/replay")]

    assert [answer.status_code for answer in answers] == [403, 403]


def test_a_secret_for_incoming_webhooks_that_is_none_is_named(service: Api, tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="BHIV_INGEST_SECRETS"):
        ingest_secrets(service.settings.model_copy(update={"ingest_secrets": (SecretStr("whsec_short"),)}))
