"""The keywords of each dialect with the schemas below them, and how many schemas apply to one value."""

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
"""OpenAPI 2.0 and 3.0 name a subset of Draft 4; documents use the rest of it too."""

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
"""Applicators whose subschemas describe the very value that their parent describes."""


def keywords(dialect: Dialect) -> Mapping[str, Kind]:
    """The asserting keywords of a dialect."""
    return DRAFT_4 if is_draft_4(dialect) else DRAFT_2020_12


def is_draft_4(dialect: Dialect) -> bool:
    """OpenAPI 2.0 and 3.0 build on Draft 4 (Wright 00), 3.1 and 3.2 on Draft 2020-12."""
    return dialect in ("2.0", "3.0")


def is_nullable(schema: Mapping[str, object], dialect: Dialect) -> bool:
    """Whether a schema carries 3.0's ``nullable`` or the ``x-nullable`` usual in 2.0."""
    keyword = {"2.0": "x-nullable", "3.0": "nullable"}.get(dialect)
    return keyword is not None and schema.get(keyword) is True


MOST = 20_000
"""Schemas that may judge one value: a second of work where all of them object."""
_ONE = ("not", "if", "then", "else")
_SEVERAL = ("allOf", "anyOf", "oneOf")
_NAMED = ("dependentSchemas", "dependencies")


def spreads_too_far(schema: JSON, target: Callable[[str], JSON]) -> bool:
    """Whether more than ``MOST`` schemas apply in place of ``schema``.

    ``target`` gives the schema of a ``$ref``. A reference that leads back to where
    it is reached from ends there, as validators have it.
    """
    left = MOST

    def spend(node: JSON, path: frozenset[str]) -> None:
        nonlocal left
        left -= 1
        if left < 0 or not isinstance(node, dict):
            return
        link = node.get("$ref")
        if isinstance(link, str) and link not in path:
            spend(target(link), path | {link})
        for each in _in_place(node):
            spend(each, path)
            if left < 0:
                return

    spend(schema, frozenset())
    return left < 0


def _in_place(node: dict[str, JSON]) -> Iterator[JSON]:
    for keyword in _ONE:
        if keyword in node:
            yield node[keyword]
    for keyword in _SEVERAL:
        if isinstance(parts := node.get(keyword), list):
            yield from parts
    for keyword in _NAMED:
        if isinstance(parts := node.get(keyword), dict):
            yield from parts.values()
