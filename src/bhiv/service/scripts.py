"""Scripts as files: uploaded with a title and an uploader, and made into videos."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from bhiv.errors import PlanError
from bhiv.request import OPTIONS
from bhiv.script import decode_script
from bhiv.service.auth import admit
from bhiv.service.bodies import media_type
from bhiv.service.documents import needs
from bhiv.service.forms import MULTIPART, body_within, check_charset, form_of
from bhiv.service.ingest import option_schemas, script_of
from bhiv.service.problems import Problem, responses
from bhiv.service.render import Accepted, accept
from bhiv.service.state import service_of
from bhiv.settings import Settings

router = APIRouter(tags=["jobs"])

_TEXTS = ("text/plain", "text/markdown")


def _document() -> dict[str, Any]:
    options = option_schemas()
    upload = {
        "type": "object",
        "properties": {"file": {"type": "string", "format": "binary"}} | options,
        "required": ["file"],
        "additionalProperties": False,
    }
    content = {MULTIPART: {"schema": upload}} | {name: {"schema": {"type": "string"}} for name in _TEXTS}
    said = "With a plain body; a form holds it as a field."
    return {
        "requestBody": {"required": True, "content": content},
        "parameters": [
            {"name": name, "in": "query", "schema": schema, "description": said} for name, schema in options.items()
        ],
    }


@router.post(
    "/scripts",
    status_code=202,
    response_model=Accepted,
    responses={200: {"model": Accepted, "description": "As before."}, **responses(400, 413, 415, 422, 429)},
    openapi_extra=_document() | needs("render:write"),
)
async def upload_script(request: Request) -> Response:
    """Accept a script's file to be made into a video: a form with `file` and options, or the text itself.

    Text in UTF-8, or UTF-16 with its mark. `Idempotency-Key` works as for `POST /render`.
    """
    key = await admit(request, "render:write")
    check_charset(request)
    service = service_of(request)
    body = await body_within(request, service.settings)
    values = _values(request, body, service.settings)
    return await accept(service, key, values, request.headers.get("idempotency-key"))


def _values(request: Request, body: bytes, settings: Settings) -> dict[str, str]:
    if media_type(request) in _TEXTS:
        script = {"script": decode_script(body, max_bytes=settings.max_script_bytes)}
        return script | _options(dict(request.query_params))
    if media_type(request) != MULTIPART:
        raise Problem(415, "unsupported media type", f"send {MULTIPART}, {' or '.join(_TEXTS)}")
    form = form_of(request, body)
    if len(form.files) != 1:
        raise Problem(422, "refused", f"the form needs one file, in the field `file`; it holds {len(form.files)}")
    return script_of(form.files[0], settings) | _options(form.fields)


def _options(given: dict[str, str]) -> dict[str, str]:
    if unknown := given.keys() - set(OPTIONS):
        raise PlanError(f"is not one of {', '.join(OPTIONS)}", min(unknown))
    return {name: value for name, value in given.items() if value != ""}
