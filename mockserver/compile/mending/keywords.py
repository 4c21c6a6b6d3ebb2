"""Mend keywords whose values are not schemas: types, bounds, patterns, lists of names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mockserver.compile.mending.table import At, kind
from mockserver.jsonschema.keywords import TYPES
from mockserver.jsonschema.patterns import strict
from mockserver.plan import JSON

if TYPE_CHECKING:
    from mockserver.compile.mending.schemas import Schemas


Node = dict[str, Any]
Rule = Callable[["Schemas", Node, str, At], None]
TYPE_ALIASES: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("int", "long", "short", "bigint", "integers", "int32", "int64"), ("integer", "")),
    **dict.fromkeys(("float", "double", "decimal", "numeric", "numbers", "real"), ("number", "")),
    **dict.fromkeys(("str", "text", "char", "strings", "enum", "varchar"), ("string", "")),
    **dict.fromkeys(("bool", "booleans"), ("boolean", "")),
    **dict.fromkeys(("list", "set", "tuple", "arrays"), ("array", "")),
    **dict.fromkeys(("map", "dict", "hash", "json", "objects", "record"), ("object", "")),
    **dict.fromkeys(("date-time", "datetime", "timestamp"), ("string", "date-time")),
    **{
        name: ("string", name)
        for name in ("date", "time", "uuid", "email", "uri", "byte", "binary", "password")
    },
    "url": ("string", "uri"),
    "guid": ("string", "uuid"),
    "file": ("string", "binary"),
    "none": ("null", ""),
}
"""Types of other languages → type and format of JSON Schema."""
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_MAX_COUNT = 2**53
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,15})?\Z")
_FITS: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}
_NULLABLE = ("null is taken in requests, and never sent", "a type of null beside the other")


def _type(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    stated = node[keyword]
    if type(stated) is str and stated in TYPES and stated != "null":
        return
    if isinstance(stated, list):
        _types(schemas, node, stated, at)
        return
    place = (at, keyword)
    if not isinstance(stated, str):
        schemas.drop(node, keyword, at)
    elif stated == "null":
        if schemas.draft_4:
            schemas.report("newer", place, "the type null", schemas.dialect)
    elif stated == "file" and schemas.dialect == "2.0":
        pass  # valid in form data and responses of 2.0
    else:
        _replace_type(schemas, node, stated, place)


def _replace_type(schemas: Schemas, node: Node, stated: str, place: At) -> None:
    type_name, form = _type_and_format(stated)
    if type_name:
        node["type"] = type_name
        if form:
            node.setdefault("format", form)
        schemas.report(
            "unknown type", place, stated, assumed=(f"read as {' '.join(filter(None, (type_name, form)))}",)
        )
    else:
        del node["type"]
        schemas.report("unknown type", place, stated, assumed=("any value is taken",))


def _types(schemas: Schemas, node: Node, stated: list[JSON], at: At) -> None:
    place = (at, "type")
    names = [_type_and_format(name)[0] if isinstance(name, str) else "" for name in stated]
    mended = list(dict.fromkeys(name for name in names if name))
    if mended != stated:
        schemas.report("keyword", place, "`type`", f"the list {stated!r}")
    elif schemas.draft_4:
        schemas.report("newer", place, "a list of types", schemas.dialect)
    if mended and "" not in names:
        node["type"] = mended
    else:
        del node["type"]


def _required(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    stated = node[keyword]
    if type(stated) is list:
        if len(stated) == len(set(map(str, stated))) and all(type(name) is str for name in stated):
            if not stated and schemas.draft_4:
                del node[keyword]  # 3.0 has no empty list; nothing is lost
            return
        node[keyword] = list(dict.fromkeys(name for name in stated if isinstance(name, str)))
        twice = next((name for name in stated if stated.count(name) > 1), None)
        shown = f"a list with {twice!r} twice" if twice is not None else "a list of more than names"
        schemas.report("as", (at, keyword), "`required`", shown, assumed=("a list of each name once",))
        if not node[keyword]:
            del node[keyword]
    elif (
        isinstance(stated, str) and isinstance(node.get("properties"), dict) and stated in node["properties"]
    ):
        node[keyword] = [stated]
        schemas.report("as", (at, keyword), "`required`", kind(stated), assumed=("a list of one name",))
    else:
        schemas.drop(node, keyword, at)


def _enum(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    stated, place = node[keyword], (at, keyword)
    if isinstance(stated, (str, int, float)):
        node[keyword] = stated = [stated]
        schemas.report("as", place, "`enum`", kind(stated[0]), assumed=("a list of one value",))
    if not isinstance(stated, list) or not stated:
        schemas.drop(node, keyword, at)
        return
    distinct = {
        (type(value), value if isinstance(value, (str, int, float)) else repr(value)) for value in stated
    }
    if len(distinct) < len(stated):
        node[keyword] = stated = _distinct(stated)
        schemas.report(
            "as", place, "`enum`", "a list with a value twice", assumed=("a list of each value once",)
        )
    _values(schemas, node, stated, place)


def _values(schemas: Schemas, node: Node, stated: list[JSON], place: At) -> None:
    """Convert an enum whose values all have another type than the schema, such as numbers in YAML."""
    expected = node.get("type")
    fits = _FITS.get(expected) if isinstance(expected, str) else None
    if fits is None or any(value is None or isinstance(value, fits) for value in stated):
        return
    if expected == "string" and all(isinstance(value, (bool, int, float)) for value in stated):
        node["enum"] = _distinct(
            [str(value).lower() if value in (True, False) else str(value) for value in stated]
        )
        schemas.report("values", place, expected, assumed=("texts",))
    elif expected in ("integer", "number") and all(_is_number(value, expected) for value in stated):
        node["enum"] = _distinct([int(value) if expected == "integer" else float(value) for value in stated])
        schemas.report("values", place, expected, assumed=("numbers",))
    else:
        del node["type"]
        schemas.report("values", place, expected, assumed=("they stand, of whatever type",))


def _format(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    if type(node[keyword]) is not str:
        schemas.drop(node, keyword, at)


def _count(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    stated = node[keyword]
    if type(stated) is int and 0 <= stated <= _MAX_COUNT:
        return
    number = _number(stated)
    if number is None or number != int(number) or not 0 <= number <= _MAX_COUNT:
        schemas.drop(node, keyword, at)
        return
    node[keyword] = int(number)
    schemas.report("as", (at, keyword), f"`{keyword}`", kind(stated), assumed=(int(number),))


def _bound(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    stated = node[keyword]
    if type(stated) is int or type(stated) is float:
        return
    number = _number(stated)
    if number is None:
        schemas.drop(node, keyword, at)
    else:
        node[keyword] = number
        schemas.report("as", (at, keyword), f"`{keyword}`", kind(stated), assumed=(number,))


def _exclusive(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    """Convert between the flag beside a bound of Draft 4 and the bound of 2020-12."""
    stated, place = node[keyword], (at, keyword)
    bound = "m" + keyword.removeprefix("exclusiveM")
    if isinstance(stated, str):
        number = _number(stated)
        read = {"true": True, "false": False}.get(stated.lower(), number)
        if read is not None:
            node[keyword] = stated = read
            schemas.report("as", place, f"`{keyword}`", kind(str(stated)), assumed=(read,))
    if isinstance(stated, bool):
        if schemas.draft_4:
            if bound not in node:
                del node[keyword]
            return
        number = _number(node.get(bound))
        schemas.report("older", place, keyword, str(stated).lower(), assumed=("the bound itself",))
        del node[keyword]
        if stated and number is not None:
            node[keyword] = number
            del node[bound]
    elif isinstance(stated, (int, float)):
        if schemas.draft_4:
            schemas.report("newer", place, f"{keyword} with a number", schemas.dialect)
            _set_bound(node, keyword, bound, stated)
    else:
        schemas.drop(node, keyword, at)


def _set_bound(node: Node, keyword: str, bound: str, stated: float) -> None:
    beside = _number(node.get(bound))
    tighter = beside is not None and (beside > stated if bound == "minimum" else beside < stated)
    if tighter:
        del node[keyword]
    else:
        node[bound], node[keyword] = stated, True


def _multiple(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    stated = node[keyword]
    number = stated if type(stated) is int or type(stated) is float else _number(stated)
    if number is None or number <= 0:
        schemas.drop(node, keyword, at)
    elif number is not stated:
        node[keyword] = number
        schemas.report("as", (at, keyword), f"`{keyword}`", kind(stated), assumed=(number,))


def _flag(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    stated = node[keyword]
    if type(stated) is bool:
        if keyword == "nullable" and schemas.dialect != "3.0" and stated:
            schemas.report("other", (at, keyword), keyword, schemas.dialect, assumed=_NULLABLE)
    elif isinstance(stated, str) and stated.lower() in ("true", "false"):
        node[keyword] = stated.lower() == "true"
        schemas.report("as", (at, keyword), f"`{keyword}`", kind(stated), assumed=(stated.lower(),))
    else:
        schemas.drop(node, keyword, at)


def _pattern(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    if isinstance(node[keyword], str):
        schemas.patterns.append((node, keyword, at))
    else:
        schemas.drop(node, keyword, at)


def _examples(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    stated, place = node[keyword], (at, keyword)
    if isinstance(stated, dict):
        node[keyword] = [
            example["value"] if isinstance(example, dict) and "value" in example else example
            for example in stated.values()
        ]
        schemas.report("as", place, "`examples`", "a mapping", assumed=("a list of its values",))
    elif not isinstance(stated, list):
        node[keyword] = [stated]
        schemas.report("as", place, "`examples`", kind(stated), assumed=("a list of one value",))
    elif schemas.draft_4:
        schemas.report("newer", place, keyword, schemas.dialect)


def _const(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    if schemas.draft_4:
        schemas.report("newer", (at, keyword), keyword, schemas.dialect)
        value = node.pop(keyword)
        if "enum" not in node:
            node["enum"] = [value]


def _newer_plain(schemas: Schemas, _: Node, keyword: str, at: At) -> None:
    if schemas.draft_4:
        schemas.report("newer", (at, keyword), keyword, schemas.dialect)


def _text(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    if type(node[keyword]) is not str:
        stated = node[keyword]
        if isinstance(stated, (bool, int, float)):
            node[keyword] = str(stated)
            schemas.report("as", (at, keyword), f"`{keyword}`", kind(stated), assumed=("a text",))
        else:
            schemas.drop(node, keyword, at)


def _type_and_format(name: str) -> tuple[str, str]:
    """Return type and format for the name of a type; empty texts for an unknown name."""
    if name in TYPES:
        return name, ""
    lower = name.strip().lower()
    return (lower, "") if lower in TYPES else TYPE_ALIASES.get(lower, ("", ""))


def _number(value: JSON) -> int | float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, str) and _NUMBER.match(value.strip()):
        return float(value) if "." in value else int(value)
    return None


def _is_number(value: JSON, expected: str) -> bool:
    number = _number(value)
    return number is not None and (expected == "number" or number == int(number))


def _distinct(values: list[JSON]) -> list[JSON]:
    first: dict[str, JSON] = {}
    for value in values:
        first.setdefault(repr(value), value)
    return list(first.values())


VALUES: Mapping[str, Rule] = {
    "type": _type,
    "required": _required,
    "enum": _enum,
    "const": _const,
    "format": _format,
    **dict.fromkeys((*_COUNTS, "minContains", "maxContains"), _count),
    **dict.fromkeys(("minimum", "maximum"), _bound),
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), _exclusive),
    "multipleOf": _multiple,
    **dict.fromkeys(("uniqueItems", "nullable", "readOnly", "writeOnly", "deprecated"), _flag),
    "pattern": _pattern,
    "examples": _examples,
    **dict.fromkeys(("$comment", "contentEncoding", "contentMediaType"), _newer_plain),
    **dict.fromkeys(("title", "description", "$id", "$anchor", "$dynamicAnchor", "$schema"), _text),
}
"""Keyword → rule."""


def are_valid_patterns(patterns: Iterable[str]) -> bool:
    """Whether all patterns compile."""
    # heavy; only documents with patterns need it
    from jsonschema_rs import Draft202012Validator, FancyRegexOptions
    from jsonschema_rs import ValidationError as Invalid

    try:
        Draft202012Validator(
            {"allOf": [{"pattern": strict(pattern)} for pattern in patterns]},
            pattern_options=FancyRegexOptions(backtrack_limit=1000),
            offline=True,
        )
    except (Invalid, ValueError):
        return False
    return True
