"""Libraries of photographs and an image model, as they answer over a socket; the pictures lie beside them."""

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from PIL import Image

from tests.servers.vendor import Asked, Said, VendorServer, vendor_server

RED, GREEN, BLUE = (200, 30, 30), (30, 160, 40), (30, 40, 200)
SIZE = (640, 360)


def picture(colour: tuple[int, ...] = RED, size: tuple[int, int] = SIZE, kind: str = "JPEG", **options: Any) -> bytes:
    """The file of a picture of one colour."""
    file = BytesIO()
    mode = options.pop("mode", "RGB")
    Image.new(mode, size, colour if len(colour) > 1 else colour[0]).save(file, kind, **options)
    return file.getvalue()


@dataclass
class PhotoServer:
    """A server, what it has, and what it serves at `/files/NAME`."""

    vendor: VendorServer
    #: Photographs, by the word in the query that finds them, each the name of a file.
    photos: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, Said] = field(default_factory=dict)
    #: Where a photograph is said to be, when not at its file.
    addresses: dict[str, str] = field(default_factory=dict)
    size: tuple[int, int] = SIZE
    #: How the image model hands out its picture.
    by_url: bool = False

    @property
    def url(self) -> str:
        return self.vendor.url

    def add(self, word: str, name: str, data: bytes, media_type: str = "image/jpeg") -> None:
        """Have a photograph that `word` finds."""
        self.photos.setdefault(word, []).append(name)
        self.files[name] = Said(data, media_type)

    def address(self, name: str) -> str:
        return self.addresses.get(name, f"{self.url}/files/{name}")

    def asked(self, part: str = "") -> list[Asked]:
        """The requests whose path holds this."""
        return [one for one in self.vendor.requests if part in one.path]

    def found(self, words: str) -> list[str]:
        return [name for word, names in self.photos.items() if word in words.split() for name in names]


Answer = Callable[[PhotoServer, Asked], Said]


def openverse(server: PhotoServer, asked: Asked) -> Said:
    """GET /v1/images/ as api.openverse.org answers it."""
    assert asked.path == "/v1/images/", asked.path
    results = [
        {
            "id": name, "title": f"The {name}", "url": server.address(name), "creator": "Ada Lens", "license": "by",
            "creator_url": "https://example.com/ada", "license_version": "4.0", "provider": "flickr",
            "license_url": "https://creativecommons.org/licenses/by/4.0/", "source": "flickr", "filetype": "jpg",
            "foreign_landing_url": f"https://example.com/{name}", "width": server.size[0], "height": server.size[1],
            "mature": False, "thumbnail": f"{server.url}/v1/images/{name}/thumb/", "attribution": "…", "tags": [],
        }
        for name in server.found(asked.query["q"])
    ]  # fmt: skip
    return Said.of({"result_count": len(results), "page_count": 1, "page_size": 20, "page": 1, "results": results})


def pexels(server: PhotoServer, asked: Asked) -> Said:
    """GET /v1/search as api.pexels.com answers it."""
    assert asked.path == "/v1/search", asked.path
    if asked.headers.get("authorization") != "pexels-key":
        return Said(b'{"status": 401, "code": "Unauthorized"}', status=401)
    width, height = server.size
    photos = [
        {
            "id": number, "width": width, "height": height, "url": f"https://www.pexels.com/photo/{name}-{number}/",
            "photographer": "Ada Lens", "photographer_url": "https://www.pexels.com/@ada", "photographer_id": 7,
            "avg_color": "#6E633A", "alt": f"The {name}", "liked": False,
            "src": {"original": server.address(name), "large2x": server.address(name), "tiny": server.address(name)},
        }
        for number, name in enumerate(server.found(asked.query["query"]), 101)
    ]  # fmt: skip
    return Said.of({"total_results": len(photos), "page": 1, "per_page": 20, "photos": photos})


def pixabay(server: PhotoServer, asked: Asked) -> Said:
    """GET /api/ as pixabay.com answers it."""
    assert asked.path == "/api/", asked.path
    if asked.query.get("key") != "pixabay-key":
        return Said(f"[ERROR 400] Invalid or missing API key {asked.query.get('key')}.".encode(), "text/plain", 400)
    hits = [
        {
            "id": number, "pageURL": f"https://pixabay.com/photos/{name}-{number}/", "type": "photo", "tags": "a, b",
            "imageWidth": server.size[0], "imageHeight": server.size[1], "user": "ada", "user_id": 7,
            "webformatURL": server.address(name), "largeImageURL": server.address(name), "views": 7,
        }
        for number, name in enumerate(server.found(asked.query["q"]), 201)
    ]  # fmt: skip
    return Said.of({"total": len(hits), "totalHits": len(hits), "hits": hits})


def images(server: PhotoServer, asked: Asked) -> Said:
    """POST /v1/images/generations as api.openai.com answers it, in both ways."""
    assert (asked.method, asked.path) == ("POST", "/v1/images/generations")
    assert set(asked.json) == {"model", "prompt", "n", "size"}
    made = {"url": server.address("made")} if server.by_url else {"b64_json": _base64(server.files["made"].body)}
    return Said.of({"created": 1, "data": [made | {"revised_prompt": "as it was"}]})


PATHS: Mapping[Answer, str] = {openverse: "/v1", pexels: "/v1", pixabay: "/api", images: "/v1"}


@contextmanager
def photo_server(api: Answer) -> Iterator[PhotoServer]:
    """Run one of them, empty, until the block is left; faults are those of its API, not of its files."""

    def answer(asked: Asked) -> Said:
        if asked.path.startswith("/files/"):
            return server.files.get(asked.path.removeprefix("/files/"), Said(b"", status=404))
        return api(server, asked)

    with vendor_server(answer) as vendor:
        server = PhotoServer(vendor)
        yield server


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
