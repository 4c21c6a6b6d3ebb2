"""Violations of large values: few, in little memory, and true of the whole."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import pytest

from mockserver.jsonschema import Schemas, Validator, excerpt
from mockserver.jsonschema.excerpt import excerpts

MANY = 20_000
MiB = 1024 * 1024


def validator(schema: Any) -> Validator:
    return Schemas({"u": {"s": schema}}, "3.1").validator("u#/s", "request")


RECORDS = {"properties": {"r": {"type": "array", "minItems": 100, "items": {"required": ["id"]}}}}

TEXT = {"type": "object", "properties": {"t": {"pattern": "^a+$"}, "n": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("schema", "value", "told"),
    [
        ({"items": {"type": "integer"}}, [1] * MANY + ["x"], [(f"/{MANY}", "type")]),
        ({"items": {"type": "integer"}}, ["x", *[1] * MANY, "x"], [("/0", "type"), (f"/{MANY + 1}", "type")]),
        ({"additionalProperties": {"type": "integer"}}, {**{f"k{i}": 1 for i in range(MANY)}, "z": "x"},
         [("/z", "type")]),
        (RECORDS, {"r": [{"id": 1}] * MANY + [{}] + [{"id": 1}] * MANY}, [(f"/r/{MANY}", "required")]),
        ({"items": {"items": {"type": "integer"}}}, [[1] * 100] * 150 + [[1] * 99 + ["x"]] + [[1]] * 50,
         [("/150/99", "type")]),
        (TEXT, {"t": "a" * MiB, "n": "x"}, [("/n", "type")]),
        (TEXT, {"t": "a" * MiB + "b", "n": 1}, [("/t", "pattern")]),
        (TEXT, [{"t": "a" * MiB, "n": 1}, {"t": "a" * MiB}], [("", "type")]),
        ({"maxItems": 5}, [1] * MANY, [("", "maxItems")]),
        ({"required": ["a"]}, {f"k{i}": 1 for i in range(MANY)}, [("", "schema")]),
        ({"required": ["a"]}, {f"k{i}": 1 for i in range(1000)}, [("", "required")]),
    ],
    ids=[
        "last", "first and last", "member", "record", "nested", "beside a text", "end of a text",
        "around texts", "length", "too large", "large",
    ],
)  # fmt: skip
def test_a_fault_is_found_wherever_it_is(schema: Any, value: Any, told: list[tuple[str, str]]) -> None:
    assert [(each.pointer, each.keyword) for each in validator(schema).violations(value)] == told


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"items": {"type": "string"}}, [1] * MANY),
        ({"items": {"anyOf": [{"type": "string"}, {"type": "null"}]}}, [1] * MANY),
        ({"oneOf": [{"items": {"type": "string"}}, {"items": {"type": "null"}}]}, [1] * MANY),
        ({"propertyNames": {"maxLength": 0}}, {str(i): 1 for i in range(2000)}),
        ({"required": [f"p{i}" for i in range(100)]}, {"a": [1] * MANY}),
        ({"required": [f"p{i}" for i in range(100)]}, {"a": "a" * MiB}),
        ({"unevaluatedProperties": False}, {str(i): 1 for i in range(MANY)}),
        ({"anyOf": [{"pattern": f"^(?=b{i})"} for i in range(6)]}, "a" * 2 * MiB),
    ],
    ids=["items", "anyOf", "oneOf", "names", "required", "text", "unevaluated", "patterns"],
)
def test_many_faults_take_little_memory(schema: Any, value: Any) -> None:
    made = validator(schema)
    made.violations([])
    tracemalloc.start()
    told = made.violations(value)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 1 <= len(told) <= 20
    assert taken < 8 * MiB


def _random(dice: random.Random, depth: int = 0) -> Any:
    if depth > 2 or dice.random() < 0.4:
        return dice.choice([1, 2, 3, "x"]) if dice.random() < 0.1 else 1
    if dice.random() < 0.5:
        return [_random(dice, depth + 1) for _ in range(dice.randrange(12))]
    return {f"k{i}": _random(dice, depth + 1) for i in range(dice.randrange(36))}


TREE = {
    "$defs": {
        "t": {
            "oneOf": [
                {"type": "integer"},
                {"type": "array", "items": {"$ref": "#/$defs/t"}, "maxItems": 9},
                {"type": "object", "additionalProperties": {"$ref": "#/$defs/t"}, "minProperties": 2},
            ]
        }
    },
    "type": ["array", "object"],
    "items": {"$ref": "#/$defs/t"},
    "additionalProperties": {"$ref": "#/$defs/t"},
}


@pytest.mark.parametrize("seed", range(40))
def test_violations_of_an_excerpt_are_violations_of_the_whole(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(seed)
    value = [_random(dice) for _ in range(12)]
    made = Schemas({"u": TREE}, "3.1").validator("u", "request")
    monkeypatch.setattr("mockserver.jsonschema.validator.MAX_VIOLATIONS", 1_000_000)
    monkeypatch.setattr(excerpt, "MAX_CHARACTERS_OF_EXCERPT", 10_000_000)
    monkeypatch.setattr(excerpt, "MAX_NODES_OF_EXCERPT", 1_000_000)
    whole = {(each.pointer, each.keyword) for each in made.violations(value)}
    monkeypatch.setattr(excerpt, "MAX_NODES_OF_EXCERPT", 10)
    told = {(each.pointer, each.keyword) for each in made.violations(value)}
    assert told - {("", "schema")} <= whole
    assert bool(told) == bool(whole)


def test_every_excerpt_is_as_invalid_as_the_whole() -> None:
    made = validator({"items": {"type": "integer"}})
    value = [1] * 5000 + ["x"] * 10 + [1] * 5000
    parts = list(excerpts(value, made.is_valid))
    assert parts
    assert not any(made.is_valid(part.value) for part in parts)
    assert all(part.nodes <= excerpt.MAX_NODES_OF_EXCERPT for part in parts)
