"""The OpenAPI document: bodies that the routes read themselves, described from their models."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from bhiv.api_keys import Scope
from bhiv.service.problems import ProblemDetails, responses

_REFERENCE = "#/components/schemas/{model}"
_KEYS = {
    "key": {"type": "http", "scheme": "bearer", "description": "`bhiv keys create` makes a key."},
    "keyHeader": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_described: dict[str, type[BaseModel]] = {ProblemDetails.__name__: ProblemDetails}


def body_of(*models: type[BaseModel], media_type: str = "application/json") -> dict[str, Any]:
    """Return what describes a body that is one of the models."""
    for model in models:
        _described[model.__name__] = model
    schemas = [{"$ref": _REFERENCE.format(model=model.__name__)} for model in models]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}


def needs(scope: Scope) -> dict[str, Any]:
    """Return what describes that a route wants a key of that scope."""
    return {"security": [{"key": [scope]}, {"keyHeader": [scope]}]}


def describe(app: FastAPI) -> None:
    """Have the app's document describe every model that a route reads or answers with."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _, defined = models_json_schema(
                [(model, "validation") for model in _described.values()], ref_template=_REFERENCE
            )
            schemas = made.setdefault("components", {}).setdefault("schemas", {})
            schemas.update({name: schema for name, schema in defined["$defs"].items() if name not in schemas})
            made["components"]["securitySchemes"] = _KEYS
            for operation in (one for path in made["paths"].values() for one in path.values()):
                if "422" in operation["responses"]:  # FastAPI describes its own, which nobody is sent
                    operation["responses"]["422"] = responses(422)[422]
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
