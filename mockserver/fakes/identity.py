"""When two JSON values are equal (JSON Schema core, 4.2.2): 1 is 1.0, and neither is true."""

from __future__ import annotations

from collections.abc import Hashable

from mockserver.plan import JSON


def identity(value: JSON) -> Hashable:
    """A key that equal values share and no others."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, dict):
        return ("object", frozenset((name, identity(each)) for name, each in value.items()))
    if isinstance(value, list):
        return ("array", tuple(identity(each) for each in value))
    hashable: Hashable = value
    return hashable


def type_of(value: JSON) -> str:
    """The narrowest type of a value; ``integer`` for 1 and, as in 2020-12, for 1.0."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
