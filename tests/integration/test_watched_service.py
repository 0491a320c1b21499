"""The service as those see it who watch it, read what it made, and say what they think: a real server."""

import json
import os
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psutil
import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families

from bhiv.bucket import open_bucket
from bhiv.bucket.local import LocalBucket
from bhiv.catalog import ledger, open_catalog
from bhiv.record import Metadata, Stage, started_now
from bhiv.request import RenderRequest
from tests.servers.s3 import s3_settings
from tests.servers.service import WIDE, RunningService, running_service, until
from tests.servers.starting import S3Server

ROOT = Path(__file__).parent.parent.parent
VIDEO = bytes(range(256)) * 12_000
NONE = "0" * 24


class _Prefect(BaseHTTPRequestHandler):
    """A Prefect server that knows every deployment and starts what it is asked for."""

    asked: list[tuple[str, Any]] = []  # noqa: RUF012
    names: dict[str, str] = {}  # noqa: RUF012

    def do_GET(self) -> None:
        if "/deployments/name/" in self.path:
            id_ = str(uuid4())
            self.names[id_] = self.path.rpartition("/")[2]
            self._say({"id": id_})
        else:
            self._say(True)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked.append((self.names[self.path.split("/")[3]], body["parameters"]))
        self._say({"id": str(uuid4())})

    def _say(self, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with Core and Prefect, which logs JSON."""
    prefect = ThreadingHTTPServer(("127.0.0.1", 0), _Prefect)
    thread = threading.Thread(target=prefect.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    address = f"http://127.0.0.1:{prefect.server_address[1]}/api"
    given = WIDE | {"log_format": "json", "core_url": "http://127.0.0.1:1/core", "prefect_api_url": address}
    try:
        with running_service(tmp_path_factory.mktemp("watched"), **given) as running:
            yield running
    finally:
        prefect.shutdown()
        thread.join(5)
        prefect.server_close()


@pytest.fixture
def client(service: RunningService) -> httpx.Client:
    """A client that may do everything."""
    return service.client()


@pytest.fixture
def store(service: RunningService) -> LocalBucket:
    """The service's bucket."""
    return LocalBucket(service.settings.bucket_dir)


def made(service: RunningService, title: str = "The river", *, finished: bool = True) -> RenderRequest:
    """Enter a job and, unless it is to be a running one, its end."""
    request = RenderRequest(script="A river.", title=title)
    timestamp, created_at = started_now()
    metadata = Metadata(
        content_id=request.content_id, job_id=request.job_id, uploader_id="local", title=title, timestamp=timestamp,
        created_at=created_at, storyboard_source="rules", processing_status="completed",
    )  # fmt: skip
    with open_catalog(service.settings) as catalog:
        ledger.register(catalog, request)
        lease = ledger.claim(catalog, request.job_id, "me", 300)
        assert lease is not None
        if finished:
            ledger.finish(catalog, lease, "completed", metadata, {"tts": Stage(seconds=3, cached=0, total=1)})
    return request


@pytest.fixture
def video(service: RunningService, store: LocalBucket) -> str:
    """The key of a finished video."""
    content = made(service, 'Die Größe: "the river" / नदी').content_id
    key = f"videos/{content}.mp4"
    store.put_bytes(key, VIDEO, "video/mp4")
    return key


def test_metrics_tell_what_became_of_all_jobs(service: RunningService, client: httpx.Client) -> None:
    before = client.get("/metrics").json()
    made(service)

    def counted() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get("/metrics").json()
        return found if found["jobs_completed"] == before["jobs_completed"] + 1 else None

    after = until(counted, "the job to be counted")

    assert after["jobs_started"] == before["jobs_started"] + 1
    assert set(after) >= {
        f"{kind}_errors" for kind in ("image", "tts", "subtitle", "stitch", "upload", "youtube", "lm", "render")
    } | {"jobs_failed", "total_duration_seconds", "success_rate"}


def test_every_metric_of_the_dashboard_and_the_alerts_is_in_a_scrape(
    service: RunningService, client: httpx.Client
) -> None:
    made(service)
    until(lambda: "bhiv_job_success_ratio" in client.get("/metrics/prometheus").text, "a scrape after the end of a job")
    families = [*text_string_to_metric_families(client.get("/metrics/prometheus").text)]
    scraped = {sample.name for family in families for sample in family.samples}
    board = json.loads((ROOT / "docs/grafana.json").read_text())
    rules = yaml.safe_load((ROOT / "docs/alerts.yml").read_text())
    shown = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    alerts = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]

    named = set(re.findall(r"\b(?:bhiv|process)_\w+", " ".join(shown + alerts)))

    assert named - scraped == set()
    # The other way round: nothing is measured that nobody looks at.
    assert {re.sub(r"_(bucket|count|sum)$", "_bucket", name) for name in scraped if name.startswith("bhiv")} <= named
    assert len({rule["alert"] for group in rules["groups"] for rule in group["rules"]}) == len(alerts)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_counters_are_the_same_after_a_restart(service: RunningService, tmp_path: Path) -> None:
    made(service)
    with running_service(tmp_path, home=service.settings.home, bucket_dir=service.settings.bucket_dir) as other:
        told = service.client(service.key)

        def same() -> bool:
            both = [one.get("/metrics").json() for one in (told, other.client(service.key))]
            return bool(both[0] == both[1] and both[0]["jobs_completed"])

        until(same, "both processes to tell the same")


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/metrics", "metrics"),
        ("GET", "/metrics/prometheus", "metrics"),
        ("GET", "/jobs", "render:read"),
        ("GET", "/analytics", "render:read"),
        ("GET", "/bucket/stats", "bucket:read"),
        ("GET", "/bucket/list", "bucket:read"),
        ("GET", "/bucket/failed-operations", "bucket:read"),
        ("GET", "/bucket/videos/a.mp4", "bucket:read"),
        ("HEAD", "/bucket/videos/a.mp4", "bucket:read"),
        ("DELETE", "/bucket/videos/a.mp4", "bucket:admin"),
        ("POST", "/bucket/clean-up", "bucket:admin"),
        ("POST", "/bucket/rotate-logs", "bucket:admin"),
        ("POST", "/bucket/replay-failures", "bucket:admin"),
        ("POST", f"/contents/{NONE}/feedback", "feedback"),
        ("GET", f"/contents/{NONE}/feedback", "render:read"),
    ],
)
def test_only_a_key_of_the_scope_gets_in(service: RunningService, method: str, path: str, scope: str) -> None:
    others = {"metrics", "render:read", "bucket:read", "bucket:admin", "feedback"} - {scope}

    assert service.client("").request(method, path).status_code == 401
    assert service.client(service.new_key(*others)).request(method, path).status_code == 403
    assert service.client(service.new_key(scope)).request(method, path).status_code not in {401, 403, 500}


