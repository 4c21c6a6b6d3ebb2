"""Schemas that apply to one value a billion times are refused before anything applies them."""

from __future__ import annotations

import pytest

from mockserver.jsonschema import Schemas
from mockserver.jsonschema.references import SchemaError
from mockserver.plan import JSON, Dialect

URI = "doc:/a"


def schemas(parts: dict[str, JSON], dialect: Dialect = "3.1") -> Schemas:
    return Schemas({URI: {"s": parts}}, dialect)


def to(name: str) -> JSON:
    return {"$ref": f"#/s/{name}"}


def doubling(keyword: str, levels: int) -> dict[str, JSON]:
    """Schemas that apply the next one twice each; the last is for objects."""
    links: dict[str, JSON] = {f"a{i}": {keyword: [to(f"a{i + 1}")] * 2} for i in range(levels)}
    return {**links, f"a{levels}": {"type": "object"}}


@pytest.mark.parametrize("dialect", ["2.0", "3.0", "3.1"])
@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_schema_that_doubles_thirty_times_is_rejected(keyword: str, dialect: Dialect) -> None:
    with pytest.raises(SchemaError, match="schemas apply to one value"):
        schemas(doubling(keyword, 30), dialect).validator(f"{URI}#/s/a0", "response")


def test_doubling_below_a_property_is_rejected_too() -> None:
    parts = {**doubling("allOf", 30), "b": {"properties": {"c": to("a0")}}}
    found = schemas(parts)
    for name in ("b", "a1"):
        with pytest.raises(SchemaError, match="schemas apply to one value"):
            found.validator(f"{URI}#/s/{name}", "response")


def test_schema_that_doubles_a_few_times_is_used() -> None:
    validator = schemas(doubling("allOf", 8)).validator(f"{URI}#/s/a0", "response")
    assert validator.is_valid({})
    assert not validator.is_valid(1)


def test_each_level_of_the_value_has_its_own_count() -> None:
    """What applies to members is bounded by the value, not by the schema."""
    links: dict[str, JSON] = {
        f"a{i}": {"properties": {"b": to(f"a{i + 1}"), "c": to(f"a{i + 1}")}} for i in range(30)
    }
    validator = schemas({**links, "a30": {"type": "string"}}).validator(f"{URI}#/s/a0", "response")
    assert validator.is_valid({"b": {"c": {}}})


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_cycle_of_references_ends(keyword: str) -> None:
    schemas({"a": {keyword: [to("a"), {"type": "object"}]}}).validator(f"{URI}#/s/a", "response")


def test_thousand_branches_are_validated() -> None:
    branches: list[JSON] = [{"required": [f"p{i}"], "properties": {f"p{i}": to("b")}} for i in range(1000)]
    validator = schemas({"a": {"oneOf": branches}, "b": {"type": "string"}}).validator(
        f"{URI}#/s/a", "response"
    )
    assert validator.is_valid({"p7": "x"})
    assert not validator.is_valid({"p7": 1})
