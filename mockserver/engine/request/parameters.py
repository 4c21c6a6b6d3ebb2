"""Parameters of an operation, each compiled once into what reads it off a request.

``ParameterReader.read`` takes what its location holds (one path segment's text,
the fields of the query, …) and returns the value, ``ABSENT``, ``Refused`` or ``Forgiven``.
Scalars in the usual places, which is most parameters of most documents, are
read by a closure of a few lines; when that finds anything unusual it hands
over to the general way, which knows every style and tells every violation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import chain
from typing import Any, Final, Literal

from msgspec import Struct

from mockserver.diagnostics import Violation
from mockserver.jsonschema import SchemaViolation
from mockserver.media.codec import Codec
from mockserver.media.coercion import Decoded, Reader, Restyled, scalars
from mockserver.media.form import Fields, decode_cookie, gather, gather_restyled
from mockserver.media.json import encode_json
from mockserver.media.shapes import STRUCTURED
from mockserver.media.styles import (
    Raws,
    decode,
    decode_form,
    encode,
    expand_fields,
    expand_header,
    expand_path,
    split,
    split_path,
    text_of,
)
from mockserver.media.types import Malformed
from mockserver.plan import JSON, MediaType, Parameter

Location = Literal["path", "query", "header", "cookie", "body"]

IGNORED_HEADERS = frozenset(("accept", "content-type", "authorization"))
"""Header parameters that OpenAPI says to ignore: other parts of the document speak of them."""

ABSENT: Final = object()
"""Instead of a value: the request does not have the parameter, and may do without."""


class Refused(Struct, frozen=True):
    """What was read, as far as it could be, and what is wrong with it."""

    violations: tuple[Violation, ...]
    value: JSON = None


class Forgiven(Struct, frozen=True):
    """What was read although it is not written as the document says."""

    value: JSON
    warnings: tuple[str, ...]


class ParameterReader:
    """Reads one parameter.

    ``read`` takes, by location: path, the segment's raw text; query and cookie,
    ``Fields``; header, the request's headers; querystring, the raw query.
    ``claimed`` are the names of the operation's other parameters there.
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
        """Raises SchemaError where the parameter's schema cannot be used."""
        self.name = parameter.name
        self.key = parameter.name.lower() if parameter.location == "header" else parameter.name
        self._parameter = parameter
        self._reader = reader
        self._claimed = frozenset(claimed)
        self._schema = parameter.content.schema if parameter.content else parameter.schema
        self._codec = Codec(parameter.content, reader) if parameter.content else None
        self._types = reader.shapes.types(self._schema)
        self._properties = _spreading(reader, parameter)
        self._may_be_restyled = (
            reader.lenient
            and parameter.location in ("query", "cookie")
            and self._codec is None
            and bool(self._types & STRUCTURED)
        )
        self._absent = self._when_absent()
        extractors: dict[str, Callable[[Any], Raws | Malformed | None]] = {
            "path": self._from_path,
            "query": self._from_query,
            "header": self._from_header,
            "cookie": self._from_cookie,
            "querystring": self._from_querystring,
        }
        self._extract = extractors[parameter.location]
        self.read = self._quick() or self._read

    def _quick(self) -> Callable[[Any], JSON | Refused | Forgiven] | None:
        """A closure for a scalar that is there, once, without escapes, and valid."""
        location, style, schema = self._parameter.location, self._parameter.style, self._schema
        if self._codec or schema is None or self._types & STRUCTURED:
            return None
        slow, key, types = self._read, self.key, self._types
        is_valid = self._reader.schemas.validator(schema, "request").is_valid
        if location == "path" and style == "simple":
            if types == {"string"}:

                def read_string(text: str) -> JSON | Refused | Forgiven:
                    return text if "%" not in text and text.isascii() and is_valid(text) else slow(text)

                return read_string

            def read_scalar(text: str) -> JSON | Refused | Forgiven:
                for value in scalars(text, types):
                    if is_valid(value) and "%" not in text:
                        return value
                return slow(text)

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
                return slow(fields)

            return read_field
        return None

    def _read(self, source: Any) -> JSON | Refused | Forgiven:
        raws = self._extract(source)
        if not isinstance(raws, list):
            others = [*self._otherwise(source)]
            judged = self._reader.validate(others, self._schema) if others else None
            if judged is not None and not judged.violations:
                return self._taken(judged)
            if raws is None:
                return self._absent
            return self._refused(raws.keyword, raws.message, source if isinstance(source, str) else None)
        if self._parameter.allow_empty_value and raws[0] in ("", [""]):
            return raws[0]
        if self._may_be_restyled and self._types <= STRUCTURED:
            # A text as it stands is no style that the document has
            texts = [each for each in raws if isinstance(each, str)]
            structured = (each for each in raws if not isinstance(each, str))
            judged = self._reader.validate(chain(structured, self._otherwise(source), texts), self._schema)
        else:
            judged = self._reader.validate(chain(raws, self._otherwise(source)), self._schema)
        return self._taken(judged) if not judged.violations else Refused(self._tell(judged), judged.value)

    def _taken(self, judged: Decoded) -> JSON | Forgiven:
        if not judged.warnings:
            return judged.value
        told = tuple(f"{self._location} parameter {self.name!r}: {each}" for each in judged.warnings)
        return Forgiven(judged.value, told)

    def _otherwise(self, fields: Fields) -> Iterator[Restyled]:
        """Readings in other styles than the documented one."""
        if self._may_be_restyled:
            style, explode = self._parameter.style, self._parameter.explode
            decode_value = decode_form if self._parameter.location == "query" else decode_cookie
            yield from gather_restyled(
                fields, self.name, style, explode, self._types, self._claimed, decode_value
            )

    def _when_absent(self) -> JSON | Refused:
        if self._parameter.required:
            if self._types == {"object"} and self._parameter.explode and self._parameter.style == "form":
                # An empty object spread over the query is written as nothing at all
                judged = self._reader.validate([{}], self._schema)
                if not judged.violations:
                    return {}
            return self._refused("required", f"The {self._parameter.location} parameter is required")
        if self._schema is not None:
            node, _ = self._reader.schemas.lookup(self._schema)
            if isinstance(node, dict) and "default" in node:
                return node["default"]
        return ABSENT

    def _from_path(self, text: str) -> Raws | Malformed | None:
        if self._codec:
            return self._decoded(text, decode(text))
        parameter = self._parameter
        return split_path(text, self.name, parameter.style, parameter.explode, self._types, decode)

    def _from_query(self, fields: Fields) -> Raws | Malformed | None:
        if self._codec:
            values = fields.get(self.name)
            return None if values is None else self._decoded(values[-1], decode_form(values[-1]), len(values))
        return self._gathered(fields, decode_form)

    def _from_cookie(self, fields: Fields) -> Raws | Malformed | None:
        if self._codec:
            values = fields.get(self.name)
            return None if values is None else self._decoded(values[-1], decode_cookie(values[-1]))
        if self._parameter.explode and self._types & STRUCTURED:
            fields = _unfolded(fields)
        return self._gathered(fields, decode_cookie if self._parameter.style == "form" else str)

    def _gathered(self, fields: Fields, decode_value: Callable[[str], str | None]) -> Raws | Malformed | None:
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
            return self._decoded(text, text)
        return split(text, "simple", self._parameter.explode, self._types, str.strip)

    def _from_querystring(self, query: str) -> Raws | Malformed | None:
        if not query:
            return None
        # A form is encoded as such already; anything else is encoded to be a query
        is_form = self._codec is not None and self._codec.is_form
        return self._decoded(query, query if is_form else decode(query))

    def _decoded(self, text: str, decoded: str | None, times: int = 1) -> Raws | Malformed:
        if decoded is None:
            return Malformed(f"{text!r} is not percent-encoded UTF-8")
        if times > 1:
            return Malformed(f"{self.name!r} is given {times} times", "style")
        if self._codec is None:
            return [decoded]
        raw = self._codec.decode(decoded.encode())
        return raw if isinstance(raw, Malformed) else [raw]

    @property
    def _location(self) -> Location:
        return "query" if self._parameter.location == "querystring" else self._parameter.location

    def _refused(self, keyword: str, message: str, value: object = None) -> Refused:
        schema = self._schema or ""
        return Refused((Violation(self._location, self.name, "", keyword, message, value, None, schema),))

    def _tell(self, judged: Decoded) -> tuple[Violation, ...]:
        return tuple(in_request(each, self._location, self.name) for each in judged.violations)