def test_a_video_is_given_out_whole(client: httpx.Client, video: str) -> None:
    answer = client.get(f"/bucket/{video}")

    assert (answer.status_code, answer.content) == (200, VIDEO)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert 'filename="Die Gr__e_ _the river_ - ___.mp4"' in answer.headers["content-disposition"]
    assert "filename*=UTF-8''Die%20Gr%C3%B6%C3%9Fe" in answer.headers["content-disposition"]
    assert client.get(f"/bucket/{video}", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_a_video_is_given_out_in_parts(client: httpx.Client, video: str) -> None:
    def part(range_: str, **headers: str) -> tuple[int, bytes, str | None]:
        answer = client.get(f"/bucket/{video}", headers={"Range": range_} | headers)
        return answer.status_code, answer.content, answer.headers.get("content-range")

    size = len(VIDEO)
    assert part("bytes=0-9") == (206, VIDEO[:10], f"bytes 0-9/{size}")
    assert part("bytes=1500000-") == (206, VIDEO[1500000:], f"bytes 1500000-{size - 1}/{size}")
    assert part("bytes=-5") == (206, VIDEO[-5:], f"bytes {size - 5}-{size - 1}/{size}")
    assert part(f"bytes={size}-")[::2] == (416, f"bytes */{size}")
    assert part("bytes=0-9", **{"If-Range": '"another"'}) == (200, VIDEO, None)
    assert part("lines=1-2") == part("bytes=0-1,5-6") == (200, VIDEO, None)


def test_an_s3_object_is_streamed_through_or_presigned(tmp_path: Path, moto_server: S3Server) -> None:
    given = s3_settings(moto_server, tmp_path)
    with running_service(tmp_path / "s3", **{name: getattr(given, name) for name in given.model_fields_set}) as service:
        client = service.client()
        open_bucket(given).put_bytes("videos/a.mp4", VIDEO, "video/mp4")

        through = client.get("/bucket/videos/a.mp4", headers={"Range": "bytes=1000000-"})
        presigned = client.get("/bucket/videos/a.mp4?presigned=true")

        assert (through.status_code, through.content) == (206, VIDEO[1_000_000:])
        assert presigned.status_code == 307
        assert httpx.get(presigned.headers["location"], trust_env=False).content == VIDEO
        assert client.get("/bucket/videos/b.mp4?presigned=true").status_code == 404


def test_a_large_object_is_given_out_without_being_held(
    service: RunningService, client: httpx.Client, store: LocalBucket
) -> None:
    assert service.process is not None
    memory, size = psutil.Process(service.process.pid).memory_info, 128 << 20
    store.put_bytes("videos/large.mp4", bytes(size), "video/mp4")
    client.get("/bucket/videos/large.mp4", headers={"Range": "bytes=0-9"})
    before = most = memory().rss
    seen = 0
    with client.stream("GET", "/bucket/videos/large.mp4") as answer:
        for piece in answer.iter_bytes(8 << 20):
            seen += len(piece)
            most = max(most, memory().rss)
            assert httpx.get(f"{service.url}/health", trust_env=False).status_code == 200
    store.delete("videos/large.mp4")

    assert seen == size
    assert most - before < size / 4


def test_a_head_tells_the_size_only(client: httpx.Client, video: str) -> None:
    answer = client.head(f"/bucket/{video}")

    assert (answer.status_code, answer.content, int(answer.headers["content-length"])) == (200, b"", len(VIDEO))


def test_what_a_browser_could_run_is_saved_instead(client: httpx.Client, store: LocalBucket) -> None:
    store.put_bytes("tmp/page.html", b"<script>alert(1)</script>", "text/html")
    store.put_bytes("tmp/odd", b"x", "text/html\r\nSet-Cookie: a=b")

    page, odd = client.get("/bucket/tmp/page.html"), client.get("/bucket/tmp/odd")

    assert page.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in page.headers["content-security-policy"]
    assert (odd.headers["content-type"], "set-cookie" in odd.headers) == ("application/octet-stream", False)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    "key",
    [
        "videos/none.mp4",
        "videos/..%2f..%2fhome/catalog.db",
        "videos/%2e%2e/%2e%2e/etc/passwd",
        "%2fetc%2fpasswd",
        "videos/A.mp4",
        "videos/%00.mp4",
        "videos/x%0d%0aSet-Cookie:%20a=b",
        "videos/.unfinished-1",
        "elsewhere/x",
        "videos/" + "a" * 3000,
        "videos/folder",
        "videos/link.mp4",
        "videos/linked/x.mp4",
        "videos/file.txt/x.mp4",
    ],
)
def test_nothing_but_an_object_is_reached(client: httpx.Client, store: LocalBucket, method: str, key: str) -> None:
    store.put_bytes("videos/folder/inner.txt", b"x", "text/plain")
    store.put_bytes("videos/file.txt", b"x", "text/plain")
    secret = store.root.parent / "secret"
    secret.mkdir(exist_ok=True)
    (secret / "x.mp4").write_text("secret")
    for name, target in (("link.mp4", secret / "x.mp4"), ("linked", secret)):
        if not (store.root / "videos" / name).is_symlink():
            (store.root / "videos" / name).symlink_to(target)

    answer = client.request(method, f"/bucket/{key}")

    assert answer.status_code in {404, 405, 422}
    assert b"secret" not in answer.content
    assert (secret / "x.mp4").exists()


