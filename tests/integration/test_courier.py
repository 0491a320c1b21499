import asyncio
import stat
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy
from click.testing import CliRunner
from pydantic import SecretStr
from standardwebhooks import Webhook

from bhiv import connectors, failed_sends, jobs
from bhiv.callback_rules import SCHEDULE_SECONDS
from bhiv.catalog import Catalog, deliveries, ledger, open_catalog, outbox
from bhiv.catalog.models import Outbox
from bhiv.catalog.writer import Writer
from bhiv.cli import main
from bhiv.courier import Courier, check_address
from bhiv.errors import InputRefused
from bhiv.record import Failure, Metadata, started_now
from bhiv.request import RenderRequest
from bhiv.safe_transport import AddressRules
from bhiv.settings import Settings
from bhiv.webhook_secrets import callback_secrets
from bhiv.webhook_signing import new_secret
from tests.servers.core import core_server
from tests.servers.sink import Fault, Sink, receiving

SECRET = new_secret()


@pytest.fixture
def sink() -> Iterator[Sink]:
    with receiving() as started:
        yield started


def ended_job(catalog: Catalog, url: str | None = None, *, core: bool = False, failed: bool = False) -> str:
    """A job that somebody has made, and that `url` wants to know of."""
    request = RenderRequest(script="A river runs to the sea.", callback_url=url)
    ledger.register(catalog, request)
    lease = ledger.claim(catalog, request.job_id, "a worker", 30)
    assert lease is not None
    timestamp, created_at = started_now()
    metadata = Metadata(
        content_id=request.content_id, job_id=request.job_id, uploader_id="local", title="A river",
        timestamp=timestamp, created_at=created_at, storyboard_source="rules",
        processing_status="failed" if failed else "completed",
        error=Failure(category="render", message="no frame", step="render") if failed else None,
    )  # fmt: skip
    ledger.finish(catalog, lease, "failed" if failed else "completed", metadata, core=core)
    return request.job_id


def delivering(
    settings: Settings, catalog: Catalog, work: Callable[[Courier], Awaitable[object]], timeout_seconds: float = 15
) -> None:
    """Do `work` with a courier."""

    async def run() -> None:
        courier = Courier(settings, catalog, writer, timeout_seconds=timeout_seconds)
        await work(courier)

    with Writer(catalog) as writer:
        asyncio.run(run())


def rounds(settings: Settings, catalog: Catalog, count: int, timeout_seconds: float = 15) -> None:
    """Try what waits so many times, whenever it is due."""

    async def work(courier: Courier) -> None:
        for _ in range(count):
            make_due(catalog)
            await courier.round()

    delivering(settings, catalog, work, timeout_seconds)


def down(times: int, fault: Fault = "500") -> list[Fault]:
    """What a receiver does that fails so often."""
    return [fault] * times


def make_due(catalog: Catalog) -> None:
    waiting = sqlalchemy.update(Outbox).where(Outbox.due_at.is_not(None), Outbox.kind != "run")
    with catalog.writing() as connection:
        connection.execute(waiting.values(due_at=Outbox.created_at))


def to(settings: Settings, *sinks: Sink, **more: object) -> Settings:
    """Settings under which the sinks may be told, with what the secret signs."""
    allowed = {"allowed_hosts": tuple(sink.host for sink in sinks), "callback_secrets": (SecretStr(SECRET),)}
    return settings.model_copy(update=allowed | more)


def verified(sink: Sink, secret: str = SECRET) -> list[dict[str, object]]:
    """What came, all of it signed."""
    return [Webhook(secret).verify(posted.body, posted.headers) for posted in sink.requests]


def only_letter(catalog: Catalog, job_id: str) -> deliveries.LetterView:
    [callback] = deliveries.callbacks(catalog, job_id)
    [letter] = callback.letters
    return letter