def in_request(violation: SchemaViolation, location: Location, name: str = "") -> Violation:
    """A schema's violation as one of the request."""
    return Violation(
        location,
        name,
        violation.pointer,
        violation.keyword,
        violation.message,
        violation.value,
        violation.expected,
        violation.schema,
    )


def _spreading(reader: Reader, parameter: Parameter) -> Collection[str] | None:
    """The names an exploded object may use: those it lists, or any if it describes any other."""
    shapes = reader.shapes.of(parameter.schema)
    names = reader.shapes.properties(parameter.schema)
    return names if names and not any(shape.others for shape in shapes) else None


def _unfolded(fields: Fields) -> Fields:
    """Exploded cookies as RFC 6570 writes them, ``a=1&a=2`` in one cookie, as separate fields."""
    unfolded: Fields = {}
    for name, values in fields.items():
        for each in values:
            first, *others = each.split("&")
            unfolded.setdefault(name, []).append(first)
            for pair in others:
                key, _, value = pair.partition("=")
                unfolded.setdefault(decode_cookie(key), []).append(value)
    return unfolded


def write_parameter(parameter: Parameter, value: JSON) -> str:
    """What a client sends for a value: the path segment, the query or cookie fields, or the header's value.

    The inverse of ``ParameterReader.read``; ``""`` where an empty array or object has nothing to send.
    """
    location, name, style, explode = parameter.location, parameter.name, parameter.style, parameter.explode
    if parameter.content:
        return _write_content(parameter, parameter.content, value)
    if location == "path":
        return expand_path(name, value, style, explode)
    if location == "header":
        return expand_header(value, explode)
    return expand_fields(name, value, style, explode, allow_reserved=parameter.allow_reserved)


def _write_content(parameter: Parameter, content: MediaType, value: JSON) -> str:
    if parameter.location == "querystring" and content.name == "application/x-www-form-urlencoded":
        return "&".join(part for name, each in value.items() if (part := expand_fields(name, each)))
    text = encode_json(value).decode() if "json" in content.name else text_of(value)
    if parameter.location == "header":
        return text
    encoded = encode(text)
    return encoded if parameter.location in ("path", "querystring") else f"{encode(parameter.name)}={encoded}"
