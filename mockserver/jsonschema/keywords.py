"""The keywords of each dialect of JSON Schema, and the complexity of a schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from mockserver.plan import JSON, Dialect

Kind = Literal["value", "schema", "list", "map", "items", "dependencies"]
"""``items`` is a schema or a list of them; ``dependencies`` maps to schemas or lists of names."""

_COMMON: dict[str, Kind] = {
    **dict.fromkeys(
        (
            "type",
            "enum",
            "format",
            "multipleOf",
            "minimum",
            "exclusiveMinimum",
            "maximum",
            "exclusiveMaximum",
            "minLength",
            "maxLength",
            "pattern",
            "minItems",
            "maxItems",
            "uniqueItems",
            "minProperties",
            "maxProperties",
            "required",
        ),
        "value",
    ),
    **dict.fromkeys(("not", "additionalProperties"), "schema"),
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), "list"),
    **dict.fromkeys(("properties", "patternProperties"), "map"),
    "items": "items",
}

DRAFT_4: Mapping[str, Kind] = {**_COMMON, "additionalItems": "schema", "dependencies": "dependencies"}
"""OpenAPI 2.0 and 3.0 define a subset of Draft 4. Documents use the rest of it too."""

DRAFT_2020_12: Mapping[str, Kind] = {
    **_COMMON,
    **dict.fromkeys(("const", "minContains", "maxContains", "dependentRequired"), "value"),
    **dict.fromkeys(
        ("if", "then", "else", "contains", "propertyNames", "unevaluatedItems", "unevaluatedProperties"),
        "schema",
    ),
    **dict.fromkeys(("prefixItems",), "list"),
    **dict.fromkeys(("dependentSchemas",), "map"),
}

IN_PLACE = frozenset(("allOf", "anyOf", "oneOf", "then", "else", "dependentSchemas"))
"""Keywords whose subschemas apply to the same value as their parent."""


TYPES = frozenset(("null", "boolean", "integer", "number", "string", "array", "object"))
NUMERIC = frozenset(("integer", "number"))
"""The types of JSON Schema."""


def keywords(dialect: Dialect) -> Mapping[str, Kind]:
    """Return the keywords of a dialect that assert something, with the kind of their value."""
    return DRAFT_4 if is_draft_4(dialect) else DRAFT_2020_12


def is_draft_4(dialect: Dialect) -> bool:
    """Return True for OpenAPI 2.0 and 3.0 (Draft 4), and False for 3.1 and 3.2 (Draft 2020-12)."""
    return dialect in ("2.0", "3.0")


def is_nullable(schema: Mapping[str, object], dialect: Dialect) -> bool:
    """Return whether a schema has ``nullable`` (OpenAPI 3.0) or ``x-nullable`` (common in 2.0)."""
    keyword = {"2.0": "x-nullable", "3.0": "nullable"}.get(dialect)
    return keyword is not None and schema.get(keyword) is True


MAX_SCHEMAS = 20_000
"""The maximum number of schemas that apply to one value. If all fail, they take a second."""
_SINGLE = ("not", "if", "then", "else")
_LISTS = ("allOf", "anyOf", "oneOf")
_MAPS = ("dependentSchemas", "dependencies")


def is_too_complex(schema: JSON, target: Callable[[str], JSON]) -> bool:
    """Return whether more than ``MAX_SCHEMAS`` schemas apply to a value of ``schema``.

    ``target`` returns the schema of a ``$ref``. A cycle of references ends where it
    is closed, as in validators.
    """
    left = MAX_SCHEMAS

    def count(node: JSON, path: frozenset[str]) -> None:
        nonlocal left
        left -= 1
        if left < 0 or not isinstance(node, dict):
            return
        target_ref = node.get("$ref")
        if isinstance(target_ref, str) and target_ref not in path:
            count(target(target_ref), path | {target_ref})
        for child in _in_place(node):
            count(child, path)
            if left < 0:
                return

    count(schema, frozenset())
    return left < 0


def _in_place(node: dict[str, JSON]) -> Iterator[JSON]:
    for keyword in _SINGLE:
        if keyword in node:
            yield node[keyword]
    for keyword in _LISTS:
        if isinstance(parts := node.get(keyword), list):
            yield from parts
    for keyword in _MAPS:
        if isinstance(parts := node.get(keyword), dict):
            yield from parts.values()
