"""Documents made to size: resources of a business, each with a path and a schema of its own."""

from __future__ import annotations

from typing import Any

AREAS = ("accounts", "billing", "catalogue", "delivery", "events", "files", "goods", "hiring")
_SENTENCE = "the value that the service keeps for this resource until it is changed by one who may do so"
_WORDS = tuple(_SENTENCE.split())
_KINDS: tuple[dict[str, Any], ...] = (
    {"type": "string", "format": "uuid"},
    {"type": "string", "maxLength": 200},
    {"type": "integer", "minimum": 0},
    {"type": "string", "format": "date-time"},
    {"type": "string", "enum": ["draft", "active", "suspended", "closed"]},
    {"type": "array", "maxItems": 20, "items": {"type": "string", "maxLength": 40}},
    {"type": "number", "multipleOf": 0.01},
    {"type": "boolean"},
    {"type": "object", "additionalProperties": {"type": "string"}},
    {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"},
)
_FIELDS = 12
KEY = "5b1c0a52-6a0e-4f1c-8f4c-0d2a1b1e0000"
LIST = "/lists/{uuid}"
"""The target of a request for a list."""


def document(operations: int, first: int = 0) -> dict[str, Any]:
    """OpenAPI 3.0 with that many operations, numbered from ``first`` on, of about 3 kB of text each."""
    numbers = range(first, first + operations)
    return {
        "openapi": "3.0.3",
        "info": {"title": f"{operations} operations", "version": "1"},
        "paths": {path(number): {"get": _operation(number)} for number in numbers},
        "components": {"schemas": {f"Resource{number}": _schema(number) for number in numbers}},
    }


def path(number: int) -> str:
    """The path template of an operation."""
    return f"/{AREAS[number % len(AREAS)]}/v{number % 3}/resources{number}/{{id}}"


def target(number: int) -> str:
    """The target of a request for the operation, with another key each time."""
    return path(number).replace("{id}", "{uuid}")


def orders() -> dict[str, Any]:
    """OpenAPI 3.0 with operations that take a body: JSON, a form, and multipart with files."""
    line = {
        "type": "object",
        "required": ["sku", "quantity", "price"],
        "properties": {
            "sku": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"},
            "quantity": {"type": "integer", "minimum": 1, "maximum": 999},
            "price": {"type": "number", "minimum": 0},
            "note": {"type": "string", "maxLength": 80, "nullable": True},
            "kind": {"type": "string", "enum": ["goods", "service"]},
        },
        "additionalProperties": False,
    }
    notes = {"type": "array", "items": {"type": "string", "maxLength": 2000}}
    binary = {"type": "string", "format": "binary"}
    ordered = {
        "id": {"type": "string", "format": "uuid"},
        "email": {"type": "string", "format": "email"},
        "placedAt": {"type": "string", "format": "date-time"},
    }
    lines = {"type": "array", "minItems": 1, "items": line}
    files = {"id": ordered["id"], "note": {"type": "string"}, "drawing": binary, "invoice": binary}
    paths: dict[str, tuple[str, dict[str, Any]]] = {
        "/orders": ("application/json", ordered | {"lines": lines}),
        "/forms": ("application/x-www-form-urlencoded", ordered | {"notes": notes}),
        "/files": ("multipart/form-data", files),
    }
    placed = _answer({"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}})
    placed["content"]["application/json"]["example"] = {"status": "placed"}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Orders", "version": "1"},
        "paths": {
            path: {
                "get": {"responses": {"200": placed}},
                "post": {"requestBody": _body(media, fields), "responses": {"200": placed}},
            }
            for path, (media, fields) in paths.items()
        },
    }


def order(size: int) -> dict[str, Any]:
    """A valid body of ``POST /orders`` of about ``size`` octets."""
    line = {"sku": "AB-1234", "quantity": 3, "price": 12.5, "note": "as last time, please", "kind": "goods"}
    return {
        "id": KEY,
        "email": "buyer@example.com",
        "placedAt": "2026-01-01T12:00:00Z",
        "lines": [line] * ((size - 120) // 92),
    }


def lists() -> dict[str, Any]:
    """OpenAPI 3.0 with one operation, whose answer is a list of 100 items."""
    fields = {f"field{at}": _KINDS[at] for at in range(5)}
    item = {
        "type": "object",
        "required": ["id", *fields],
        "properties": {"id": {"type": "string", "format": "uuid"}, **fields},
    }
    answer = _answer({"type": "array", "minItems": 100, "maxItems": 100, "items": item})
    name = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Lists", "version": "1"},
        "paths": {"/lists/{id}": {"get": {"parameters": [name], "responses": {"200": answer}}}},
    }


STORED = {"email": "buyer@example.com", "quantity": 3, "note": "as last time, please", "kind": "goods"}
"""A valid body of ``POST /orders`` of the document that ``stored`` makes."""


def stored() -> dict[str, Any]:
    """OpenAPI 3.0 with a collection: create, list in pages, read and merge."""
    fields = {
        "email": {"type": "string", "format": "email"},
        "quantity": {"type": "integer", "minimum": 1},
        "note": {"type": "string", "maxLength": 80},
        "kind": {"type": "string", "enum": ["goods", "service"]},
    }
    item = {
        "type": "object",
        "required": ["id", "createdAt", *fields],
        "properties": {
            "id": {"type": "integer", "readOnly": True},
            "createdAt": {"type": "string", "format": "date-time", "readOnly": True},
            **fields,
        },
    }
    pages = [
        {"name": name, "in": "query", "schema": {"type": "integer", "minimum": 1}}
        for name in ("page", "limit")
    ]
    listed = {
        "type": "object",
        "required": ["items", "total"],
        "properties": {"items": {"type": "array", "items": item}, "total": {"type": "integer"}},
    }
    key = {"name": "orderId", "in": "path", "required": True, "schema": {"type": "integer"}}
    content = {"content": {"application/json": {"schema": item}}}
    change = {"content": {"application/json": {"schema": {"type": "object", "properties": fields}}}}
    missing = {"description": "There is none"}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Stored orders", "version": "1"},
        "paths": {
            "/orders": {
                "get": {"parameters": pages, "responses": {"200": _answer(listed)}},
                "post": {"requestBody": content, "responses": {"201": _answer(item)}},
            },
            "/orders/{orderId}": {
                "parameters": [key],
                "get": {"responses": {"200": _answer(item), "404": missing}},
                "patch": {"requestBody": change, "responses": {"200": _answer(item), "404": missing}},
            },
        },
    }


def _answer(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "The answer", "content": {"application/json": {"schema": schema}}}


def _body(media: str, fields: dict[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": [*fields],
        "properties": fields,
        "additionalProperties": False,
    }
    return {"required": True, "content": {media: {"schema": schema}}}


def _operation(number: int) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/Resource{number}"}
    return {
        "operationId": f"get{number}",
        "summary": f"One resource of kind {number}",
        "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}},
            {"name": "fields", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
            {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100}},
        ],
        "responses": {
            "200": {
                "description": "The resource",
                "content": {
                    "application/json": {"schema": schema, "example": {"id": KEY, "status": "active"}}
                },
            },
            "404": {"description": "There is none"},
        },
    }


def _schema(number: int) -> dict[str, Any]:
    fields = {
        f"field{at}": {**_KINDS[(number + at) % len(_KINDS)], "description": _sentence(number + at)}
        for at in range(_FIELDS)
    }
    return {
        "type": "object",
        "description": _sentence(number),
        "required": ["id", "status"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "status": {"type": "string", "enum": ["draft", "active", "closed"]},
            **fields,
        },
    }


def _sentence(number: int) -> str:
    turn = number % len(_WORDS)
    return " ".join(_WORDS[turn:] + _WORDS[:turn]).capitalize() + "."
