"""Text → the JSON value that a schema means by it.

What the wire gives is *raw*: a text, a list or a mapping of raws, or something
exact that already is JSON (a JSON part of a form, say). Where a schema leaves
several readings open, the first that it finds valid is taken; where none is
valid, the first, for the violations to be about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from msgspec import Struct

from mockserver.jsonschema import Direction, Schemas, SchemaViolation
from mockserver.jsonschema.references import tokens
from mockserver.media.json import decode_json
from mockserver.media.shapes import ANY, STRUCTURED, Shape, Shapes, Types
from mockserver.media.types import Malformed
from mockserver.plan import JSON, SchemaRef


class Literal(Struct, frozen=True):
    """A value that is JSON already and is not read as text."""

    value: JSON


class Restyled(Struct, frozen=True):
    """A raw that was written in another style than the documented one, as the warnings say."""

    raw: Undecoded
    warnings: tuple[str, ...]


Undecoded: TypeAlias = "str | list[Undecoded] | dict[str, Undecoded] | Literal | Restyled"

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,4000})(\.[0-9]+)?([eE][+-]?[0-9]+)?")
"""JSON's number (RFC 8259, section 6), no longer than Python converts."""


class Decoded(Struct, frozen=True):
    """A value, and how it breaks its schema."""

    value: JSON
    violations: tuple[SchemaViolation, ...] = ()
    warnings: tuple[str, ...] = ()
    """What was forgiven for it to have no violations."""


class Reader:
    """Reads raws by the schemas of one document, for one direction.

    ``lenient``: arrays and objects may be written in other styles than the documented ones.
    """

    def __init__(self, schemas: Schemas, direction: Direction, *, lenient: bool = False) -> None:
        self.schemas = schemas
        self.lenient = lenient
        self.shapes = Shapes(schemas)
        self._direction = direction

    def parse(self, data: bytes) -> JSON | Malformed:
        """A JSON text that stands in a text, a field or a part."""
        return decode_json(data)

    def judge(self, raws: Iterable[Undecoded], ref: SchemaRef | None, *, tells: bool = True) -> Decoded:
        """The first valid reading of the first raw that has one; else the first reading of all.

        What is valid but for what a client may be forgiven is taken where nothing is valid.
        ``tells``: with what is wrong with that.
        """
        if ref is None:
            only = next(iter(raws))
            return Decoded(plain(only), (), only.warnings if isinstance(only, Restyled) else ())
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
        if not tells:
            return Decoded(value)
        return Decoded(value, self.schemas.validator(ref, self._direction).violations(value))

    def _forgive(self, value: JSON, ref: SchemaRef) -> tuple[str, ...]:
        """What is forgiven of a request's value that is not valid; what is passed over is taken out of it."""
        meant = self.schemas.validator(ref, self._direction)
        if self._direction != "request" or not meant.may_forgive:
            return ()
        try:
            if not self.schemas.validator(ref, self._direction, "forgiving").is_valid(value):
                return ()
        except ValueError:
            return ()
        forgiven: list[str] = []
        for violation in meant.violations(value):
            named = f" at {violation.pointer}" if violation.pointer else ""
            if violation.keyword == "readOnly":
                remove(value, violation.pointer)
                forgiven.append(f"the readOnly property{named} is passed over")
            elif violation.expected == "date-time":
                forgiven.append(f"{violation.value!r}{named} is read as a date-time of RFC 3339")
        return tuple(forgiven) or ("readOnly properties are passed over, date-times read as of RFC 3339",)

    def is_valid(self, value: JSON, ref: SchemaRef) -> bool:
        """Whether a schema takes a value."""
        try:
            return self.schemas.validator(ref, self._direction).is_valid(value)
        except ValueError:  # nested deeper than the validator goes
            return False

    def read(self, raw: Undecoded, ref: SchemaRef) -> JSON:
        """The valid reading of one raw, or the likeliest."""
        return self._read(raw, (ref,), {})

    def _read(self, raw: Undecoded, refs: tuple[SchemaRef, ...], known: dict[object, JSON]) -> JSON:
        """``known`` keeps a part from being read again for every reading of the whole."""
        if isinstance(raw, Literal):
            return raw.value
        if isinstance(raw, Restyled):
            raw = raw.raw
        if not refs:
            return plain(raw)
        key = (raw if isinstance(raw, str) else id(raw), refs)
        if key not in known:
            known[key] = plain(raw)  # for a list in a list of the same schema, which the text is without end
            candidates = list(self._candidates(raw, refs, known)) or [plain(raw)]
            known[key] = candidates[0] if len(candidates) == 1 else self._choose(candidates, refs)
        return known[key]

    def _choose(self, candidates: list[JSON], refs: tuple[SchemaRef, ...]) -> JSON:
        """The candidate that most of the schemas take, the first of those."""
        return max(candidates, key=lambda each: sum(self.is_valid(each, ref) for ref in refs))

    def _candidates(
        self, raw: Undecoded, refs: tuple[SchemaRef, ...], known: dict[object, JSON]
    ) -> Iterator[JSON]:
        for ref in refs:
            for shape in self.shapes.of(ref):
                if isinstance(raw, str):
                    yield from self._of_text(raw, shape, known)
                elif isinstance(raw, list) and "array" in shape.types:
                    yield self._array(raw, shape, known)
                elif isinstance(raw, dict):
                    if "array" in shape.types:
                        yield from (self._array(listed, shape, known) for listed in _listed(raw))
                    if "object" in shape.types:
                        yield self._members(raw, shape, known)

    def _of_text(self, text: str, shape: Shape, known: dict[object, JSON]) -> Iterator[JSON]:
        yield from scalars(text, shape.types)
        if shape.types == ANY:
            return
        if "array" in shape.types:
            yield self._array(self._split(text, shape.separator), shape, known)
        elif "object" in shape.types and not text:
            yield {}
        if shape.types & STRUCTURED and text[:1] in ("[", "{"):
            value = self.parse(text.encode())
            if not isinstance(value, Malformed):
                yield value

    def _split(self, text: str, separator: str) -> list[Undecoded]:
        return [*text.split(separator)] if text else []

    def _array(self, raws: list[Undecoded], shape: Shape, known: dict[object, JSON]) -> list[JSON]:
        return [self._read(each, shape.item(i), known) for i, each in enumerate(raws)]

    def _members(self, raw: dict[str, Undecoded], shape: Shape, known: dict[object, JSON]) -> dict[str, JSON]:
        return {name: self._read(each, shape.property(name), known) for name, each in raw.items()}


