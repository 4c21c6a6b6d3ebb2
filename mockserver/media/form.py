"""Decoding of named fields by their styles: in a query, a cookie or a urlencoded body."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

from mockserver.media.coercion import Decoded, Literal, Reader, Restyled, Undecoded
from mockserver.media.json import encode_json
from mockserver.media.shapes import STRUCTURED, Types
from mockserver.media.styles import (
    DELIMITED,
    ENCODED_COMMA,
    Decode,
    Raws,
    decode,
    decode_form,
    expand_fields,
    split,
)
from mockserver.media.types import ContentType, Malformed
from mockserver.plan import JSON, Encoding, SchemaRef

Fields: TypeAlias = dict[str, list[str]]
"""Name to values, in the order sent, still percent-encoded."""

MAX_DEPTH = 32
"""The maximum number of brackets in the name of a deepObject field."""

_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_BRACKET_OR_DOT = re.compile(r"\[([^\[\]]*)\]|\.([^.\[\]]+)")
_WHOLE = re.compile(r"[^\[.]+(?=[\[.])")
_SEPARATORS = {"commas": ("form", ENCODED_COMMA)} | {
    f"{words}s": (f"{words}Delimited", DELIMITED[f"{words}Delimited"]) for words in ("pipe", "space", "tab")
}
_Node: TypeAlias = "dict[str, _Node] | list[Undecoded]"
_Value = TypeVar("_Value")


def parse_fields(text: str) -> Fields:
    """Parse ``a=1&b=2``. A name that cannot be decoded stays as it is."""
    fields: Fields = {}
    for pair in text.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            if "%" in name or "+" in name or not name.isascii():
                name = decode_form(name) or name
            fields.setdefault(name, []).append(value)
    return fields


def parse_cookies(header: str) -> Fields:
    """Parse a Cookie header field (RFC 6265, section 4.2.1). The values are still encoded."""
    fields: Fields = {}
    for pair in header.split(";"):
        name, equals, value = pair.strip().partition("=")
        if equals:
            fields.setdefault(decode_cookie(name), []).append(value)
    return fields


def decode_cookie(text: str) -> str:
    """Decode a cookie's value. If it is not percent-encoded UTF-8, return it as it is."""
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
    """Return the interpretations of one parameter or property, or None if the fields do not contain it.

    ``properties`` are the members that an exploded object may have as fields of
    their own; None means any. Fields in ``claimed`` belong to other parameters.
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
            raws += [members] if members else []
            if name in fields:  # some clients send one field instead
                text = fields[name][0]
                written = split(text, style, True, types & {"object"}, decode)
                is_member = not text or (properties is not None and name in properties)
                whole = written[:-1] if isinstance(written, list) else []
                raws = [*raws, *whole] if is_member else [*whole, *raws]
        types -= STRUCTURED
    if name not in fields:
        return raws or None
    values = fields[name]
    if len(values) > 1:
        if "array" in types:
            return Malformed(f"{name!r} is given {len(values)} times; style {style} takes it once", "style")
        if raws:
            return raws
        several = _decoded(values, decode)
        return several if isinstance(several, Malformed) else [several]
    if types or not raws:
        found = split(values[0], style, False, types, decode)
        return found if isinstance(found, Malformed) else [*found, *raws]
    return raws


def _decoded(
    values: Iterable[_Value], decode: Callable[[_Value], Undecoded | None]
) -> list[Undecoded] | Malformed:
    decoded: list[Undecoded] = []
    for value in values:
        text = decode(value)
        if text is None:
            return Malformed(f"{value!r} is not percent-encoded UTF-8")
        decoded.append(text)
    return decoded


def _members(
    fields: Fields, properties: Collection[str] | None, claimed: Collection[str], decode: Decode
) -> dict[str, Undecoded] | Malformed:
    members: dict[str, Undecoded] = {}
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
    """Decode ``a[b][c]=1`` into a tree by names. Numbers are names too, so that no index allocates memory."""
    tree = _tree(fields, name, claimed, decode, _BRACKET)
    if isinstance(tree, Malformed):
        return tree
    if tree:
        return [_to_undecoded(tree)]
    if name not in fields:
        return None
    if types == {"object"}:
        return Malformed(f"{name!r} is not of style deepObject: expected {name}[…]=…", "style")
    # The style is defined for objects only: other types use style form
    return gather(fields, name, "form", True, types, (), decode=decode)


def gather_restyled(
    fields: Mapping[str, Sequence[_Value]],
    name: str,
    style: str,
    explode: bool,
    types: Types,
    claimed: Collection[str],
    decode: Callable[[_Value], Undecoded | None],
) -> Iterator[Restyled]:
    """Yield the interpretations of an array or object in other styles than the documented one."""
    types &= STRUCTURED
    if not types:
        return
    documented = f"style {style}{', exploded' if explode and style != 'deepObject' else ''}"

    def warn(style: str) -> tuple[str, ...]:
        return (f"{name!r} is {style}; documented: {documented}",)

    bare = bare_name(name)
    tree = _tree(fields, bare, {*claimed, name}, decode, _BRACKET_OR_DOT)
    if tree and not isinstance(tree, Malformed):
        yield Restyled(_to_undecoded(tree), warn("written with brackets or dots"))
    values = fields.get(name) or (() if bare in claimed else fields.get(bare, ()))
    is_list = "array" in types and not (explode and style != "deepObject" and name in fields)
    if not is_list and len(values) > 1:
        return
    decoded = _decoded(values, decode)
    if not decoded or isinstance(decoded, Malformed):
        return
    if is_list:
        yield Restyled(decoded, warn("a field for each item"))
    if len(decoded) > 1 or not isinstance(text := values[0], str):
        return
    for words, (other, pattern) in _SEPARATORS.items():
        if pattern.search(text) and (explode or other != style):
            found = split(text, other, False, types, lambda part: str(decode(part)))  # type: ignore[arg-type]
            raws = () if isinstance(found, Malformed) else found
            yield from (Restyled(raw, warn(f"separated by {words}")) for raw in raws if raw != decoded[0])
    if str(decoded[0])[:1] in ("[", "{"):
        yield Restyled(decoded[0], warn("written as JSON"))


def bare_name(name: str) -> str:
    """Return the name without the suffix ``[]``: ``ids`` for ``ids[]``."""
    return name.removesuffix("[]") or name


def nested_parts(fields: Mapping[str, _Value]) -> dict[str, dict[str, _Value]]:
    """Return the fields with brackets or dots in their names, by the part of the name before these."""
    found: dict[str, dict[str, _Value]] = {}
    for key, value in fields.items():
        if match := _WHOLE.match(key):
            found.setdefault(match[0], {})[key] = value
    return found


def _tree(
    fields: Mapping[str, Sequence[_Value]],
    name: str,
    claimed: Collection[str],
    decode: Callable[[_Value], Undecoded | None],
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
        if path is None or not _insert(tree, path, decoded):
            return Malformed(f"{key!r} does not fit style deepObject: expected {name}[…]=…", "style")
    return tree


def _path(rest: str, step: re.Pattern[str]) -> list[str] | None:
    steps = list(step.finditer(rest))
    whole = sum(len(match[0]) for match in steps) == len(rest)
    return [match[match.lastindex or 1] for match in steps] if whole and len(steps) <= MAX_DEPTH else None


def _insert(tree: dict[str, _Node], path: list[str], values: list[Undecoded]) -> bool:
    """Insert values into a tree. Return False if the place already has a value, or has members."""
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


def _to_undecoded(node: _Node) -> Undecoded:
    if isinstance(node, dict):
        return {key: _to_undecoded(child) for key, child in node.items()}
    return node[0] if len(node) == 1 else list(node)


DEFAULT_ENCODING = Encoding()
Value = TypeVar("Value")


class FormFormat:
    """``application/x-www-form-urlencoded``: the fields are the properties of one object."""

    def __init__(self, reader: Reader, schema: SchemaRef | None, encoding: Mapping[str, Encoding]) -> None:
        self._object = FormObject(reader, schema, encoding)
        self._encoding = encoding

    def decode(self, data: bytes, content_type: ContentType) -> Undecoded | Malformed:
        """Decode the fields. Fields that the schema does not describe become properties too."""
        warnings: list[str] = []
        found = self._object.read(parse_fields(data.decode("latin-1")), decode_form, warnings)
        return Restyled(found, tuple(warnings)) if warnings and isinstance(found, dict) else found

    def encode(self, value: JSON) -> bytes:
        """Encode the properties. An empty array or object has no field."""
        if not isinstance(value, dict):
            return encode_json(value)
        fields = (self._field(name, member) for name, member in value.items())
        return "&".join(field for field in fields if field).encode()

    def _field(self, name: str, value: JSON) -> str:
        encoding = self._encoding.get(name, DEFAULT_ENCODING)
        if "json" in encoding.content_type:
            return expand_fields(name, encode_json(value).decode())
        return expand_fields(
            name, value, encoding.style, encoding.explode, allow_reserved=encoding.allow_reserved
        )


class FormObject:
    """Decodes fields into one object by the properties of its schema."""

    def __init__(self, reader: Reader, schema: SchemaRef | None, encoding: Mapping[str, Encoding]) -> None:
        self._reader = reader
        self._properties = reader.shapes.properties(schema)
        self._required = reader.shapes.required(schema)
        self._encoding = encoding

    def read(self, fields: Fields, decode: Decode, warnings: list[str]) -> dict[str, Undecoded] | Malformed:
        """Return the object. Fields that belong to no property become properties with their own names.

        Adds a warning for each property that is in another style than the documented one.
        """
        found: dict[str, Undecoded] = {}
        used: set[str] = set()
        nested = nested_parts(fields) if self._reader.lenient else {}
        for name, schema in self._properties.items():
            raws = self._gather(fields, name, schema, decode, used)
            documented = raws if isinstance(raws, list) else None
            other = self.read_restyled(name, schema, documented, fields, nested, decode, used)
            if other is not None:
                found[name] = Literal(other.value)
                warnings += other.warnings
            elif isinstance(raws, Malformed):
                return raws
            elif raws is not None:
                # A single interpretation stays undecoded: the schema of the whole may have others
                found[name] = raws[0] if len(raws) == 1 else self._best(raws, schema)
        for name, values in fields.items():
            if name in self._properties or name in used:
                continue
            decoded = [decode(value) for value in values]
            texts: list[Undecoded] = [text for text in decoded if text is not None]
            if len(texts) < len(values):
                return Malformed(f"The field {name!r} is not percent-encoded UTF-8")
            found[name] = texts[0] if len(texts) == 1 else texts
        self.complete(found)
        return found

    def complete(self, found: dict[str, Undecoded]) -> None:
        """Add required empty lists where they are valid, because they have no field (RFC 6570, 3.2.1)."""
        for name in self._required - found.keys():
            schema = self._properties.get(name)
            if (
                schema is not None
                and self._reader.shapes.types(schema) - {"null"} == {"array"}
                and self._reader.is_valid([], schema)
            ):
                found[name] = Literal([])

    def read_restyled(
        self,
        name: str,
        schema: SchemaRef,
        raws: Raws | None,
        fields: Mapping[str, Sequence[Value]],
        nested: Mapping[str, Mapping[str, Sequence[Value]]],
        decode: Callable[[Value], Undecoded | None],
        used: set[str],
    ) -> Decoded | None:
        """Decode a property in another style than the documented one. Return None if it is not so.

        ``raws`` are its interpretations in the documented style, ``nested`` the
        ``nested_parts`` of the fields. Adds the fields of the property to ``used``.
        """
        types = self._reader.shapes.types(schema) & STRUCTURED
        if not self._reader.lenient or not types:
            return None
        if raws and not self._reader.validate(raws, schema).violations:
            return None
        bare, claimed = bare_name(name), self._properties.keys() - {name}
        own = {field: fields[field] for field in (name, bare) if field in fields}
        encoding = self._encoding.get(name, DEFAULT_ENCODING)
        candidates = {**own, **nested.get(bare, {})}
        others = list(
            gather_restyled(candidates, name, encoding.style, encoding.explode, types, claimed, decode)
        )
        if not others:
            return None
        decoded = self._reader.validate(others, schema)
        if decoded.violations:
            return None
        used.update(candidates.keys() - claimed)
        return decoded

    def _best(self, raws: Raws, schema: SchemaRef) -> Undecoded:
        return Literal(self._reader.validate(raws, schema, with_violations=False).value)

    def _gather(
        self, fields: Fields, name: str, schema: SchemaRef, decode: Decode, used: set[str]
    ) -> Raws | Malformed | None:
        encoding = self._encoding.get(name, DEFAULT_ENCODING)
        if "json" in encoding.content_type and len(values := fields.get(name, [])) == 1:
            text = decode(values[0])
            value = self._reader.parse((text or "").encode())
            return (
                Malformed(f"The field {name!r} is not JSON")
                if isinstance(value, Malformed)
                else [Literal(value)]
            )
        types = self._reader.shapes.types(schema)
        members = self._reader.shapes.properties(schema)
        raws = gather(
            fields,
            name,
            encoding.style,
            encoding.explode,
            types,
            members,
            self._properties.keys() - {name},
            decode,
        )
        if raws and not isinstance(raws, Malformed):
            if encoding.style == "deepObject":
                used.update(field for field in fields if field.startswith(f"{name}["))
            elif name not in fields:
                used.update(members)
        return raws
