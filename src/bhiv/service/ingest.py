"""Webhooks that come in: scripts that other programs post, in the shapes that they have."""

import json
import time
from functools import partial
from typing import Any

from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from bhiv import incoming
from bhiv.api_keys import KeyView
from bhiv.errors import InputRefused, PlanError, SignatureRefused
from bhiv.incoming import Event, Receipt
from bhiv.inputs import title_of
from bhiv.jobs import Order
from bhiv.request import OPTIONS, RenderRequest, new_id
from bhiv.script import decode_script
from bhiv.service.auth import ANYBODY, admit
from bhiv.service.bodies import media_type, parse_json
from bhiv.service.documents import needs
from bhiv.service.forms import MULTIPART, URLENCODED, Upload, body_within, check_charset, form_of
from bhiv.service.problems import Problem, responses
from bhiv.service.render import order_of
from bhiv.service.state import Service, service_of
from bhiv.settings import Settings
from bhiv.webhook_secrets import ingest_secrets
from bhiv.webhook_signing import verify

router = APIRouter(tags=["webhooks"])

MOST_PAYLOADS = 100
_JSON = "application/json"
_MOST_ID = 255


def option_schemas() -> dict[str, Any]:
    """Return the schemas of what can be said beside a script, by name."""
    properties = RenderRequest.model_json_schema()["properties"]
    return {name: properties[name] for name in OPTIONS}


def _document() -> dict[str, Any]:
    script = {"type": ["string", "null"], "description": "Or in `text`, `content` or `message`."}
    fields = {"script": script} | option_schemas()
    payload = {"type": "object", "properties": fields}
    batch = {"type": "array", "items": payload, "minItems": 1, "maxItems": MOST_PAYLOADS}
    form = fields | {"script": {"type": "string"}}
    upload = form | {"file": {"type": "string", "format": "binary"}}
    content = {
        _JSON: {"schema": {"anyOf": [payload, batch]}},
        URLENCODED: {"schema": {"type": "object", "properties": form}},
        MULTIPART: {"schema": {"type": "object", "properties": upload}},
    }
    return {"requestBody": {"required": True, "content": content}}


@router.post(
    "/ingest/webhook",
    status_code=202,
    response_model=Receipt,
    responses={
        200: {"model": Receipt, "description": "It has come before; nothing was done."},
        **responses(400, 413, 415, 422, 429),
    },
    openapi_extra=_document() | needs("ingest"),
)
async def receive(request: Request) -> Response:
    """Make videos of the scripts in a webhook; one without a script is kept as an event.

    The script is in `script`, `text`, `content` or `message`, or an uploaded file; a JSON list of up to 100 payloads is
    accepted whole or not at all. With a `webhook-id` or `X-GitHub-Delivery` header, what comes again does nothing.
    Where `BHIV_INGEST_SECRETS` is set it must be signed, by Standard Webhooks or as GitHub does, and needs no key.
    """
    service = service_of(request)
    secrets = ingest_secrets(service.settings)
    key = None if secrets else await admit(request, "ingest")
    check_charset(request)
    body = await body_within(request, service.settings)
    sender = key or await _signer(service, secrets, request, body)
    webhook_id = _webhook_id(request, "signed" if key is None else sender.id)
    if webhook_id is not None and (before := incoming.seen(service.catalog, webhook_id)) is not None:
        return _answer(before, 200)
    orders, kept = await to_thread.run_sync(_orders, service, sender, request, body)
    for order in orders:
        service.queue.enter(order.api_key_id)
    event = Event(id=new_id(), webhook_id=webhook_id, content_type=media_type(request), payload=kept)
    receipt, is_new = await service.write(partial(incoming.take, event=event, orders=orders))
    service.dispatcher.wake()
    return _answer(receipt, 202 if is_new else 200)


def script_of(upload: Upload, settings: Settings) -> dict[str, str]:
    """Return the fields of a request that an uploaded file is: its text, and a title from its name."""
    name = "".join(letter for letter in upload.name.replace("\\", "/") if letter.isprintable())
    return {"script": decode_script(upload.data, max_bytes=settings.max_script_bytes), "name": title_of(name)}


async def _signer(service: Service, secrets: tuple[str, ...], request: Request, body: bytes) -> KeyView:
    try:
        verify(secrets, request.headers, body, time.time())
    except SignatureRefused as error:
        raise Problem(401, "not signed", str(error)) from None
    await service.gate.limit("signed")
    return ANYBODY


def _webhook_id(request: Request, sender: str) -> str | None:
    """Return the webhook's name among those of all senders; two of them may choose the same."""
    headers = request.headers
    given = headers.get("webhook-id", headers.get("x-github-delivery"))
    if given is None:
        return None
    if not (0 < len(given) <= _MOST_ID and given.isascii() and given.isprintable()):
        raise Problem(400, "refused", f"a webhook-id has 1 to {_MOST_ID} printable ASCII characters")
    return f"{sender}:{given}"


def _payload_of(request: Request, body: bytes) -> tuple[Any, Upload | None]:
    match media_type(request):
        case "application/json":
            payload = parse_json(body)
            try:
                json.dumps(payload, allow_nan=False)
            except ValueError:  # 1e400
                raise Problem(400, "not JSON", "the body holds a number that is too large") from None
            return payload, None
        case "application/x-www-form-urlencoded" | "multipart/form-data":
            form = form_of(request, body)
            if len(form.files) > 1:
                raise Problem(422, "refused", "the form holds more than one file; send one, or a JSON list of scripts")
            return form.fields, (form.files or (None,))[0]
    raise Problem(415, "unsupported media type", f"send {_JSON}, {URLENCODED} or {MULTIPART}")


def _orders(service: Service, sender: KeyView, request: Request, body: bytes) -> tuple[list[Order], Any]:
    """Return the checked orders that a body is, and what is kept of it."""
    payload, upload = _payload_of(request, body)
    if not isinstance(payload, list):
        order, kept = _order(service, sender, payload, upload)
        return ([order] if order else []), kept
    if not 1 <= len(payload) <= MOST_PAYLOADS:
        raise InputRefused(f"a list holds 1 to {MOST_PAYLOADS} payloads, not {len(payload)}")
    made = []
    for number, one in enumerate(payload):
        try:
            made.append(_order(service, sender, one, None))
        except InputRefused as error:
            raise PlanError(str(error), str(number)) from None
    return [order for order, _ in made if order], [kept for _, kept in made]


def _order(service: Service, sender: KeyView, payload: Any, upload: Upload | None) -> tuple[Order | None, Any]:
    if not isinstance(payload, dict):
        raise PlanError("a payload is a JSON object")
    values = incoming.values_of(payload)
    if upload is not None:
        if values is not None:
            raise InputRefused("the form holds a script and a file; send one of them")
        given = script_of(upload, service.settings)
        values = (incoming.values_of({**payload, "script": given["script"]}) or {}) | {"name": given["name"]}
    if values is None:
        return None, payload
    return order_of(service, sender, values, None), incoming.without_script(payload)


def _answer(receipt: Receipt, status: int) -> Response:
    return Response(receipt.model_dump_json(), status, media_type=_JSON)
