"""Named fields, as in a query, a cookie or a urlencoded body, and what they say of one name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import TypeAlias

from mockserver.media.malformed import Malformed
from mockserver.media.percent import decode, decode_form
from mockserver.media.reading import Raw
from mockserver.media.shapes import STRUCTURED, Types
from mockserver.media.styles import Decode, Raws, split

Fields: TypeAlias = dict[str, list[str]]
"""Name → its values in the order sent, still encoded."""

DEEPEST = 32
"""Brackets in the name of a deepObject field."""

_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_Node: TypeAlias = "dict[str, _Node] | list[str]"


def parse_fields(text: str) -> Fields:
    """``a=1&b=2``. A name that does not decode stays as it is: nobody documents such a one."""
    fields: Fields = {}
    for pair in text.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            if "%" in name or "+" in name or not name.isascii():
                name = decode_form(name) or name
            fields.setdefault(name, []).append(value)
    return fields


def parse_cookies(header: str) -> Fields:
    """RFC 6265, section 4.2.1. Values may hold ``=``, and are still encoded."""
    fields: Fields = {}
    for pair in header.split(";"):
        name, equals, value = pair.strip().partition("=")
        if equals:
            fields.setdefault(decode_cookie(name), []).append(value)
    return fields


def decode_cookie(text: str) -> str:
    """A cookie's value is percent-encoded in style form, and anything else in the wild."""
    decoded = decode(text)
    return text if decoded is None else decoded


def gather(
    fields: Fields,
    name: str,
    style: str,
    explode: bool,
    types: Types,
    properties: Collection[str] | None,
    claimed: Collection[str] = (),
    decode: Decode = decode_form,
) -> Raws | Malformed | None:
    """Readings of one name; None where the fields do not speak of it.

    ``properties`` are the members that an exploded object may spread over the
    fields, None if any may be; names in ``claimed`` belong to others.
    """
    if style == "deepObject":
        return _gather_deep(fields, name, types, claimed, decode)
    raws: Raws = []
    if explode and style != "simple" and types & STRUCTURED:
        if "array" in types and name in fields:
            items = _decoded(fields[name], decode)
            if isinstance(items, Malformed):
                return items
            raws = [items]
        if "object" in types and (name not in fields or not raws):
            members = _members(fields, properties, claimed, decode)
            if isinstance(members, Malformed):
                return members
            if name in fields:  # not spread over the fields, as some clients write it
                written = split(fields[name][0], style, True, types & {"object"}, decode)
                raws += written[:-1] if isinstance(written, list) else []
            raws += [members] if members else []
        types -= STRUCTURED
    if name not in fields:
        return raws or None
    values = fields[name]
    if len(values) > 1:
        several = _decoded(values, decode)
        return several if isinstance(several, Malformed) else raws or [several]
    if types or not raws:
        found = split(values[0], style, False, types, decode)
        return found if isinstance(found, Malformed) else [*found, *raws]
    return raws


def _decoded(values: Iterable[str], decode: Decode) -> list[Raw] | Malformed:
    decoded: list[Raw] = []
    for each in values:
        text = decode(each)
        if text is None:
            return Malformed(f"{each!r} is not percent-encoded UTF-8")
        decoded.append(text)
    return decoded


def _members(
    fields: Fields, properties: Collection[str] | None, claimed: Collection[str], decode: Decode
) -> dict[str, Raw] | Malformed:
    members: dict[str, Raw] = {}
    for key, values in fields.items():
        if key in claimed or (properties is not None and key not in properties):
            continue
        decoded = _decoded(values, decode)
        if isinstance(decoded, Malformed):
            return decoded
        members[key] = decoded[0] if len(decoded) == 1 else decoded
    return members


def _gather_deep(
    fields: Fields, name: str, types: Types, claimed: Collection[str], decode: Decode
) -> Raws | Malformed | None:
    """``a[b][c]=1``: a tree by names, whatever the numbers in them, so that none is allocated for."""
    tree: dict[str, _Node] = {}
    opening = f"{name}["
    for key, values in fields.items():
        if not key.startswith(opening) or key in claimed:
            continue
        path = _path(key[len(name) :])
        decoded = _decoded(values, decode)
        if isinstance(decoded, Malformed):
            return decoded
        if path is None or not _plant(tree, path, [str(each) for each in decoded]):
            return Malformed(f"{key!r} does not fit style deepObject: expected {name}[…]=…", "style")
    if tree:
        return [_raw(tree)]
    if name not in fields:
        return None
    if types == {"object"}:
        return Malformed(f"{name!r} is not of style deepObject: expected {name}[…]=…", "style")
    # The style is defined for objects only: anything else is written as usual
    return gather(fields, name, "form", True, types, (), decode=decode)


def _path(brackets: str) -> list[str] | None:
    path = _BRACKET.findall(brackets)
    whole = sum(len(each) + 2 for each in path) == len(brackets)
    return path if whole and len(path) <= DEEPEST else None


def _plant(tree: dict[str, _Node], path: list[str], values: list[str]) -> bool:
    """False where one field wants a value and another wants members at the same place."""
    node = tree
    for step in path[:-1]:
        child = node.setdefault(step, {})
        if not isinstance(child, dict):
            return False
        node = child
    if path[-1] in node:
        return False
    node[path[-1]] = values
    return True


def _raw(node: _Node) -> Raw:
    if isinstance(node, dict):
        return {key: _raw(each) for key, each in node.items()}
    return node[0] if len(node) == 1 else list(node)
