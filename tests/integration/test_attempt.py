import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from bhiv import attempt, jobs, process
from bhiv.attempt import Attempt, Begun, attempted, deliver, store_storyboard
from bhiv.bucket.local import LocalBucket
from bhiv.catalog import ledger, open_catalog, outbox, views
from bhiv.catalog.models import Job
from bhiv.errors import CatalogUnavailable, GateRejected, LeaseLost, LMError, StorageError, ToolFailed
from bhiv.job_end import write_missing_ends
from bhiv.plan import RenderPlan, Scene
from bhiv.progress import Progress
from bhiv.record import Stage, Summary
from bhiv.request import RenderRequest
from bhiv.settings import Settings
from bhiv.tokens import Usage
from bhiv.video.gate import Verdict
from bhiv.video.join import Video
from bhiv.workplace import Workplace
from tests.integration.conftest import Postgres
from tests.servers.lm import language_model_server
from tests.servers.starting import wait_until

PLAN = RenderPlan(title="A river", scenes=(Scene(narration="A river runs to the sea."),))
VERDICT = Verdict(duration_seconds=3.0, loudness_lufs=-14.0, true_peak_dbtp=-1.5)
STAGES: dict[Any, Stage] = {"storyboard": Stage(seconds=0.1, cached=0, total=1)}


@pytest.fixture
def request_() -> RenderRequest:
    return RenderRequest(plan=PLAN)


@contextmanager
def begun(workplace: Workplace, settings: Settings, request: RenderRequest) -> Iterator[Attempt]:
    with attempted(workplace, settings, request, Progress(), "a-flow-run") as made:
        assert isinstance(made, Attempt)
        yield made


def delivered(workplace: Workplace, settings: Settings, by: Begun, lm: Usage | None = None) -> Summary:
    bucket = workplace.bucket
    video = Video(
        video=bucket.put_bytes("videos/join-1.mp4", b"video", "video/mp4"),
        srt=bucket.put_bytes("videos/join-1.srt", b"srt", "application/x-subrip"),
        vtt=bucket.put_bytes("videos/join-1.vtt", b"vtt", "text/vtt"),
        frames=90,
    )
    return deliver(workplace, settings, by, PLAN, video, VERDICT, STAGES, lm=lm).result


def bucket_folder(workplace: Workplace) -> Path:
    assert isinstance(workplace.bucket, LocalBucket)
    return workplace.bucket.root


def kept(workplace: Workplace, segment: str) -> dict[str, bytes]:
    folder = bucket_folder(workplace) / segment
    return {path.name: path.read_bytes() for path in folder.glob("*") if not path.name.startswith("join")}


def metadata(workplace: Workplace) -> dict[str, Any]:
    [data] = [data for name, data in kept(workplace, "logs").items() if name.endswith(".json")]
    read: dict[str, Any] = json.loads(data)
    return read


def log(workplace: Workplace, request: RenderRequest) -> list[str]:
    return kept(workplace, "logs")[f"{request.content_id}.log"].decode().splitlines()


def job(settings: Settings, request: RenderRequest) -> views.JobView:
    with open_catalog(settings) as catalog:
        found = views.get(catalog, request.job_id)
    assert found is not None
    return found


def take_over(settings: Settings, request: RenderRequest) -> None:
    """Let the lease run out and somebody else claim the job."""
    with open_catalog(settings) as catalog:
        with catalog.writing() as connection:
            connection.execute(sqlalchemy.update(Job).values(lease_expires_at=Job.created_at))
        assert ledger.claim(catalog, request.job_id, "another machine", 30) is not None