def test_receivers_that_fail_are_told_again_under_the_same_id(either: Settings, catalog: Catalog) -> None:
    with ExitStack() as stack:
        sinks = [stack.enter_context(receiving(*down(failures))) for failures in range(10)]
        job_ids = [ended_job(catalog, sink.url) for sink in sinks]

        rounds(to(either, *sinks), catalog, 11)

    for failures, (sink, job_id) in enumerate(zip(sinks, job_ids, strict=True)):
        assert [told["type"] for told in verified(sink)] == ["job.completed"] * (failures + 1)
        letter = only_letter(catalog, job_id)
        assert {posted.id for posted in sink.requests} == {letter.id}
        assert (letter.state, letter.attempts) == ("delivered", failures + 1)
        tries = deliveries.tries(catalog, job_id, 100)
        assert [one.status for one in reversed(tries)] == [500] * failures + [204]


def test_who_never_takes_it_is_given_up_after_ten_tries_and_told_by_a_replay(
    either: Settings, catalog: Catalog, sink: Sink
) -> None:
    job_id = ended_job(catalog, sink.url)
    sink.faults = ["500"] * 10

    rounds(to(either, sink), catalog, 12)

    [dead] = deliveries.given_up(catalog, 10)
    assert (len(sink.requests), dead.job_id, dead.error) == (10, job_id, "answered 500")

    with catalog.writing() as connection:
        assert deliveries.replay_given_up(connection) == 1
    rounds(to(either, sink), catalog, 1)

    assert only_letter(catalog, job_id).state == "delivered"
    assert {posted.id for posted in sink.requests} == {dead.id}


def test_a_pause_follows_the_schedule(settings: Settings, catalog: Catalog, sink: Sink) -> None:
    job_id = ended_job(catalog, sink.url)
    sink.faults = ["500"] * 9

    for pause in SCHEDULE_SECONDS[1:]:
        before = datetime.now(UTC)
        rounds(to(settings, sink), catalog, 1)
        due_at = only_letter(catalog, job_id).due_at
        assert due_at is not None
        assert pause <= (due_at - before).total_seconds() <= pause * 1.1 + 60


def test_who_is_gone_is_told_nothing_more(either: Settings, catalog: Catalog, sink: Sink) -> None:
    job_id = ended_job(catalog, sink.url)
    [letter] = deliveries.due(catalog, "callback", 10)
    with catalog.writing() as connection:
        later = datetime.now(UTC) + timedelta(hours=1)
        outbox.put(connection, "callback", letter.payload, later, job_id=job_id, callback_id=letter.callback_id)
    sink.faults = ["410"]

    delivering(to(either, sink), catalog, Courier.round)
    rounds(to(either, sink), catalog, 2)

    [callback] = deliveries.callbacks(catalog, job_id)
    assert (callback.state, callback.ended_reason) == ("ended", "gone")
    assert [letter.state for letter in callback.letters] == ["given_up", "given_up"]
    assert len(sink.requests) == 1


def test_a_receiver_that_asks_for_an_hour_is_given_it(either: Settings, catalog: Catalog, sink: Sink) -> None:
    job_id = ended_job(catalog, sink.url)
    sink.faults = ["429"]
    before = datetime.now(UTC)

    rounds(to(either, sink), catalog, 1)

    due_at = only_letter(catalog, job_id).due_at
    assert due_at is not None
    assert 3_600 <= (due_at - before).total_seconds() <= 3_600 * 1.1 + 60
    rounds(to(either, sink), catalog, 1)
    assert only_letter(catalog, job_id).state == "delivered"


@pytest.mark.parametrize(
    ("fault", "error"),
    [("silent", "no answer within 0.3 s"), ("cut", "no answer: Server disconnected"), ("302", "answered 302")],
)
def test_a_receiver_that_does_not_take_it_is_asked_once_a_try(
    either: Settings, catalog: Catalog, sink: Sink, fault: Fault, error: str
) -> None:
    job_id = ended_job(catalog, sink.url)
    sink.faults = [fault]

    rounds(to(either, sink), catalog, 1, timeout_seconds=0.3)

    letter = only_letter(catalog, job_id)
    assert (letter.state, len(sink.requests)) == ("waiting", 1)
    assert (letter.error or "").startswith(error)
    rounds(to(either, sink), catalog, 1)
    assert only_letter(catalog, job_id).state == "delivered"
    assert {posted.id for posted in sink.requests} == {letter.id}


