"""Values for responses: the first valid example, else a generated value.

The order is: the examples beside the schema, the examples in the schema, a generated value. Invalid
examples are skipped; ``faults`` reports them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Literal

from msgspec import Struct

from mockserver.diagnostics import MockServerError, Violation
from mockserver.engine.response.keyed_examples import AskedKey
from mockserver.generate import Fakes, Unsatisfiable
from mockserver.jsonschema import SchemaError, Schemas
from mockserver.jsonschema.references import shown
from mockserver.media.codec import Codec
from mockserver.media.coercion import Reader
from mockserver.media.json import decode_json
from mockserver.media.types import Malformed
from mockserver.plan import JSON, Example, SchemaRef

_LOG = logging.getLogger("mockserver.values")
GENERATED = "generated"
_SCHEMA = "schema"
OF_SCHEMA = f"example={_SCHEMA}"
"""The origin of an example in a schema."""
_ITEMS = 3
"""The items of a generated sequential body."""
_NO_RESTRICTION = frozenset(
    ("type", "format", "title", "description", "contentMediaType", "deprecated", "externalDocs", "$comment")
)
"""The keywords that do not restrict a text, or that are checked separately."""
_MAX_REPORTED = 3
"""The violations that are reported of one example."""


class NoValidExample(MockServerError):  # noqa: N818 - a fault of the document, not of the program
    """The document permits no valid value; ``ref`` is the location of the reason."""

    def __init__(self, ref: SchemaRef, message: str) -> None:
        self.ref = ref
        super().__init__(message)


class Slot(Struct, frozen=True):
    """A part of a response that needs a value: its schema and its examples."""

    schema: SchemaRef | None
    examples: tuple[Example, ...] = ()
    item_schema: SchemaRef | None = None
    """The schema of each item of a sequential body (OpenAPI 3.2, "Sequential Media Types")."""
    codec: Codec | None = None
    """The codec of a text that is not JSON."""


class Sample(Struct, frozen=True):
    """A value and its origin, as ``X-Mock-Decision`` names it."""

    value: JSON
    origin: str = GENERATED
    is_text: bool = False
    """Whether ``value`` is the text to send. Else it has to be encoded."""
    warning: str = ""
    """Why the value is invalid, if the document permits no valid value."""


class Fault(Struct, frozen=True):
    """A fault of the document that makes a documented response impossible."""

    kind: Literal["example", "unsatisfiable", "schema"]
    where: str
    """The location: ``URI#/json/pointer``, or the pointer alone."""
    message: str


