"""Dialects: one table per rule, schema → values that are valid and values that are not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mockserver.jsonschema import Direction, SchemaError, Schemas
from mockserver.plan import Dialect

URI = "file:///api.yaml"


def schemas(schema: Any, dialect: Dialect, **others: Any) -> Schemas:
    """``schema`` stands at ``#/x``; ``others`` are its siblings."""
    return Schemas({URI: {"x": schema, **others}}, dialect)


def verdicts(
    schema: Any, dialect: Dialect, values: list[Any], direction: Direction = "response"
) -> list[bool]:
    validator = schemas(schema, dialect).validator(f"{URI}#/x", direction)
    for value in values:
        assert validator.is_valid(value) is not bool(validator.violations(value))
    return [validator.is_valid(value) for value in values]


UUID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"

BOTH: list[tuple[Any, list[Any], list[Any]]] = [
    ({"type": "integer", "format": "int32"}, [0, 2**31 - 1, -(2**31)], [2**31, -(2**31) - 1, "1"]),
    ({"type": "integer", "format": "int64"}, [2**63 - 1], [2**63, 10**400]),
    ({"type": "integer", "format": "int32", "minimum": 5}, [5], [4, 2**31]),
    ({"type": "string", "format": "int64"}, ["12"], [12]),
    ({"format": "float"}, [1.5, "x"], [1e39]),
    ({"format": "uuid"}, [UUID, 3], ["7c9e6679"]),
    ({"format": "date-time"}, ["2024-02-29T12:00:00Z"], ["2023-02-29T12:00:00Z", "2024-02-29 12:00"]),
    ({"format": "date"}, ["2024-02-29"], ["2023-02-29", "29.2.2024"]),
    ({"format": "email"}, ["a@b.org"], ["a"]),
    ({"format": "uri"}, ["https://a.org/b"], ["/b", "a b"]),
    ({"format": "uri-reference"}, ["/b"], ["\\a b"]),
    ({"format": "ipv4"}, ["10.0.0.1"], ["10.0.0.256"]),
    ({"format": "ipv6"}, ["::1"], ["10.0.0.1"]),
    ({"format": "hostname"}, ["a.org"], ["-a-"]),
    ({"format": "byte"}, ["aGk=", ""], ["aGk", "a?=="]),
    ({"format": "base64url"}, ["aGk", "_-8="], ["+/8="]),
    ({"format": "binary"}, ["\x00", "any"], []),
    ({"format": "password"}, ["any"], []),
    ({"format": "no-such-format"}, ["any"], []),
    ({"multipleOf": 0.01}, [19.99, 0.07], [0.005]),
    ({"enum": [{"$ref": "#/nowhere", "nullable": True}]}, [{"$ref": "#/nowhere", "nullable": True}], [None]),
    # A property may have the name of a keyword
    (
        {
            "properties": {
                "nullable": {"type": "string"},
                "readOnly": {"type": "string"},
                "$ref": {"type": "string"},
            }
        },
        [{"nullable": "a", "readOnly": "b", "$ref": "c"}],
        [{"nullable": None}, {"$ref": 1}],
    ),
    ({"example": {"$ref": "#/nowhere"}, "x-own": {"$ref": "#/nowhere"}, "type": "string"}, ["a"], [1]),
    (
        {
            "type": "object",
            "id": "other",
            "properties": {"id": {"$ref": "#/x/definitions/id"}},
            "definitions": {"id": {"type": "integer"}},
        },
        [{"id": 1}],
        [{"id": "1"}],
    ),
    # ECMA 262 and its Annex B
    ({"pattern": r"^[\w-.]+$"}, ["a-b.c"], ["a b"]),
    ({"pattern": r"^{\d{2}}$"}, ["{12}"], ["12"]),
    ({"pattern": "^[^]$"}, ["\n"], [""]),
    ({"pattern": "^[[a]$"}, ["[", "a"], ["b"]),
    ({"pattern": "^[+--]$"}, [",", "-"], ["."]),
    ({"pattern": r"\Aab\Z"}, ["ab"], ["cab", "abc"]),
    ({"pattern": r"^\d$"}, ["1"], ["１", "1\n"]),
    ({"pattern": r"^(?!a)\w+$"}, ["b"], ["ab"]),
    ({"pattern": r"^\p{Lu}$"}, ["É"], ["é"]),
    ({"pattern": "^(a+)+$"}, ["a"], ["a" * 5000 + "!"]),
    ({"pattern": r"^(?=a)(a+)+\1$"}, ["aa"], ["a" * 50 + "!"]),  # given up, which is no match
]

