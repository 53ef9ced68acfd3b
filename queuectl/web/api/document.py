"""The document: what the API is, as OpenAPI 3.1 has it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from queuectl.model.version import VERSION
from queuectl.specs.enqueue import ONLY_IN_FILES
from queuectl.specs.schema import schema
from queuectl.web.access import cookie_name
from queuectl.web.api.answering import Json
from queuectl.web.api.schemas import Problem
from queuectl.web.asking import site_of
from queuectl.web.site import Site

router = APIRouter()

DESCRIPTION = """See and steer a queue of queuectl.

The JSON is what `queuectl … -o json` prints; fields are added, never renamed. Errors are problem details (RFC 9457).
Every request needs a token: `Authorization: Bearer TOKEN`. The one that only allows to look may GET."""
_SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token, as `queuectl dashboard` prints it.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "description": "A browser that is logged in.",
    },
}
_REF, _DEFS, _COMPONENTS = "$ref", "#/$defs/", "#/components/schemas/spec_"


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> Response:
    """Return the document."""
    app: FastAPI = request.app
    if app.openapi_schema is None:
        app.openapi_schema = _document(app, site_of(request))
    return Json(app.openapi_schema)


def _document(app: FastAPI, site: Site) -> dict[str, Any]:
    found = get_openapi(
        title="queuectl",
        version=VERSION,
        openapi_version="3.1.0",
        summary="Jobs as code: a queue and its schedules.",
        description=DESCRIPTION,
        routes=app.routes,
        servers=[{"url": site.base_path or "/"}],
    )
    components = found.setdefault("components", {})
    session = {**_SECURITY["session"], "name": cookie_name(site)}
    components["securitySchemes"] = {**_SECURITY, "session": session}
    schemas = components.setdefault("schemas", {})
    schemas[Problem.__name__] = Problem.model_json_schema()
    schemas.update(_new_job())
    found["security"] = [{name: []} for name in _SECURITY]
    return found


def _new_job() -> dict[str, Any]:
    """Return the schema of what may be enqueued: the fields of a spec file that an ad-hoc job has, and its key."""
    defs = {name: _referring(one) for name, one in deepcopy(schema()["$defs"]).items()}
    fields = defs.pop("fields")
    properties = {name: one for name, one in fields["properties"].items() if name not in ONLY_IN_FILES}
    key = {
        "title": "Key",
        "description": "Its unique name: what is enqueued again with the same key and command is the same job.",
        "type": ["string", "null"],
        "minLength": 1,
        "maxLength": 200,
        "examples": ["import-2026-05-01"],
    }
    properties["cwd"]["description"] = (
        "Where the command runs. Default: the home folder of the user that the dashboard runs as; what isn't absolute"
        " is below that."
    )
    job = {
        "title": "NewJob",
        "description": "The fields of a spec file that an ad-hoc job has.",
        "type": "object",
        "required": ["command"],
        "properties": {"key": key} | properties,
        "patternProperties": fields["patternProperties"],
        "dependentSchemas": {"shell": fields["dependentSchemas"]["shell"]},
        "additionalProperties": False,
        "examples": [
            {"command": "date"},
            {
                "key": "import-2026-05-01",
                "command": ["./import", "2026-05-01"],
                "cwd": "/srv/app",
                "retries": 5,
            },
        ],
    }
    used = {name: one for name, one in defs.items() if name not in {"job", "named_job", "defaults"}}
    return {"NewJob": job} | {f"spec_{name}": one for name, one in used.items()}


def _referring(value: Any) -> Any:
    """Let references lead to where the document holds what they mean, and leave out what only our checks read."""
    if isinstance(value, list):
        return [_referring(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: one.replace(_DEFS, _COMPONENTS) if key == _REF and isinstance(one, str) else _referring(one)
        for key, one in value.items()
        if key != "errorMessage"
    }
