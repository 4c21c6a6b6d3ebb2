"""The codec of one documented media type: bytes ⇄ values, with its schema."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from mockserver.jsonschema import MAX_VIOLATIONS, SchemaViolation
from mockserver.media.coercion import Decoded, Literal, Reader, Undecoded, plain
from mockserver.media.json import decode_json, encode_json
from mockserver.media.shapes import STRUCTURED
from mockserver.media.types import ContentType, Malformed, parse_content_type
from mockserver.plan import JSON, MediaType, SchemaRef

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
"""The families whose bodies are lists of items."""


class Format(Protocol):
    """One way to write values as bytes. Formats know schemas where the bytes alone do not tell."""

    def decode(self, data: bytes, content_type: ContentType) -> Undecoded | Malformed:
        """``content_type`` is as sent, with its parameters."""

    def encode(self, value: JSON) -> bytes:
        """Raises ValueError or TypeError for what the format cannot hold."""


class JsonFormat:
    """``application/json`` and everything with the suffix ``+json``."""

    def decode(self, data: bytes, content_type: ContentType) -> Undecoded | Malformed:
        """Always UTF-8, whatever charset is claimed (RFC 8259, section 8.1)."""
        value = decode_json(data)
        return value if isinstance(value, Malformed) else Literal(value)

    def encode(self, value: JSON) -> bytes:
        """Compact."""
        return encode_json(value)


class Encoded(Struct, frozen=True):
    """A body with its ``Content-Type``."""

    data: bytes
    content_type: str


class Codec:
    """Bodies of one entry of a ``content`` map.

    Where the entry is a range (``*/*``), the type that was sent decides on the format.
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
        """Whether it is percent-encoded as a query is."""
        return self._documented.name == "application/x-www-form-urlencoded"

    def exceeds(self, data: bytes, content_type: ContentType, most: int) -> bool:
        """Whether a body holds more than so many values."""
        from mockserver.media.size import exceeds

        return exceeds(data, family(content_type), content_type, most)

    @property
    def needs_text(self) -> bool:
        """Whether no bytes at all are no body of this type."""
        return self._family in ("json", "xml", "multipart")

    def decode(self, data: bytes, content_type: ContentType | None = None) -> Undecoded | Malformed:
        """What the bytes say; ``content_type`` as sent, where anything was."""
        sent = content_type or self._documented
        return self._format(sent).decode(data, sent)

    def judge(self, raw: Undecoded) -> Decoded:
        """Read a raw by the schema: of the whole, and of each item where the body is a sequence."""
        return self._judge(raw, self._family)

    def violations(self, value: JSON, content_type: str = "") -> tuple[SchemaViolation, ...]:
        """How a value that is to be sent breaks its schemas.

        A text is the body as it stands, unless that is JSON: what a client reads in it is judged.
        """
        sent = self._sent(content_type)
        kind = family(sent)
        if kind in SEQUENCES and not isinstance(value, str):
            items = value if isinstance(value, list) else [value]
            found = self._judge([Literal(each) for each in items], kind).violations
            if isinstance(value, list):
                return found
            return tuple(replace(each, pointer=each.pointer.removeprefix("/0")) for each in found)
        raw: Undecoded = Literal(value)
        if isinstance(value, str) and kind not in ("json", "binary"):
            schema = self._media.schema
            if kind == "events" and schema and self._reader.is_valid(value, schema):
                return ()  # the schema is that of the whole text
            parameters = {name: each for name, each in sent.parameters.items() if name != "charset"}
            utf8 = ContentType(sent.type, sent.subtype, parameters)
            read = self._format(sent).decode(value.encode("utf-8", "replace"), utf8)
            if isinstance(read, Malformed):
                ref = schema or self._media.item_schema or ""
                return (SchemaViolation("", "", read.message, value, None, ref),)
            raw = read
        return self._judge(raw, kind).violations

    def encode(self, value: JSON, content_type: str = "") -> Encoded:
        """A value in this media type, or in the concrete one that was negotiated of it.

        Raises ValueError or TypeError for a value that the format cannot hold.
        """
        sent = content_type or self._media.name
        kind = self._sent(content_type)
        data = self._format(kind).encode(value)
        if family(kind) == "multipart":
            from mockserver.media.multipart import boundary_of

            sent = f"{kind.name}; boundary={boundary_of(data)}"
        return Encoded(data, sent)

    def schemas(self, kind: str) -> tuple[SchemaRef | None, SchemaRef | None]:
        """The schema of the whole, and that of each item where the syntax is a sequence."""
        schema, item_schema = self._media.schema, self._media.item_schema
        if kind not in SEQUENCES or item_schema or not schema:
            return schema, item_schema
        # Before 3.2 the only way to describe an item
        return (schema, None) if "array" in self._reader.shapes.types(schema) else (None, schema)

    def _judge(self, raw: Undecoded, kind: str) -> Decoded:
        schema, item_schema = self.schemas(kind)
        if kind == "events" and schema and not item_schema:
            shapes = self._reader.shapes.of(schema)
            item_schema = next((shape.items[0] for shape in shapes if shape.items), None)
        if kind in SEQUENCES and item_schema:
            raw, judged = self._judge_items(raw, item_schema, kind)
            if judged.violations:
                return judged
        if kind in ("text", "binary") and self._is_foreign(schema, raw):
            return Decoded(plain(raw))
        return self._reader.judge([raw], schema)

    def _judge_items(self, raw: Undecoded, schema: SchemaRef, kind: str) -> tuple[Undecoded, Decoded]:
        items: list[Undecoded] = raw if isinstance(raw, list) else [Literal(each) for each in plain(raw)]
        values: list[JSON] = []
        violations: list[SchemaViolation] = []
        for i, item in enumerate(items):
            tells = len(violations) < MAX_VIOLATIONS
            if kind == "events":
                judged = self._judge_event(item, schema, tells=tells)
            else:
                judged = self._reader.judge([item], schema, tells=tells)
            values.append(judged.value)
            violations += (replace(each, pointer=f"/{i}{each.pointer}") for each in judged.violations)
        return Literal(values), Decoded(values, tuple(violations[:MAX_VIOLATIONS]))

    def _judge_event(self, item: Undecoded, schema: SchemaRef, *, tells: bool) -> Decoded:
        """An event by the schema of all of it, else by that of its data alone."""
        from mockserver.media.sequences import readings

        whole, data = readings(item)
        event = self._reader.judge(whole, schema, tells=tells)
        if not event.violations or not data:
            return event
        told = self._reader.judge(data, schema)
        if told.violations and "data" in self._reader.shapes.properties(schema):
            return event
        moved = (replace(each, pointer=f"/data{each.pointer}") for each in told.violations)
        return Decoded(told.value, tuple(moved))

    def _sent(self, content_type: str) -> ContentType:
        """The concrete type of what is sent."""
        parsed = parse_content_type(content_type) if content_type else self._documented
        return self._documented if isinstance(parsed, Malformed) else parsed

    def _is_foreign(self, schema: SchemaRef | None, raw: Undecoded) -> bool:
        """Whether the schema is about structures in a syntax unknown here (YAML, CSV, …)."""
        if schema is None or not self._reader.shapes.types(schema) <= STRUCTURED:
            return False
        return not isinstance(self._reader.read(raw, schema), (dict, list))

    def _format(self, content_type: ContentType) -> Format:
        kind = family(content_type)
        found = self._formats.get(kind)
        if found is None:
            found = self._formats[kind] = self._make(kind)
        return found

    def _make(self, kind: str) -> Format:
        # Imported here, since most processes meet none of these but JSON
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
    """As ``family``; what is no media type is as opaque as bytes."""
    parsed = parse_content_type(content_type)
    return "binary" if isinstance(parsed, Malformed) else family(parsed)


def family(content_type: ContentType) -> str:
    """The syntax of a media type: json, lines, sequence, events, form, multipart, xml, text or binary."""
    name, suffix = content_type.name, content_type.suffix
    if name in _JSON_LINES:
        return "lines"
    if suffix in ("json-seq", "json"):
        return "json" if suffix == "json" else "sequence"
    if suffix == "xml":
        return "xml"
    known = {
        "application/x-www-form-urlencoded": "form",
        "multipart/form-data": "multipart",
        "text/event-stream": "events",
    }
    return known.get(name) or ("text" if content_type.type == "text" else "binary")