DRAFT_4: list[tuple[Any, list[Any], list[Any]]] = [
    ({"minimum": 1, "exclusiveMinimum": True}, [2], [1]),
    ({"type": "string", "nullable": True}, ["a", None], [1]),
    ({"type": "string", "nullable": False}, ["a"], [None]),
    ({"type": "string", "enum": ["a"], "nullable": True}, ["a", None], ["b"]),
    ({"nullable": True, "allOf": [{"type": "object"}]}, [{}, None], [1]),
    ({"nullable": True, "type": "object", "oneOf": [{"required": ["a"]}]}, [{"a": 1}, None], [{}]),
    ({"$ref": "#/x/definitions/a", "type": "integer", "definitions": {"a": {"type": "string"}}}, ["a"], [1]),
    ({"type": "string", "required": []}, ["a"], [1]),
    ({"const": 1}, [2], []),
    ({"items": [{"type": "string"}], "additionalItems": False}, [["a"]], [[1], ["a", "b"]]),
    ({"dependencies": {"a": ["b"], "c": {"required": ["d"]}}}, [{"a": 1, "b": 1}], [{"a": 1}, {"c": 1}]),
    ({"properties": {"a": False}}, [{}], [{"a": 1}]),
]

DRAFT_2020_12: list[tuple[Any, list[Any], list[Any]]] = [
    ({"exclusiveMinimum": 1}, [2], [1]),
    ({"type": ["string", "null"]}, ["a", None], [1]),
    ({"type": "string", "nullable": True}, ["a"], [None]),
    ({"const": 1}, [1, 1.0], [2]),
    (True, [1, None], []),
    (False, [], [1, None]),
    ({"$ref": "#/x/$defs/a", "maxLength": 1, "$defs": {"a": {"type": "string"}}}, ["a"], [1, "ab"]),
    ({"prefixItems": [{"type": "string"}], "items": False}, [["a"]], [[1], ["a", "b"]]),
    ({"if": {"required": ["a"]}, "then": {"required": ["b"]}}, [{}, {"a": 1, "b": 1}], [{"a": 1}]),
    ({"dependentRequired": {"a": ["b"]}}, [{}], [{"a": 1}]),
    ({"dependentSchemas": {"a": {"required": ["b"]}}}, [{}], [{"a": 1}]),
    ({"allOf": [{"properties": {"a": True}}], "unevaluatedProperties": False}, [{"a": 1}], [{"b": 1}]),
    ({"contains": {"const": 1}, "maxContains": 1}, [[1, 2]], [[2], [1, 1]]),
    ({"propertyNames": {"pattern": "^a"}}, [{"ab": 1}], [{"b": 1}]),
    ({"$id": "http://a.org/", "$ref": "b", "$defs": {"b": {"$id": "b", "type": "string"}}}, ["a"], [1]),
    ({"$ref": "#here", "$defs": {"b": {"$anchor": "here", "type": "string"}}}, ["a"], [1]),
    ({"$dynamicRef": "#/x/$defs/b", "$defs": {"b": {"type": "string"}}}, ["a"], [1]),
]


@pytest.mark.parametrize(("schema", "valid", "invalid"), BOTH + DRAFT_4)
def test_draft_4(schema: Any, valid: list[Any], invalid: list[Any]) -> None:
    assert verdicts(schema, "3.0", valid + invalid) == [True] * len(valid) + [False] * len(invalid)


@pytest.mark.parametrize(("schema", "valid", "invalid"), BOTH + DRAFT_2020_12)
def test_draft_2020_12(schema: Any, valid: list[Any], invalid: list[Any]) -> None:
    assert verdicts(schema, "3.1", valid + invalid) == [True] * len(valid) + [False] * len(invalid)


def test_swagger() -> None:
    assert verdicts({"type": "string", "x-nullable": True}, "2.0", ["a", None, 1]) == [True, True, False]
    assert verdicts({"type": "string", "nullable": True}, "2.0", ["a", None]) == [True, False]
    assert verdicts({"type": "file"}, "2.0", ["content", 1]) == [True, False]


def test_dynamic_references_find_the_outermost_anchor() -> None:
    generic = {
        "$id": "http://a.org/list",
        "type": "array",
        "items": {"$dynamicRef": "#item"},
        "$defs": {"item": {"$dynamicAnchor": "item"}},
    }
    strings = {
        "$id": "http://a.org/strings",
        "$ref": "list",
        "$defs": {"item": {"$dynamicAnchor": "item", "type": "string"}},
    }
    these = schemas(strings, "3.1", generic=generic)
    assert [these.validator(f"{URI}#/x", "response").is_valid(v) for v in (["a"], [1])] == [True, False]
    assert these.validator(f"{URI}#/generic", "response").is_valid([1])


