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
_KEY = "5b1c0a52-6a0e-4f1c-8f4c-0d2a1b1e{:04x}"
KEY = _KEY.format(0)


def document(operations: int) -> dict[str, Any]:
    """OpenAPI 3.0 with that many operations; each answers ``{"status": "active", …}``, about 3 KB of text."""
    return {
        "openapi": "3.0.3",
        "info": {"title": f"{operations} operations", "version": "1"},
        "paths": {path(number): {"get": _operation(number)} for number in range(operations)},
        "components": {"schemas": {f"Resource{number}": _schema(number) for number in range(operations)}},
    }


def path(number: int) -> str:
    """The path template of an operation."""
    return f"/{AREAS[number % len(AREAS)]}/v{number % 3}/resources{number}/{{id}}"


def target(number: int, key: int = 0) -> str:
    """A path that the operation answers, another one for each ``key`` below 65,536."""
    return path(number).replace("{id}", _KEY.format(key))


def order() -> dict[str, Any]:
    """OpenAPI 3.0 with one operation, whose body may be left out."""
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
    body = {
        "type": "object",
        "required": ["id", "email", "placedAt", "lines"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "email": {"type": "string", "format": "email"},
            "placedAt": {"type": "string", "format": "date-time"},
            "lines": {"type": "array", "minItems": 1, "maxItems": 50, "items": line},
        },
        "additionalProperties": False,
    }
    response = {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}
    operation = {
        "requestBody": {"content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {
                "description": "Placed",
                "content": {"application/json": {"schema": response, "example": {"status": "placed"}}},
            }
        },
    }
    return {
        "openapi": "3.0.3",
        "info": {"title": "Orders", "version": "1"},
        "paths": {"/orders": {"post": operation}},
    }


def order_body(size: int = 2048) -> dict[str, Any]:
    """A valid body of ``POST /orders`` of about ``size`` bytes."""
    line = {"sku": "AB-1234", "quantity": 3, "price": 12.5, "note": "as last time, please", "kind": "goods"}
    return {
        "id": KEY,
        "email": "buyer@example.com",
        "placedAt": "2026-01-01T12:00:00Z",
        "lines": [line] * ((size - 120) // 92),
    }


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
