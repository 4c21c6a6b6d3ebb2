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

Known: TypeAlias = dict[object, tuple[JSON, "Undecoded"]]
"""The values that were read, by the raw value and its schemas. The raw value is held, so that its id is not
that of another one."""

_JSON_ENDS = {"[": "]", "{": "}"}
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

    def _read(self, raw: Undecoded, refs: tuple[SchemaRef, ...], known: Known) -> JSON:
        """Read with a cache, so that no part is read again for each interpretation of the whole."""
        is_text = type(raw) is str
        if not is_text:
            if isinstance(raw, Literal):
                return raw.value
            if isinstance(raw, Restyled):
                return self._read(raw.raw, refs, known)
        if not refs:
            return without_schema(raw)
        key = (raw if is_text else id(raw), refs)
        found = known.get(key)
        if found is None:
            if is_text:  # ends the recursion of a list schema whose items are itself
                known[key] = raw, raw
            candidates = self._candidates(raw, refs, known)
            if not candidates:
                value = without_schema(raw)
            elif len(candidates) == 1:
                value = candidates[0]
            else:
                value = self._choose(candidates, refs)
            found = known[key] = value, raw
        return found[0]

    def _choose(self, candidates: list[JSON], refs: tuple[SchemaRef, ...]) -> JSON:
        """Return the candidate that is valid for the largest number of schemas, the first of these."""
        different: dict[bytes, JSON] = {}
        for candidate in candidates:
            different.setdefault(encode_json(candidate), candidate)
        best, most = candidates[0], -1
        if len(different) == 1:
            return best
        for value in different.values():
            valid = 0
            for ref in refs:
                valid += self.is_valid(value, ref)
            if valid == len(refs):
                return value
            if valid > most:
                best, most = value, valid
        return best

    def _candidates(self, raw: Undecoded, refs: tuple[SchemaRef, ...], known: Known) -> list[JSON]:
        found: list[JSON] = []
        for ref in refs:
            for shape in self.shapes.of(ref):
                if isinstance(raw, str):
                    self._read_text(raw, shape, known, found)
                elif isinstance(raw, list):
                    if "array" in shape.types:
                        found.append(self._read_array(raw, shape, known))
                elif isinstance(raw, dict):
                    if "array" in shape.types:
                        found += (self._read_array(listed, shape, known) for listed in _as_lists(raw))
                    if "object" in shape.types:
                        found.append(self._read_members(raw, shape, known))
        return found

    def _read_text(self, text: str, shape: Shape, known: Known, found: list[JSON]) -> None:
        """Add what a text can be to ``found``."""
        types = shape.types
        found += scalars(text, types)
        if types is TYPES or types.isdisjoint(STRUCTURED) or types == TYPES:
            return
        if "array" in types:
            found.append(self._read_array(self._split(text, shape.separator), shape, known))
        elif not text:
            found.append({})
        if _JSON_ENDS.get(text[:1], "") == text.rstrip()[-1:] != "":
            value = self.parse(text.encode())
            if not isinstance(value, Malformed):
                found.append(value)

    def _split(self, text: str, separator: str) -> list[Undecoded]:
        return [*text.split(separator)] if text else []

    def _read_array(self, raws: list[Undecoded], shape: Shape, known: Known) -> list[JSON]:
        if not shape.prefix:
            return [self._read(item, shape.items, known) for item in raws]
        return [self._read(item, shape.item(i), known) for i, item in enumerate(raws)]

    def _read_members(self, raw: dict[str, Undecoded], shape: Shape, known: Known) -> dict[str, JSON]:
        return {name: self._read(member, shape.property(name), known) for name, member in raw.items()}


def scalars(text: str, types: Types) -> list[JSON]:
    """Return the scalars of these types that a text can be, the most likely first."""
    if types == TYPES:
        return [text]
    found: list[JSON] = []
    if "boolean" in types and text in ("true", "false"):
        found.append(text == "true")
    if ("integer" in types or "number" in types) and (match := _NUMBER.fullmatch(text)):
        if match.lastindex is None:
            found.append(int(text))
        elif (number := float(text)) not in (float("inf"), float("-inf")):
            found.append(number)
    if "string" in types:
        found.append(text)
    if "null" in types and text in ("", "null"):
        found.append(None)
    return found


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