def test_a_delivered_video_completes_its_job(workplace: Workplace, either: Settings, request_: RenderRequest) -> None:
    with begun(workplace, either, request_) as made:
        summary = delivered(workplace, either, made.begun)

    ended = job(either, request_)
    assert (ended.state, ended.progress, ended.title, ended.flow_run_id) == ("completed", 100, "A river", "a-flow-run")
    assert ended.stages == summary.stages
    assert set(ended.stages) == {"storyboard", "upload"}
    content = request_.content_id
    assert set(kept(workplace, "videos")) == {f"{content}.{end}" for end in ("mp4", "srt", "vtt")} | {
        f"{content}_job_summary.json"
    }
    assert metadata(workplace)["processing_status"] == "completed"
    with open_catalog(either) as catalog:
        entered = views.metadata_of(catalog, request_.job_id)
    assert entered is not None
    assert entered.model_dump(mode="json") == metadata(workplace)
    assert list(workplace.runs.iterdir()) == []


def test_a_topic_whose_script_can_not_be_had_fails_its_job_in_the_words_of_the_model(
    workplace: Workplace, either: Settings
) -> None:
    about = RenderRequest(topic="a mill")
    with language_model_server() as model:
        model.server.always = "401"
        with_model = either.model_copy(update={"lm_base_url": model.base_url, "lm_model": "tiny"})

        with pytest.raises(LMError), begun(workplace, with_model, about):
            store_storyboard(workplace, about, with_model)

    error = job(either, about).error
    assert error is not None
    assert (error.category, error.step) == ("lm", "storyboard")
    assert error.message.startswith("the language model answered 401")
    assert metadata(workplace)["storyboard_source"] == "lm"
    assert metadata(workplace)["title"] == "a mill"


def test_what_a_model_wrote_and_directed_is_kept_under_the_name_of_the_content(
    workplace: Workplace, settings: Settings
) -> None:
    about = RenderRequest(topic="a mill", minutes=0.4)
    with language_model_server() as model:
        with_model = settings.model_copy(update={"lm_base_url": model.base_url, "lm_model": "tiny"})
        with begun(workplace, with_model, about) as made:
            board = store_storyboard(workplace, about, with_model)
            by = made.made_by(board.result.source).begun
            summary = delivered(workplace, with_model, by, board.result.lm)

    assert kept(workplace, "scripts")[f"{about.content_id}_script.txt"].startswith(b"# On a mill\n")
    stored = kept(workplace, "storyboards")[f"{about.content_id}_storyboard.json"]
    assert RenderPlan.model_validate_json(stored) == board.result.plan
    assert (summary.storyboard_source, metadata(workplace)["storyboard_source"]) == ("lm", "lm")
    assert summary.lm is not None
    assert (summary.lm.model, summary.lm.answers, summary.lm.prompt_tokens) == ("tiny", 3, 300)


def test_the_log_of_a_video_tells_its_making_step_by_step(
    workplace: Workplace, settings: Settings, request_: RenderRequest
) -> None:
    with begun(workplace, settings, request_) as made:
        delivered(workplace, settings, made.begun)

    told = log(workplace, request_)

    assert told[0] == f"job {request_.job_id} of content {request_.content_id}: A river"
    assert [line.split(" ", 1)[1] for line in told if line.startswith("20")] == [
        "queued, storyboard, 0 %",
        "running, storyboard, 0 %",
        "completed, completed, 100 %",
    ]
    assert any(line.startswith("upload: ") for line in told)
    assert told[-1] == f"completed: videos/{request_.content_id}.mp4"


def test_the_log_of_a_failed_run_names_the_kind_of_error(
    workplace: Workplace, settings: Settings, request_: RenderRequest
) -> None:
    progress = Progress()
    progress.current = "tts"

    with pytest.raises(GateRejected), attempted(workplace, settings, request_, progress):
        raise GateRejected("the voice\nis hoarse")

    told = log(workplace, request_)

    assert told[-1] == "tts error in tts: the voice is hoarse"
    assert any(line.endswith("failed, tts, 0 %, tts error") for line in told)


def test_a_log_that_can_not_be_stored_does_not_fail_the_run(
    workplace: Workplace, settings: Settings, request_: RenderRequest
) -> None:
    # A folder is in the way of it.
    workplace.bucket.put_bytes(f"logs/{request_.content_id}.log/x", b"", "text/plain")

    with begun(workplace, settings, request_) as made:
        delivered(workplace, settings, made.begun)

    assert job(settings, request_).state == "completed"


