"""``multipart/form-data`` (RFC 7578): each part is a property, or an item of an array property.

The body is in memory, so it is split at the boundary (RFC 2046, section 5.1). A
part with a JSON media type is JSON, a file is bytes, and any other part is text
whose type the schema decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from mockserver.media.coercion import Literal, Reader, Restyled, Undecoded
from mockserver.media.form import DEFAULT_ENCODING, Fields, FormObject, nested_parts
from mockserver.media.json import encode_json
from mockserver.media.styles import Raws
from mockserver.media.text import BinaryFormat, encode_text
from mockserver.media.types import ContentType, Malformed, match_content, parse_content_type, parse_parameters
from mockserver.plan import JSON, Encoding, MediaType, SchemaRef

MAX_HEAD = 16 * 1024
"""The maximum number of bytes of the header fields of a part."""

_MAX_CACHED_HEAD = 256
"""Octets of the longest header fields of a part that are read once for all requests."""
_TEXT = ContentType("text", "plain")


@dataclass(frozen=True, slots=True)
class Part:
    """A part. ``is_file``: it has a file name. ``content_type`` is None if the part does not state it."""

    name: str
    content_type: ContentType | None
    is_file: bool
    data: bytes

    @property
    def is_json(self) -> bool:
        """Whether it has a JSON media type and is not a file."""
        return self.content_type is not None and self.content_type.suffix == "json" and not self.is_file


class MultipartFormat:
    """A body whose parts are the properties of one object. ``encoding`` is that of the document."""

    def __init__(self, reader: Reader, schema: SchemaRef | None, encoding: Mapping[str, Encoding]) -> None:
        self._reader = reader
        self._properties = reader.shapes.properties(schema)
        self._encoding = encoding
        self._styled = {
            name: entry for name, entry in encoding.items() if entry.style != "form" or not entry.explode
        }
        self._form = FormObject(reader, schema, self._styled)

    def decode(self, data: bytes, content_type: ContentType) -> Undecoded | Malformed:
        """Decode the parts. Several parts with one name are the items of an array."""
        boundary = content_type.parameters.get("boundary", "")
        if not 0 < len(boundary) <= 70 or not boundary.isascii():
            return Malformed("The multipart Content-Type has no proper boundary")
        parts = parse_parts(data, boundary.encode())
        if isinstance(parts, Malformed):
            return parts
        found: dict[str, list[Undecoded]] = {}
        styled: Fields = {}
        for part in parts:
            if part.name.partition("[")[0] in self._styled and not part.is_json:
                styled.setdefault(part.name, []).append(part.data.decode("utf-8", "replace"))
                continue
            raw = self._decode_part(part)
            if isinstance(raw, Malformed):
                return raw
            found.setdefault(part.name, []).append(raw)
        warnings: list[str] = []
        whole = self._form.read(styled, str, warnings) if styled else {}
        if isinstance(whole, Malformed):
            return whole
        whole |= self._restyled(found, whole, warnings)
        whole |= {name: self._property(name, raws) for name, raws in found.items() if name not in whole}
        self._form.complete(whole)
        return Restyled(whole, tuple(warnings)) if warnings else whole

    def _restyled(
        self, found: dict[str, list[Undecoded]], styled: Container[str], warnings: list[str]
    ) -> dict[str, Undecoded]:
        """Return the properties that are in another style, and remove their parts from ``found``."""
        properties: dict[str, Undecoded] = {}
        nested, used = nested_parts(found), set[str]()
        for name, schema in self._properties.items():
            if name in styled:
                continue
            raws = found.get(name)
            documented: Raws | None = None
            if raws is not None:
                documented = [raws, *(raw for raw in raws if isinstance(raw, Literal))]
            other = self._form.read_restyled(name, schema, documented, found, nested, _identity, used)
            if other is not None:
                properties[name] = Literal(other.value)
                warnings += other.warnings
        for name in used:
            found.pop(name, None)
        return properties

    def _decode_part(self, part: Part) -> Undecoded | Malformed:
        encoding = self._encoding.get(part.name) or self._encoding.get(part.name.partition("[")[0])
        expected = (encoding or DEFAULT_ENCODING).content_type
        sent = part.content_type
        if expected and sent is not None and sent != _TEXT:
            ranges = [MediaType(name.strip()) for name in expected.split(",")]
            if match_content(ranges, sent) is None:
                message = f"The part {part.name!r} is {sent.name}; documented: {expected}"
                return Malformed(message, "mediaType")
        if part.is_json:
            value = self._reader.parse(part.data)
            if isinstance(value, Malformed):
                return Malformed(f"The part {part.name!r} is not JSON")
            return Literal(value)
        if part.is_file or (sent is not None and sent.type != "text"):
            return Literal(part.data.decode("latin-1"))
        try:
            return part.data.decode()
        except UnicodeDecodeError:
            return Literal(part.data.decode("latin-1"))

    def _property(self, name: str, raws: list[Undecoded]) -> Undecoded:
        if len(raws) > 1:
            return raws
        schema = self._properties.get(name)
        if schema is None or "array" not in self._reader.shapes.types(schema):
            return raws[0]
        return Literal(self._reader.validate([raws, raws[0]], schema, with_violations=False).value)

    def encode(self, value: JSON) -> bytes:
        """Encode the parts. The boundary is a hash of them, so that a value always has the same bytes."""
        parts = (
            [part for name, member in value.items() for part in self._parts(name, member)]
            if isinstance(value, dict)
            else []
        )
        seed = hashlib.sha256(b"\r\n".join(parts)).hexdigest()[:24]
        delimiter = f"--{seed}\r\n".encode()
        return b"".join(delimiter + part + b"\r\n" for part in parts) + f"--{seed}--\r\n".encode()

    def _parts(self, name: str, value: JSON) -> Iterator[bytes]:
        encoding = self._encoding.get(name, DEFAULT_ENCODING)
        items = value if isinstance(value, list) and not encoding.content_type else [value]
        for item in items:
            kind = encoding.content_type.partition(",")[0].strip()
            if not kind:
                kind = "application/json" if isinstance(item, (dict, list)) else "text/plain; charset=utf-8"
            is_file = not kind.startswith(("text/", "application/json"))
            called = f'name="{_quote_name(name)}"' + (f'; filename="{_quote_name(name)}"' if is_file else "")
            head = f"Content-Disposition: form-data; {called}\r\nContent-Type: {kind}\r\n\r\n"
            text = encode_json(item) if "json" in kind else encode_text(item)
            yield head.encode() + (BinaryFormat().encode(item) if is_file else text)


def boundary_of(data: bytes) -> str:
    """Return the boundary of a body that ``MultipartFormat.encode`` wrote."""
    return data.partition(b"\r\n")[0].removeprefix(b"--").removesuffix(b"--").decode()


def parse_parts(data: bytes, boundary: bytes) -> list[Part] | Malformed:
    """Split a body into parts. Preamble and epilogue are ignored; the closing delimiter is required."""
    delimiter = b"\r\n--" + boundary
    chunks = (b"\r\n" + data).split(delimiter)
    parts: list[Part] = []
    for chunk in chunks[1:]:
        if chunk.startswith(b"--"):
            return parts
        line, newline, rest = chunk.partition(b"\r\n")
        if line.strip(b" \t") or not newline:
            return Malformed("A multipart delimiter is malformed")
        part = _parse_part(rest)
        if isinstance(part, Malformed):
            return part
        parts.append(part)
    return Malformed("The multipart body has no closing delimiter; is the boundary right?")


def _parse_part(chunk: bytes) -> Part | Malformed:
    head, blank, data = (b"\r\n" + chunk).partition(b"\r\n\r\n")
    if not blank or len(head) > MAX_HEAD:
        return Malformed("A part of the multipart body has no end of its header fields")
    read = _read_head(head) if len(head) <= _MAX_CACHED_HEAD else _read_head.__wrapped__(head)
    return read if isinstance(read, Malformed) else Part(*read, data)


@lru_cache(maxsize=512)
def _read_head(head: bytes) -> tuple[str, ContentType | None, bool] | Malformed:
    """Return the name of a part, its media type, and whether it is a file, from its header fields."""
    headers: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            return Malformed("A part of the multipart body has a malformed header field")
        headers[name.strip().lower()] = value.strip()
    kind, semicolon, rest = headers.get("content-disposition", "").partition(";")
    parameters = parse_parameters(semicolon + rest)
    if kind.strip().lower() != "form-data" or isinstance(parameters, Malformed) or "name" not in parameters:
        return Malformed("A part of the multipart body does not name its field in Content-Disposition")
    content_type = parse_content_type(headers["content-type"]) if "content-type" in headers else None
    if isinstance(content_type, Malformed):
        return content_type
    return parameters["name"], content_type, "filename" in parameters or "filename*" in parameters


def _identity(raw: Undecoded) -> Undecoded:
    return raw


def _quote_name(name: str) -> str:
    """Escape a name as browsers do (HTML, "multipart form data")."""
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