def test_an_address_inside_the_own_network_is_never_asked(either: Settings, catalog: Catalog, sink: Sink) -> None:
    addresses = [sink.url, f"https://127.0.0.1:{sink.port}/", f"https://localhost:{sink.port}/", "https://10.0.0.1/"]
    job_ids = [ended_job(catalog, address) for address in addresses]

    rounds(to(either), catalog, 3)

    assert sink.requests == []
    for job_id in job_ids:
        [callback] = deliveries.callbacks(catalog, job_id)
        assert (callback.state, callback.ended_reason) == ("ended", "refused")
        assert "BHIV_ALLOWED_HOSTS" in (only_letter(catalog, job_id).error or "")
        assert len(deliveries.tries(catalog, job_id, 10)) == 1


def test_a_receiver_that_is_silent_delays_no_other(settings: Settings, catalog: Catalog, sink: Sink) -> None:
    with receiving(*down(30, "silent")) as silent:
        address = silent.url.replace("127.0.0.1", "localhost")
        for _ in range(30):
            ended_job(catalog, address)
        told = ended_job(catalog, sink.url)
        allowed = to(settings, sink, allowed_hosts=(sink.host, f"localhost:{silent.port}"))

        async def work(courier: Courier) -> None:
            running = asyncio.create_task(courier.run())
            while not sink.requests or silent.most_at_once < 5:
                await asyncio.sleep(0.01)
            while only_letter(catalog, told).state != "delivered":
                await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        delivering(allowed, catalog, work)

        assert silent.most_at_once == 5
        assert len(deliveries.unfinished(catalog, 100)) == 30


def test_of_two_couriers_of_a_catalog_one_delivers(either: Settings, catalog: Catalog, sink: Sink) -> None:
    for _ in range(8):
        ended_job(catalog, sink.url)

    async def work(courier: Courier) -> None:
        other = Courier(to(either, sink), catalog, writer)
        running = [asyncio.create_task(one.run()) for one in (courier, other)]
        while deliveries.unfinished(catalog, 1):
            await asyncio.sleep(0.01)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    with Writer(catalog) as writer:
        delivering(to(either, sink), catalog, work)

    assert len(sink.requests) == len({posted.id for posted in sink.requests}) == 8


def test_what_was_under_way_when_the_service_ended_is_sent_by_the_next(
    either: Settings, catalog: Catalog, sink: Sink
) -> None:
    job_id = ended_job(catalog, sink.url)
    sink.faults = ["silent"]

    async def work(courier: Courier) -> None:
        running = asyncio.create_task(courier.run())
        while not sink.requests:
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    delivering(to(either, sink), catalog, work)
    assert only_letter(catalog, job_id).state == "waiting"

    rounds(to(either, sink), catalog, 1)
    assert only_letter(catalog, job_id).state == "delivered"
    assert len({posted.id for posted in sink.requests}) == 1


def test_while_secrets_change_both_sign(settings: Settings, catalog: Catalog, sink: Sink) -> None:
    new = new_secret()
    ended_job(catalog, sink.url)

    rounds(to(settings, sink, callback_secrets=(SecretStr(new), SecretStr(SECRET))), catalog, 1)

    assert verified(sink, new) == verified(sink, SECRET)
    assert len(sink.requests) == 1


def test_a_callback_with_a_secret_of_its_own_is_signed_with_it(
    settings: Settings, catalog: Catalog, sink: Sink
) -> None:
    own, job_id = new_secret(), ended_job(catalog)
    with catalog.writing() as connection:
        jobs.add_callback(connection, job_id, sink.url, own)

    rounds(to(settings, sink), catalog, 1)

    assert len(verified(sink, own)) == 1


