import asyncio
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest

from bhiv.errors import AddressRefused, AnswerRefused, InputRefused
from bhiv.safe_transport import AddressRules, safe_async_client, safe_client, system_resolve, why_refused
from bhiv.settings import load_settings, settings_environment
from tests.servers.listener import Listener, listening

#: Ways to write an address that leads, or may lead, to this machine or its network.
LITERALS = (
    "127.0.0.1", "localhost", "LOCALHOST", "localhost.", "127.0.0.1.", "127.1", "127.0.1", "2130706433", "0x7f000001",
    "0x7f.0.0.1", "0177.0.0.1", "017700000001", "0", "0.0.0.0", "127.255.255.254", "user:pass@127.0.0.1", "[::1]",
    "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "１２７.０.０.１", "①②⑦.⓪.⓪.①", "169.254.169.254", "168.63.129.16", "192.0.0.192",
    "192.88.99.1", "[fec0::1]", "[fd00:ec2::254]", "224.0.0.1", "[ff0e::1]", "100.100.100.200", "[64:ff9b:1::1]",
    "[2001:0:7f00:1::]",
)  # fmt: skip

Fetch = Callable[[AddressRules, str], httpx.Response]


def fetch(rules: AddressRules, url: str) -> httpx.Response:
    with safe_client(rules, max_bytes=1000) as client:
        return client.post(url, content=b"{}")


def fetch_async(rules: AddressRules, url: str) -> httpx.Response:
    async def post() -> httpx.Response:
        async with safe_async_client(rules, max_bytes=1000) as client:
            return await client.post(url, content=b"{}")

    return asyncio.run(post())


both = pytest.mark.parametrize("fetch", [fetch, fetch_async])


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening(("127.0.0.1", "127.0.0.2", "::1")) as running:
        yield running


def rules(listener: Listener, *allowed: str, answers: Sequence[Sequence[str]] = ()) -> AddressRules:
    """Rules under which only the address can be at fault; names resolve to `answers`, one list each time."""
    left = list(answers)
    return AddressRules(
        allowed, frozenset({listener.port}), (lambda _host, _port: left.pop(0)) if answers else system_resolve
    )


@both
@pytest.mark.parametrize("literal", LITERALS)
def test_no_way_of_writing_an_address_leads_inside(fetch: Fetch, literal: str, listener: Listener) -> None:
    # Some resolvers take "localhost." for no name.
    with pytest.raises((AddressRefused, httpx.InvalidURL, httpx.ConnectError)):
        fetch(rules(listener), f"http://{literal}:{listener.port}/")

    assert listener.connections == []