def test_folders_that_are_asked_for_leave_nothing_open(
    service: RunningService, client: httpx.Client, store: LocalBucket
) -> None:
    assert service.process is not None
    store.put_bytes("videos/folder/inner.txt", b"x", "text/plain")
    open_files = Path(f"/proc/{service.process.pid}/fd")
    client.get("/bucket/videos/folder")
    before = len([*open_files.iterdir()])

    for _ in range(30):
        client.get("/bucket/videos/folder")

    assert len([*open_files.iterdir()]) < before + 15


def test_objects_are_listed_page_by_page(client: httpx.Client, store: LocalBucket) -> None:
    for number in range(5):
        store.put_bytes(f"audio/page-{number}.wav", b"1234", "audio/wav")

    first = client.get("/bucket/list", params={"prefix": "audio/page-", "limit": 3}).json()
    second = client.get("/bucket/list", params={"prefix": "audio/page-", "after": first["next"]}).json()

    keys = [line["key"] for line in (*first["objects"], *second["objects"])]
    assert (keys, second["next"]) == ([f"audio/page-{number}.wav" for number in range(5)], None)


@pytest.mark.parametrize(
    "query", ["prefix=../", "prefix=videos/..", "limit=0", "limit=x", "limit=9999999999", "limit=%D9%A3", "after=%00"]
)
def test_a_listing_that_makes_no_sense_is_refused(client: httpx.Client, query: str) -> None:
    assert client.get(f"/bucket/list?{query}").status_code == 422