def test_without_a_secret_one_is_made_once_that_only_the_owner_reads(settings: Settings) -> None:
    made: set[tuple[str, ...]] = set()
    threads = [threading.Thread(target=lambda: made.add(callback_secrets(settings))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    [(secret,)] = made
    assert Webhook(secret)
    assert [path.name for path in settings.home.iterdir()] == ["callback_secret"]
    assert stat.S_IMODE((settings.home / "callback_secret").stat().st_mode) == 0o600


def test_a_secret_that_is_none_is_named_and_not_shown(settings: Settings) -> None:
    with pytest.raises(InputRefused, match="BHIV_CALLBACK_SECRETS") as refused:
        callback_secrets(settings.model_copy(update={"callback_secrets": (SecretStr("whsec_short"),)}))

    assert "short" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://example.org/hook", "https only"),
        ("https://example.org:8443/hook", "port 443"),
        ("https://user:word@example.org/", "password"),
        ("https://127.0.0.1/", "not a public address"),
        ("https://2130706433/", "not a public address"),
        ("https://0x7f.1/", "not a public address"),
        ("https://[::1]/", "not a public address"),
        ("https://[::ffff:10.0.0.1]/", "not a public address"),
        ("https://169.254.169.254/latest/", "not a public address"),
        ("https://", "no address on the web"),
        ("https://[", "no address on the web"),
        ("https://exa mple.org/", "no address on the web"),
        ("ftp://example.org/", "no address on the web"),
    ],
)
def test_an_address_that_no_try_could_reach_is_refused_in_words(address: str, reason: str) -> None:
    with pytest.raises(InputRefused, match=reason):
        check_address(address, AddressRules())


@pytest.mark.parametrize("address", ["http://hooks.local:8080/", "http://10.1.2.3:99/", "https://example.org/"])
def test_an_address_that_is_allowed_is_not_refused(address: str) -> None:
    check_address(address, AddressRules(("hooks.local:8080", "10.1.0.0/16")))


def test_a_core_that_was_down_gets_each_end_once(either: Settings, catalog: Catalog) -> None:
    with core_server() as core:
        settings = to(either, core_url=core.url, core_token=SecretStr("the-token"))
        ends = [ended_job(catalog, core=True, failed=number == 1) for number in range(3)]
        core.faults = ["500", "500", "500", "500", "500", "500", "500", "cut", "429 long"]

        rounds(settings, catalog, 6)

        assert sorted(taken["data"]["job_id"] for taken in core.taken.values()) == sorted(ends)
        assert {taken["id"] for taken in core.taken.values()} == set(core.taken)
        assert sorted(taken["type"] for taken in core.taken.values()) == ["job.completed"] * 2 + ["job.failed"]
        assert core.tokens == {"Bearer the-token"}
        assert deliveries.unfinished(catalog, 10) == []
        assert not settings.failed_sends_file.exists()


def test_what_core_never_takes_waits_in_the_file_too_and_arrives_once(either: Settings, catalog: Catalog) -> None:
    with core_server() as core:
        settings = to(either, core_url=core.url)
        job_id = ended_job(catalog, core=True)
        core.faults = ["500"] * 10

        rounds(settings, catalog, 12)

        [dead] = deliveries.given_up(catalog, 10)
        [kept] = failed_sends.waiting(settings.failed_sends_file).sends
        assert (kept.id, dead.job_id, len(core.requests), core.taken) == (dead.id, job_id, 10, {})

        assert connectors.replay_failed_sends(settings=settings).sent == 1
        with catalog.writing() as connection:
            assert deliveries.replay(connection, dead.id)
        rounds(settings, catalog, 1)
        assert set(core.taken) == {dead.id}


def test_what_core_is_to_know_waits_until_somebody_says_where_it_is(either: Settings, catalog: Catalog) -> None:
    ended_job(catalog, core=True)

    rounds(to(either), catalog, 2)

    [letter] = deliveries.unfinished(catalog, 10)
    assert (letter.state, letter.attempts) == ("waiting", 0)


def test_the_command_lists_what_has_not_arrived_and_has_it_sent_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BHIV_HOME", str(settings.home))
    with open_catalog(settings) as catalog, receiving("410") as sink:
        job_id = ended_job(catalog, sink.url)
        rounds(to(settings, sink), catalog, 1)
        [dead] = deliveries.given_up(catalog, 10)

        listed = CliRunner().invoke(main, ["deliveries", "list"])
        replayed = CliRunner().invoke(main, ["deliveries", "replay", dead.id])
        unknown = CliRunner().invoke(main, ["deliveries", "replay", "nothing"])

        assert listed.output == f"{dead.id}  callback  job {job_id}  given up  answered 410\n"
        assert (replayed.exit_code, unknown.exit_code) == (0, 2)
        rounds(to(settings, sink), catalog, 1)
        assert only_letter(catalog, job_id).state == "delivered"
