"""The codec of one documented media type: decodes, validates and encodes bodies."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from mockserver.diagnostics import Violation
from mockserver.jsonschema import MAX_VIOLATIONS
from mockserver.media.coercion import Decoded, Literal, Reader, Undecoded, without_schema
from mockserver.media.json import decode_json, encode_json
from mockserver.media.shapes import STRUCTURED
from mockserver.media.size import exceeds
from mockserver.media.types import ContentType, Malformed, parse_content_type
from mockserver.plan import JSON, MediaType, SchemaRef

_FAMILIES = {
    "application/x-www-form-urlencoded": "form",
    "multipart/form-data": "multipart",
    "text/event-stream": "events",
}
_JSON_LINES = frozenset(
    (
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/jsonlines",
    )
)
_OPAQUE = ContentType("application", "octet-stream")
SEQUENCES = frozenset(("lines", "sequence", "events"))
"""The families of media types whose bodies are sequences of items."""


class Format(Protocol):
    """Converts between bytes and values. A format uses the schema if the bytes are ambiguous without it."""

    def decode(self, data: bytes, content_type: ContentType) -> Undecoded | Malformed:
        """Decode a body. ``content_type`` is the one that was sent, with its parameters."""

    def encode(self, value: JSON) -> bytes:
        """Encode a value. Raises ValueError or TypeError if the format cannot represent it."""


class JsonFormat:
    """``application/json`` and everything with the suffix ``+json``."""

    def decode(self, data: bytes, content_type: ContentType) -> Undecoded | Malformed:
        """Decode UTF-8, and ignore the charset (RFC 8259, section 8.1)."""
        value = decode_json(data)
        return value if isinstance(value, Malformed) else Literal(value)

    def encode(self, value: JSON) -> bytes:
        """Encode without spaces."""
        return encode_json(value)


class Encoded(Struct, frozen=True):
    """A body with its ``Content-Type``."""

    data: bytes
    content_type: str


class Codec:
    """Decodes and encodes the bodies of one entry of a ``content`` map.

    If the entry is a range (``*/*``), the format is that of the type that was sent.
    """

    __slots__ = ("_documented", "_family", "_formats", "_media", "_reader")

    def __init__(self, media: MediaType, reader: Reader) -> None:
        self._media = media
        self._reader = reader
        documented = parse_content_type(media.name)
        self._documented = _OPAQUE if isinstance(documented, Malformed) else documented
        self._family = family(self._documented)
        self._formats: dict[str, Format] = {}

    @property
    def is_form(self) -> bool:
        """Whether the media type is application/x-www-form-urlencoded."""
        return self._documented.name == "application/x-www-form-urlencoded"

    def exceeds(self, data: bytes, content_type: ContentType, max_nodes: int) -> bool:
        """Return whether a body holds more than ``max_nodes`` values."""
        return exceeds(data, family(content_type), content_type, max_nodes)

    @property
    def needs_text(self) -> bool:
        """Whether an empty body is invalid."""
        return self._family in ("json", "xml", "multipart")

    def decode(self, data: bytes, content_type: ContentType | None = None) -> Undecoded | Malformed:
        """Decode a body. ``content_type`` is the one that was sent, or None."""
        sent = content_type or self._documented
        return self._format(sent).decode(data, sent)

    def validate(self, raw: Undecoded) -> Decoded:
        """Coerce and validate by the schema of the whole, and of each item if the body is a sequence."""
        return self._validate(raw, self._family)

    def violations(self, value: JSON, content_type: str = "") -> tuple[Violation, ...]:
        """Return how a value to send violates its schemas.

        Unless the media type is JSON, a string is the body itself. It is decoded as a client would do,
        and the result is validated.
        """
        sent = self._sent(content_type)
        kind = family(sent)
        if kind in SEQUENCES and not isinstance(value, str):
            items = value if isinstance(value, list) else [value]
            found = self._validate([Literal(item) for item in items], kind).violations
            if isinstance(value, list):
                return found
            return tuple(
                replace(violation, pointer=violation.pointer.removeprefix("/0")) for violation in found
            )
        raw: Undecoded = Literal(value)
        if isinstance(value, str) and kind not in ("json", "binary"):
            schema = self._media.schema
            if kind == "events" and schema and self._reader.is_valid(value, schema):
                return ()  # the schema is that of the whole text
            parameters = {name: text for name, text in sent.parameters.items() if name != "charset"}
            utf8 = ContentType(sent.type, sent.subtype, parameters)
            read = self._format(sent).decode(value.encode("utf-8", "replace"), utf8)
            if isinstance(read, Malformed):
                ref = schema or self._media.item_schema or ""
                return (Violation("body", "", "", "", read.message, value, schema=ref),)
            raw = read
        return self._validate(raw, kind).violations

    def encode(self, value: JSON, content_type: str = "") -> Encoded:
        """Encode a value in this media type, or in ``content_type``, which was negotiated for it.

        Raises ValueError or TypeError if the format cannot represent the value.
        """
        sent = content_type or self._media.name
        kind = self._sent(content_type)
        data = self._format(kind).encode(value)
        if family(kind) == "multipart":
            from mockserver.media.multipart import boundary_of  # rarely needed

            sent = f"{kind.name}; boundary={boundary_of(data)}"
        return Encoded(data, sent)

    def schemas(self, kind: str) -> tuple[SchemaRef | None, SchemaRef | None]:
        """Return the schema of the whole, and that of each item. ``kind`` is the family of the body."""
        schema, item_schema = self._media.schema, self._media.item_schema
        if kind not in SEQUENCES or item_schema or not schema:
            return schema, item_schema
        # Before OpenAPI 3.2, documents describe the item in ``schema``
        return (schema, None) if "array" in self._reader.shapes.types(schema) else (None, schema)

    def _validate(self, raw: Undecoded, kind: str) -> Decoded:
        schema, item_schema = self.schemas(kind)
        if kind == "events" and schema and not item_schema:
            shapes = self._reader.shapes.of(schema)
            item_schema = next((shape.items[0] for shape in shapes if shape.items), None)
        if kind in SEQUENCES and item_schema:
            raw, decoded = self._validate_items(raw, item_schema, kind)
            if decoded.violations:
                return decoded
        if kind in ("text", "binary") and self._is_foreign(schema, raw):
            return Decoded(without_schema(raw))
        return self._reader.validate([raw], schema)

    def _validate_items(self, raw: Undecoded, schema: SchemaRef, kind: str) -> tuple[Undecoded, Decoded]:
        items: list[Undecoded] = (
            raw if isinstance(raw, list) else [Literal(item) for item in without_schema(raw)]
        )
        values: list[JSON] = []
        violations: list[Violation] = []
        for i, item in enumerate(items):
            with_violations = len(violations) < MAX_VIOLATIONS
            if kind == "events":
                decoded = self._validate_event(item, schema, with_violations=with_violations)
            else:
                decoded = self._reader.validate([item], schema, with_violations=with_violations)
            values.append(decoded.value)
            violations += (
                replace(violation, pointer=f"/{i}{violation.pointer}") for violation in decoded.violations
            )
        return Literal(values), Decoded(values, tuple(violations[:MAX_VIOLATIONS]))

    def _validate_event(self, item: Undecoded, schema: SchemaRef, *, with_violations: bool) -> Decoded:
        """Validate an event as a whole, else its data alone."""
        from mockserver.media.sequences import event_readings  # rarely needed

        whole, data = event_readings(item)
        event = self._reader.validate(whole, schema, with_violations=with_violations)
        if not event.violations or not data:
            return event
        decoded = self._reader.validate(data, schema)
        if decoded.violations and "data" in self._reader.shapes.properties(schema):
            return event
        violations = (
            replace(violation, pointer=f"/data{violation.pointer}") for violation in decoded.violations
        )
        return Decoded(decoded.value, tuple(violations))

    def _sent(self, content_type: str) -> ContentType:
        """Return the media type to send."""
        parsed = parse_content_type(content_type) if content_type else self._documented
        return self._documented if isinstance(parsed, Malformed) else parsed

    def _is_foreign(self, schema: SchemaRef | None, raw: Undecoded) -> bool:
        """Return whether the schema describes a structure in an unknown syntax (YAML, CSV, …)."""
        if schema is None or not self._reader.shapes.types(schema) <= STRUCTURED:
            return False
        return not isinstance(self._reader.read(raw, schema), (dict, list))

    def _format(self, content_type: ContentType) -> Format:
        kind = family(content_type)
        found = self._formats.get(kind)
        if found is None:
            found = self._formats[kind] = self._create(kind)
        return found

    def _create(self, kind: str) -> Format:
        # Imported here, because most processes use JSON only
        media = self._media
        if kind == "form":
            from mockserver.media.form import FormFormat

            return FormFormat(self._reader, media.schema, media.encoding)
        if kind == "multipart":
            from mockserver.media.multipart import MultipartFormat

            return MultipartFormat(self._reader, media.schema, media.encoding)
        if kind == "xml":
            from mockserver.media.xml import XmlFormat

            return XmlFormat(self._reader, media.schema)
        if kind in SEQUENCES:
            from mockserver.media import sequences

            formats = {"lines": sequences.JsonLinesFormat, "sequence": sequences.JsonSequenceFormat}
            return formats.get(kind, sequences.EventStreamFormat)()
        if kind in ("text", "binary"):
            from mockserver.media.text import BinaryFormat, TextFormat

            return TextFormat() if kind == "text" else BinaryFormat()
        return JsonFormat()


def family_of(content_type: str) -> str:
    """Return the family of a media type as text; "binary" if it is malformed."""
    parsed = parse_content_type(content_type)
    return "binary" if isinstance(parsed, Malformed) else family(parsed)


def family(content_type: ContentType) -> str:
    """Return the family: json, lines, sequence, events, form, multipart, xml, text or binary."""
    name, suffix = content_type.name, content_type.suffix
    if name in _JSON_LINES:
        return "lines"
    if suffix in ("json-seq", "json"):
        return "json" if suffix == "json" else "sequence"
    if suffix == "xml":
        return "xml"
    return _FAMILIES.get(name) or ("text" if content_type.type == "text" else "binary")