class Values:
    """The values of one document's responses."""

    def __init__(self, schemas: Schemas, fakes: Fakes) -> None:
        self.reader = Reader(schemas, "response")
        self._schemas = schemas
        self._fakes = fakes

    def examples(self, slot: Slot, *, is_named: bool = False) -> Iterator[Sample]:
        """Yield the valid examples.

        They have to be valid in every interpretation of the schema. An example with a given name
        (``is_named``) has to be valid in the one of OpenAPI.
        """
        for example in (*slot.examples, *self._schema_examples(slot)):
            value = _value_of(example, slot)
            if self._is_valid_example(value, slot, is_named=is_named):
                is_text = example.serialized or (isinstance(value, str) and slot.codec is not None)
                yield Sample(example.value if is_text else value, f"example={example.name}", is_text)

    def for_key(self, samples: Sequence[Sample], slot: Slot, asked: AskedKey, *, is_named: bool) -> Sample:
        """Return the example with the asked key, else the first one with the key set in it.

        It stays as it is if the key would make it invalid.
        """
        values = [parsed(sample) if slot.codec is None else sample.value for sample in samples]
        for sample, value in zip(samples, values, strict=True):
            if asked.is_key_of(value):
                return sample
        first, value = samples[0], values[0]
        changed = asked.set_in(value, lambda new: self._is_valid_example(new, slot, is_named=is_named))
        return first if changed is value else Sample(changed, first.origin)

    def _is_valid_example(self, value: JSON, slot: Slot, *, is_named: bool) -> bool:
        try:
            return not any(self._find_violations(value, slot, is_lenient=is_named))
        except SchemaError:
            return False

    def nearest(self, slot: Slot, *, key: str, hints: Mapping[str, JSON], now_ms: int) -> Sample:
        """Return a generated value; if no value is valid, the nearest one, with a warning.

        The nearest one is a value that violates only the unsatisfiable part, else an invalid example.
        """
        try:
            return Sample(self.generated(slot, key=key, hints=hints, now_ms=now_ms))
        except NoValidExample as error:
            warning = f"D502 {error}"
        except Exception as error:  # noqa: BLE001 - an invalid schema may cause any error
            _LOG.exception("the generator failed at %s", slot.schema or slot.item_schema)
            warning = f"D503 the schema cannot be used: {error}"
        ref = slot.schema or slot.item_schema or ""
        try:
            value = self._fakes.nearest(ref, key=key, now_ms=now_ms)
            if slot.schema is None:
                value = [value]
            return Sample(value, "generated; nearest", warning=warning)
        except Exception:  # noqa: BLE001 - as above
            _LOG.exception("no value is near to %s", ref)
        for example in (*slot.examples, *self._schema_examples(slot)):
            return Sample(example.value, f"example={example.name}", example.serialized, warning)
        return Sample({}, "least", warning=warning)

    def generated(self, slot: Slot, *, key: str, hints: Mapping[str, JSON], now_ms: int) -> JSON:
        """Return a generated value; ``{}`` without a schema. Raises NoValidExample."""
        if slot.item_schema is not None and slot.schema is None:
            return [self.fake(slot.item_schema, f"{key}/{i}", hints, now_ms) for i in range(_ITEMS)]
        return {} if slot.schema is None else self.fake(slot.schema, key, hints, now_ms)

    def fake(self, ref: SchemaRef, key: str, hints: Mapping[str, JSON], now_ms: int) -> JSON:
        """Return a generated value for one schema. Raises NoValidExample."""
        try:
            return self._fakes.value(ref, key=key, hints=hints, now_ms=now_ms)
        except (Unsatisfiable, SchemaError) as error:
            raise NoValidExample(error.ref, str(error)) from error

    def is_valid(self, value: JSON, ref: SchemaRef | None) -> bool:
        """Return whether ``value`` is valid in a response. By an unusable schema, no value is valid."""
        if ref is None:
            return True
        try:
            return all(validator.is_valid(value) for validator in self._fakes.validators(ref))
        except (SchemaError, ValueError):  # ValueError: not JSON, or nested too deeply
            return False

    def is_any_text(self, slot: Slot) -> bool:
        """Return whether any text, or any octets, are valid."""
        if slot.schema is None:
            return slot.item_schema is None
        try:
            node = self._schemas.lookup(slot.schema)[0]
        except SchemaError:
            return False
        if not isinstance(node, dict):
            return node is True
        asked = {name for name in node if not name.startswith("x-")} - _NO_RESTRICTION
        return (
            not asked and node.get("type", "string") == "string" and node.get("format", "binary") == "binary"
        )

    def faults(self, slot: Slot, where: str) -> Iterator[Fault]:
        """Yield invalid examples, an unsatisfiable schema, and an unusable schema."""
        try:
            for ref in filter(None, (slot.schema, slot.item_schema)):
                self._schemas.validator(ref, "response")
            for example in (*slot.examples, *self._schema_examples(slot)):
                if broken := [*islice(self._find_violations(_value_of(example, slot), slot), _MAX_REPORTED)]:
                    messages = "; ".join(broken)
                    yield Fault("example", where, f"the example {example.name} breaks its schema: {messages}")
            self.generated(slot, key=where, hints={}, now_ms=0)
        except SchemaError as error:
            yield Fault("schema", error.ref, error.message)
        except NoValidExample as error:
            yield Fault("unsatisfiable", error.ref, str(error).removeprefix(f"{shown(error.ref)}: "))

    def _schema_examples(self, slot: Slot) -> Iterator[Example]:
        """Yield the schema's ``example`` (OpenAPI 2.0, 3.0) or ``examples`` (JSON Schema)."""
        try:
            node = self._schemas.lookup(slot.schema)[0] if slot.schema else None
        except SchemaError:
            return
        if not isinstance(node, dict):
            return
        if "example" in node:
            yield Example(_SCHEMA, node["example"])
        elif isinstance(examples := node.get("examples"), list):
            yield from (Example(_SCHEMA, value) for value in examples)

    def _find_violations(self, value: JSON, slot: Slot, *, is_lenient: bool = False) -> Iterator[str]:
        """Yield the violations of a value; ``is_lenient``: by OpenAPI's reading. Raises SchemaError."""
        if isinstance(value, str) and slot.codec is not None:
            raw = slot.codec.decode(value.encode("utf-8", "replace"))
            if isinstance(raw, Malformed):
                yield raw.message
                return
            violations: Iterable[Violation] = slot.codec.validate(raw).violations
        elif slot.item_schema is not None and isinstance(value, list):
            item_schema = slot.item_schema
            violations = chain.from_iterable(
                self._violations(item, item_schema, is_lenient=is_lenient) for item in value
            )
        else:
            violations = self._violations(value, slot.schema, is_lenient=is_lenient) if slot.schema else ()
        for violation in violations:
            yield f"{violation.pointer or 'value'}: {violation.message}"

    def _violations(self, value: JSON, ref: SchemaRef, *, is_lenient: bool) -> Sequence[Violation]:
        """Return the violations by the first interpretation of the schema that has any."""
        if is_lenient:
            return self._schemas.validator(ref, "response").violations(value)
        found = (validator.violations(value) for validator in self._fakes.validators(ref))
        return next((violations for violations in found if violations), ())


def _value_of(example: Example, slot: Slot) -> JSON:
    """Return the value of an example; parse serialized JSON."""
    return _parse(example.value) if example.serialized and slot.codec is None else example.value


def parsed(sample: Sample) -> JSON:
    """Return the value of a sample whose text, if it is one, is JSON."""
    return _parse(sample.value) if sample.is_text else sample.value


def _parse(text: JSON) -> JSON:
    """Return the value of serialized JSON; None if it is malformed."""
    value = decode_json(str(text).encode("utf-8", "replace"))
    return None if isinstance(value, Malformed) else value
