"""Reading forms and uploaded files: all of UTF-8, all within limits, or refused.

FastAPI's own reading takes bytes that are not UTF-8 for Latin-1, and a torn multipart body for a whole one.
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from bhiv.service.bodies import media_type
from bhiv.service.problems import Problem
from bhiv.settings import Settings

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

#: Of an upload, beside the script: fields, headers and boundaries.
_BESIDE_BYTES = 64 << 10
_MOST_FIELDS = 100
_CHARSETS = {b"utf-8", b"utf8", b"us-ascii", b"ascii"}


@dataclass(frozen=True)
class Upload:
    """A file of a form."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Form:
    """What a form holds; of fields of one name, the first."""

    fields: dict[str, str]
    files: tuple[Upload, ...] = ()


async def body_within(request: Request, settings: Settings) -> bytes:
    """Return the body: of an upload, a script's size and a little more at most.

    Raises:
        Problem: 413 for one that is larger.
    """
    if media_type(request) != MULTIPART:
        return await request.body()
    limit, body = settings.max_script_bytes + _BESIDE_BYTES, bytearray()
    told = request.headers.get("content-length", "0")
    too_large = Problem(413, "too large", f"an upload has {limit:,} bytes at most")
    if told.isdigit() and len(told) < 20 and int(told) > limit:
        raise too_large
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise too_large
    return bytes(body)


def check_charset(request: Request) -> None:
    """Refuse a body that says it is not UTF-8; raises Problem."""
    charset = _options(request).get(b"charset", b"utf-8").strip().lower()
    if charset not in _CHARSETS:
        raise Problem(415, "unsupported media type", "the body must be UTF-8")


def form_of(request: Request, body: bytes) -> Form:
    """Return the form that a body is.

    Raises:
        Problem: it is not whole, not UTF-8, or has too many fields.
    """
    if media_type(request) == MULTIPART:
        return _multipart(body, _options(request).get(b"boundary", b""))
    try:
        # ASCII: anything else is percent-encoded.
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise _broken(f"it is not URL-encoded UTF-8, or has more than {_MOST_FIELDS} fields") from None
    return Form(dict(reversed(pairs)))


@dataclass
class _Part:
    headers: list[tuple[bytes, bytes]]
    data: bytearray


def _multipart(body: bytes, boundary: bytes) -> Form:
    reader = _Reader()
    try:
        parser = MultipartParser(boundary, reader.callbacks())  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise _broken(str(error)) from None
    if not reader.ended:
        raise _broken("its end is missing")
    fields: dict[str, str] = {}
    files = []
    for part in reader.parts:
        disposition, options = parse_options_header(dict(part.headers).get(b"content-disposition", b""))
        if disposition != b"form-data" or b"name" not in options:
            raise _broken("a part has no name")
        if b"filename" not in options:
            fields.setdefault(_text(options[b"name"]), _text(bytes(part.data)))
        elif options[b"filename"] or part.data:  # a browser sends an empty one when no file was chosen
            files.append(Upload(options[b"filename"].decode(errors="replace"), bytes(part.data)))
    return Form(fields, tuple(files))


class _Reader:
    """Collects the parts of a multipart body."""

    def __init__(self) -> None:
        self.parts: list[_Part] = []
        self.ended = False
        self._name, self._value = b"", b""

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin, "on_part_data": self._data, "on_header_begin": self._header,
            "on_header_field": self._header_name, "on_header_value": self._header_value,
            "on_header_end": self._header_end, "on_end": self._end,
        }  # fmt: skip

    def _begin(self) -> None:
        if len(self.parts) >= _MOST_FIELDS:
            raise FormParserError(f"it has more than {_MOST_FIELDS} fields")
        self.parts.append(_Part([], bytearray()))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].data += data[start:end]

    def _header(self) -> None:
        self._name = self._value = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self.parts[-1].headers.append((self._name.lower(), self._value))

    def _end(self) -> None:
        self.ended = True


def _options(request: Request) -> dict[bytes, bytes]:
    return parse_options_header(request.headers.get("content-type", ""))[1]


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _broken("a field is not UTF-8") from None


def _broken(reason: str) -> Problem:
    return Problem(400, "not a form", f"the body is not what its content type says: {reason}")