def test_a_completed_job_is_not_made_again(workplace: Workplace, settings: Settings, request_: RenderRequest) -> None:
    with begun(workplace, settings, request_) as made:
        summary = delivered(workplace, settings, made.begun)
    before = kept(workplace, "videos") | kept(workplace, "logs")

    with attempted(workplace, settings, request_, Progress()) as again:
        assert again == summary

    assert kept(workplace, "videos") | kept(workplace, "logs") == before
    assert job(settings, request_).attempts == 1


def test_the_same_delivery_may_be_made_twice(workplace: Workplace, settings: Settings, request_: RenderRequest) -> None:
    with begun(workplace, settings, request_) as made:
        delivered(workplace, settings, made.begun)
        delivered(workplace, settings, made.begun)

    assert job(settings, request_).state == "completed"


def test_a_video_that_another_run_makes_is_refused_and_nothing_is_written(
    workplace: Workplace, settings: Settings, request_: RenderRequest
) -> None:
    with open_catalog(settings) as catalog:
        ledger.register(catalog, request_)
        ledger.claim(catalog, request_.job_id, "another machine", 30)

    said = r"another run makes this video \(another machine, 0 % done\)"
    with pytest.raises(LeaseLost, match=said), begun(workplace, settings, request_):
        pytest.fail("the block must not be entered")

    assert job(settings, request_).lease_owner == "another machine"
    assert not bucket_folder(workplace).exists()


def test_a_cancelled_job_is_not_begun(workplace: Workplace, settings: Settings, request_: RenderRequest) -> None:
    with open_catalog(settings) as catalog:
        ledger.register(catalog, request_)
        with catalog.writing() as connection:
            connection.execute(sqlalchemy.update(Job).values(state="cancelled"))

    with pytest.raises(LeaseLost, match="was cancelled"), begun(workplace, settings, request_):
        pytest.fail("the block must not be entered")


def test_a_run_that_has_lost_its_job_delivers_nothing(
    workplace: Workplace, settings: Settings, request_: RenderRequest
) -> None:
    with pytest.raises(LeaseLost), begun(workplace, settings, request_) as made:
        take_over(settings, request_)
        delivered(workplace, settings, made.begun)

    assert kept(workplace, "videos") == kept(workplace, "logs") == {}
    assert job(settings, request_).lease_owner == "another machine"


