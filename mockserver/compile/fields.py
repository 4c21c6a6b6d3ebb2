"""Look up the fields of an object in its schema: names, schemas of members, fixed values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mockserver.compile.source import quote_token
from mockserver.diagnostics import MockServerError
from mockserver.jsonschema import Schemas
from mockserver.plan import JSON, SchemaRef


@dataclass(frozen=True, slots=True)
class Properties:
    """The names of the fields of a schema, in its order; ``open``: other fields are allowed."""

    names: tuple[str, ...]
    open: bool


def properties(schemas: Schemas, ref: str, depth: int = 8) -> Properties:
    """Return the fields of the object at ``ref``, including those of allOf, anyOf and oneOf."""
    try:
        schema, ref = schemas.lookup(ref)
    except MockServerError:
        return Properties((), open=True)
    if not isinstance(schema, dict) or depth == 0:
        return Properties((), open=True)
    names: dict[str, None] = dict.fromkeys(schema.get("properties") or {})
    extra = schema.get("additionalProperties")
    free = extra is True or isinstance(extra, dict) or "patternProperties" in schema
    parts = [
        f"{ref}/{key}/{index}"
        for key in ("allOf", "anyOf", "oneOf")
        for index in range(len(schema.get(key) or ()))
    ]
    parts += [f"{ref}/{key}" for key in ("then", "else") if key in schema]
    for part in parts:
        found = properties(schemas, part, depth - 1)
        names |= dict.fromkeys(found.names)
        free |= found.open and bool(found.names)
    return Properties(tuple(names), open=free or not names)


def member(schemas: Schemas, ref: SchemaRef, path: Sequence[str]) -> SchemaRef | None:
    """Return the reference to the schema of the member at ``path`` of ``ref``, or None.

    A part ``*`` of the path means any item of an array.
    """
    if not path:
        return ref
    try:
        schema, ref = schemas.lookup(ref)
    except MockServerError:
        return None
    if not isinstance(schema, dict):
        return None
    if path[0] == "*":
        return member(schemas, f"{ref}/items", path[1:]) if "items" in schema else None
    if path[0] in (schema.get("properties") or {}):
        return member(schemas, f"{ref}/properties/{quote_token(path[0])}", path[1:])
    combined = ("allOf", "anyOf", "oneOf")
    parts = (f"{ref}/{key}/{i}" for key in combined for i in range(len(schema.get(key) or ())))
    return next((found for part in parts if (found := member(schemas, part, path)) is not None), None)


def fixed_values(schemas: Schemas, ref: str, names: Iterable[str]) -> dict[str, JSON]:
    """Return the fields of ``ref`` with only one valid value: a const, or an enum of one value."""
    found = {}
    schema, ref = schemas.lookup(ref)
    stated = schema.get("properties") if isinstance(schema, dict) else None
    members = stated if isinstance(stated, dict) else {}
    for name in names:
        if name not in members:
            continue
        member, _ = schemas.lookup(f"{ref}/properties/{quote_token(name)}")
        if not isinstance(member, dict):
            continue
        if "const" in member:
            found[name] = member["const"]
        elif isinstance(member.get("enum"), list) and len(member["enum"]) == 1:
            found[name] = member["enum"][0]
    return found


def covers(schemas: Schemas, ref: str, body: JSON) -> bool:
    """Whether ``body`` has every field of the schema at ``ref``, at every depth."""
    if not isinstance(body, dict):
        return body is not None
    known = properties(schemas, ref)
    if not known.names and not body:
        return False
    schema, ref = schemas.lookup(ref)
    members = (schema.get("properties") or {}) if isinstance(schema, dict) else {}
    return all(name in body for name in known.names) and all(
        not isinstance(value, dict)
        or (name in members and covers(schemas, f"{ref}/properties/{quote_token(name)}", value))
        for name, value in body.items()
        if not (isinstance(value, dict) and members.get(name) == {})
    )