def test_without_the_rules_many_of_them_do(listener: Listener) -> None:
    for literal in ("127.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "[::1]"):
        assert httpx.get(f"http://{literal}:{listener.port}/", trust_env=False).text == "ok"

    assert len(listener.connections) == 5


@both
def test_one_answer_inside_refuses_a_name_with_public_ones_too(fetch: Fetch, listener: Listener) -> None:
    mixed = rules(listener, answers=[["93.184.216.34", "127.0.0.1"]])

    with pytest.raises(AddressRefused, match=r"a\.example may not be reached: 127\.0\.0\.1 .* BHIV_ALLOWED_HOSTS"):
        fetch(mixed, f"http://a.example:{listener.port}/")

    assert listener.connections == []


@both
def test_an_answer_that_changes_after_the_check_changes_nothing(fetch: Fetch, listener: Listener) -> None:
    flipping = rules(listener, "127.0.0.2", answers=[["127.0.0.2"], ["127.0.0.1"]])

    assert fetch(flipping, f"http://a.example:{listener.port}/").text == "ok"
    assert listener.connections == ["127.0.0.2"]
    with pytest.raises(AddressRefused):
        fetch(flipping, f"http://a.example:{listener.port}/")
    assert listener.connections == ["127.0.0.2"]


@both
def test_a_redirect_is_an_answer_and_not_a_way(fetch: Fetch, listener: Listener) -> None:
    listener.answer = (
        f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{listener.port}/\r\nContent-Length: 0\r\n"
        "Connection: close\r\n\r\n"
    ).encode()

    assert fetch(rules(listener, "127.0.0.2"), f"http://127.0.0.2:{listener.port}/").status_code == 302
    assert listener.connections == ["127.0.0.2"]


@both
def test_the_server_is_told_the_name(fetch: Fetch, listener: Listener) -> None:
    fetch(rules(listener, "a.example", answers=[["127.0.0.1"]]), f"http://a.example:{listener.port}/x?y=1")

    assert listener.requests[0].startswith(b"POST /x?y=1 HTTP/1.1\r\n")
    assert f"host: a.example:{listener.port}\r\n".encode() in listener.requests[0].lower()


@both
def test_the_next_address_is_tried_when_one_is_dead(fetch: Fetch, listener: Listener) -> None:
    two = rules(listener, "a.example", answers=[["127.0.0.3", "127.0.0.1"]])

    assert fetch(two, f"http://a.example:{listener.port}/").text == "ok"


@both
def test_an_answer_is_read_up_to_its_limit(fetch: Fetch, listener: Listener) -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    listener.answer = head + b"x" * 1000
    assert len(fetch(rules(listener, "127.0.0.1"), f"http://127.0.0.1:{listener.port}/").content) == 1000

    listener.answer = head + b"x" * 1001
    with pytest.raises(AnswerRefused, match="more than 1000 bytes"):
        fetch(rules(listener, "127.0.0.1"), f"http://127.0.0.1:{listener.port}/")


@both
def test_a_packed_answer_stays_packed(fetch: Fetch, listener: Listener) -> None:
    listener.answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\nnot unpacked"

    assert fetch(rules(listener, "127.0.0.1"), f"http://127.0.0.1:{listener.port}/").content == b"not unpacked"
    assert b"accept-encoding: identity" in listener.requests[0].lower()


def test_tls_checks_the_name_and_not_the_address(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=a.example", "-addext", "subjectAltName=DNS:a.example", "-keyout", key, "-out", certificate],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))

    with listening(("127.0.0.1",), server) as listener:
        inside = rules(listener, "a.example", "b.example", answers=[["127.0.0.1"]] * 2)
        with safe_client(inside, verify=trusting) as client:
            assert client.get(f"https://a.example:{listener.port}/").text == "ok"
            with pytest.raises(httpx.ConnectError, match=r"b\.example"):
                client.get(f"https://b.example:{listener.port}/")

    assert listener.names == ["a.example", "b.example"]


@pytest.mark.parametrize("url", ["ftp://a.example/", "file:///etc/passwd", "data:text/plain,x", "gopher://127.0.0.1/"])
def test_only_the_web_is_asked(url: str) -> None:
    with pytest.raises((AddressRefused, httpx.UnsupportedProtocol)):
        fetch(AddressRules(), url)


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
def test_what_is_no_name_is_refused(host: str) -> None:
    with pytest.raises((AddressRefused, httpx.InvalidURL, httpx.ConnectError)):
        fetch(AddressRules(), f"http://{host}/")


def test_a_name_without_an_address_is_no_refusal() -> None:
    def nothing(host: str, port: int) -> list[str]:
        raise OSError("Name or service not known")

    with pytest.raises(httpx.ConnectError, match=r"a\.example has no address"):
        fetch(AddressRules(resolve=nothing), "http://a.example/")


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "2a00:1450::1"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert why_refused(ip_address(address)) is None
    assert AddressRules().judge("a.example", 443, [address]) == (ip_address(address),)


def test_other_ports_than_those_of_the_web_are_refused() -> None:
    with pytest.raises(AddressRefused, match=r"port 25 is not one of 80 and 443.* add a\.example:25 "):
        AddressRules().judge("a.example", 25, ["93.184.216.34"])


@pytest.mark.parametrize(
    ("entry", "host", "port", "address"),
    [
        ("hooks.local", "Hooks.Local.", 8080, "10.1.2.3"),
        ("hooks.local:8080", "hooks.local", 8080, "10.1.2.3"),
        ("10.1.0.0/16", "anything.local", 8080, "10.1.2.3"),
        ("10.1.2.3", "10.1.2.3", 9000, "::ffff:10.1.2.3"),
        ("10.1.2.3:9000", "10.1.2.3", 9000, "10.1.2.3"),
        ("[::1]:9000", "::1", 9000, "::1"),
        ("fd00::/8", "a.local", 443, "fd00::1"),
    ],
)
def test_an_entry_of_the_list_opens_what_it_names(entry: str, host: str, port: int, address: str) -> None:
    opened = AddressRules((entry,))

    assert len(opened.judge(host, port, [address])) == 1
    with pytest.raises(AddressRefused):
        opened.judge("b.example", port, ["192.168.0.1"])
    with pytest.raises(AddressRefused):
        replace(opened, allowed=()).judge(host, port, [address])


def test_a_port_is_opened_alone() -> None:
    with pytest.raises(AddressRefused):
        AddressRules(("hooks.local:8080",)).judge("hooks.local", 8081, ["10.1.2.3"])


@pytest.mark.parametrize(
    "entry", ["", "http://a.example", "a.example:http", "a b", "a.example/x", "10.0.0.0/33", ":80"]
)
def test_an_entry_that_names_nothing_is_refused(entry: str) -> None:
    with pytest.raises(InputRefused, match="BHIV_ALLOWED_HOSTS"):
        AddressRules((entry,))


def test_the_list_is_written_with_commas_and_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BHIV_ALLOWED_HOSTS", "hooks.local:8080, 10.1.0.0/16,")

    settings = load_settings()

    assert settings.allowed_hosts == ("hooks.local:8080", "10.1.0.0/16")
    assert settings_environment(settings)["BHIV_ALLOWED_HOSTS"] == "hooks.local:8080,10.1.0.0/16"
