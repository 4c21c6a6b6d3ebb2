"""The keywords of each dialect, and what stands under them.

Only a walk that knows positions tells a keyword from a property of that name,
and a schema from the contents of ``enum`` or ``example``. Keywords that are
not listed assert nothing (``title``, ``xml``, ``x-…``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from mockserver.plan import Dialect

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
