"""Bodies of documented responses: values, fields that repeat the HTTP status, and encoding."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from mockserver.diagnostics import Violation
from mockserver.engine.response.cause import role
from mockserver.engine.response.examples import OF_SCHEMA, Fault, NoValidExample, Sample, Slot, Values, parsed
from mockserver.engine.response.keyed_examples import AskedKey
from mockserver.engine.response.negotiation import Choice
from mockserver.jsonschema import SchemaError
from mockserver.jsonschema.keywords import NUMERIC, TYPES
from mockserver.jsonschema.references import escape, tokens
from mockserver.media.codec import Codec, Encoded, family_of
from mockserver.media.coercion import Reader
from mockserver.media.text import sample_file
from mockserver.plan import JSON, DocumentedResponse, MediaType, SchemaRef

_LOWEST, _LOWEST_ERROR, _HIGHEST = 100, 400, 599
_MAX_DEPTH = 4
_REGISTERED = frozenset(int(status) for status in HTTPStatus)
_STATUS_DESCRIPTION = re.compile(r"\bHTTP\b[\w\s/-]{0,40}\b(?:status|code)\b", re.IGNORECASE)


class StatusFields:
    """Sets the fields of a generated body that repeat the status of the response."""

    def __init__(self, reader: Reader, is_valid: Callable[[JSON, SchemaRef], bool]) -> None:
        self._reader = reader
        self._is_valid = is_valid
        self._properties: dict[tuple[SchemaRef, bool], list[tuple[str, SchemaRef]]] = {}

    def filled(self, body: JSON, ref: SchemaRef, status: int, *, is_problem: bool) -> JSON:
        """Return ``body``, which is valid by the schema at ``ref``, with ``status`` in it; still valid."""
        filled = self._fill(body, ref, status, is_problem or status >= _LOWEST_ERROR, 0)
        return filled if filled is not body and self._is_valid(filled, ref) else body

    def may_change(self, ref: SchemaRef, *, is_problem: bool) -> bool:
        """Return whether a body of a response without an error may change."""
        return bool(self._status_properties(ref, is_problem))

    def _fill(self, body: JSON, ref: SchemaRef, status: int, is_error: bool, depth: int) -> JSON:
        """Return the changed body, or ``body`` itself. Without an error, change only top-level fields."""
        is_deep = depth < _MAX_DEPTH and status >= _LOWEST_ERROR
        if isinstance(body, list) and is_deep:
            shapes = self._reader.shapes.of(ref)
            item = next((shape.items[0] for shape in shapes if shape.items), None)
            items = [self._fill(old, item, status, is_error, depth + 1) for old in body] if item else body
            return items if any(new is not old for new, old in zip(items, body, strict=True)) else body
        if not isinstance(body, dict):
            return body
        changed: dict[str, JSON] = {}
        for name, at in self._status_properties(ref, is_error):
            value = body.get(name)
            if isinstance(value, (int, float, str)) and not isinstance(value, bool):
                new: JSON = str(status) if isinstance(value, str) else status
                if value != new and self._is_valid(new, at):
                    changed[name] = new
        if is_deep:
            for name, at in self._reader.shapes.properties(ref).items():
                value = body.get(name)
                if isinstance(value, (dict, list)):
                    new = self._fill(value, at, status, is_error, depth + 1)
                    changed |= {name: new} if new is not value else {}
        return {**body, **changed} if changed else body

    def _status_properties(self, ref: SchemaRef, is_error: bool) -> list[tuple[str, SchemaRef]]:
        """Return the properties of a schema that contain the status of the response."""
        found = self._properties.get((ref, is_error))
        if found is None:
            properties = self._reader.shapes.properties(ref).items()
            found = [item for item in properties if self._holds_status(*item, is_error)]
            self._properties[ref, is_error] = found
        return found

    def _holds_status(self, name: str, ref: SchemaRef, is_error: bool) -> bool:
        purpose = role(name)
        if purpose not in ("status", "code"):
            return False
        try:
            node = self._reader.schemas.lookup(ref)[0]
        except SchemaError:
            return False
        if not isinstance(node, dict):
            return False
        values = _values(node)
        if values:
            known = [_status(value) for value in values]
            if purpose == "code" and not _REGISTERED.issuperset(known):
                return False
            # A success may contain an error status of something else, such as the last call of a webhook
            highest = _HIGHEST if is_error else _LOWEST_ERROR - 1
            return all(_LOWEST <= value <= highest for value in known)
        if _is_bounded(node) or _STATUS_DESCRIPTION.search(str(node.get("description", ""))):
            return True
        types = self._reader.shapes.types(ref)
        is_number = types != TYPES and not types.isdisjoint(NUMERIC)
        return purpose == "status" and is_number and (is_error or name.lower() != "status")


def _values(node: Mapping[str, JSON]) -> list[JSON]:
    """Return the values that a schema names, as the only ones or as examples."""
    found = [node[keyword] for keyword in ("const", "example", "default") if keyword in node]
    for keyword in ("enum", "examples"):
        listed = node.get(keyword)
        found += listed if isinstance(listed, list) else []
    return [value for value in found if value is not None]


def _status(value: JSON) -> int:
    """Return a number, or a text of three digits, as a status; 0 for any other value."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{3}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _is_bounded(node: Mapping[str, JSON]) -> bool:
    """Return whether a schema permits only numbers from 100 to 599."""
    low = node.get("minimum")
    high = node.get("maximum", node.get("exclusiveMaximum"))
    return (
        isinstance(low, (int, float))
        and isinstance(high, (int, float))
        and _LOWEST <= low <= high <= _HIGHEST + 1
    )


