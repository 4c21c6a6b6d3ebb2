"""``application/x-www-form-urlencoded``: fields in the styles that ``encoding`` names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from mockserver.media.expansion import expand_fields
from mockserver.media.fields import Fields, bare_name, gather, gather_otherwise, nested_parts, parse_fields
from mockserver.media.json import encode_json
from mockserver.media.malformed import Malformed
from mockserver.media.percent import decode_form
from mockserver.media.reading import Exact, Judged, Raw, Reader, Restyled
from mockserver.media.shapes import STRUCTURED
from mockserver.media.styles import Decode, Raws
from mockserver.media.types import ContentType
from mockserver.plan import JSON, Encoding, SchemaRef

DEFAULT_ENCODING = Encoding()
Value = TypeVar("Value")


class FormFormat:
    """A body whose fields are the properties of one object."""

    def __init__(self, reader: Reader, schema: SchemaRef | None, encoding: Mapping[str, Encoding]) -> None:
        self._object = FormObject(reader, schema, encoding)
        self._encoding = encoding

    def decode(self, data: bytes, content_type: ContentType) -> Raw | Malformed:
        """Fields that no property describes are properties too, for the schema to judge."""
        warnings: list[str] = []
        found = self._object.read(parse_fields(data.decode("latin-1")), decode_form, warnings)
        return Restyled(found, tuple(warnings)) if warnings and isinstance(found, dict) else found

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

    def read(self, fields: Fields, decode: Decode, warnings: list[str]) -> dict[str, Raw] | Malformed:
        """Fields that belong to no property become properties of their own names.

        What is written in other styles than the documented ones is added to ``warnings``.
        """
        found: dict[str, Raw] = {}
        used: set[str] = set()
        nested = nested_parts(fields) if self._reader.lenient else {}
        for name, schema in self._properties.items():
            raws = self._gather(fields, name, schema, decode, used)
            documented = raws if isinstance(raws, list) else None
            other = self.otherwise(name, schema, documented, fields, nested, decode, used)
            if other is not None:
                found[name] = Exact(other.value)
                warnings += other.warnings
            elif isinstance(raws, Malformed):
                return raws
            elif raws is not None:
                # A single reading stays raw: the schema of the whole may know more ways to read it
                found[name] = raws[0] if len(raws) == 1 else self._best(raws, schema)
        for name, values in fields.items():
            if name in self._properties or name in used:
                continue
            decoded = [decode(each) for each in values]
            texts: list[Raw] = [each for each in decoded if each is not None]
            if len(texts) < len(values):
                return Malformed(f"The field {name!r} is not percent-encoded UTF-8")
            found[name] = texts[0] if len(texts) == 1 else texts
        self.complete(found)
        return found

    def complete(self, found: dict[str, Raw]) -> None:
        """Add the empty lists, which are no fields at all (RFC 6570 section 3.2.1), where those are valid."""
        for name in self._required - found.keys():
            schema = self._properties.get(name)
            if (
                schema is not None
                and self._reader.shapes.types(schema) - {"null"} == {"array"}
                and self._reader.is_valid([], schema)
            ):
                found[name] = Exact([])

    def otherwise(
        self,
        name: str,
        schema: SchemaRef,
        raws: Raws | None,
        fields: Mapping[str, Sequence[Value]],
        nested: Mapping[str, Mapping[str, Sequence[Value]]],
        decode: Callable[[Value], Raw | None],
        used: set[str],
    ) -> Judged | None:
        """A property that is not written as documented; None where it is, or is not there.

        ``raws`` are its readings as documented, ``nested`` the ``nested_parts`` of the fields.
        """
        types = self._reader.shapes.types(schema) & STRUCTURED
        if not self._reader.lenient or not types:
            return None
        bare, claimed = bare_name(name), self._properties.keys() - {name}
        own = {each: fields[each] for each in (name, bare) if each in fields}
        encoding = self._encoding.get(name, DEFAULT_ENCODING)
        spoken = {**own, **nested.get(bare, {})}
        others = list(
            gather_otherwise(spoken, name, encoding.style, encoding.explode, types, claimed, decode)
        )
        if not others or (raws and not self._reader.judge(raws, schema).violations):
            return None
        judged = self._reader.judge(others, schema)
        if judged.violations:
            return None
        used.update(spoken.keys() - claimed)
        return judged

    def _best(self, raws: Raws, schema: SchemaRef) -> Raw:
        return Exact(self._reader.judge(raws, schema, tells=False).value)

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
