"""Parameters of an operation, each compiled once into a reader.

``ParameterReader.read`` takes the source of its location (the text of a path segment, the fields of the
query, …) and returns the value, ``ABSENT``, ``Refused`` or ``Forgiven``. Most parameters are scalars in
the path or query; a short closure reads them. For anything special the closure calls the general
function, which supports every style and reports every violation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import chain
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from mockserver.diagnostics import Violation
from mockserver.media.codec import Codec
from mockserver.media.coercion import Decoded, Reader, Restyled, scalars
from mockserver.media.form import Fields, decode_cookie, gather, gather_restyled
from mockserver.media.shapes import STRUCTURED
from mockserver.media.styles import (
    Raws,
    decode,
    decode_form,
    split,
    split_path,
)
from mockserver.media.types import Malformed
from mockserver.plan import JSON, Parameter

Location = Literal["path", "query", "header", "cookie", "body"]

IGNORED_HEADERS = frozenset(("accept", "content-type", "authorization"))
"""Header parameters that OpenAPI ignores: other parts of the document describe them."""

ABSENT: Final = object()
"""The result for an optional parameter that the request does not have."""


class Refused(Struct, frozen=True):
    """The result for an invalid parameter: its violations, and its value if it could be decoded."""

    violations: tuple[Violation, ...]
    value: JSON = None


class Forgiven(Struct, frozen=True):
    """The result for a parameter that was decoded although its style is not the documented one."""

    value: JSON
    warnings: tuple[str, ...]


class ParameterReader:
    """Reads one parameter.

    ``read`` takes, by location: path: the raw text of the segment; query and cookie: ``Fields``; header:
    the headers of the request; querystring: the raw query. ``claimed`` are the names of the operation's
    other parameters in the same location.
    """

    __slots__ = (
        "_absent",
        "_claimed",
        "_codec",
        "_extract",
        "_may_be_restyled",
        "_parameter",
        "_properties",
        "_reader",
        "_schema",
        "_types",
        "key",
        "name",
        "read",
    )

    read: Callable[[Any], JSON | Refused | Forgiven]

    def __init__(self, parameter: Parameter, reader: Reader, claimed: Collection[str] = ()) -> None:
        """Compile a parameter. Raises SchemaError if its schema is unusable."""
        self.name = parameter.name
        self.key = parameter.name.lower() if parameter.location == "header" else parameter.name
        self._parameter = parameter
        self._reader = reader
        self._claimed = frozenset(claimed)
        self._schema = parameter.content.schema if parameter.content else parameter.schema
        self._codec = Codec(parameter.content, reader) if parameter.content else None
        self._types = reader.shapes.types(self._schema)
        self._properties = _property_names(reader, parameter)
        self._may_be_restyled = (
            reader.lenient
            and parameter.location in ("query", "cookie")
            and self._codec is None
            and bool(self._types & STRUCTURED)
        )
        self._absent = self._absent_value()
        extractors: dict[str, Callable[[Any], Raws | Malformed | None]] = {
            "path": self._from_path,
            "query": self._from_query,
            "header": self._from_header,
            "cookie": self._from_cookie,
            "querystring": self._from_querystring,
        }
        self._extract = extractors[parameter.location]
        self.read = self._fast_reader() or self._read

    def _fast_reader(self) -> Callable[[Any], JSON | Refused | Forgiven] | None:
        """Return a closure for a valid scalar that occurs once and without escapes; else None."""
        location, style, schema = self._parameter.location, self._parameter.style, self._schema
        if self._codec or schema is None or self._types & STRUCTURED:
            return None
        read_any, key, types = self._read, self.key, self._types
        is_valid = self._reader.schemas.validator(schema, "request").is_valid
        if location == "path" and style == "simple":
            if types == {"string"}:

                def read_string(text: str) -> JSON | Refused | Forgiven:
                    return text if "%" not in text and text.isascii() and is_valid(text) else read_any(text)

                return read_string

            def read_scalar(text: str) -> JSON | Refused | Forgiven:
                for value in scalars(text, types):
                    if is_valid(value) and "%" not in text:
                        return value
                return read_any(text)

            return read_scalar
        if location == "query" and style == "form":

            def read_field(fields: Fields) -> JSON | Refused | Forgiven:
                values = fields.get(key)
                if values is not None and len(values) == 1:
                    text = values[0]
                    if text and "%" not in text and "+" not in text and text.isascii():
                        for value in scalars(text, types):
                            if is_valid(value):
                                return value
                return read_any(fields)

            return read_field
        return None

    def _read(self, source: Any) -> JSON | Refused | Forgiven:
        raws = self._extract(source)
        if not isinstance(raws, list):
            others = [*self._other_styles(source)]
            decoded = self._reader.validate(others, self._schema) if others else None
            if decoded is not None and not decoded.violations:
                return self._accept(decoded)
            if raws is None:
                return self._absent
            return self._refuse(raws.keyword, raws.message, source if isinstance(source, str) else None)
        if self._parameter.allow_empty_value and raws[0] in ("", [""]):
            return raws[0]
        if self._may_be_restyled and self._types <= STRUCTURED:
            # A whole text is not in the documented style of an array or object, so it comes last
            texts = [raw for raw in raws if isinstance(raw, str)]
            structured = (raw for raw in raws if not isinstance(raw, str))
            decoded = self._reader.validate(
                chain(structured, self._other_styles(source), texts), self._schema
            )
        else:
            decoded = self._reader.validate(chain(raws, self._other_styles(source)), self._schema)
        if decoded.violations:
            return Refused(self._violations(decoded), decoded.value)
        return self._accept(decoded)

    def _accept(self, decoded: Decoded) -> JSON | Forgiven:
        if not decoded.warnings:
            return decoded.value
        prefix = f"{self._location} parameter {self.name!r}"
        return Forgiven(decoded.value, tuple(f"{prefix}: {warning}" for warning in decoded.warnings))

    def _other_styles(self, fields: Fields) -> Iterator[Restyled]:
        """Yield the values by other styles than the documented one."""
        if self._may_be_restyled:
            style, explode = self._parameter.style, self._parameter.explode
            decode_value = decode_form if self._parameter.location == "query" else decode_cookie
            yield from gather_restyled(
                fields, self.name, style, explode, self._types, self._claimed, decode_value
            )

    def _absent_value(self) -> JSON | Refused:
        if self._parameter.required:
            is_exploded = self._parameter.explode and self._parameter.style == "form"
            if (
                self._types == {"object"}
                and is_exploded
                and not self._reader.validate([{}], self._schema).violations
            ):
                return {}  # an empty exploded object has no query parameters
            return self._refuse("required", f"The {self._parameter.location} parameter is required")
        if self._schema is not None:
            node, _ = self._reader.schemas.lookup(self._schema)
            if isinstance(node, dict) and "default" in node:
                return node["default"]
        return ABSENT

    def _from_path(self, text: str) -> Raws | Malformed | None:
        if self._codec:
            return self._decode_text(text, decode(text))
        parameter = self._parameter
        return split_path(text, self.name, parameter.style, parameter.explode, self._types, decode)

    def _from_query(self, fields: Fields) -> Raws | Malformed | None:
        if self._codec:
            values = fields.get(self.name)
            return (
                None
                if values is None
                else self._decode_text(values[-1], decode_form(values[-1]), len(values))
            )
        return self._gather(fields, decode_form)

    def _from_cookie(self, fields: Fields) -> Raws | Malformed | None:
        if self._codec:
            values = fields.get(self.name)
            return None if values is None else self._decode_text(values[-1], decode_cookie(values[-1]))
        if self._parameter.explode and self._types & STRUCTURED:
            fields = _split_exploded(fields)
        return self._gather(fields, decode_cookie if self._parameter.style == "form" else str)

    def _gather(self, fields: Fields, decode_value: Callable[[str], str | None]) -> Raws | Malformed | None:
        parameter = self._parameter
        return gather(
            fields,
            self.name,
            parameter.style,
            parameter.explode,
            self._types,
            self._properties,
            self._claimed,
            decode_value,
        )

    def _from_header(self, headers: Mapping[str, str]) -> Raws | Malformed | None:
        text = headers.get(self.key)
        if text is None:
            return None
        if self._codec:
            return self._decode_text(text, text)
        return split(text, "simple", self._parameter.explode, self._types, str.strip)

    def _from_querystring(self, query: str) -> Raws | Malformed | None:
        if not query:
            return None
        # A form is its own encoding of a query; any other media type is percent-encoded
        is_form = self._codec is not None and self._codec.is_form
        return self._decode_text(query, query if is_form else decode(query))

    def _decode_text(self, text: str, decoded: str | None, times: int = 1) -> Raws | Malformed:
        if decoded is None:
            return Malformed(f"{text!r} is not percent-encoded UTF-8")
        if times > 1:
            return Malformed(f"{self.name!r} occurs {times} times", "style")
        if self._codec is None:
            return [decoded]
        raw = self._codec.decode(decoded.encode())
        return raw if isinstance(raw, Malformed) else [raw]

    @property
    def _location(self) -> Location:
        return "query" if self._parameter.location == "querystring" else self._parameter.location

    def _refuse(self, keyword: str, message: str, value: object = None) -> Refused:
        schema = self._schema or ""
        return Refused((Violation(self._location, self.name, "", keyword, message, value, None, schema),))

    def _violations(self, decoded: Decoded) -> tuple[Violation, ...]:
        return tuple(
            replace(violation, location=self._location, name=self.name) for violation in decoded.violations
        )


def _property_names(reader: Reader, parameter: Parameter) -> Collection[str] | None:
    """Return the property names of an exploded object; None if it permits other properties."""
    shapes = reader.shapes.of(parameter.schema)
    names = reader.shapes.properties(parameter.schema)
    return names if names and not any(shape.others for shape in shapes) else None


def _split_exploded(fields: Fields) -> Fields:
    """Split an exploded cookie, ``a=1&a=2`` (RFC 6570, section 3.2.9), into separate fields."""
    unfolded: Fields = {}
    for name, values in fields.items():
        for text in values:
            first, *others = text.split("&")
            unfolded.setdefault(name, []).append(first)
            for pair in others:
                key, _, value = pair.partition("=")
                unfolded.setdefault(decode_cookie(key), []).append(value)
    return unfolded
