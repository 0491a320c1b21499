import asyncio
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bhiv import failed_sends
from bhiv.bucket import keys, open_bucket
from bhiv.connectors import (
    SendCounts,
    object_name,
    replay_failed_sends,
    save_to_bucket,
    send_batch_to_core,
    send_to_core,
    send_to_core_async,
)
from bhiv.errors import CoreUnavailable, InputRefused
from bhiv.failed_sends import FailedSend
from bhiv.settings import Settings
from tests.servers.core import CoreServer, Fault, core_server
from tests.servers.starting import free_port

Send = Callable[..., dict[str, Any]]


def send_async(payload: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
    return asyncio.run(send_to_core_async(payload, *arguments, **named))


both = pytest.mark.parametrize("send", [send_to_core, send_async])


@pytest.fixture
def core() -> Iterator[CoreServer]:
    with core_server() as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, core: CoreServer) -> Settings:
    return Settings(home=tmp_path / "home", bucket_dir=tmp_path / "data/bucket", core_url=core.url, core_token="secret")


def lines(settings: Settings) -> list[dict[str, Any]]:
    return [json.loads(line) for line in settings.failed_sends_file.read_text().splitlines()]


@both
def test_core_is_sent_a_message_with_its_token_and_answers(send: Send, core: CoreServer, settings: Settings) -> None:
    assert send({"id": "job-1", "title": "अ"}, settings=settings) == {"ok": True, "id": "job-1"}

    assert core.taken == {"job-1": {"id": "job-1", "title": "अ"}}
    assert core.tokens == {"Bearer secret"}
    assert not settings.failed_sends_file.exists()


@both
@pytest.mark.parametrize(
    "faults",
    [["500"], ["500"] * 3, ["429"], ["slow"], ["cut"], ["html"], ["list"], ["500", "slow", "cut"]],
    ids=" ".join,
)
def test_a_fault_that_passes_is_got_over(send: Send, faults: list[Fault], core: CoreServer, settings: Settings) -> None:
    core.faults, counts = list(faults), SendCounts()
    patience = 0.5 if "slow" in faults else 30

    answer = send({"id": "a"}, backoff=0.01, settings=settings, timeout_seconds=patience, on_event=counts)

    assert answer == {"ok": True, "id": "a"}
    assert core.taken == {"a": {"id": "a"}}
    assert core.requests == ["a"] * (len(faults) + 1)
    assert counts.counts == {"sent": 1, "retried": len(faults)}
    assert not settings.failed_sends_file.exists()


@both
@pytest.mark.parametrize(
    ("faults", "requests", "retryable"),
    [
        (["500"] * 4, 4, True),
        (["html"] * 4, 4, True),
        (["401"], 1, False),
        (["422"], 1, False),
        (["302"], 1, False),
        (["429 long"], 1, True),
        (["503 day"], 1, True),
    ],
    ids=lambda value: str(value),
)
def test_what_fails_for_good_is_kept_and_replayed_once(
    send: Send, faults: list[Fault], requests: int, retryable: bool, core: CoreServer, settings: Settings
) -> None:
    core.faults, counts = list(faults), SendCounts()

    with pytest.raises(CoreUnavailable) as failed:
        send({"id": "a"}, backoff=0.01, settings=settings, on_event=counts)

    assert core.requests == ["a"] * requests
    assert failed.value.retryable is retryable
    assert [(line["id"], line["payload"], line["url"]) for line in lines(settings)] == [("a", {"id": "a"}, None)]
    assert "secret" not in settings.failed_sends_file.read_text()

    replay = replay_failed_sends(settings=settings, on_event=counts)

    assert (replay.sent, replay.left, replay.busy) == (1, 0, False)
    assert core.taken == {"a": {"id": "a"}}
    assert counts.counts == Counter(failed=1, replayed=1, retried=requests - 1)
    assert replay_failed_sends(settings=settings).sent == 0
    assert core.requests == ["a"] * (requests + 1)


@both
def test_core_down_then_up_gets_everything_once(send: Send, tmp_path: Path) -> None:
    port = free_port()
    settings = Settings(bucket_dir=tmp_path / "data/bucket", core_url=f"http://127.0.0.1:{port}/")
    for number in range(5):
        with pytest.raises(CoreUnavailable, match="does not answer"):
            send({"id": f"job-{number % 4}", "number": number}, 1, 0.01, settings=settings)

    down = replay_failed_sends(settings=settings)
    assert (down.sent, down.left) == (0, 4)

    with core_server(port) as core:
        assert replay_failed_sends(settings=settings).sent == 4
        assert replay_failed_sends(settings=settings).sent == 0

    assert sorted(core.requests) == ["job-0", "job-1", "job-2", "job-3"]
    assert core.taken["job-0"]["number"] == 4


