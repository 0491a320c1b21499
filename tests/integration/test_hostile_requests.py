"""Hostile requests: none is answered as a mistake of the service, none is left without an answer, none comes back."""

import json
import re
import socket
from contextlib import suppress

import httpx
import pytest

from tests.integration.requests_to_refuse import MARK, Hostile, all_of_them
from tests.servers.service import PLAN, RunningService

_PROBLEM = "application/problem+json"
#: Beside other work on the same cores; what hangs is silent for much longer.
_SECONDS = 10.0
_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
_HOSTILE = all_of_them()
#: These are odd, and may be taken: what they ask for is there.
_MAY_PASS = re.compile(r"^(OPTIONS|HEAD|If-None-Match|a body that is expected|the path '/|the method)")


def answered(service: RunningService, hostile: Hostile) -> bytes:
    """What comes back; empty when the connection is closed without a word."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=_SECONDS) as connection:
        data = b""
        with suppress(BrokenPipeError, ConnectionResetError):  # who is refused half-way may find the door closed
            connection.sendall(hostile.bytes_for(f"127.0.0.1:{service.port}", service.key))
        with suppress(ConnectionResetError):
            if hostile.ends:
                connection.shutdown(socket.SHUT_WR)
            while not _is_whole(data, hostile) and (more := connection.recv(1 << 16)):
                data = (data + more).removeprefix(_GO_ON)
        return data


def _is_whole(data: bytes, hostile: Hostile) -> bool:
    head, found, body = data.partition(b"\r\n\r\n")
    if not found or hostile.head.startswith(b"HEAD"):
        return bool(found)
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    return length is not None and len(body) >= int(length[1])


def test_there_are_enough_of_them_and_each_is_another() -> None:
    assert len(_HOSTILE) >= 150
    assert len({hostile.name for hostile in _HOSTILE}) == len(_HOSTILE)


@pytest.mark.parametrize("hostile", _HOSTILE, ids=lambda hostile: hostile.name[:60].replace("/", "|"))
def test_a_hostile_request_is_refused_as_a_problem(service: RunningService, hostile: Hostile) -> None:
    data = answered(service, hostile)

    if not data:  # there is nobody left to answer
        assert hostile.ends or len(hostile.head) > 100_000
        return
    head, _, body = data.partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1])
    assert status < 500, data
    assert MARK.encode() not in data
    if status < 400:
        assert _MAY_PASS.match(hostile.name), data
    elif not hostile.head.startswith(b"HEAD"):
        assert f"content-type: {_PROBLEM}".encode() in head.lower()
        assert json.loads(body)["status"] == status


def test_the_service_lives_and_has_made_no_mistake(service: RunningService, client: httpx.Client) -> None:
    """Last of this file: what all the others have left."""
    assert client.get("/health").is_success
    assert client.post("/render", json=PLAN).status_code == 202
    assert "Traceback" not in service.said()
    assert "internal error" not in service.said()
