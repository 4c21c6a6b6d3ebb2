"""Named fields, as in a query, a cookie or a urlencoded body, and what they say of one name."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

from mockserver.media.malformed import Malformed
from mockserver.media.percent import decode, decode_form
from mockserver.media.reading import Raw, Restyled
from mockserver.media.shapes import STRUCTURED, Types
from mockserver.media.styles import DELIMITED, ENCODED_COMMA, Decode, Raws, split

Fields: TypeAlias = dict[str, list[str]]
"""Name → its values in the order sent, still encoded."""

DEEPEST = 32
"""Brackets in the name of a deepObject field."""

_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_BRACKET_OR_DOT = re.compile(r"\[([^\[\]]*)\]|\.([^.\[\]]+)")
_WHOLE = re.compile(r"[^\[.]+(?=[\[.])")
_SEPARATORS = {"commas": ("form", ENCODED_COMMA)} | {
    f"{words}s": (f"{words}Delimited", DELIMITED[f"{words}Delimited"]) for words in ("pipe", "space", "tab")
}
_Node: TypeAlias = "dict[str, _Node] | list[Raw]"
_Value = TypeVar("_Value")


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
        if "array" in types:
            return Malformed(f"{name!r} is given {len(values)} times; style {style} takes it once", "style")
        several = _decoded(values, decode)
        return several if isinstance(several, Malformed) else raws or [several]
    if types or not raws:
        found = split(values[0], style, False, types, decode)
        return found if isinstance(found, Malformed) else [*found, *raws]
    return raws


def _decoded(values: Iterable[_Value], decode: Callable[[_Value], Raw | None]) -> list[Raw] | Malformed:
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
    tree = _tree(fields, name, claimed, decode, _BRACKET)
    if isinstance(tree, Malformed):
        return tree
    if tree:
        return [_raw(tree)]
    if name not in fields:
        return None
    if types == {"object"}:
        return Malformed(f"{name!r} is not of style deepObject: expected {name}[…]=…", "style")
    # The style is defined for objects only: anything else is written as usual
    return gather(fields, name, "form", True, types, (), decode=decode)


def gather_otherwise(
    fields: Mapping[str, Sequence[_Value]],
    name: str,
    style: str,
    explode: bool,
    types: Types,
    claimed: Collection[str],
    decode: Callable[[_Value], Raw | None],
) -> Iterator[Restyled]:
    """Readings of an array or object in styles that can be told apart from the documented one."""
    types &= STRUCTURED
    if not types:
        return
    documented = f"style {style}{', exploded' if explode and style != 'deepObject' else ''}"

    def told(how: str) -> tuple[str, ...]:
        return (f"{name!r} is {how}; documented: {documented}",)

    bare = bare_name(name)
    tree = _tree(fields, bare, {*claimed, name}, decode, _BRACKET_OR_DOT)
    if tree and not isinstance(tree, Malformed):
        yield Restyled(_raw(tree), told("written with brackets or dots"))
    values = fields.get(name) or (() if bare in claimed else fields.get(bare, ()))
    decoded = _decoded(values, decode)
    if not decoded or isinstance(decoded, Malformed):
        return
    if "array" in types and not (explode and style != "deepObject" and name in fields):
        yield Restyled(decoded, told("a field for each item"))
    if len(decoded) > 1 or not isinstance(text := values[0], str):
        return
    for words, (other, pattern) in _SEPARATORS.items():
        if pattern.search(text) and (explode or other != style):
            found = split(text, other, False, types, lambda each: str(decode(each)))  # type: ignore[arg-type]
            raws = () if isinstance(found, Malformed) else found
            yield from (Restyled(raw, told(f"separated by {words}")) for raw in raws if raw != decoded[0])
    if str(decoded[0])[:1] in ("[", "{"):
        yield Restyled(decoded[0], told("written as JSON"))


def bare_name(name: str) -> str:
    """The name that ``ids[]`` is the exploded form of."""
    return name.removesuffix("[]") or name


def nested_parts(fields: Mapping[str, _Value]) -> dict[str, dict[str, _Value]]:
    """The fields that are written as parts of others, with brackets or dots, by the names of those."""
    found: dict[str, dict[str, _Value]] = {}
    for key, value in fields.items():
        if match := _WHOLE.match(key):
            found.setdefault(match[0], {})[key] = value
    return found


def _tree(
    fields: Mapping[str, Sequence[_Value]],
    name: str,
    claimed: Collection[str],
    decode: Callable[[_Value], Raw | None],
    step: re.Pattern[str],
) -> dict[str, _Node] | Malformed:
    tree: dict[str, _Node] = {}
    openings = f"{name}[" if step is _BRACKET else (f"{name}[", f"{name}.")
    for key, values in fields.items():
        if not key.startswith(openings) or key in claimed:
            continue
        path = _path(key[len(name) :], step)
        decoded = _decoded(values, decode)
        if isinstance(decoded, Malformed):
            return decoded
        if path is None or not _plant(tree, path, decoded):
            return Malformed(f"{key!r} does not fit style deepObject: expected {name}[…]=…", "style")
    return tree


def _path(rest: str, step: re.Pattern[str]) -> list[str] | None:
    steps = list(step.finditer(rest))
    whole = sum(len(each[0]) for each in steps) == len(rest)
    return [each[each.lastindex or 1] for each in steps] if whole and len(steps) <= DEEPEST else None


def _plant(tree: dict[str, _Node], path: list[str], values: list[Raw]) -> bool:
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
