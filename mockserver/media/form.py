"""``application/x-www-form-urlencoded``: fields in the styles that ``encoding`` names."""

from __future__ import annotations

from collections.abc import Mapping

from mockserver.media.expansion import expand_fields
from mockserver.media.fields import Fields, gather, parse_fields
from mockserver.media.json import decode_json, encode_json
from mockserver.media.malformed import Malformed
from mockserver.media.percent import decode_form
from mockserver.media.reading import Exact, Raw, Reader
from mockserver.media.styles import Decode, Raws
from mockserver.media.types import ContentType
from mockserver.plan import JSON, Encoding, SchemaRef

DEFAULT_ENCODING = Encoding()


class FormFormat:
    """A body whose fields are the properties of one object."""

    def __init__(self, reader: Reader, schema: SchemaRef | None, encoding: Mapping[str, Encoding]) -> None:
        self._object = FormObject(reader, schema, encoding)
        self._encoding = encoding

    def decode(self, data: bytes, content_type: ContentType) -> Raw | Malformed:
        """Fields that no property describes are properties too, for the schema to judge."""
        return self._object.read(parse_fields(data.decode("latin-1")), decode_form)

    def encode(self, value: JSON) -> bytes:
        """Empty arrays and objects have no field."""
        if not isinstance(value, dict):
            return encode_json(value)
        written = (self._field(name, each) for name, each in value.items())
        return "&".join(each for each in written if each).encode()

    def _field(self, name: str, value: JSON) -> str:
        encoding = self._encoding.get(name, DEFAULT_ENCODING)
        if "json" in encoding.content_type:
            return expand_fields(name, encode_json(value).decode())
        return expand_fields(
            name, value, encoding.style, encoding.explode, allow_reserved=encoding.allow_reserved
        )


class FormObject:
    """Makes one object of fields, by the properties of its schema."""

    def __init__(self, reader: Reader, schema: SchemaRef | None, encoding: Mapping[str, Encoding]) -> None:
        self._reader = reader
        self._properties = reader.shapes.properties(schema)
        self._required = reader.shapes.required(schema)
        self._encoding = encoding

    def read(self, fields: Fields, decode: Decode) -> dict[str, Raw] | Malformed:
        """Fields that belong to no property become properties of their own names."""
        found: dict[str, Raw] = {}
        used: set[str] = set()
        for name, schema in self._properties.items():
            raws = self._gather(fields, name, schema, decode, used)
            if isinstance(raws, Malformed):
                return raws
            if raws is None and name in self._required and self._is_list(name, schema):
                found[name] = Exact([])  # an exploded empty list is no field at all (RFC 6570 section 3.2.1)
            elif raws is not None:
                # A single reading stays raw: the schema of the whole may know more ways to read it
                found[name] = raws[0] if len(raws) == 1 else Exact(self._reader.judge(raws, schema).value)
        for name, values in fields.items():
            if name in self._properties or name in used:
                continue
            decoded = [decode(each) for each in values]
            texts: list[Raw] = [each for each in decoded if each is not None]
            if len(texts) < len(values):
                return Malformed(f"The field {name!r} is not percent-encoded UTF-8")
            found[name] = texts[0] if len(texts) == 1 else texts
        return found

    def _is_list(self, name: str, schema: SchemaRef) -> bool:
        types = self._reader.shapes.types(schema)
        return self._encoding.get(name, DEFAULT_ENCODING).explode and types - {"null"} == {"array"}

    def _gather(
        self, fields: Fields, name: str, schema: SchemaRef, decode: Decode, used: set[str]
    ) -> Raws | Malformed | None:
        encoding = self._encoding.get(name, DEFAULT_ENCODING)
        if "json" in encoding.content_type and len(values := fields.get(name, [])) == 1:
            text = decode(values[0])
            value = decode_json((text or "").encode())
            return (
                Malformed(f"The field {name!r} is not JSON")
                if isinstance(value, Malformed)
                else [Exact(value)]
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
                used.update(each for each in fields if each.startswith(f"{name}["))
            elif name not in fields:
                used.update(members)
        return raws