def test_the_bucket_tells_its_size(client: httpx.Client) -> None:
    found = client.get("/bucket/stats").json()

    assert {one["segment"] for one in found["segments"]} >= {"videos", "audio", "logs"}
    assert found["bytes"] == sum(one["bytes"] for one in found["segments"])
    assert client.get("/bucket/failed-operations").json() == {"total": 0, "operations": []}


def test_an_object_is_removed_unless_a_job_that_goes_on_may_need_it(
    service: RunningService, client: httpx.Client, store: LocalBucket, video: str
) -> None:
    assert client.delete(f"/bucket/{video}").status_code == 204
    assert client.get(f"/bucket/{video}").status_code == client.delete(f"/bucket/{video}").status_code == 404

    going_on = made(service, finished=False)
    keys = [f"scripts/{going_on.content_id}_script.txt", "images/sky.png"]
    for key in keys:
        store.put_bytes(key, b"x", "image/png")

    assert [client.delete(f"/bucket/{key}").status_code for key in keys] == [409, 409]
    os.utime(store.path(keys[1]), (0, 0))
    assert client.delete(f"/bucket/{keys[1]}").status_code == 204
    assert client.post(f"/render/{going_on.job_id}/cancel").status_code == 200
    assert client.delete(f"/bucket/{keys[0]}").status_code == 204


@pytest.mark.parametrize(
    ("path", "deployment", "rules"),
    [
        ("clean-up", "clean_up", {"rules": {"dry_run": True}}),
        ("rotate-logs", "rotate_logs", {"rules": {"record_days": 10.0}}),
        ("replay-failures", "replay_failures", {}),
    ],
)
def test_upkeep_is_started_in_prefect(client: httpx.Client, path: str, deployment: str, rules: dict[str, Any]) -> None:
    answer = client.post(f"/bucket/{path}", json=rules.get("rules"))

    assert answer.status_code == 202
    assert UUID(answer.json()["run_id"])
    assert _Prefect.asked[-1] == (deployment, rules)
    assert client.post(f"/bucket/{path}").status_code == 202
    assert _Prefect.asked[-1] == (deployment, {})


