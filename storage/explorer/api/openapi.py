"""The OpenAPI document, made from the declarations and from the types of what is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from storage.explorer.api.answers import MEDIA_TYPE
from storage.explorer.api.declare import Endpoint, Parameter, words
from storage.explorer.api.problems import MEDIA_TYPE as PROBLEM_TYPE
from storage.explorer.api.problems import Problem, kinds
from storage.explorer.api.shapes import Schema, Shapes
from storage.explorer.api.ways import BASE

VERSION = "1.0.0"

_PROBLEM = "#/components/schemas/Problem"
_LINK: Schema = {"type": ["string", "null"], "format": "uri-reference"}
_STRING: Schema = {"type": "string"}
# Of every answer, and of every one that is no error.
_LIMITED = {
    "RateLimit-Policy": {"schema": _STRING, "description": "Requests and seconds they are for."},
    "RateLimit": {"schema": _STRING, "description": "What is left, and until when."},
}
_FRESH = {
    "ETag": {"schema": {"type": "string", "pattern": '^"[0-9a-f]{32}"$'}, "required": True},
    "Cache-Control": {"schema": _STRING, "required": True},
    **_LIMITED,
}
_RETRY = {"Retry-After": {"schema": {"type": "integer", "minimum": 0}, "required": True}}
_MORE: Mapping[int, Mapping[str, Any]] = {
    401: {"WWW-Authenticate": {"schema": _STRING, "required": True}},
    405: {"Allow": {"schema": _STRING, "required": True}},
    429: _RETRY,
    503: _RETRY,
}


def document(endpoints: Sequence[Endpoint], *, needs_token: bool) -> dict[str, Any]:
    """OpenAPI 3.1; the same declarations give the same document."""
    shapes = Shapes()
    shapes.components["Problem"] = _problem(shapes)
    paths = {
        "/": _path(
            "index", {}, _closed({"links": _map({"type": "string", "format": "uri-template"})}), []
        ),
        "/openapi.json": _path("openapi", {}, {"type": "object"}, []),
    }
    for each in endpoints:
        paths[each.path] = _path(
            each.key, each.every, _body(each, shapes), [*_parameters(each), *_conditions()]
        )
    security: list[dict[str, list[str]]] = [{"token": []}]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gongkai",
            "version": VERSION,
            "description": words()["about"]["en"],
            "x-description-zh": words()["about"]["zh"],
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": BASE}],
        "security": security if needs_token else [{}, *security],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": dict(sorted(shapes.components.items())),
        },
    }


def _path(
    key: str,
    parameters: Mapping[str, Parameter],
    body: Schema,
    declared: list[dict[str, Any]],
) -> dict[str, Any]:
    said = words()["resources"][key]
    good = {"description": said["en"], "headers": _FRESH, "content": {MEDIA_TYPE: {"schema": body}}}
    responses = {"200": good, "304": {"description": words()["unchanged"]["en"], "headers": _FRESH}}
    for status in sorted({kind["status"] for kind in kinds().values()}):
        if status not in (404, 410) or any(each.name in _NAMING for each in parameters.values()):
            responses[str(status)] = _refusal(status)
    return {
        "get": {
            "operationId": key,
            "summary": said["en"],
            "x-summary-zh": said["zh"],
            "parameters": declared,
            "responses": responses,
        }
    }


# Parameters that name something which the archive may not hold.
_NAMING = frozenset(
    {"division_code", "organ", "run_id", "alert_id", "capture_id", "cell", "left", "rule"}
)


def _refusal(status: int) -> dict[str, Any]:
    of_status = [kind["title"]["en"] for kind in kinds().values() if kind["status"] == status]
    return {
        "description": "; ".join(of_status),
        "headers": {**_LIMITED, **_MORE.get(status, {})},
        "content": {PROBLEM_TYPE: {"schema": {"$ref": _PROBLEM}}},
    }


def _problem(shapes: Shapes) -> Schema:
    schema = shapes.fields(Problem)
    schema["properties"]["type"] = {"enum": [f"/api#{kind}" for kind in kinds()]}
    schema["properties"]["status"] = {
        "enum": sorted({kind["status"] for kind in kinds().values()}),
    }
    return schema


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path" if name in endpoint.in_path else "query",
            "required": name in endpoint.in_path or each.required,
            "description": words()["parameters"][name]["en"],
            "x-description-zh": words()["parameters"][name]["zh"],
            "schema": {
                **each.schema,
                **({} if each.default is None else {"default": each.default}),
                **({} if each.example is None else {"examples": [each.example]}),
            },
        }
        for name, each in endpoint.every.items()
    ]


def _conditions() -> list[dict[str, Any]]:
    said = words()["parameters"]["If-None-Match"]
    return [
        {
            "name": "If-None-Match",
            "in": "header",
            "description": said["en"],
            "x-description-zh": said["zh"],
            "schema": {"type": "string"},
        }
    ]


def _body(endpoint: Endpoint, shapes: Shapes) -> Schema:
    row = _row(endpoint, shapes)
    fields: dict[str, Schema] = {"data": row}
    if endpoint.cursor:
        fields = {"data": {"type": "array", "items": row}, "next": _LINK}
    fields["links"] = _closed({"self": {"type": "string", "format": "uri-reference"}})
    if endpoint.records:
        fields["as_of"] = {"type": ["string", "null"], "format": "date-time"}
        fields["basis"] = {"enum": ["known", "published"]}
    return _closed(fields)


def _row(endpoint: Endpoint, shapes: Shapes) -> Schema:
    """The question's own shape, with links."""
    schema = shapes.fields(endpoint.shape)
    for name, links in endpoint.inner.items():
        # A field that holds a list of TypedDicts.
        held = schema["properties"][name]["items"]["$ref"].rpartition("/")[2]
        inner = deepcopy(shapes.components[held])
        schema["properties"][name] = {"type": "array", "items": _add_links(inner, list(links))}
    return _add_links(schema, list(endpoint.links))


def _add_links(schema: Schema, names: Sequence[str]) -> Schema:
    schema["properties"] = {**schema["properties"], "links": _closed(dict.fromkeys(names, _LINK))}
    schema["required"] = [*schema["required"], "links"]
    return schema


def _closed(properties: Mapping[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _map(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}
