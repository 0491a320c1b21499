"""The bucket over HTTP: look, list, read, remove."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import anyio
from fastapi import APIRouter
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from bhiv import cleaning
from bhiv.bucket.keys import SEGMENTS, Segment, is_key
from bhiv.bucket.replay import failed_operations
from bhiv.catalog import views
from bhiv.errors import ObjectMissing, StorageError
from bhiv.orphans import content_of
from bhiv.plan import Contract
from bhiv.service.auth import admit
from bhiv.service.documents import needs
from bhiv.service.downloads import NoSuchSpan, Opened, etag, headers_of, settled
from bhiv.service.problems import Problem, responses
from bhiv.service.queries import described, flag, number, text
from bhiv.service.state import Service, service_of

router = APIRouter(tags=["bucket"])
_READS = needs("bucket:read")
_MOST = 1000
#: How long a presigned address is good for.
_PRESIGNED_SECONDS = 3600
#: For the first listing of a large bucket.
_LIST_SECONDS = 20.0


class SegmentStats(Contract):
    """What a segment holds."""

    segment: Segment
    objects: int
    bytes: int


class BucketStats(Contract):
    """What the bucket held a short while ago."""

    segments: tuple[SegmentStats, ...]
    objects: int
    bytes: int
    listed_at: datetime


class ObjectLine(Contract):
    """An object in a list."""

    key: str
    #: In bytes.
    size: int
    changed_at: datetime
    #: To the hour; null where nobody notes it (S3).
    used_at: datetime | None


class ObjectPage(Contract):
    """Some objects in the order of their keys."""

    objects: tuple[ObjectLine, ...]
    #: Give it as `after` for the next page; null when this is the last.
    next: str | None


class FailedChange(Contract):
    """A change of the bucket that waits for S3."""

    operation: str
    key: str
    failed_at: datetime
    attempts: int
    error: str


class FailedChanges(Contract):
    """What waits for S3, the oldest first."""

    total: int
    operations: tuple[FailedChange, ...]


_PAGE = [
    described("prefix", "A segment, or a segment, / and the start of the rest.", type="string", maxLength=500),
    described("after", "Only keys behind this one.", type="string", maxLength=500),
    described("limit", "Objects at most.", type="integer", minimum=1, maximum=_MOST, default=100),
]
_PRESIGNED = [
    described("presigned", "On S3, lead to an address that anybody may read for an hour.", type="boolean"),
]
_KEY = {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}}


@router.get("/bucket/stats", response_model=BucketStats, responses=responses(), openapi_extra=_READS)
async def stats(request: Request) -> Response:
    """Tell how much each segment holds, as it was listed a minute ago at most, unless the bucket is large."""
    await admit(request, "bucket:read")
    usage = await anyio.to_thread.run_sync(service_of(request).scrapes.meter.usage.get, _LIST_SECONDS)
    if usage is None:
        raise Problem(503, "not known yet", "the bucket is being listed, or is away", {"Retry-After": "20"})
    found = BucketStats(
        segments=tuple(
            SegmentStats(segment=name, objects=usage.segments[name].objects, bytes=usage.segments[name].bytes)
            for name in SEGMENTS
        ),
        objects=sum(held.objects for held in usage.segments.values()),
        bytes=sum(held.bytes for held in usage.segments.values()),
        listed_at=usage.listed_at,
    )
    return Response(found.model_dump_json(), media_type="application/json")


@router.get(
    "/bucket/list", response_model=ObjectPage, responses=responses(422), openapi_extra=_READS | {"parameters": _PAGE}
)
async def listed(request: Request) -> Response:
    """List objects in the order of their keys, page by page."""
    await admit(request, "bucket:read")
    prefix, after = text(request, "prefix") or "", text(request, "after") or ""
    limit = number(request, "limit", 100, _MOST)
    page = await anyio.to_thread.run_sync(service_of(request).bucket.list_page, prefix, after, limit)
    lines = tuple(
        ObjectLine(key=entry.key, size=entry.size, changed_at=entry.changed_at, used_at=entry.used_at)
        for entry in page.entries
    )
    return Response(ObjectPage(objects=lines, next=page.after).model_dump_json(), media_type="application/json")


@router.get(
    "/bucket/failed-operations",
    response_model=FailedChanges,
    responses=responses(422),
    openapi_extra=_READS
    | {"parameters": [described("limit", "At most.", type="integer", minimum=1, maximum=_MOST, default=100)]},
)
async def failed(request: Request) -> Response:
    """List the changes of the bucket that wait for S3, the oldest first; on a local bucket there are none."""
    await admit(request, "bucket:read")
    limit = number(request, "limit", 100, _MOST)
    waiting = await anyio.to_thread.run_sync(failed_operations, service_of(request).settings)
    lines = tuple(
        FailedChange(
            operation=one.operation, key=one.key, failed_at=one.failed_at, attempts=one.attempts, error=one.error
        )
        for one in waiting[:limit]
    )
    return Response(
        FailedChanges(total=len(waiting), operations=lines).model_dump_json(), media_type="application/json"
    )


@router.get(
    "/bucket/{key:path}",
    response_class=Response,
    responses={
        **responses(404, 416, 422),
        200: {"content": {"*/*": {}}, "description": "The object."},
        206: {"content": {"*/*": {}}, "description": "The bytes that Range names."},
        304: {"description": "It is as the ETag in If-None-Match says."},
        307: {"description": "Where to read it."},
    },
    openapi_extra=_READS | {"parameters": [_KEY, *_PRESIGNED]},
)
async def read(request: Request) -> Response:
    """Give out an object, or the part that a Range header names; the ETag is its SHA-256."""
    await admit(request, "bucket:read")
    service, key = service_of(request), _key_of(request)
    if flag(request, "presigned") and (address := await anyio.to_thread.run_sync(_presigned, service, key)):
        return RedirectResponse(address, 307, {"Cache-Control": "no-store"})
    wanted, unless = request.headers.get("range"), request.headers.get("if-range")
    try:
        found, headers = await anyio.to_thread.run_sync(_looked_up, service, key, wanted, unless)
    except NoSuchSpan:
        stored = await anyio.to_thread.run_sync(service.bucket.stat, key)
        size = {"Content-Range": f"bytes */{stored.artifact.size}"}
        raise Problem(416, "no such range", "the object is shorter", size) from None
    artifact = found.stored.artifact
    if _is_known(request.headers.get("if-none-match"), etag(artifact)):
        return Response(None, 304, {name: headers[name] for name in ("ETag", "Cache-Control", "Last-Modified")})
    status = 200
    length = artifact.size
    if found.span is not None:
        status, length = 206, found.span.length
        last = found.span.start + length - 1
        headers["Content-Range"] = f"bytes {found.span.start}-{last}/{artifact.size}"
    headers["Content-Length"] = str(length)
    pieces: Iterator[bytes] = iter(()) if request.method == "HEAD" else found.pieces
    return StreamingResponse(iterate_in_threadpool(pieces), status, headers)


router.add_api_route("/bucket/{key:path}", read, methods=["HEAD"], include_in_schema=False, response_class=Response)


@router.delete(
    "/bucket/{key:path}",
    status_code=204,
    response_class=Response,
    responses=responses(404, 409),
    openapi_extra=needs("bucket:admin") | {"parameters": [_KEY]},
)
async def remove(request: Request) -> Response:
    """Remove an object that no job needs that waits or is made."""
    await admit(request, "bucket:admin")
    service, key = service_of(request), _key_of(request)
    if not await anyio.to_thread.run_sync(_removed, service, key):
        raise Problem(409, "in use", "a job that waits or is made may need it; try again when that has ended")
    return Response(None, 204)


def _key_of(request: Request) -> str:
    key: str = request.path_params["key"]
    if not is_key(key):
        raise Problem(404, "no such object", "that is not a key of the bucket")
    return key


def _is_known(header: str | None, tag: str) -> bool:
    known = [part.strip().removeprefix("W/") for part in (header or "").split(",")]
    return tag in known or known == ["*"]


def _presigned(service: Service, key: str) -> str | None:
    with _of_objects():
        service.bucket.stat(key)
    return service.bucket.presign(key, _PRESIGNED_SECONDS)


def _looked_up(service: Service, key: str, wanted: str | None, unless: str | None) -> tuple[Opened, dict[str, str]]:
    with _of_objects():
        found = settled(service.bucket, key, wanted, unless)
    content = content_of(key)
    return found, headers_of(found.stored, views.title_of(service.catalog, content) if content else None)


def _removed(service: Service, key: str) -> bool:
    with _of_objects():
        return cleaning.remove(service.bucket, service.catalog, key)


@contextmanager
def _of_objects() -> Iterator[None]:
    """Have what is in the place of an object, such as a link, be no object; what stops a bucket passes as it is."""
    try:
        yield
    except StorageError as error:
        if type(error) is StorageError:
            raise ObjectMissing("there is no such object") from error
        raise
