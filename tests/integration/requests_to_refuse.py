"""Requests that nobody should send, each with what it is: the bytes, or what httpx is to send."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from bhiv.plan import RenderPlan, Scene

#: Must never come back in an answer.
MARK = "ec40ec40"
JOB = "0" * 24
_JSON = "application/json"


class Hostile(NamedTuple):
    """A request as it goes over the wire; `ends` says that the sender says no more afterwards."""

    name: str
    head: bytes
    body: bytes = b""
    ends: bool = False

    def bytes_for(self, host: str, key: str) -> bytes:
        """The request with a host and a key in place of the words for them."""
        return self.head.replace(b"$HOST", host.encode()).replace(b"$KEY", key.encode()) + self.body


def request(
    name: str,
    method: str = "POST",
    path: str | bytes = "/render",
    body: bytes = b"",
    content_type: str = _JSON,
    length: int | str | None = None,
    **headers: Any,
) -> Hostile:
    target = path if isinstance(path, bytes) else path.encode("latin-1")
    lines = [method.encode() + b" " + target + b" HTTP/1.1", b"Host: $HOST", b"Authorization: Bearer $KEY"]
    if body or length is not None:
        lines.append(f"Content-Length: {len(body) if length is None else length}".encode())
    if content_type:
        lines.append(f"Content-Type: {content_type}".encode())
    for header, value in headers.items():
        plain = value if isinstance(value, bytes) else value.encode("latin-1")
        lines.append(header.replace("_", "-").encode() + b": " + plain)
    return Hostile(name, b"\r\n".join([*lines, b"", b""]), body)


def raw(name: str, data: bytes, *, ends: bool = False) -> Hostile:
    return Hostile(name, data, ends=ends)


def _plan(**fields: str) -> bytes:
    """A plan with values that are JSON already, right or wrong."""
    given = {"title": '"A river"', "scenes": '[{"narration": "The river runs."}]'} | fields
    return ("{" + ", ".join(f'"{name}": {value}' for name, value in given.items()) + "}").encode()


def _scene(**fields: str) -> bytes:
    given = {"narration": '"The river runs."'} | fields
    return _plan(scenes="[{" + ", ".join(f'"{name}": {value}' for name, value in given.items()) + "}]")


#: What is no text, number, choice or list wherever it stands.
_ODD = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "1e400": "1e400",
    "-1e400": "-1e400",
    "a number of 5,000 digits": "9" * 5000,
    "more than 64 bits": str(1 << 64),
    "less than 64 bits": str(-(1 << 70)),
    "half a pair": f'"{MARK}\\ud800"',
    "the other half": f'"{MARK}\\udc00x"',
    "NUL": f'"{MARK}\\u0000"',
    "a control character": f'"{MARK}\\u001b[31m"',
    "an object": f'{{"{MARK}": 1}}',
    "a list": f'[["{MARK}"]]',
    "a bool in text": '"true"',
    "a deep list": "[" * 100_000 + "]" * 100_000,
    "a deep object": '{"a":' * 100_000 + "1" + "}" * 100_000,
}

_MANY: dict[str, Any] = {f"X-{number}": "y" for number in range(10_000)}


def _fields() -> Iterator[Hostile]:
    for field in RenderPlan.model_fields:
        for kind, wrong in (("an object of it", f'{{"{MARK}<b>": 0}}'), ("a float", "0.5"), ("a list", f'["{MARK}"]')):
            yield request(f"the plan's {field} is {kind}", body=_plan(**{field: wrong}))
    for field in Scene.model_fields:
        for kind, wrong in (("an object", f'{{"{MARK}<b>": 0}}'), ("a list", f'["{MARK}"]')):
            yield request(f"a scene's {field} is {kind}", body=_scene(**{field: wrong}))


def _values() -> Iterator[Hostile]:
    for name, value in _ODD.items():
        yield request(f"the body is {name}", body=value.encode())
        yield request(f"a scene's length is {name}", body=_scene(duration_seconds=value))
        yield request(f"the frame rate is {name}", body=_plan(fps=value))
        if name != "a bool in text":
            yield request(f"the title is {name}", body=_plan(title=value))
            yield request(f"the script is {name}", body=f'{{"script": {value}}}'.encode())
        yield request(f"an unknown field is {name}", body=_plan(**{f"{MARK}<b>": value}))


def _bodies() -> Iterator[Hostile]:
    good = _plan(title=f'"{MARK}"')
    texts = {
        "nothing": b"",
        "a space": b" ",
        "null": b"null",
        "true": b"true",
        "a number": b"1",
        "a text": b'"x"',
        "an empty list": b"[]",
        "an empty object": b"{}",
        "half of it": good[: len(good) // 2],
        "two of them": good + good,
        "with a byte order mark": b"\xef\xbb\xbf" + good,
        "in UTF-16": good.decode().encode("utf-16"),
        "in UTF-16 without a mark": good.decode().encode("utf-16-le"),
        "in UTF-32": good.decode().encode("utf-32"),
        "in Latin-1": _plan(title=f'"{MARK}é"').decode().encode("latin-1"),
        "overlong UTF-8": b'{"script": "\xc0\xae"}',
        "a surrogate in UTF-8": b'{"script": "\xed\xa0\x80"}',
        "past Unicode": b'{"script": "\xf4\x90\x80\x80"}',
        "NULs": b"\0" * 1000,
        "a single quote": b"{'script': 'x'}",
        "a comment": b'{"script": "x" /* y */}',
        "a trailing comma": b'{"script": "A river runs.",}',
        "a bare name": b'{script: "x"}',
        "a form": b"script=x&title=y",
        "XML": b"<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]><x>&y;</x>",
        "YAML": b"script: !!python/object:os.system x",
        "a pickle": b"\x80\x04\x95.",
        "gzip": b"\x1f\x8b\x08\x00" + b"\x00" * 50,
        "many open brackets": b"[" * 1_000_000,
        "a million values": b"[" + b"1," * 1_000_000 + b"1]",
        "a million empty scenes": _plan(scenes="[" + "{}," * 1_000_000 + "{}]"),
        "300,000 unknown fields": ("{" + ",".join(f'"{MARK}<{n}>": 1' for n in range(300_000)) + "}").encode(),
        "the same name twice": b'{"script": 1, "script": []}',
        "a script and a plan": b'{"script": "x", "plan": {}}',
        "no words": b'{"script": ""}',
        "only spaces": b'{"script": "   \\n\\n  "}',
        "an unknown direction": b'{"script": "[music: x] y"}',
        "letters without a font": '{"script": "\U0001f9ff\U00012000"}'.encode(),
        "an unknown language": b'{"script": "x", "language": "xx"}',
        "a voice of nobody": b'{"script": "x", "voice": "../../etc"}',
        "an odd size": b'{"script": "x", "size": "145x145"}',
        "a huge size": b'{"script": "x", "size": "99999x99999"}',
        "a job's id of capitals": b'{"script": "x", "job_id": "' + b"A" * 24 + b'"}',
        "a path for an id": b'{"script": "x", "content_id": "../../../../etc/passwd"}',
        "a file for a callback": _plan(callback_url='"file:///etc/passwd"'),
        "a new line in a callback": _plan(callback_url='"http://x\\r\\nHost: y"'),
        "201 scenes": _plan(scenes=json.dumps([{"narration": "x"}] * 201)),
        "a title that is too long": _plan(title=f'"{"x" * 201}"'),
        "a blank title": _plan(title='"  "'),
        "no scenes": _plan(scenes="[]"),
        "an empty scene": _scene(narration='""'),
        "a pause of an hour": _scene(narration='"[pause 3600s]"'),
        "a narration that is too long": _scene(narration=f'"{"x " * 11_000}"'),
        "a picture file of the server": _scene(picture='{"file": "/etc/passwd"}'),
        "two pictures": _scene(picture=f'{{"url": "https://{MARK}.example/a.png", "object": "images/a"}}'),
        "a picture of the videos": _scene(picture=f'{{"object": "videos/{MARK}"}}'),
        "a picture that is not there": _scene(picture=f'{{"object": "images/{MARK}"}}'),
        "a picture outside": _scene(picture=f'{{"object": "images/../{MARK}"}}'),
        "a picture by ftp": _scene(picture=f'{{"url": "ftp://{MARK}/a.png"}}'),
        "a picture that is nothing": _scene(picture="{}"),
        "a video clip": _scene(picture='{"url": "https://example.com/a.mp4"}'),
        "a camera of nobody": _scene(camera=f'"{MARK}"'),
        "an unknown version": _plan(version="2"),
        "a script of two megabytes": json.dumps({"script": "word " * 400_000}).encode(),
    }
    for name, body in texts.items():
        yield request(f"the body is {name}", body=body, length=len(body))
    for kind in (
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/json",
        "application/xml",
        "application/json2",
        "application/jsonx",
        "x" * 5000,
        "application",
        "/",
        ";",
    ):
        yield request(f"the content type is {kind[:40]!r}", body=good, content_type=kind)
    yield request("a compressed body", body=good, Content_Encoding="gzip")


def _paths() -> Iterator[Hostile]:
    ids = {
        "short": "0" * 23,
        "long": "0" * 25,
        "very long": "0" * 20_000,
        "in capitals": "A" * 24,
        "unknown": JOB,
        "with NUL": "%00" * 24,
        "with a slash": "0" * 12 + "%2F" + "0" * 11,
        "with dots": "..%2F..%2Fetc%2Fpasswd",
        "half a pair": "%ED%A0%80",
        "no UTF-8": "%FF%FE",
        "a broken escape": "%zz%",
        "a quote": "%27%20OR%201=1--",
        "a new line": "0%0d%0aX-Evil:%20y",
        "of other digits": "%D9%A0" * 24,
        "a wildcard": "%25" * 24,
        "empty": "",
        "a mark": f"%3Cscript%3E{MARK}",
    }
    for name, job in ids.items():
        yield request(f"the status of an id {name}", "GET", f"/render/{job}/status", content_type="")
        yield request(f"the end of an id {name}", "POST", f"/render/{job}/cancel", content_type="")
    yield request("a new try of no job", "POST", f"/render/{JOB}/retry", content_type="")
    yield request("the events of no job", "GET", f"/render/{JOB}/events", content_type="")
    yield request("a callback of no job", "PUT", f"/render/{JOB}/webhook", body=b'{"url": "https://example.com"}')
    for url in (
        '"javascript:alert(1)"',
        '"http://"',
        '""',
        "null",
        "7",
        f'"https://{"x" * 3000}"',
        '"http://x\\u0000"',
    ):
        yield request(f"a callback to {url[:30]}", "PUT", f"/render/{JOB}/webhook", body=f'{{"url": {url}}}'.encode())
    for secret in ('"x"', '"whsec_"', "7", '"whsec_****"', f'"whsec_{"A" * 4000}"'):
        body = f'{{"url": "https://example.com", "secret": {secret}}}'.encode()
        yield request(f"a callback's secret is {secret[:20]}", "PUT", f"/render/{JOB}/webhook", body=body)
    for query in (
        "include_history=maybe",
        "include_history=",
        "include_history=true&include_history=false",
        "include_history=%FF",
        "include_history=" + "x" * 10_000,
        "&".join(["a=b"] * 3000),
    ):
        yield request(f"a query {query[:50]}", "GET", f"/render/{JOB}/status?{query}", content_type="")
    for path in (
        "/",
        "//render",
        "/render/",
        "/render/..",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/render%00",
        "/.git/config",
        "/docs",
        "/redoc",
        "/static/../x",
        "/render;x=y",
        "/render/%2e%2e/health",
        "/" + "x" * 30_000,
        f"/{MARK}",
        "/RENDER",
        "/Health",
        "/%72ender/x",
        "/render/\\..\\status",
        "/\xff\xfe",
        "*",
        "http://evil.example/render",
    ):
        yield request(f"the path {path[:40]!r}", "GET", path, content_type="")


def _methods() -> Iterator[Hostile]:
    for method in (
        "GET",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "HEAD",
        "TRACE",
        "CONNECT",
        "PROPFIND",
        "PURGE",
        "SOURCE",
    ):
        yield request(f"{method} /render", method, "/render", content_type="")
    for method in ("POST", "DELETE", "OPTIONS", "TRACE"):
        yield request(f"{method} a status", method, f"/render/{JOB}/status", content_type="")
        yield request(f"{method} the health", method, "/health", content_type="")
    for method in ("get", "FOO", "G\xcb\x86T", "GET\tx", ""):
        line = method.encode("latin-1") + b" /health HTTP/1.1\r\nHost: $HOST\r\n\r\n"
        yield raw(f"the method {method!r}", line)


def _headers() -> Iterator[Hostile]:
    good = _plan()
    for key in ("", "x" * 256, "x" * 10_000, "\x7f", "\xff\xfe", "a\tb", "caf\xe9\x85"):
        if key:
            yield request(f"the idempotency key {key[:10]!r} of {len(key)}", body=b"{}", Idempotency_Key=key)
    for given in (
        "Bearer",
        "Bearer  ",
        "Basic eDp5",
        "Bearer \xff",
        "bearer bhiv_",
        "Bearer " + "x" * 20_000,
        "Bearer a b c",
    ):
        head = f"POST /render HTTP/1.1\r\nHost: $HOST\r\nAuthorization: {given}\r\nContent-Length: 2\r\n\r\n"
        yield raw(f"the authorization {given[:20]!r}", head.encode("latin-1") + b"{}")
    for known in ("", '"', "W/", "*,*", '"x"' * 3000, "\xff"):
        yield request(
            f"If-None-Match {known[:9]!r}", "GET", f"/render/{JOB}/status", content_type="", If_None_Match=known
        )
    for event in ("", "\xff", "x" * 9000):
        yield request(
            f"Last-Event-ID {event[:9]!r}", "GET", f"/render/{JOB}/events", content_type="", Last_Event_ID=event
        )
    yield request("headers of a megabyte", "GET", "/health", content_type="", X_Large="x" * 1_000_000)
    yield request("ten thousand headers", "GET", "/nothing", content_type="", **_MANY)
    yield raw("a header without an end", b"GET /health HTTP/1.1\r\nHost: $HOST\r\nX: " + b"x" * 3_000_000)
    yield raw("a header without a name", b"GET /health HTTP/1.1\r\nHost: $HOST\r\n: x\r\n\r\n")
    yield raw("a header without a colon", b"GET /health HTTP/1.1\r\nHost: $HOST\r\nnonsense\r\n\r\n")
    yield raw("NUL in a header", b"GET /health HTTP/1.1\r\nHost: $HOST\r\nX: a\0b\r\n\r\n")
    yield raw("a folded header", b"GET /nothing HTTP/1.1\r\nHost: $HOST\r\nX: a\r\n b\r\n\r\n")
    yield raw("no host", b"GET /nothing HTTP/1.1\r\n\r\n")
    yield raw("two hosts", b"GET /nothing HTTP/1.1\r\nHost: $HOST\r\nHost: evil.example\r\n\r\n")
    yield raw("HTTP/0.9", b"GET /nothing\r\n\r\n", ends=True)
    yield raw("HTTP/1.0", b"GET /nothing HTTP/1.0\r\n\r\n")
    yield raw("HTTP/2 without being asked", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    yield raw("HTTP/9.9", b"GET /nothing HTTP/9.9\r\nHost: $HOST\r\n\r\n")
    yield raw("a TLS greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x41" * 500)
    yield raw("noise", bytes(range(256)) * 8)
    socket: dict[str, Any] = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Key": "eA==",
        "Sec_WebSocket_Version": "13",
    }
    yield request("a web socket", "GET", "/nothing", content_type="", **socket)
    newer: dict[str, Any] = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2_Settings": "x"}
    yield request("an upgrade to HTTP/2", "GET", "/nothing", content_type="", **newer)
    yield request("a body that is expected", body=b"[]", Expect="100-continue")
    yield Hostile("a body and no length", request("", body=b"").head + good, ends=True)


def _framing() -> Iterator[Hostile]:
    head = b"POST /render HTTP/1.1\r\nHost: $HOST\r\nAuthorization: Bearer $KEY\r\nContent-Type: application/json\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    for name, length in (
        ("negative", "-1"),
        ("a word", "x"),
        ("huge", "9" * 40),
        ("hexadecimal", "0x10"),
        ("two", "1, 2"),
        ("with a plus", "+2"),
    ):
        yield raw(f"a length that is {name}", head + f"Content-Length: {length}\r\n\r\n{{}}".encode())
    yield raw("two lengths", head + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x")
    yield raw("a length and chunks", head + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    yield raw("a length that is too short", head + b"Content-Length: 1\r\n\r\n{}")
    yield raw("another way of framing", head + b"Transfer-Encoding: gzip\r\n\r\n{}", ends=True)
    yield raw("chunks twice", head + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", ends=True)
    yield raw("chunks of no size", chunked + b"x\r\n{}\r\n0\r\n\r\n")
    yield raw("chunks of a negative size", chunked + b"-2\r\n{}\r\n0\r\n\r\n")
    yield raw("chunks of a huge size", chunked + b"f" * 30 + b"\r\n{}\r\n0\r\n\r\n")
    yield raw("a chunk that is longer than it says", chunked + b"1\r\n{}\r\n0\r\n\r\n")
    yield raw("chunks that hold nothing", chunked + b"0\r\n\r\n")
    yield raw("a chunk with a large extension", chunked + b"2;" + b"x" * 100_000 + b"\r\n{}\r\n0\r\n\r\n")
    yield raw("chunks of one byte each", chunked + b"1\r\n[\r\n" * 2000 + b"0\r\n\r\n")
    yield raw("a trailer", chunked + b"2\r\n[]\r\n0\r\nX-Evil: y\r\n\r\n")
    yield raw("a body that breaks off", head + b'Content-Length: 500\r\n\r\n{"script"', ends=True)
    yield raw("chunks that break off", chunked + b"50\r\n{", ends=True)
    yield raw("headers that break off", head, ends=True)
    yield raw("nothing but new lines", b"\r\n" * 1000, ends=True)
    yield request("a byte too many", body=b'{"script": "' + b"x" * ((8 << 20) - 13) + b'"}')
    yield request("a length that is announced only", length=(8 << 20) + 1)
    yield raw("chunks of a byte too many", chunked + b"800001\r\n" + b" " * 0x800001 + b"\r\n0\r\n\r\n")


def all_of_them() -> list[Hostile]:
    """Every hostile request."""
    made = (_fields, _values, _bodies, _paths, _methods, _headers, _framing)
    return [hostile for make in made for hostile in make()]
