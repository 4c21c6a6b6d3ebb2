"""What is made: valid always, plausible where the schema leaves room, and the same every time."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from mockserver.generate import NOW_MS, Fakes, Unsatisfiable
from mockserver.generate.attempt import Attempt
from mockserver.generate.constraints import Shape
from mockserver.jsonschema import Schemas
from mockserver.plan import Dialect

URI = "file:///api.yaml"


def fakes(schema: Any, dialect: Dialect = "3.1", **others: Any) -> Fakes:
    return Fakes(Schemas({URI: {"x": schema, **others}}, dialect), seed=7)


def make(schema: Any, dialect: Dialect = "3.1", *, key: str = "k", **options: Any) -> Any:
    return fakes(schema, dialect).value(f"{URI}#/x", key=key, **options)


NODE = {"type": "object", "required": ["v"], "properties": {"v": {"type": "string"}, "next": {"$ref": "#/x"}}}

SATISFIABLE: dict[str, Any] = {
    "const": {"const": {"a": [1]}},
    "enum": {"enum": [None, "a"]},
    "boolean": {"type": "boolean"},
    "null only": {"type": "null"},
    "anything": {},
    "true": True,
    "bounds": {"type": "integer", "minimum": 1000, "exclusiveMaximum": 1002},
    "narrow number": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e-6},
    "beyond floats": {"type": "number", "minimum": 10**400},
    "coarse floats": {"type": "number", "exclusiveMinimum": 1e20},
    "huge": {"type": "integer", "minimum": 10**30},
    "multiples": {"type": "number", "multipleOf": 0.01, "allOf": [{"multipleOf": 0.25}]},
    "multiples in bounds": {"type": "integer", "multipleOf": 1000, "minimum": 1, "maximum": 1999},
    "pattern": {"type": "string", "pattern": "^(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9]{8,12}$"},
    "two patterns": {"type": "string", "pattern": "^a", "allOf": [{"pattern": "[0-9]"}]},
    "pattern and length": {"type": "string", "pattern": "^[a-z]+$", "minLength": 40, "maxLength": 41},
    "format and length": {"type": "string", "format": "email", "maxLength": 8},
    "long uri": {"type": "string", "format": "uri", "minLength": 60},
    "length": {"type": "string", "minLength": 300, "maxLength": 300},
    "unique": {"type": "array", "items": {"enum": [1, 2, 3]}, "minItems": 3, "uniqueItems": True},
    "unique objects": {"type": "array", "items": {"type": "object"}, "minItems": 3, "uniqueItems": True},
    "contains": {"type": "array", "contains": {"const": 5}, "minContains": 2, "items": {"type": "integer"}},
    "contains and nothing else": {"type": "array", "contains": {"const": 5}, "unevaluatedItems": False},
    "contains after a tuple": {
        "prefixItems": [{"type": "string"}],
        "contains": {"const": 5},
        "type": "array",
    },
    "contains in a tuple": {"prefixItems": [{"enum": [4, 5]}], "contains": {"const": 5}, "items": False},
    "contains twice": {"allOf": [{"contains": {"const": 5}}, {"contains": {"const": 6}}], "type": "array"},
    "tuple": {"prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False, "minItems": 2},
    "required": {"required": ["a", "b"], "properties": {"a": {"type": "integer"}}},
    "not required": {"type": "object", "properties": {"a": {}, "b": {}}, "not": {"required": ["a"]}},
    "not const": {"enum": [1, 2], "not": {"const": 1}},
    "not type": {"type": ["string", "integer"], "not": {"type": "string"}},
    "all of": {"allOf": [{"required": ["a"]}, {"properties": {"a": {"const": 1}}}, {"type": "object"}]},
    "one of, overlapping": {
        "oneOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}},
            {"type": "object", "properties": {"b": {"type": "integer"}}},
        ]
    },
    "one of numbers": {"oneOf": [{"type": "integer"}, {"type": "number"}]},
    "any of": {"anyOf": [{"type": "string", "maxLength": 0, "minLength": 1}, {"type": "integer"}]},
    "if": {
        "type": "object",
        "required": ["k"],
        "properties": {"k": {"enum": ["a", "b"]}, "v": {"type": "integer"}},
        "if": {"properties": {"k": {"const": "a"}}},
        "then": {"required": ["v"]},
        "else": {"not": {"required": ["v"]}},
    },
    "dependent": {
        "type": "object",
        "properties": {"card": {"type": "string"}},
        "required": ["card"],
        "dependentRequired": {"card": ["address"]},
        "dependentSchemas": {"card": {"properties": {"address": {"type": "integer"}}}},
    },
    "names": {"type": "object", "propertyNames": {"pattern": "^[A-Z]{3}$"}, "minProperties": 2},
    "patterned": {
        "patternProperties": {"^x-[a-z]+$": {"type": "integer"}},
        "additionalProperties": False,
        "minProperties": 2,
    },
    "map": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1},
    "unevaluated": {
        "allOf": [{"properties": {"a": {"type": "string"}}}],
        "unevaluatedProperties": {"type": "integer"},
        "minProperties": 3,
    },
    "recursive": NODE,
    "tree": {
        "type": "object",
        "required": ["kids"],
        "properties": {"kids": {"type": "array", "items": {"$ref": "#/x"}}},
    },
    "recursive by choice": {
        "type": "object",
        "required": ["next"],
        "properties": {"next": {"anyOf": [{"$ref": "#/x"}, {"type": "null"}]}},
    },
    "siblings": {"$ref": "#/x/$defs/a", "maxLength": 3, "$defs": {"a": {"type": "string", "minLength": 3}}},
    "double negation": {"not": {"not": {"type": "array", "minItems": 2}}},
    "fewer members": {
        "properties": {c: {} for c in "abcdef"},
        "required": ["f"],
        "maxProperties": 2,
        "type": "object",
    },
}


@pytest.mark.parametrize("schema", SATISFIABLE.values(), ids=SATISFIABLE)
def test_satisfiable(schema: Any) -> None:
    these = fakes(schema)
    validator = Schemas({URI: {"x": schema}}, "3.1").validator(f"{URI}#/x", "response")
    for key in "abcde":
        assert validator.is_valid(these.value(f"{URI}#/x", key=key))


FORMATS = (
    *(
        "date-time",
        "date",
        "time",
        "duration",
        "uuid",
        "email",
        "idn-email",
        "hostname",
        "idn-hostname",
        "ipv4",
    ),
    *(
        "ipv6",
        "uri",
        "uri-reference",
        "iri",
        "iri-reference",
        "uri-template",
        "json-pointer",
        "byte",
        "regex",
    ),
    *("relative-json-pointer", "base64url", "binary", "password", "unheard-of"),
)


@pytest.mark.parametrize("dialect", ["3.0", "3.1"])
@pytest.mark.parametrize("name", FORMATS)
def test_formats(name: str, dialect: Dialect) -> None:
    assert make({"type": "string", "format": name}, dialect)


CONTRADICTIONS: dict[str, tuple[Any, str]] = {
    "false": (False, "false"),
    "types": ({"type": "string", "allOf": [{"type": "integer"}]}, "type"),
    "bounds": ({"type": "integer", "minimum": 2, "maximum": 1}, "minimum 2 is more than maximum 1"),
    "not anything": ({"not": {}}, "not"),
    "enum": ({"type": "string", "enum": [1]}, "enum"),
    "ruled out": ({"required": ["a"], "properties": {"a": False}, "type": "object"}, "false"),
    "endless": ({"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/x"}}}, "nested"),
    "minItems": ({"type": "array", "minItems": 10**9}, "minItems"),
    "minLength": ({"type": "string", "minLength": 10**9}, "minLength"),
    "minProperties": ({"type": "object", "minProperties": 10**9}, "minProperties"),
    "pattern": ({"type": "string", "pattern": ".^"}, "matches"),
    "doubling": (
        {"type": "array", "minItems": 2, "maxItems": 2, "items": {"$ref": "#/x"}},
        "nested",
    ),
}


@pytest.mark.parametrize(("schema", "words"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_contradictions(schema: Any, words: str) -> None:
    with pytest.raises(Unsatisfiable) as caught:
        make(schema)
    assert words in caught.value.reason
    assert caught.value.ref.startswith(URI)


def test_examples_come_first_if_they_are_valid() -> None:
    schema = {
        "type": "object",
        "required": ["good", "bad", "both"],
        "properties": {
            "good": {"type": "integer", "example": 4711},
            "bad": {"type": "integer", "example": "many"},
            "both": {"type": "integer", "example": "many", "default": 12},
        },
    }
    value = make(schema, "3.0")
    assert value["good"] == 4711
    assert isinstance(value["bad"], int)
    assert value["both"] == 12
    assert make({**schema, "example": {"good": 1, "bad": 2, "both": 3}}, "3.0") == {
        "good": 1,
        "bad": 2,
        "both": 3,
    }


DEFAULTS: dict[str, tuple[Any, Any]] = {
    # schema of a property → its value
    "text": ({"type": "string", "default": "fast"}, "fast"),
    "empty text": ({"type": "string", "default": ""}, ""),
    "zero": ({"type": "integer", "default": 0}, 0),
    "false": ({"type": "boolean", "default": False}, False),
    "null": ({"type": ["string", "null"], "default": None}, None),
    "empty list": ({"type": "array", "items": {"type": "string"}, "default": []}, []),
    "of an enum": ({"enum": ["x", "y", "z"], "default": "z"}, "z"),
    "object": (
        {"type": "object", "properties": {"a": {"type": "string"}}, "default": {"a": "b"}},
        {"a": "b"},
    ),
    "of what is referred to": ({"$ref": "#/default"}, "far"),
    "beside a reference": ({"$ref": "#/default", "default": "near"}, "near"),
    "beside an example": ({"type": "string", "examples": ["told"], "default": "fast"}, "told"),
    "beside an example that is none": ({"type": "integer", "examples": ["many"], "default": 5}, 5),
}


@pytest.mark.parametrize(("schema", "expected"), DEFAULTS.values(), ids=DEFAULTS)
def test_a_default_is_the_value_where_there_is_no_example(schema: Any, expected: Any) -> None:
    whole = {"type": "object", "required": ["p"], "properties": {"p": schema}}
    made = fakes(whole, default={"type": "string", "default": "far"})
    assert [made.value(f"{URI}#/x", key=key)["p"] for key in "abc"] == [expected] * 3


def test_a_default_that_is_invalid_is_passed_over() -> None:
    schema = {
        "type": "object",
        "required": ["p"],
        "properties": {"p": {"type": "integer", "default": "many"}},
    }
    assert isinstance(make(schema)["p"], int)


def test_values_suit_their_names() -> None:
    names = (
        "email",
        "firstName",
        "city",
        "price",
        "currency",
        "country",
        "website",
        "createdAt",
        "updatedAt",
        "age",
    )
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    schema["properties"] |= {"price": {"type": "number"}, "age": {"type": "integer"}}  # type: ignore[operator]
    for key in "abc":
        value = make(schema, key=key)
        assert list(value) == list(names)
        assert re.fullmatch(r"\S+@example\.\w+", value["email"])
        assert re.fullmatch(r"[A-Z]{3}", value["currency"])
        assert value["website"].startswith("https://")
        assert value["createdAt"] <= value["updatedAt"] <= "2026-01-01T00:00:00Z"
        assert 1 <= value["price"] <= 500
        assert 18 <= value["age"] <= 80


def test_timestamps_follow_the_clock() -> None:
    schema = {"type": "string", "format": "date-time"}
    assert make(schema, now_ms=NOW_MS)[:4] == "2025"
    assert make(schema, now_ms=0)[:4] == "1969"


def test_optional_members_are_there_and_null_is_not() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "nullable": True}, "b": {"type": "integer"}},
    }
    value = make(schema, "3.0")
    assert list(value) == ["a", "b"]
    assert value["a"] is not None


def test_directions() -> None:
    schema = {
        "type": "object",
        "required": ["id", "secret"],
        "properties": {
            "id": {"type": "integer", "readOnly": True},
            "secret": {"type": "string", "writeOnly": True},
        },
    }
    assert list(make(schema)) == ["id"]
    assert list(make(schema, direction="request")) == ["secret"]


CAT = {
    "type": "object",
    "required": ["kind"],
    "properties": {"kind": {"type": "string"}, "lives": {"type": "integer"}},
}


@pytest.mark.parametrize(
    ("mapping", "kinds"),
    [({}, {"Cat", "Dog"}), ({"mapping": {"c": "#/schemas/Cat", "d": "Dog"}}, {"c", "d"})],
)
def test_discriminators(mapping: dict[str, Any], kinds: set[str]) -> None:
    schema = {
        "anyOf": [{"$ref": "#/schemas/Cat"}, {"$ref": "#/schemas/Dog"}],
        "discriminator": {"propertyName": "kind", **mapping},
    }
    these = fakes(schema, "3.0", schemas={"Cat": CAT, "Dog": CAT})
    assert {these.value(f"{URI}#/x", key=str(i))["kind"] for i in range(30)} == kinds


def test_dynamic_references_find_the_outermost_anchor() -> None:
    items = {"type": "array", "minItems": 2, "items": {"$dynamicRef": "#item"}}
    generic = {"$id": "http://a.org/list", **items, "$defs": {"item": {"$dynamicAnchor": "item"}}}
    item = {"$dynamicAnchor": "item", "type": "integer"}
    numbers = {"$id": "http://a.org/numbers", "$ref": "list", "$defs": {"item": item}}
    these = fakes(numbers, generic=generic)
    assert [type(each) for each in these.value(f"{URI}#/x", key="k")] == [int, int]


def test_an_inherited_discriminator_names_the_heir() -> None:
    pet = {**CAT, "discriminator": "kind"}
    these = fakes({}, "2.0", definitions={"Pet": pet, "Cat": {"allOf": [{"$ref": "#/definitions/Pet"}]}})
    assert these.value(f"{URI}#/definitions/Cat", key="k")["kind"] == "Cat"


HINTS: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
    ({"id": {"type": "integer"}}, {"id": "42"}, {"id": 42}),
    ({"id": {"type": "string"}}, {"id": "42"}, {"id": "42"}),
    ({"id": {"type": "integer"}}, {"petId": "42"}, {"id": 42}),
    ({"id": {"type": "integer"}, "petId": {"type": "integer"}}, {"petId": "42"}, {"petId": 42}),
    ({"user_id": {"type": "string"}}, {"userId": "u1"}, {"user_id": "u1"}),
    ({"on": {"type": "boolean"}}, {"on": "true"}, {"on": True}),
]


@pytest.mark.parametrize(("properties", "hints", "expected"), HINTS)
def test_hints_are_echoed(properties: Any, hints: Any, expected: Any) -> None:
    value = make({"type": "object", "properties": properties}, hints=hints)
    assert expected.items() <= value.items()


def test_hints_that_do_not_fit_are_left_out() -> None:
    schema = {"type": "object", "properties": {"id": {"type": "integer", "maximum": 10}}}
    assert make(schema, hints={"id": "42"})["id"] <= 10
    assert make(schema, hints={"id": "nonsense", "other": 1}) == make(schema)


def test_a_value_depends_on_seed_schema_and_key_alone() -> None:
    one, other = fakes(NODE), fakes(NODE)
    other.value(f"{URI}#/x", key="before")
    other.value(f"{URI}#/x", key="before", direction="request")
    assert one.value(f"{URI}#/x", key="k") == other.value(f"{URI}#/x", key="k")
    assert len({one.value(f"{URI}#/x", key=str(i))["v"] for i in range(20)}) > 5


def test_a_value_is_the_same_in_every_process() -> None:
    program = (
        "from mockserver.jsonschema import Schemas; from mockserver.generate import Fakes;"
        "s = {'properties': {n: {'type': 'string'} for n in ('name', 'email', 'createdAt', 'id')}};"
        "print(Fakes(Schemas({'u': {'x': s}}, '3.1')).value('u#/x', key='k'))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert "@" in runs[0]


ITSELF = {"$ref": "#/x"}
ITEMS: dict[str, Any] = {"type": "array", "minItems": 2, "items": ITSELF}
ENDLESS: dict[str, Any] = {
    "object": {"type": "object", "required": ["a", "b"], "properties": {"a": {"const": 1}, "b": ITSELF}},
    "array": {"type": "object", "required": ["a"], "properties": {"a": ITEMS}},
    "map": {"type": "object", "minProperties": 3, "additionalProperties": ITSELF},
    "choice": {"type": "object", "required": ["a"], "properties": {"a": {"oneOf": [ITSELF, ITEMS]}}},
}


@pytest.mark.parametrize("schema", ENDLESS.values(), ids=ENDLESS)
def test_a_schema_without_end_is_given_up_soon_and_not_tried_again(
    schema: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent: list[Shape] = []
    count_part = Attempt.count_part

    def counted(run: Attempt, shape: Shape) -> None:
        spent.append(shape)
        count_part(run, shape)

    monkeypatch.setattr(Attempt, "count_part", counted)
    these = fakes(schema)
    with pytest.raises(Unsatisfiable):
        these.value(f"{URI}#/x", key="a")
    assert 0 < len(spent) < 1000
    spent.clear()
    with pytest.raises(Unsatisfiable):
        these.value(f"{URI}#/x", key="b")
    assert not spent


NEXT = {"oneOf": [ITSELF, {"type": "null"}]}
RECURSIVE: dict[str, Any] = {
    "list": {"type": "object", "required": ["next"], "properties": {"next": NEXT}},
    "tree": {"type": "object", "required": ["a"], "properties": {"a": {"type": "array", "items": ITSELF}}},
    "unique": {"type": "array", "uniqueItems": True, "items": ITSELF},
    "many": {"anyOf": [*(ITEMS for _ in range(40)), {"type": "string"}]},
    "map": {"type": "object", "additionalProperties": ITSELF},
}


@pytest.mark.parametrize("schema", RECURSIVE.values(), ids=RECURSIVE)
def test_a_recursive_schema_that_has_an_end_has_values(schema: Any) -> None:
    these = fakes(schema)
    validator = Schemas({URI: {"x": schema}}, "3.1").validator(f"{URI}#/x", "response")
    for key in "abcdefgh":
        assert validator.is_valid(these.value(f"{URI}#/x", key=key))


def test_wide_and_deep_schemas_make_modest_values() -> None:
    wide = {"type": "object", "properties": {f"p{i}": {"$ref": "#/y"} for i in range(50)}}
    nested: Any = {"type": "string"}
    for _ in range(12):
        nested = {"type": "object", "properties": {"a": nested, "b": nested}}
    value = fakes(wide, y=nested).value(f"{URI}#/x", key="k")
    assert len(str(value)) < 30_000