def test_anchors_of_the_document_itself() -> None:
    these = Schemas(
        {
            URI: {"x": {"$ref": "other.yaml#thing"}},
            "file:///other.yaml": {"a": {"$anchor": "thing", "type": "null"}},
        },
        "3.1",
    )
    assert these.validator(f"{URI}#/x", "response").is_valid(None)
    assert not these.validator(f"{URI}#/x", "response").is_valid(1)


@pytest.mark.parametrize("dialect", ["2.0", "3.0", "3.1", "3.2"])
def test_references_between_files_and_rings(dialect: Dialect) -> None:
    trees = {
        "file:///d/a.yaml": {"x": {"properties": {"next": {"$ref": "sub/b.yaml#/n~1o/{de}%25"}}}},
        "file:///d/sub/b.yaml": {"n/o": {"{de}%": {"type": "object", "allOf": [{"$ref": "../a.yaml#/x"}]}}},
    }
    validator = Schemas(trees, dialect).validator("file:///d/a.yaml#/x", "request")
    assert validator.is_valid({"next": {"next": {"next": {}}}})
    (violation,) = validator.violations({"next": {"next": 3}})
    assert violation.pointer == "/next/next"
    assert violation.schema == "file:///d/sub/b.yaml#/n~1o/{de}%/type"


def test_lookup() -> None:
    these = Schemas({URI: {"a": {"$ref": "#/b"}, "b": {"$ref": "#/c"}, "c": {"type": "string"}}}, "3.0")
    assert these.lookup(f"{URI}#/a") == ({"type": "string"}, f"{URI}#/c")


FLAGGED = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {"id": {"type": "integer", "readOnly": True}, "name": {}, "secret": {"$ref": "#/secret"}},
}


@pytest.mark.parametrize("dialect", ["3.0", "3.1"])
def test_directions(dialect: Dialect) -> None:
    child = {"allOf": [{"$ref": "#/x"}, {"required": ["id", "secret"]}]}
    these = schemas(FLAGGED, dialect, secret={"type": "string", "writeOnly": True}, child=child)
    whole, sent, answered = (
        {"id": 1, "name": 1, "secret": "s"},
        {"name": 1, "secret": "s"},
        {"id": 1, "name": 1},
    )
    for ref in (f"{URI}#/x", f"{URI}#/child"):
        request, response = these.validator(ref, "request"), these.validator(ref, "response")
        assert [request.is_valid(v) for v in (whole, sent)] == [False, True]
        assert [response.is_valid(v) for v in (whole, answered)] == [False, True]
        (violation,) = request.violations(whole)
        assert (violation.pointer, violation.keyword, violation.value) == ("/id", "readOnly", 1)
        assert violation.schema == f"{URI}#/x/properties/id/readOnly"
        (violation,) = response.violations(whole)
        assert (violation.keyword, violation.schema) == ("writeOnly", f"{URI}#/secret/writeOnly")


VIOLATIONS: list[tuple[Any, Any, str, str, Any, str]] = [
    ({"type": "string"}, 1, "", "type", "string", "/type"),
    ({"format": "int32"}, 2**40, "", "format", "int32", "/format"),
    ({"format": "int32", "maximum": 5}, 2**40, "", "maximum", 5, "/maximum"),
    ({"format": "uuid"}, "a", "", "format", "uuid", "/format"),
    (
        {"properties": {"a/b": {"minLength": 2}}},
        {"a/b": "c"},
        "/a~1b",
        "minLength",
        2,
        "/properties/a~1b/minLength",
    ),
    ({"items": {"pattern": r"^[\w-.]$"}}, ["a", "!"], "/1", "pattern", r"^[\w-.]$", "/items/pattern"),
    ({"required": ["a"]}, {}, "", "required", ["a"], "/required"),
    (
        {"nullable": True, "allOf": [{"type": "object", "required": ["a"]}]},
        {},
        "",
        "required",
        ["a"],
        "/allOf/0/required",
    ),
    ({"nullable": True, "allOf": [{"type": "object"}]}, 3, "", "type", "object", "/allOf/0/type"),
    (
        {"oneOf": [{"type": "string", "maxLength": 1}, {"type": "integer"}]},
        "ab",
        "",
        "maxLength",
        1,
        "/oneOf/0/maxLength",
    ),
    ({"additionalProperties": False}, {"a": 1}, "", "additionalProperties", False, "/additionalProperties"),
]


@pytest.mark.parametrize(("schema", "value", "pointer", "keyword", "expected", "place"), VIOLATIONS)
def test_violations(schema: Any, value: Any, pointer: str, keyword: str, expected: Any, place: str) -> None:
    (violation,) = schemas(schema, "3.0").validator(f"{URI}#/x", "request").violations(value)
    assert (violation.pointer, violation.keyword, violation.expected) == (pointer, keyword, expected)
    assert violation.schema == f"{URI}#/x{place}"
    assert violation.message


