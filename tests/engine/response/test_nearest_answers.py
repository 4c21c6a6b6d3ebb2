"""Where a document leaves nothing valid to answer with, what comes nearest is sent, with a warning."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mockserver.engine.service import Service
from mockserver.generate import Fakes
from mockserver.jsonschema import Schemas
from mockserver.media.coercion import Reader
from mockserver.media.json import decode_json
from mockserver.media.shapes import ANYTHING
from mockserver.messages import Request
from mockserver.plan import Document, DocumentedResponse, MediaType, Operation, RequestBody

URI = "file:///api.yaml"
NEVER = {
    "type": "object",
    "required": ["child", "id"],
    "properties": {"id": {"type": "integer", "minimum": 1}, "child": {"$ref": "#/schemas/never"}},
}
SCHEMAS: dict[str, Any] = {
    "never": NEVER,
    "bounds": {"type": "object", "required": ["a", "b"], "properties": {
        "a": {"type": "integer", "minimum": 9, "maximum": 3}, "b": {"const": "kept"},
    }},
    "pattern": {"type": "object", "required": ["a", "n"], "properties": {
        "a": {"type": "string", "pattern": "(?<x"}, "n": {"type": "integer", "maximum": 5},
    }},
    "types": {"allOf": [{"type": "string"}, {"type": "integer"}]},
    "array": {"type": "array", "items": {"$ref": "#/schemas/never"}, "minItems": 2},
    "lost": {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/schemas/nowhere"}}},
    "list of nothing": {"type": "object", "properties": ["a"], "required": {"a": 1}},
}  # fmt: skip


def service(name: str, *, body: bool = False) -> Service:
    media = MediaType("application/json", f"{URI}#/schemas/{name}")
    operation = Operation(
        "op", "POST", "/x",
        body=RequestBody(required=True, content=(media,)) if body else None,
        responses=(DocumentedResponse("204"),) if body else (DocumentedResponse("200", (media,)),),
    )  # fmt: skip
    document = Document(
        name="api", title="t", version="1", dialect="3.1", uri=URI, trees={URI: {"schemas": SCHEMAS}},
        base_paths=("",), operations=(operation,), security_schemes={},
    )  # fmt: skip
    return Service(document, "0")


@pytest.mark.parametrize("name", SCHEMAS)
def test_no_schema_is_answered_500(name: str) -> None:
    made = service(name)
    [route] = made.routes
    response = made.documented.response(route.operation, accept=None, key="k", hints={}, now_ms=0)
    assert response.status == 200
    json.loads(response.body)


@pytest.mark.parametrize(
    ("name", "kept"), [("bounds", {"b": "kept"}), ("never", {}), ("types", None), ("array", None)]
)
def test_what_is_not_valid_is_named_and_the_rest_is_kept(name: str, kept: dict[str, Any] | None) -> None:
    made = service(name)
    response = made.documented.response(made.routes[0].operation, accept=None, key="k", hints={}, now_ms=0)
    [warning] = response.warnings
    assert warning.startswith("D502 ")
    assert "generated; nearest" in response.decision
    if kept is not None:
        body = json.loads(response.body)
        assert {key: body[key] for key in kept} == kept
        assert set(SCHEMAS[name]["required"]) <= body.keys()


def test_a_schema_without_end_is_cut_off() -> None:
    value = Fakes(Schemas({URI: {"schemas": SCHEMAS}}, "3.1")).nearest(f"{URI}#/schemas/never", key="k")
    depth = 0
    while isinstance(value, dict) and value:
        assert isinstance(value["id"], int)
        value, depth = value["child"], depth + 1
    assert 1 < depth < 20


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("pattern", {"a": "anything", "n": 1}, 0),
        ("pattern", {"a": "anything", "n": 9}, 422),
        ("pattern", {"a": 5, "n": 1}, 422),
        ("pattern", {"n": 1}, 422),
        ("lost", {"a": object.__name__}, 0),
        ("lost", {}, 422),
    ],
)
def test_a_request_meets_the_part_of_a_schema_that_can_be_used(
    name: str, body: dict[str, Any], status: int
) -> None:
    made = service(name, body=True)
    headers = {"content-type": "application/json"}
    request = Request("POST", "/x", headers=headers, body=json.dumps(body).encode())
    checked = made.routes[0].checker.check(request, {})
    assert checked.status == status
    assert decode_json(request.body) == body


@pytest.mark.parametrize("keyword", ["allOf", "oneOf"])
def test_schemas_that_double_on_thirty_levels_are_answered_too(keyword: str) -> None:
    doubling: dict[str, Any] = {"level-0": {"type": "object", "required": ["a"]}}
    for level in range(1, 31):
        doubling[f"level-{level}"] = {keyword: [{"$ref": f"#/schemas/level-{level - 1}"}] * 2}
    schemas = Schemas({URI: {"schemas": doubling}}, "3.1", forgiving=True)
    reader = Reader(schemas, "response")
    assert reader.shapes.of(f"{URI}#/schemas/level-30") == (ANYTHING,)
    assert isinstance(Fakes(schemas).nearest(f"{URI}#/schemas/level-30", key="k"), dict)