@both
def test_an_id_is_made_where_none_is_given_and_stays_the_same(send: Send, core: CoreServer, settings: Settings) -> None:
    core.faults = ["cut"]

    send({"title": "x"}, backoff=0.01, settings=settings)
    send({"title": "y", "id": "अ\n"}, settings=settings)

    first, again, named = core.requests
    assert first == again == core.taken[first]["id"]
    assert named.startswith("sha256-")
    assert core.taken[named]["id"] == "अ\n"


def test_an_answer_without_words_is_an_answer(core: CoreServer, settings: Settings) -> None:
    core.faults = ["204"]

    assert send_to_core({"id": "a"}, settings=settings) == {}


def test_the_token_of_the_settings_is_for_their_core_only(core: CoreServer, settings: Settings) -> None:
    other = settings.model_copy(update={"core_url": "http://127.0.0.1:1/"})

    send_to_core({"id": "a"}, url=core.url, settings=other)
    assert core.tokens == {None}

    send_to_core({"id": "b"}, url=core.url, token="theirs", settings=other)
    assert core.tokens == {None, "Bearer theirs"}


def test_a_message_waits_for_the_address_that_was_named(core: CoreServer, settings: Settings) -> None:
    core.faults = ["500", "500"]
    elsewhere = settings.model_copy(update={"core_url": "http://127.0.0.1:1/"})
    for name in ("a", "b"):
        with pytest.raises(CoreUnavailable):
            send_to_core({"id": name}, 0, url=core.url, settings=elsewhere)

    assert replay_failed_sends(settings=elsewhere).sent == 2


@both
@pytest.mark.parametrize(
    ("payload", "named", "word"),
    [
        ({"x": float("nan")}, {}, "JSON"),
        ({"x": object()}, {}, "JSON"),
        ([1], {}, "JSON object"),
        ({}, {"url": "ftp://core/"}, "BHIV_CORE_URL"),
        ({}, {"url": "core"}, "BHIV_CORE_URL"),
        ({}, {"url": "http://[::x/"}, "BHIV_CORE_URL"),
        ({}, {"token": "a\r\nb"}, "BHIV_CORE_TOKEN"),
        ({}, {"token": "ü"}, "BHIV_CORE_TOKEN"),
    ],
)
def test_what_can_not_be_sent_is_refused_and_not_kept(
    send: Send, payload: Any, named: dict[str, str], word: str, settings: Settings
) -> None:
    with pytest.raises(InputRefused, match=word):
        send(payload, settings=settings, **named)

    assert not settings.failed_sends_file.exists()


def test_errors_do_not_tell_the_password_of_an_address(settings: Settings) -> None:
    with pytest.raises(CoreUnavailable) as failed:
        send_to_core({"id": "a"}, 0, url=f"http://me:hidden@127.0.0.1:{free_port()}/", settings=settings)

    assert "hidden" not in str(failed.value)


def test_a_batch_says_what_became_of_each(core: CoreServer, settings: Settings) -> None:
    core.faults = ["422", "500"]

    results = send_batch_to_core([{"id": "a"}, {"id": "b"}, {"id": "c"}], backoff=0.01, settings=settings)

    assert [(one.id, one.answer is not None, one.error is not None) for one in results] == [
        ("a", False, True),
        ("b", True, False),
        ("c", True, False),
    ]
    assert [line["id"] for line in lines(settings)] == ["a"]


def test_a_batch_that_gets_no_answer_is_kept_without_trying_each_again(settings: Settings, tmp_path: Path) -> None:
    counts = SendCounts()

    results = send_batch_to_core(
        [{"id": str(number)} for number in range(20)], 2, 0.01,
        url=f"http://127.0.0.1:{free_port()}/", settings=settings, on_event=counts,
    )  # fmt: skip

    assert all(one.error for one in results)
    assert len(lines(settings)) == 20
    assert counts.counts == {"failed": 20, "retried": 2}


def fail(settings: Settings, *names: str) -> None:
    for name in names:
        failed_sends.append(settings.failed_sends_file, FailedSend(name, {"id": name}, None, "2026-01-31", 1, "x"))


def test_what_is_appended_during_a_replay_waits_for_the_next(core: CoreServer, settings: Settings) -> None:
    fail(settings, "a", "b")
    core.faults = ["500"]
    core.meanwhile = lambda: fail(settings, f"late-{len(core.requests)}")

    first = replay_failed_sends(settings=settings)
    core.meanwhile = None

    assert (first.sent, first.left) == (1, 1)
    assert [line["id"] for line in lines(settings)] == ["a", "late-1", "late-2"]
    assert lines(settings)[0]["attempts"] == 2
    assert replay_failed_sends(settings=settings).sent == 3
    assert core.requests == ["a", "b", "a", "late-1", "late-2"]


def test_many_writers_and_replays_at_once_lose_nothing_and_send_nothing_twice(
    core: CoreServer, settings: Settings
) -> None:
    def write(writer: int) -> None:
        for number in range(25):
            fail(settings, f"{writer}-{number}")

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        replay_failed_sends(settings=settings)
    replay_failed_sends(settings=settings)

    assert sorted(core.requests) == sorted(f"{writer}-{number}" for writer in range(4) for number in range(25))