def test_a_run_that_loses_its_job_while_it_delivers_writes_no_metadata(
    workplace: Workplace, settings: Settings, request_: RenderRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = workplace.bucket.put_bytes

    def put(key: str, data: bytes, media_type: str) -> Any:
        if key.endswith("_job_summary.json"):
            take_over(settings, request_)
        return real(key, data, media_type)

    with pytest.raises(LeaseLost), begun(workplace, settings, request_) as made:
        monkeypatch.setattr(workplace.bucket, "put_bytes", put)
        delivered(workplace, settings, made.begun)

    assert kept(workplace, "logs") == {}
    assert job(settings, request_).state == "running"


def test_a_run_ends_soon_after_it_has_lost_its_job(
    workplace: Workplace, settings: Settings, request_: RenderRequest
) -> None:
    impatient = settings.model_copy(update={"lease_seconds": 1.0})

    with pytest.raises(LeaseLost, match="taken the job"), begun(workplace, impatient, request_):
        take_over(settings, request_)
        process.run(["sleep", "200"], timeout_seconds=200)

    assert kept(workplace, "logs") == {}


def test_a_living_run_keeps_its_lease(workplace: Workplace, either: Settings, request_: RenderRequest) -> None:
    brief = either.model_copy(update={"lease_seconds": 1.0})

    with begun(workplace, brief, request_):
        first = job(either, request_).lease_expires_at
        assert first is not None

        def renewed_twice() -> bool:
            now = job(either, request_).lease_expires_at
            return now is not None and (now - first).total_seconds() > 1

        wait_until(renewed_twice, "a lease that outlives its first length")
        with open_catalog(either) as catalog:
            assert ledger.claim(catalog, request_.job_id, "another machine", 30) is None


def test_the_catalog_says_how_far_a_run_is(workplace: Workplace, either: Settings, request_: RenderRequest) -> None:
    with begun(workplace, either, request_) as made:
        for percent in range(50):
            made.tell("images", percent, STAGES)

        wait_until(lambda: job(either, request_).progress == 49, "the newest progress")
        assert job(either, request_).stages == STAGES


def test_a_failed_run_says_why(workplace: Workplace, either: Settings, request_: RenderRequest) -> None:
    progress = Progress(current="render")

    with pytest.raises(ToolFailed), attempted(workplace, either, request_, progress):
        raise ToolFailed(["ffmpeg"], 1, "it is broken")

    failed = job(either, request_)
    assert (failed.state, failed.step) == ("failed", "render")
    assert failed.error is not None
    assert (failed.error.category, failed.error.message) == ("render", "ffmpeg ended with code 1: it is broken")
    assert metadata(workplace)["error"] == failed.error.model_dump()
    with begun(workplace, either, request_) as made:
        delivered(workplace, either, made.begun)
    assert (job(either, request_).state, job(either, request_).attempts) == ("completed", 2)
    assert metadata(workplace)["error"] is None


def test_an_interrupted_run_says_so(workplace: Workplace, settings: Settings, request_: RenderRequest) -> None:
    with pytest.raises(KeyboardInterrupt), begun(workplace, settings, request_):
        raise KeyboardInterrupt

    error = job(settings, request_).error
    assert error is not None
    assert error.category == "interrupted"


@pytest.mark.parametrize(("cancelled", "state"), [(True, "cancelled"), (False, "queued")])
def test_a_job_that_a_worker_could_run_again_waits_for_that_unless_it_was_cancelled(
    workplace: Workplace, settings: Settings, request_: RenderRequest, cancelled: bool, state: str
) -> None:
    with (
        pytest.raises(SystemExit),
        attempted(workplace, settings, request_, Progress(), "a-run", resumable=True, was_cancelled=lambda: cancelled),
    ):
        raise SystemExit

    assert job(settings, request_).state == state
    assert metadata(workplace)["error"]["message"] == (
        "cancelled in Prefect" if cancelled else "the run was asked to end"
    )


def test_a_failed_run_does_not_ask_whether_it_was_cancelled(
    workplace: Workplace, settings: Settings, request_: RenderRequest
) -> None:
    def unasked() -> bool:
        raise AssertionError("nobody has stopped it")

    with (
        pytest.raises(ZeroDivisionError),
        attempted(workplace, settings, request_, Progress(), resumable=True, was_cancelled=unasked),
    ):
        raise ZeroDivisionError

    assert job(settings, request_).state == "failed"


def kill(workplace: Workplace, settings: Settings, request: RenderRequest, *, resumable: bool = False) -> Begun:
    """Leave what a killed run leaves: its note, and a lease that lasts."""
    with open_catalog(settings) as catalog:
        ledger.register(catalog, request)
        lease = ledger.claim(catalog, request.job_id, "a killed process", 30)
        assert lease is not None
        ledger.advance(catalog, lease, "images", 5, STAGES)
    left = Begun(metadata=attempt._begin(request), lease=lease, resumable=resumable)
    folder = workplace.runs / left.run
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    (folder / "note.json").write_text(left.model_dump_json())
    return left


def test_a_killed_run_is_recorded_by_the_next_at_once(
    workplace: Workplace, either: Settings, request_: RenderRequest
) -> None:
    kill(workplace, either, request_)

    with attempted(workplace, either, RenderRequest(script="Another one."), Progress()):
        failed = job(either, request_)

    assert failed.error is not None
    assert (failed.state, failed.error.message, failed.error.step) == ("failed", "the process was killed", "images")
    told = json.loads(kept(workplace, "logs")[f"{request_.content_id}.json"])
    assert told["error"] == failed.error.model_dump()
    assert told["paths"]["storyboard"] == f"storyboards/{request_.content_id}_storyboard.json"


def test_a_killed_run_may_be_made_again_at_once(
    workplace: Workplace, settings: Settings, request_: RenderRequest
) -> None:
    kill(workplace, settings, request_)

    with begun(workplace, settings, request_) as made:
        delivered(workplace, settings, made.begun)

    assert (job(settings, request_).state, job(settings, request_).attempts) == ("completed", 2)


def test_a_killed_run_whose_job_is_anothers_is_not_recorded(
    workplace: Workplace, settings: Settings, request_: RenderRequest
) -> None:
    kill(workplace, settings, request_)
    take_over(settings, request_)

    with pytest.raises(LeaseLost), begun(workplace, settings, request_):
        pytest.fail("the block must not be entered")

    assert (job(settings, request_).state, kept(workplace, "logs")) == ("running", {})


@pytest.mark.parametrize("resumable", [False, True])
def test_a_run_killed_just_after_its_job_was_completed_counts_as_completed(
    workplace: Workplace, settings: Settings, request_: RenderRequest, resumable: bool
) -> None:
    killed = kill(workplace, settings, request_, resumable=resumable)
    delivered(workplace, settings, killed)
    workplace.bucket.delete(f"logs/{request_.content_id}.json")

    with attempted(workplace, settings, request_, Progress()) as again:
        assert isinstance(again, Summary)

    assert metadata(workplace)["processing_status"] == "completed"


def completed_and_killed(settings: Settings, killed: Begun) -> None:
    """End a job in the catalog and die before the bucket is told."""
    done = {"processing_status": "completed", "error": None}
    with open_catalog(settings) as catalog:
        ledger.finish(catalog, killed.lease, "completed", killed.metadata.model_copy(update=done), STAGES)


def test_an_end_that_the_bucket_was_not_told_of_is_written_once(
    workplace: Workplace, either: Settings, request_: RenderRequest
) -> None:
    completed_and_killed(either, kill(workplace, either, request_))
    assert kept(workplace, "logs") == {}

    with open_catalog(either) as catalog:
        assert [write_missing_ends(workplace.bucket, catalog) for _ in range(2)] == [1, 0]

    assert metadata(workplace)["processing_status"] == "completed"
    assert log(workplace, request_)[0].startswith(f"job {request_.job_id}")


def test_an_end_that_was_told_is_not_written_again(
    workplace: Workplace, either: Settings, request_: RenderRequest
) -> None:
    with begun(workplace, either, request_) as made:
        delivered(workplace, either, made.begun)

    with open_catalog(either) as catalog:
        assert write_missing_ends(workplace.bucket, catalog) == 0


def test_a_job_that_was_cancelled_before_it_was_begun_is_told_of_too(
    workplace: Workplace, either: Settings, request_: RenderRequest
) -> None:
    with open_catalog(either) as catalog:
        ledger.register(catalog, request_)
        with catalog.writing() as connection:
            jobs.cancel(connection, request_.job_id)
        assert write_missing_ends(workplace.bucket, catalog) == 1

    assert metadata(workplace)["error"]["message"] == "cancelled on request"


def test_a_bucket_that_can_not_be_written_is_told_later(
    workplace: Workplace, settings: Settings, request_: RenderRequest
) -> None:
    completed_and_killed(settings, kill(workplace, settings, request_))
    blocked = bucket_folder(workplace) / "logs"
    shutil.rmtree(blocked, ignore_errors=True)
    blocked.parent.mkdir(exist_ok=True)
    blocked.write_text("in the way")

    with open_catalog(settings) as catalog:
        assert write_missing_ends(workplace.bucket, catalog) == 0
        blocked.unlink()
        assert write_missing_ends(workplace.bucket, catalog) == 1


class Outage:
    """A database of a real server that lets nobody in."""

    def __init__(self, server: Postgres) -> None:
        self.url = server.new_database()
        self._server = server
        self._database = self.url.split("?")[0].rpartition("/")[2]

    def begin(self) -> None:
        self._server.execute(f"ALTER DATABASE {self._database} ALLOW_CONNECTIONS false")
        self._server.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._database}'"
        )

    def end(self) -> None:
        self._server.execute(f"ALTER DATABASE {self._database} ALLOW_CONNECTIONS true")