def scalars(text: str, types: Types) -> Iterator[JSON]:
    """The scalars of these types that are written like this, the likeliest first."""
    if types == ANY:
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


def plain(raw: Undecoded) -> JSON:
    """A raw without a schema: its texts stay texts."""
    if isinstance(raw, Literal):
        return raw.value
    if isinstance(raw, Restyled):
        return plain(raw.raw)
    if isinstance(raw, list):
        return [plain(each) for each in raw]
    if isinstance(raw, dict):
        return {name: plain(each) for name, each in raw.items()}
    return raw


def _listed(raw: dict[str, Undecoded]) -> Iterator[list[Undecoded]]:
    """``{"": …}`` and ``{"0": …, "1": …}`` as the lists that ``a[]=`` and ``a[0]=`` mean."""
    if raw.keys() == {""}:
        only = raw[""]
        yield only if isinstance(only, list) else [only]
        if isinstance(only, dict):  # a[][b]=1&a[][b]=2: two objects with one b, not one with two
            lists = [each for each in only.values() if isinstance(each, list)]
            if len(lists) == len(only) and len({len(each) for each in lists}) == 1:
                yield [dict(zip(only, members, strict=True)) for members in zip(*lists, strict=True)]
        return
    places = [str(i) for i in range(len(raw))]
    if raw and raw.keys() == set(places):
        yield [raw[place] for place in places]


def remove(value: JSON, pointer: str) -> None:
    """Take the member of an object at a JSON pointer out of ``value``."""
    *steps, last = tokens(pointer)
    for step in steps:
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError):  # it is gone with a member around it
            return
    if isinstance(value, dict):
        value.pop(last, None)
