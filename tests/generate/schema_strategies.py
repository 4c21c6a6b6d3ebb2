"""Random schemas that use every keyword, most of them satisfiable."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "email", "createdAt", "id", "a/b", "nullable"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-50, 50),
    st.sampled_from([0.5, 1.25, -3.75]),
    st.text("abé 1", max_size=5),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(NAMES, SCALARS, max_size=2))
PATTERNS = st.sampled_from(
    [
        "^a",
        "b$",
        r"^\d{2,4}$",
        "^[a-z]+$",
        r"^(foo|bar)-\w*$",
        r"^(?!x).{3}$",
        r"[\w-.]",
        "^$",
        r"^(?=.*\d)(?=.*[a-z]).{4,}$",
    ]
)
FORMATS = st.sampled_from(
    [
        *("date-time", "date", "time", "duration", "uuid", "email", "idn-email", "hostname", "idn-hostname"),
        *("ipv4", "ipv6", "uri", "uri-reference", "iri", "iri-reference", "uri-template", "json-pointer"),
        *("relative-json-pointer", "regex", "byte", "base64url", "binary", "password", "int32", "int64"),
        *("float", "double", "unheard-of"),
    ]
)
BOUNDS = st.one_of(st.integers(-20, 20), st.sampled_from([-2.5, 0.1, 7.25, 10**20]))
SMALL = st.integers(0, 3)


def _some(draw: st.DrawFn, options: dict[str, st.SearchStrategy[Any]], most: int = 3) -> dict[str, Any]:
    if not options:
        return {}
    chosen = draw(st.lists(st.sampled_from(sorted(options)), max_size=most, unique=True))
    return {keyword: draw(options[keyword]) for keyword in chosen}


def _number(draft_4: bool) -> dict[str, st.SearchStrategy[Any]]:
    exclusive = st.booleans() if draft_4 else BOUNDS
    return {
        "minimum": BOUNDS,
        "maximum": BOUNDS,
        "exclusiveMinimum": exclusive,
        "exclusiveMaximum": exclusive,
        "multipleOf": st.sampled_from([1, 2, 3, 7, 0.1, 0.01, 0.25, 2.5]),
        "format": FORMATS,
    }


_STRING: dict[str, st.SearchStrategy[Any]] = {
    "minLength": st.integers(0, 12),
    "maxLength": st.integers(0, 30),
    "pattern": PATTERNS,
    "format": FORMATS,
}


def _array(inner: st.SearchStrategy[Any], draft_4: bool) -> dict[str, st.SearchStrategy[Any]]:
    common: dict[str, st.SearchStrategy[Any]] = {
        "items": inner,
        "minItems": SMALL,
        "maxItems": st.integers(0, 5),
        "uniqueItems": st.booleans(),
    }
    if draft_4:
        return {**common, "additionalItems": st.booleans() | inner}
    return {
        **common,
        "prefixItems": st.lists(inner, min_size=1, max_size=3),
        "contains": inner,
        "minContains": SMALL,
        "maxContains": st.integers(1, 4),
        "unevaluatedItems": st.booleans() | inner,
    }


def _object(inner: st.SearchStrategy[Any], draft_4: bool) -> dict[str, st.SearchStrategy[Any]]:
    names = st.lists(NAMES, min_size=1, max_size=3, unique=True)
    common: dict[str, st.SearchStrategy[Any]] = {
        "properties": st.dictionaries(NAMES, inner, max_size=4),
        "patternProperties": st.dictionaries(
            st.sampled_from(["^x-", "^a", r"\d"]), inner, min_size=1, max_size=2
        ),
        "additionalProperties": st.booleans() | inner,
        "required": names,
        "minProperties": SMALL,
        "maxProperties": st.integers(0, 6),
    }
    if draft_4:
        return {**common, "dependencies": st.dictionaries(NAMES, names | inner, max_size=2)}
    return {
        **common,
        "propertyNames": st.sampled_from([{"pattern": "^[a-z]"}, {"maxLength": 5}, True]),
        "dependentRequired": st.dictionaries(NAMES, names, max_size=2),
        "dependentSchemas": st.dictionaries(NAMES, inner, max_size=2),
        "unevaluatedProperties": st.booleans() | inner,
    }


def _combined(inner: st.SearchStrategy[Any], draft_4: bool) -> dict[str, st.SearchStrategy[Any]]:
    several = st.lists(inner, min_size=1, max_size=3)
    common: dict[str, st.SearchStrategy[Any]] = {
        "allOf": several,
        "anyOf": several,
        "oneOf": several,
        "not": inner,
        "enum": st.lists(VALUES, min_size=1, max_size=4),
        "example": VALUES,
        "default": VALUES,
        "readOnly": st.booleans(),
        "writeOnly": st.booleans(),
    }
    if draft_4:
        return {**common, "nullable": st.booleans()}
    return {
        **common,
        "const": VALUES,
        "if": inner,
        "then": inner,
        "else": inner,
        "examples": st.lists(VALUES, max_size=2),
    }


@st.composite
def _grown(draw: st.DrawFn, inner: st.SearchStrategy[Any], draft_4: bool) -> dict[str, Any]:
    kind = draw(
        st.sampled_from(["string", "number", "integer", "array", "object", "boolean", "any", "combined"])
    )
    keywords: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        "string": _STRING,
        "number": _number(draft_4),
        "integer": _number(draft_4),
        "array": _array(inner, draft_4),
        "object": _object(inner, draft_4),
    }
    schema: dict[str, Any] = {"type": kind} if kind in keywords or kind == "boolean" else {}
    schema |= _some(draw, keywords.get(kind, {}), most=4)
    if kind in ("any", "combined") or draw(st.integers(0, 4)) == 0:
        schema |= _some(draw, _combined(inner, draft_4), most=2)
    if not draft_4 and kind != "any" and "type" in schema and draw(st.integers(0, 6)) == 0:
        schema["type"] = [schema["type"], "null"]
    if draft_4:
        for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if exclusive in schema and bound not in schema:
                del schema[exclusive]
    return schema


def schemas(*, draft_4: bool) -> st.SearchStrategy[Any]:
    """Schemas of Draft 4 as in OpenAPI 3.0, or of 2020-12; ``#/defs/tree`` is there to refer to."""
    leaves = st.just({"$ref": "#/defs/tree"}) | _grown(st.just({"type": "string"}), draft_4)
    return st.recursive(leaves, lambda inner: _grown(inner, draft_4), max_leaves=8)


TREE: dict[str, Any] = {
    "type": "object",
    "required": ["label"],
    "properties": {
        "label": {"type": "string"},
        "parent": {"$ref": "#/defs/tree"},
        "children": {"type": "array", "items": {"$ref": "#/defs/tree"}},
    },
}
