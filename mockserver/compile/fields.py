"""What a schema says of the fields of an object: their names, their places, what they are bound to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mockserver.compile.source import quote_token
from mockserver.diagnostics import MockServerError
from mockserver.jsonschema import Schemas
from mockserver.plan import JSON, SchemaRef


@dataclass(frozen=True, slots=True)
class Properties:
    """The fields that a schema names, in its order; ``open`` when it says that there may be others."""

    names: tuple[str, ...]
    open: bool


def properties(schemas: Schemas, ref: str, depth: int = 8) -> Properties:
    """The fields of the object that the schema at ``ref`` describes, through allOf, anyOf and oneOf."""
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
    """Where the schema of a member stands, ``path`` below the schema at ``ref``; None where it names none.

    A part of the path that is ``*`` means any item of an array.
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
    """The fields that the schema at ``ref`` leaves no choice for: a const, or an enum of one."""
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
    """Whether ``body`` gives every field that the schema at ``ref`` names, at every depth it enters."""
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
