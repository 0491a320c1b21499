"""Feedback on contents over HTTP: a rating becomes a reward, which Core and the bucket are told."""

import logging
from functools import partial

import anyio
from fastapi import APIRouter
from pydantic import Field
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from bhiv.bucket import Bucket
from bhiv.catalog import opinions
from bhiv.catalog.opinions import Opinion, Opinions
from bhiv.errors import StorageError
from bhiv.plan import Contract, Text
from bhiv.service.auth import admit
from bhiv.service.bodies import json_body, validated
from bhiv.service.documents import body_of, needs
from bhiv.service.problems import responses
from bhiv.service.queries import described, number, text
from bhiv.service.state import service_of

router = APIRouter(tags=["feedback"])
_ID = "^[0-9a-f]{24}$"
_MOST = 200
_PAGE = [
    described("after", "The last opinion of the page before.", type="string", pattern=_ID),
    described("limit", "Opinions at most.", type="integer", minimum=1, maximum=_MOST, default=50),
]
_log = logging.getLogger(__name__)


class Rating(Contract):
    """What somebody thinks of a content."""

    rating: int = Field(ge=1, le=5, strict=True, description="From 1 to 5.")
    comment: Text | None = Field(None, max_length=5_000)
    user_id: Text = Field("local", min_length=1, max_length=200, description="Who thinks so.")


@router.post(
    "/contents/{content_id}/feedback",
    status_code=201,
    response_model=Opinion,
    responses=responses(400, 404, 413, 415, 422),
    openapi_extra=body_of(Rating) | needs("feedback"),
)
async def rate(request: Request, content_id: str) -> Response:
    """Rate a content. The reward, from -1 to 1, goes to Core, and into the bucket's `logs/feedback`."""
    await admit(request, "feedback")
    service, given = service_of(request), validated(Rating, await json_body(request))
    opinion = await service.write(
        partial(
            opinions.give, content_id=content_id, user_id=given.user_id, rating=given.rating, comment=given.comment,
            core=service.settings.core_url is not None,
        )
    )  # fmt: skip
    service.dispatcher.wake()
    saved = BackgroundTask(_save, service.bucket, opinion)
    return Response(opinion.model_dump_json(), 201, media_type="application/json", background=saved)


def _save(bucket: Bucket, opinion: Opinion) -> None:
    data = opinion.model_dump_json(indent=2).encode()
    try:
        bucket.put_bytes(f"logs/feedback/{opinion.content_id}_{opinion.id}.json", data, "application/json")
    except StorageError as error:  # the catalog has it
        _log.warning("the reward %s is not in the bucket: %s", opinion.id, error)


@router.get(
    "/contents/{content_id}/feedback",
    response_model=Opinions,
    responses=responses(404, 422),
    openapi_extra=needs("render:read") | {"parameters": _PAGE},
)
async def ratings(request: Request, content_id: str) -> Response:
    """List what people think of a content, the newest first, with the average of all."""
    await admit(request, "render:read")
    after, limit = text(request, "after", _ID), number(request, "limit", 50, _MOST)
    catalog = service_of(request).catalog
    found = await anyio.to_thread.run_sync(partial(opinions.of_content, catalog, content_id, after, limit))
    return Response(found.model_dump_json(), media_type="application/json")