@pytest.fixture
def outage(postgres: Postgres) -> Outage:
    return Outage(postgres)


def at(settings: Settings, outage: Outage) -> Settings:
    return Settings(home=settings.home, bucket_dir=settings.bucket_dir, database_url=outage.url, lease_seconds=1.0)


def test_a_run_goes_on_while_the_catalog_is_away(
    workplace: Workplace, settings: Settings, request_: RenderRequest, outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    remote = at(settings, outage)
    with begun(workplace, remote, request_) as made:
        outage.begin()
        made.tell("images", 30, STAGES)
        wait_until(lambda: "the run goes on" in caplog.text, "a warning")
        outage.end()
        made.tell("render", 60, STAGES)
        wait_until(lambda: job(remote, request_).progress == 60, "the newest progress")
        outage.begin()
        back = threading.Timer(0.5, outage.end)
        back.start()
        delivered(workplace, remote, made.begun)
        back.join()

    assert job(remote, request_).state == "completed"


def test_a_catalog_that_stays_away_ends_the_run_and_the_bucket_says_why(
    workplace: Workplace, settings: Settings, request_: RenderRequest, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "_PATIENCE_SECONDS", 0.3)
    remote = at(settings, outage)

    with pytest.raises(CatalogUnavailable, match="can't be used"), begun(workplace, remote, request_) as made:
        outage.begin()
        delivered(workplace, remote, made.begun)

    assert metadata(workplace)["processing_status"] == "failed"
    assert kept(workplace, "videos") == {}
    with pytest.raises(CatalogUnavailable), begun(workplace, remote, RenderRequest(script="Another.")):
        pytest.fail("the block must not be entered")
    outage.end()
    assert job(remote, request_).state == "running"


def test_a_bucket_that_fails_fails_the_job(workplace: Workplace, settings: Settings, request_: RenderRequest) -> None:
    with pytest.raises(StorageError), begun(workplace, settings, request_) as made:
        (bucket_folder(workplace) / "videos").mkdir(parents=True)
        (bucket_folder(workplace) / "videos" / f"{request_.content_id}.mp4").mkdir()
        delivered(workplace, settings, made.begun)

    assert job(settings, request_).state == "failed"


def told_core(settings: Settings) -> list[str]:
    """The ends that the Core service will be told of."""
    with open_catalog(settings) as catalog:
        return [letter.payload["type"] for letter in outbox.due(catalog, ["core"], 10)]


def test_core_will_be_told_of_a_delivered_video(
    workplace: Workplace, either: Settings, request_: RenderRequest
) -> None:
    settings = either.model_copy(update={"core_url": "http://127.0.0.1:1/nobody"})

    with begun(workplace, settings, request_) as made:
        delivered(workplace, settings, made.begun)

    assert told_core(settings) == ["job.completed"]


def test_core_will_be_told_of_a_run_that_failed(
    workplace: Workplace, either: Settings, request_: RenderRequest
) -> None:
    settings = either.model_copy(update={"core_url": "http://127.0.0.1:1/nobody"})

    with pytest.raises(ToolFailed), begun(workplace, settings, request_):
        raise ToolFailed(["ffmpeg"], 1, "broken")

    assert told_core(settings) == ["job.failed"]


def test_core_will_be_told_of_a_job_that_was_given_up(
    workplace: Workplace, either: Settings, request_: RenderRequest
) -> None:
    settings = either.model_copy(update={"core_url": "http://127.0.0.1:1/nobody"})
    with open_catalog(settings) as catalog:
        ledger.register(catalog, request_)

    assert attempt.give_up(workplace, settings, request_.job_id, "nobody makes it")

    assert told_core(settings) == ["job.failed"]


def test_without_an_address_of_core_nothing_waits_for_it(
    workplace: Workplace, either: Settings, request_: RenderRequest
) -> None:
    with begun(workplace, either, request_) as made:
        delivered(workplace, either, made.begun)

    assert told_core(either) == []