def test_every_violation_is_told() -> None:
    schema = {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["c"]}
    violations = schemas(schema, "3.1").validator(f"{URI}#/x", "request").violations({"a": 1, "b": 2})
    assert sorted((each.pointer, each.keyword) for each in violations) == [
        ("", "required"),
        ("/a", "type"),
        ("/b", "type"),
    ]


def test_value_nested_too_deeply_is_a_violation() -> None:
    validator = schemas({"enum": [1]}, "3.0").validator(f"{URI}#/x", "request")
    deep: Any = []
    for _ in range(300):
        deep = [deep]
    (violation,) = validator.violations(deep)
    assert "cannot be validated" in violation.message


def nested(levels: int) -> Any:
    schema: Any = {"type": "string"}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


BROKEN: list[tuple[Any, str, str]] = [
    ({"properties": {"a": {"pattern": "(?<=a"}}}, "#/x/properties/a/pattern", "pattern"),
    ({"pattern": "(a{1,1000}){1,1000}"}, "#/x/pattern", "pattern"),
    ({"patternProperties": {"(": {}}}, "#/x/patternProperties/(", "pattern"),
    ({"multipleOf": 0}, "#/x/multipleOf", "malformed"),
    ({"minLength": -1}, "#/x/minLength", "malformed"),
    ({"properties": {"a": 3}}, "#/x/properties/a", "not a schema"),
    ({"properties": {"a": {"$ref": "#/nowhere"}}}, "#/x/properties/a", "leads nowhere"),
    ({"properties": {"a": {"$ref": "http://localhost/s.json"}}}, "#/x/properties/a", "out of the document"),
    ({"properties": {"a": {"$ref": "#/x/properties/a"}}}, "#/x/properties/a", "back to itself"),
    (nested(3000), "#/x", "deeply"),
    (nested(300), "#/x", "compiled"),
]


@pytest.mark.parametrize("dialect", ["3.0", "3.1"])
@pytest.mark.parametrize(("schema", "place", "words"), BROKEN)
def test_broken_schemas_are_named(dialect: Dialect, schema: Any, place: str, words: str) -> None:
    with pytest.raises(SchemaError) as caught:
        schemas(schema, dialect).validator(f"{URI}#/x", "request")
    assert caught.value.ref == URI + place
    assert words in caught.value.message


def test_schemas_are_compiled_once_and_only_where_asked() -> None:
    these = schemas({"type": "string"}, "3.0", broken={"$ref": "#/nowhere"})
    validator = these.validator(f"{URI}#/x", "request")
    assert these.validator(f"{URI}#/x", "request") is validator


def test_huge_bounds() -> None:
    assert verdicts({"minLength": 10**30}, "3.1", ["a"]) == [False]
    assert verdicts({"maximum": 10**30}, "3.0", [10**31, 10**29]) == [False, True]


@pytest.mark.parametrize("target", ["http://[", "other://[x]/a#/b"])
def test_a_reference_that_is_no_uri_is_told(target: str) -> None:
    schemas = Schemas({"doc:/a": {"s": {"$ref": target}}}, "3.1")
    with pytest.raises(SchemaError, match=r"no URI|out of the document"):
        schemas.validator("doc:/a#/s", "response")


def test_an_identifier_that_is_no_uri_moves_nothing() -> None:
    node = {
        "$id": "http://[",
        "properties": {"a": {"$ref": "#/s/$defs/b"}},
        "$defs": {"b": {"type": "string"}},
    }
    validator = Schemas({"doc:/a": {"s": node}}, "3.1").validator("doc:/a#/s", "response")
    assert not validator.is_valid({"a": 1})


@pytest.mark.parametrize(
    ("options", "value", "message"),
    [
        (["a"], 1, '1 is not one of "a"'),
        (["a", "b"], 1, '1 is not one of "a" or "b"'),
        (["a", "b", "c", "d"], "é", '"é" is not one of "a", "b", "c" or "d"'),
        (["a", 1, None, True, {"b": []}], [], '[] is not one of "a", 1, null, true or {"b": []}'),
    ],
)
def test_a_value_outside_an_enum_is_told_all_that_it_may_be(
    options: list[Any], value: Any, message: str
) -> None:
    [violation] = schemas({"enum": options}, "3.1").validator(f"{URI}#/x", "request").violations(value)
    assert violation.message == message


def test_an_enum_too_long_for_a_message_is_told_as_far_as_there_is_room() -> None:
    options = [f"colour-{number}" for number in range(1000)]
    validator = schemas({"enum": options}, "3.1").validator(f"{URI}#/x", "request")
    [violation] = validator.violations("x" * 5000)
    assert re.fullmatch(
        r'"x{99}… is not one of "colour-0", "colour-1", .*"colour-\d+" or 9\d\d others', violation.message
    )
    assert 250 < len(violation.message) <= 300