_Location = tuple[str, ...]
"""The tokens of a JSON pointer into a body, with ``*`` for each index."""
_NO_PARTS: Mapping[str, str] = {}


@dataclass(slots=True)
class _MediaCache:
    """The cached results for one media type. It contains the media type, so that no other has its ``id``."""

    media: MediaType
    codec: Codec
    examples: dict[tuple[str, str | None], tuple[Sample, ...]] = field(default_factory=dict)
    """(family, name) → the valid examples."""
    slots: dict[tuple[str, str | None], Slot] = field(default_factory=dict)
    """(family, name) → the slot of its bodies."""
    faults: tuple[str, frozenset[_Location]] | None = None
    """If no body is valid: why, and the locations in a body that are invalid."""


class Bodies:
    """The bodies of one document's responses. Media types are cached by identity."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._status_fields = StatusFields(values.reader, values.is_valid)
        self._caches: dict[int, _MediaCache] = {}

    def example(
        self, choice: Choice, name: str | None = None, asked: AskedKey | None = None
    ) -> Sample | None:
        """Return the first valid example of a media type, or the example ``name``; None if there is none.

        With an ``asked`` key, it is the example with that key, else the first one with the key set in
        it. An invalid example ``name`` is returned as it is, with a warning.
        """
        examples, cache_key = self._cache_of(choice.media).examples, (family_of(choice.content_type), name)
        slot, is_named = self._slot(choice, name), name is not None
        samples = examples.get(cache_key)
        if samples is None:
            samples = examples[cache_key] = tuple(self._values.examples(slot, is_named=is_named))
        sample = samples[0] if samples else None
        if name is not None and (sample is None or sample.origin != f"example={name}"):
            example = next(example for example in choice.media.examples if example.name == name)
            warning = f"D501 the example {name} breaks its schema"
            return Sample(example.value, f"example={name}", example.serialized, warning)
        if sample is None or asked is None or not asked.parameters:
            return sample
        return self._values.for_key(samples if name is None else (sample,), slot, asked, is_named=is_named)

    def example_value(self, choice: Choice, name: str, asked: AskedKey) -> JSON:
        """Return the value of the example ``name`` with the asked key, as far as it stays valid."""
        sample = self.example(choice, name, asked)
        if sample is None:
            return {}
        return parsed(sample) if family_of(choice.content_type) == "json" else sample.value

    def generated(
        self,
        response: DocumentedResponse,
        choice: Choice,
        *,
        key: str,
        hints: Mapping[str, JSON],
        now_ms: int,
        status: int,
    ) -> Sample:
        """Return a generated body of a response with ``status``.

        If the schema has no valid value, the body is the nearest value, with a warning.
        """
        slot, kind = self._slot(choice), family_of(choice.content_type)
        if kind in ("binary", "xml") and self._values.is_any_text(slot):
            file = sample_file(choice.content_type.partition(";")[0].strip().lower())
            if file is not None:
                return Sample(file.decode("latin-1"), is_text=kind == "xml")
        if slot.schema is None and slot.item_schema is None and kind in ("text", "binary"):
            return Sample(response.description, is_text=True)
        sample = self._values.nearest(slot, key=key, hints=hints, now_ms=now_ms)
        if sample.is_text or sample.warning:
            return sample
        return Sample(self._with_status(choice, sample.value, status))

    def sent_as_generated(self, choice: Choice, status: int) -> SchemaRef | None:
        """Return the schema whose generated JSON is the whole body of every response, or None."""
        slot = self._slot(choice)
        if slot.schema is None or family_of(choice.content_type) != "json" or status >= _LOWEST_ERROR:
            return None
        is_problem = "/problem+" in choice.content_type
        return None if self._status_fields.may_change(slot.schema, is_problem=is_problem) else slot.schema

    def with_status(self, choice: Choice, sample: Sample, status: int) -> Sample:
        """Set ``status`` in an example of a schema, which several responses may share."""
        if sample.is_text or sample.origin != OF_SCHEMA:
            return sample
        return Sample(self._with_status(choice, sample.value, status), sample.origin)

    def base_body(
        self, choice: Choice, *, key: str, hints: Mapping[str, JSON], now_ms: int, status: int
    ) -> JSON:
        """Return the generated body over which the partial body of a scenario is merged.

        If the schema has no valid value, it is the nearest value. ``status`` is that of the response; 0
        for an item of a list.
        """
        value = self._values.nearest(self._slot(choice), key=key, hints=hints, now_ms=now_ms).value
        value = self._with_status(choice, value, status)
        if isinstance(value, str) and _is_whole_text(choice):
            return self.encode(choice, value).data.decode()
        return value

    def stated(self, choice: Choice, value: JSON) -> Encoded:
        """Encode the body of a scenario: a text in another media type than JSON is sent as it is.

        Raises NoValidExample.
        """
        if isinstance(value, str) and _is_whole_text(choice):
            return Encoded(value.encode(), choice.content_type)
        return self.encode(choice, value)

    def violations(self, choice: Choice, value: JSON) -> tuple[Violation, ...]:
        """Return the violations of a scenario's body."""
        return self._cache_of(choice.media).codec.violations(value, choice.content_type)

    def avoidable(
        self, choice: Choice, violations: Sequence[Violation], parts: Mapping[str, str] = _NO_PARTS
    ) -> tuple[tuple[Violation, ...], str]:
        """Return the violations that another body would not have, and a warning about the other violations.

        Every body has other violations if the document permits no valid body. ``parts``: the warnings
        about parts of the body by JSON pointer.
        """
        known = self._cache_of(choice.media)
        if known.faults is None:
            sample = self._values.nearest(self._slot(choice), key="", hints={}, now_ms=0)
            broken = self.violations(choice, sample.value) if sample.warning else ()
            known.faults = sample.warning, frozenset(_location(violation.pointer) for violation in broken)
        warning, faults = known.faults
        locations = faults.union(map(_location, parts))
        avoidable = tuple(
            violation for violation in violations if not _touches(_location(violation.pointer), locations)
        )
        is_forgiven = len(avoidable) < len(violations)
        return avoidable, (warning or next(iter(parts.values()), "")) if is_forgiven else ""

    def encode(self, choice: Choice, value: JSON) -> Encoded:
        """Encode a value in its media type. Raises NoValidExample if the media type cannot contain it."""
        try:
            return self._cache_of(choice.media).codec.encode(value, choice.content_type)
        except (ValueError, TypeError) as error:
            raise _no_valid_example(choice, f"it cannot contain the value: {error}") from error

    def written(self, choice: Choice, sample: Sample) -> Encoded:
        """Encode a sample in its media type; a text sample as it is. Raises NoValidExample."""
        if sample.is_text:
            return Encoded(str(sample.value).encode("utf-8", "replace"), choice.content_type)
        return self.encode(choice, sample.value)

    def faults(self, response: DocumentedResponse, where: str) -> Iterator[Fault]:
        """Yield the faults of the document that make bodies of a response invalid."""
        for media in response.content:
            slot = self._slot(Choice(media, media.name))
            yield from self._values.faults(slot, f"{where}/content/{escape(media.name)}")

    def _with_status(self, choice: Choice, value: JSON, status: int) -> JSON:
        ref = choice.media.schema
        if ref is None or not status:
            return value
        is_problem = "/problem+" in choice.content_type
        return self._status_fields.filled(value, ref, status, is_problem=is_problem)

    def _cache_of(self, media: MediaType) -> _MediaCache:
        known = self._caches.get(id(media))
        if known is None:
            known = self._caches[id(media)] = _MediaCache(media, Codec(media, self._values.reader))
        return known

    def _slot(self, choice: Choice, name: str | None = None) -> Slot:
        """Return the slot of a body; with a ``name``, only for that example."""
        kind, known = family_of(choice.content_type), self._cache_of(choice.media)
        slot = known.slots.get((kind, name))
        if slot is None:
            schema, item_schema = known.codec.schemas(kind)
            examples = tuple(example for example in choice.media.examples if name in (None, example.name))
            slot = Slot(schema, examples, item_schema, None if kind == "json" else known.codec)
            known.slots[kind, name] = slot
        return slot


def _is_whole_text(choice: Choice) -> bool:
    """Return whether a text is a whole body of the media type, such as an XML document."""
    return family_of(choice.content_type) not in ("json", "text", "binary")


def _location(pointer: str) -> _Location:
    return tuple("*" if token.isdigit() else token for token in tokens(pointer))


def _touches(location: _Location, others: Iterable[_Location]) -> bool:
    """Return whether one of ``others`` is this location, inside of it, or around it."""
    return any(all(map(str.__eq__, location, other)) for other in others)


def _no_valid_example(choice: Choice, reason: str) -> NoValidExample:
    media = choice.media
    return NoValidExample(media.schema or media.item_schema or "", f"{choice.content_type}: {reason}")
