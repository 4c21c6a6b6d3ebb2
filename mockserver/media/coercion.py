"""Coercion of text to the JSON values that a schema describes.

A decoded body is *undecoded* where its types are unknown: a text, or a list or
mapping of such, or a literal that already is JSON (for example a JSON part of a
form). If the schema allows several interpretations of a text, the first valid
one is the result. If none is valid, the first one is, with its violations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from msgspec import Struct

from mockserver.diagnostics import Violation
from mockserver.jsonschema import Direction, Schemas
from mockserver.jsonschema.keywords import TYPES
from mockserver.jsonschema.references import tokens, value_at
from mockserver.media.json import decode_json, encode_json
from mockserver.media.shapes import STRUCTURED, Shape, Shapes, Types
from mockserver.media.types import Malformed
from mockserver.plan import JSON, SchemaRef


class Literal(Struct, frozen=True):
    """A value that already is JSON. It is not coerced."""

    value: JSON


class Restyled(Struct, frozen=True):
    """A value in another style than the documented one. The warnings name the style."""

    raw: Undecoded
    warnings: tuple[str, ...]


Undecoded: TypeAlias = "str | list[Undecoded] | dict[str, Undecoded] | Literal | Restyled"

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,4000})(\.[0-9]+)?([eE][+-]?[0-9]+)?")
"""A JSON number (RFC 8259, section 6) of at most the length that Python converts."""


class Decoded(Struct, frozen=True):
    """A value, and how it violates its schema."""

    value: JSON
    violations: tuple[Violation, ...] = ()
    warnings: tuple[str, ...] = ()
    """The deviations from the document that were accepted."""


class Reader:
    """Coerces and validates values by the schemas of one document, for requests or responses.

    With ``lenient``, arrays and objects may be in other styles than the documented ones.
    """

    max_nodes: float = float("inf")
    """The number of values that a body may hold."""

    def __init__(self, schemas: Schemas, direction: Direction, *, lenient: bool = False) -> None:
        self.schemas = schemas
        self.lenient = lenient
        self.shapes = Shapes(schemas)
        self._direction = direction

    def parse(self, data: bytes) -> JSON | Malformed:
        """Decode a JSON text in a text, a field or a part."""
        return decode_json(data)

    def validate(
        self, raws: Iterable[Undecoded], ref: SchemaRef | None, *, with_violations: bool = True
    ) -> Decoded:
        """Return the first valid value among the interpretations ``raws``, at least one.

        If none is valid, take the first that is valid except for accepted
        deviations, else the first one. ``with_violations``: with its violations.
        """
        if ref is None:
            only = next(iter(raws))
            return Decoded(without_schema(only), (), only.warnings if isinstance(only, Restyled) else ())
        readings: list[tuple[JSON, tuple[str, ...]]] = []
        for raw in raws:
            value = self.read(raw, ref)
            warnings = raw.warnings if isinstance(raw, Restyled) else ()
            if self.is_valid(value, ref):
                return Decoded(value, (), warnings)
            readings.append((value, warnings))
        for value, warnings in readings:
            if forgiven := self._forgive(value, ref):
                return Decoded(value, (), (*warnings, *forgiven))
        value = readings[0][0]
        if not with_violations:
            return Decoded(value)
        return Decoded(value, self.schemas.validator(ref, self._direction).violations(value, is_invalid=True))

    def _forgive(self, value: JSON, ref: SchemaRef) -> tuple[str, ...]:
        """Return the accepted deviations of an invalid request value. Removes ignored members from it."""
        validator = self.schemas.validator(ref, self._direction)
        if self._direction != "request" or not validator.may_forgive:
            return ()
        try:
            if not self.schemas.validator(ref, self._direction, "forgiving").is_valid(value):
                return ()
        except ValueError:
            return ()
        forgiven: list[str] = []
        for violation in validator.violations(value, is_invalid=True):
            location = f" at {violation.pointer}" if violation.pointer else ""
            if violation.keyword == "readOnly":
                remove(value, violation.pointer)
                forgiven.append(f"the readOnly property{location} is ignored")
            elif violation.expected == "date-time":
                forgiven.append(f"{violation.value!r}{location} is read as a date-time of RFC 3339")
        return tuple(forgiven) or ("readOnly properties are ignored, and date-times are read as of RFC 3339",)

    def is_valid(self, value: JSON, ref: SchemaRef) -> bool:
        """Return whether a value is valid for a schema."""
        try:
            return self.schemas.validator(ref, self._direction).is_valid(value)
        except ValueError:  # nested deeper than the validator goes
            return False

    def read(self, raw: Undecoded, ref: SchemaRef) -> JSON:
        """Return the valid interpretation of a value, else the most likely one."""
        return self._read(raw, (ref,), {})

    def _read(self, raw: Undecoded, refs: tuple[SchemaRef, ...], known: dict[object, JSON]) -> JSON:
        """Read with a cache, so that no part is read again for each interpretation of the whole."""
        if isinstance(raw, Literal):
            return raw.value
        if isinstance(raw, Restyled):
            raw = raw.raw
        if not refs:
            return without_schema(raw)
        is_text = isinstance(raw, str)
        key = (raw if is_text else id(raw), refs)
        if key not in known:
            if is_text:
                known[key] = raw  # ends the recursion of a list schema whose items are itself
            candidates = list(self._candidates(raw, refs, known)) or [without_schema(raw)]
            known[key] = candidates[0] if len(candidates) == 1 else self._choose(candidates, refs)
        return known[key]

    def _choose(self, candidates: list[JSON], refs: tuple[SchemaRef, ...]) -> JSON:
        """Return the candidate that is valid for the largest number of schemas, the first of these."""
        different: dict[bytes, JSON] = {}
        for candidate in candidates:
            different.setdefault(encode_json(candidate), candidate)
        if len(different) == 1:
            return candidates[0]
        return max(different.values(), key=lambda value: sum(self.is_valid(value, ref) for ref in refs))

    def _candidates(
        self, raw: Undecoded, refs: tuple[SchemaRef, ...], known: dict[object, JSON]
    ) -> Iterator[JSON]:
        shapes = (shape for ref in refs for shape in self.shapes.of(ref))
        if isinstance(raw, str):
            for shape in shapes:
                yield from self._read_text(raw, shape, known)
        elif isinstance(raw, list):
            for shape in shapes:
                if "array" in shape.types:
                    yield self._read_array(raw, shape, known)
        elif isinstance(raw, dict):
            for shape in shapes:
                if "array" in shape.types:
                    yield from (self._read_array(listed, shape, known) for listed in _as_lists(raw))
                if "object" in shape.types:
                    yield self._read_members(raw, shape, known)

    def _read_text(self, text: str, shape: Shape, known: dict[object, JSON]) -> Iterator[JSON]:
        yield from scalars(text, shape.types)
        if shape.types == TYPES:
            return
        if "array" in shape.types:
            yield self._read_array(self._split(text, shape.separator), shape, known)
        elif "object" in shape.types and not text:
            yield {}
        if shape.types & STRUCTURED and text[:1] in ("[", "{"):
            value = self.parse(text.encode())
            if not isinstance(value, Malformed):
                yield value

    def _split(self, text: str, separator: str) -> list[Undecoded]:
        return [*text.split(separator)] if text else []

    def _read_array(self, raws: list[Undecoded], shape: Shape, known: dict[object, JSON]) -> list[JSON]:
        return [self._read(item, shape.item(i), known) for i, item in enumerate(raws)]

    def _read_members(
        self, raw: dict[str, Undecoded], shape: Shape, known: dict[object, JSON]
    ) -> dict[str, JSON]:
        return {name: self._read(member, shape.property(name), known) for name, member in raw.items()}


def scalars(text: str, types: Types) -> Iterator[JSON]:
    """Yield the scalars of these types that a text can be, the most likely first."""
    if types == TYPES:
        yield text
        return
    if "boolean" in types and text in ("true", "false"):
        yield text == "true"
    if ("integer" in types or "number" in types) and (match := _NUMBER.fullmatch(text)):
        if match.lastindex is None:
            yield int(text)
        elif (number := float(text)) not in (float("inf"), float("-inf")):
            yield number
    if "string" in types:
        yield text
    if "null" in types and text in ("", "null"):
        yield None


def without_schema(raw: Undecoded) -> JSON:
    """Return an undecoded value as JSON without a schema: texts stay strings."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, dict):
        return {name: without_schema(member) for name, member in raw.items()}
    if isinstance(raw, list):
        return [without_schema(item) for item in raw]
    return without_schema(raw.raw) if isinstance(raw, Restyled) else raw.value


def _as_lists(raw: dict[str, Undecoded]) -> Iterator[list[Undecoded]]:
    """Yield ``{"": …}`` and ``{"0": …, "1": …}``, which ``a[]=`` and ``a[0]=`` produce, as lists."""
    if "" in raw and len(raw) == 1:
        only = raw[""]
        yield only if isinstance(only, list) else [only]
        if isinstance(only, dict):  # a[][b]=1&a[][b]=2: two objects with one b, not one with two
            lists = [member for member in only.values() if isinstance(member, list)]
            if len(lists) == len(only) and len({len(items) for items in lists}) == 1:
                yield [dict(zip(only, members, strict=True)) for members in zip(*lists, strict=True)]
        return
    if "0" not in raw:
        return
    indexes = [str(i) for i in range(len(raw))]
    if raw.keys() == set(indexes):
        yield [raw[index] for index in indexes]


def remove(value: JSON, pointer: str) -> None:
    """Remove the member of an object at a JSON pointer, if it exists."""
    *path, last = tokens(pointer)
    holder = value_at(value, path)  # None if it was removed with its parent
    if isinstance(holder, dict):
        holder.pop(last, None)
