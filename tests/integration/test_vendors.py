import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bhiv import process
from bhiv.errors import Interrupted, LMError, SpeechError
from bhiv.speech.asking import post
from bhiv.vendors import Answer, Patience, Vendor, VendorClient, wait_for
from tests.servers.starting import free_port
from tests.servers.vendor import FAULTS, Asked, Fault, Said, VendorServer, vendor_server

#: What only who asked can know to be wrong.
OF_THE_CONTENT = {"type", "html", "json", "empty", "truncated"}
SECRET = "Bearer sk-very-secret"


@pytest.fixture
def server() -> Iterator[VendorServer]:
    def answer(asked: Asked) -> Said:
        return Said.of({"path": asked.path, "query": asked.query, "you": asked.headers.get("authorization")})

    with vendor_server(answer) as running:
        yield running


def vendor(server: VendorServer) -> Vendor:
    return Vendor(
        "the language model", f"{server.url}/v1", LMError, {"Authorization": SECRET}, server.patience, 1 << 20
    )


def ask(to: Vendor) -> Answer:
    async def once() -> Answer:
        async with VendorClient(to) as client:
            return await client.ask("POST", "/chat/completions", json={"n": 1}, params={"a": "b c"})

    return asyncio.run(once())


def test_the_whole_answer_comes_back(server: VendorServer) -> None:
    answer = ask(vendor(server))

    assert answer.media_type == "application/json"
    assert answer.body == b'{"path": "/v1/chat/completions", "query": {"a": "b c"}, "you": "Bearer sk-very-secret"}'


@pytest.mark.parametrize("fault", ["429", "429 soon", "500", "slow", "cut", "reset"])
def test_what_may_pass_is_asked_again(server: VendorServer, fault: Fault) -> None:
    server.faults = [fault]

    assert ask(vendor(server)).body
    assert len(server.requests) == 2


def test_a_pause_that_it_asks_for_is_kept(server: VendorServer) -> None:
    server.faults = ["429 soon"]
    begun = time.monotonic()

    ask(vendor(server))

    assert time.monotonic() - begun >= 1


@pytest.mark.parametrize("fault", ["400", "401", "403", "404", "302", "huge", "429 long"])
def test_what_would_be_refused_again_is_asked_once(server: VendorServer, fault: Fault) -> None:
    server.always = fault

    with pytest.raises(LMError, match=r"^the language model ") as refused:
        ask(vendor(server))

    assert len(server.requests) == 1
    assert refused.value.can_pass == (fault == "429 long")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in OF_THE_CONTENT])
def test_no_fault_makes_it_ask_more_often_than_agreed(server: VendorServer, fault: Fault) -> None:
    server.always = fault

    with pytest.raises(LMError):
        ask(vendor(server))

    assert len(server.requests) <= server.patience.attempts


@pytest.mark.parametrize("fault", ["401", "500", "429 long", "reset"])
def test_what_is_down_is_left_alone(server: VendorServer, fault: Fault) -> None:
    server.always = fault
    with pytest.raises(LMError):
        ask(vendor(server))
    before = len(server.requests)

    with pytest.raises(LMError, match="not asked again"):
        ask(vendor(server))

    assert len(server.requests) == before
    # Another address is another matter.
    with pytest.raises(LMError, match="does not answer"):
        ask(replace(vendor(server), base_url=f"http://127.0.0.1:{free_port()}"))


def test_a_refusal_of_one_request_says_nothing_of_the_next(server: VendorServer) -> None:
    server.faults = ["400"]
    with pytest.raises(LMError):
        ask(vendor(server))

    assert ask(vendor(server)).body


def test_all_attempts_together_end_in_time(server: VendorServer) -> None:
    server.always = "slow"
    impatient = replace(vendor(server), patience=replace(server.patience, silence=10, attempts=100, total=0.4))

    with pytest.raises(LMError, match="did not answer within"):
        ask(impatient)


def test_an_address_that_is_none_is_named(server: VendorServer) -> None:
    with pytest.raises(LMError, match="no address on the web"):
        ask(replace(vendor(server), base_url="ftp://model.example"))


def test_what_it_says_of_a_refusal_is_told_without_the_key() -> None:
    def echo(asked: Asked) -> Said:
        return Said(f"no such key: {asked.headers['authorization']} (sk-very-secret)".encode(), "text/plain", 401)

    with vendor_server(echo) as server, pytest.raises(LMError, match="no such key") as refused:
        ask(vendor(server))

    assert "secret" not in str(refused.value)


def test_what_waits_for_a_vendor_ends_with_the_run() -> None:
    async def forever() -> None:
        await asyncio.sleep(3_600)

    process.stop_all()

    with pytest.raises(Interrupted):
        wait_for(forever())


def test_what_was_waited_for_comes_back() -> None:
    async def soon() -> str:
        return json.dumps({})

    assert wait_for(soon()) == "{}"


def test_a_silent_voice_is_not_waited_for_when_the_run_is_to_end(server: VendorServer) -> None:
    server.always = "slow"
    voice = Vendor("the voice", server.url, SpeechError, patience=Patience(silence=30, total=60))
    server.silence_seconds = 3
    process.stop_all()

    with pytest.raises(Interrupted):
        post(voice, "audio/speech", json={})

    assert len(server.requests) <= 1