def test_one_replay_at_a_time(core: CoreServer, settings: Settings) -> None:
    fail(settings, "a")
    seconds = []
    core.meanwhile = lambda: seconds.append(replay_failed_sends(settings=settings))

    assert replay_failed_sends(settings=settings).sent == 1
    assert [second.busy for second in seconds] == [True]


@pytest.mark.parametrize("torn", [b'{"id": "torn", "pay', b"\xff\xfe", b"[]", b"NaN", b"[" * 100_000])
def test_a_torn_line_costs_no_other(torn: bytes, core: CoreServer, settings: Settings) -> None:
    fail(settings, "a")
    with settings.failed_sends_file.open("ab") as file:
        file.write(torn)
    fail(settings, "b")

    replay = replay_failed_sends(settings=settings)

    assert (replay.sent, replay.left, replay.unreadable) == (2, 0, 1)
    assert settings.failed_sends_file.read_bytes() == torn + b"\n"


def test_a_replay_that_gets_no_answer_ends_and_next_time_begins_with_the_others(
    settings: Settings, core: CoreServer
) -> None:
    fail(settings, *"abcdef")
    core.faults = ["slow"] * 3

    replay = replay_failed_sends(settings=settings, timeout_seconds=0.1)

    assert (replay.sent, replay.left) == (0, 6)
    assert core.requests == ["a", "b", "c"]
    assert [line["id"] for line in lines(settings)] == ["d", "e", "f", "a", "b", "c"]


def test_a_replay_that_is_killed_leaves_the_file(core: CoreServer, settings: Settings) -> None:
    fail(settings, "a", "b")
    code = "import os, sys; from bhiv.connectors import *; replay_failed_sends(on_event=lambda _: os._exit(9))"
    environment = {
        "BHIV_FAILED_SENDS_FILE": str(settings.failed_sends_file),
        "BHIV_CORE_URL": core.url,
        "PYTHONPATH": ":".join(sys.path),
    }

    died = subprocess.run([sys.executable, "-c", code], env=environment, timeout=60, check=False)

    assert died.returncode == 9
    assert replay_failed_sends(settings=settings).sent == 2
    assert set(core.taken) == {"a", "b"}


def test_a_disk_that_takes_half_a_line_is_named_and_keeps_the_whole_ones(settings: Settings) -> None:
    code = """
import resource, sys
from pathlib import Path
from bhiv.failed_sends import FailedSend, append
resource.setrlimit(resource.RLIMIT_FSIZE, (250, 250))
for name in "abc":
    append(Path(sys.argv[1]), FailedSend(name, {"id": name}, None, "2026-01-31", 1, "x"))
"""
    told = subprocess.run(
        [sys.executable, "-c", code, str(settings.failed_sends_file)],
        env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert "DiskFull: the disk is full" in told.stderr
    assert [line["id"] for line in lines(settings)] == ["a", "b"]


def test_the_connectors_need_neither_prefect_nor_much_time() -> None:
    heavy = ("prefect", "httpx", "tenacity", "boto3", "sqlalchemy", "numpy")
    code = f"import bhiv.connectors, sys; print([name for name in {heavy} if name in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("payload", "stored"), [({"a": 1}, b'{"a": 1}'), ([1], b"[1]"), ("अ", "अ".encode()), (b"\x00", b"\x00")]
)
def test_a_file_is_saved_to_the_bucket(payload: Any, stored: bytes, settings: Settings) -> None:
    key = save_to_bucket(payload, "Run Summary (final).JSON", settings=settings)

    assert key.startswith("logs/run-summary-final-")
    assert key.endswith(".json")
    assert open_bucket(settings).get_bytes(key) == stored
    assert open_bucket(settings).stat(key).artifact.media_type == "application/json"


def test_names_that_look_alike_are_different_files(settings: Settings) -> None:
    names = [
        "a.json",
        "A.json",
        "a .json",
        "日本.json",
        "日本語.json",
        "../a.json",
        "a/../a.json",
        "é.json",
        "e\u0301.json",
    ]

    made = {save_to_bucket(name, name, settings=settings): name for name in names}

    assert [open_bucket(settings).get_bytes(key).decode() for key in made] == names


@given(st.text(st.characters(exclude_categories=[])))
def test_every_name_makes_a_key(name: str) -> None:
    keys.split(f"logs/{object_name(name)}")


@pytest.mark.parametrize("payload", [{"x": float("inf")}, {"x": object()}, "\ud800", 7j])
def test_what_is_no_file_is_refused(payload: Any, settings: Settings) -> None:
    with pytest.raises(InputRefused, match="JSON or UTF-8"):
        save_to_bucket(payload, "x", settings=settings)