@pytest.mark.parametrize("body", [b'{"tmp_hours": -1}', b'{"x": 1}', b"[]", b'{"tmp_hours": NaN}', b"\xff"])
def test_a_clean_up_by_rules_that_can_not_be_is_refused(client: httpx.Client, body: bytes) -> None:
    count = len(_Prefect.asked)

    answer = client.post("/bucket/clean-up", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code in {400, 422}
    assert len(_Prefect.asked) == count


def test_jobs_are_searched_for(service: RunningService, client: httpx.Client) -> None:
    wanted = made(service, "Ein Ärger mit Flüssen")

    found = client.get("/jobs", params={"title": "ärger MIT fl", "state": "success", "limit": 1}).json()

    assert [job["job_id"] for job in found["jobs"]] == [wanted.job_id]
    assert found["next"] is None
    assert client.get("/jobs", params={"title": "nowhere to be found"}).json() == {"jobs": [], "next": None}


def test_jobs_come_in_pages(service: RunningService, client: httpx.Client) -> None:
    ids = {made(service, "Of many").job_id for _ in range(3)}
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = client.get("/jobs", params={"title": "of many", "limit": "2"} | after).json()
        seen += [job["job_id"] for job in page["jobs"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}

    assert (set(seen), len(seen)) == (ids, 3)


@pytest.mark.parametrize(
    "path",
    [
        "/jobs?state=none",
        "/jobs?after=' OR 1=1",
        "/jobs?limit=1000",
        "/jobs?title=%00",
        "/jobs?title=" + "a" * 600,
        "/analytics?by=password",
        "/analytics?days=0",
        f"/contents/{NONE}/feedback?after=x",
    ],
)
def test_a_query_that_makes_no_sense_is_refused(client: httpx.Client, path: str) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_analytics_sum_up_by_day_language_and_uploader(service: RunningService, client: httpx.Client) -> None:
    made(service)

    for by in ("day", "language", "uploader"):
        found = client.get("/analytics", params={"by": by}).json()
        assert found["by"] == by
        assert sum(share["completed"] for share in found["shares"]) >= 1


def test_a_rating_is_kept_and_its_reward_is_in_the_bucket(
    service: RunningService, client: httpx.Client, store: LocalBucket
) -> None:
    content = made(service).content_id

    given = client.post(f"/contents/{content}/feedback", json={"rating": 4, "comment": "schön", "user_id": "carl"})

    assert given.status_code == 201
    opinion = given.json()
    assert (opinion["reward"], opinion["user_id"]) == (0.5, "carl")
    found = client.get(f"/contents/{content}/feedback").json()
    assert (found["feedback"], found["average_rating"]) == ([opinion], 4.0)
    key = f"logs/feedback/{content}_{opinion['id']}.json"
    until(lambda: key in [entry.key for entry in store.list_page("logs/feedback/").entries], "the reward in the bucket")
    assert json.loads(store.get_bytes(key)) == opinion


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"rating": 0},
        {"rating": 6},
        {"rating": "5"},
        {"rating": 4.5},
        {"rating": True},
        {"rating": 10**30},
        {"rating": 5, "comment": "\0"},
        {"rating": 5, "comment": "a" * 6000},
        {"rating": 5, "user_id": ""},
        {"rating": 5, "stars": 5},
        [],
        "5",
    ],
)
def test_a_rating_that_is_none_is_refused(service: RunningService, client: httpx.Client, body: Any) -> None:
    content = made(service).content_id

    assert client.post(f"/contents/{content}/feedback", json=body).status_code == 422
    assert client.get(f"/contents/{content}/feedback").json()["feedback"] == []


@pytest.mark.parametrize("content", [NONE, "x", "%00", "' OR 1=1"])
def test_a_content_that_is_not_there_is_not_rated(client: httpx.Client, content: str) -> None:
    assert client.post(f"/contents/{content}/feedback", json={"rating": 5}).status_code in {404, 422}
    assert client.get(f"/contents/{content}/feedback").status_code in {404, 422}


def test_a_request_keeps_its_name_in_the_answer_and_in_the_log(service: RunningService, client: httpx.Client) -> None:
    content = made(service).content_id

    answer = client.post(f"/contents/{content}/feedback", json={"rating": 5}, headers={"X-Request-Id": "mine-42"})

    assert answer.headers["x-request-id"] == "mine-42"

    def logged() -> list[Any]:
        lines = [json.loads(line) for line in service.said().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("request_id") == "mine-42"]

    [line] = until(logged, "the line")
    assert (line["level"], "201" in line["message"]) == ("info", True)


@pytest.mark.parametrize("given", ["a b", "x" * 200, '"', "<script>", ""])
def test_a_request_id_that_is_not_sane_is_replaced(client: httpx.Client, given: str) -> None:
    answer = client.get("/health", headers={"X-Request-Id": given})

    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])
