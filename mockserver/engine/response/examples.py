"""A value that the document lets stand in a response: an example that is valid, else a fake.

The order is that of the document's care: the examples beside the schema, the
schema's own, a generated value. What is not valid for a response is passed
over here, and told by ``faults``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Literal

from msgspec import Struct

from mockserver.diagnostics import MockServerError
from mockserver.generate import Fakes, Unsatisfiable
from mockserver.jsonschema import SchemaError, Schemas, SchemaViolation
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
"""The origin of an example that a schema gives itself."""
_ITEMS = 3
"""Items that a sequential body is given."""
_SAYS_NOTHING = frozenset(
    ("type", "format", "title", "description", "contentMediaType", "deprecated", "externalDocs", "$comment")
)
"""Keywords that leave an answer free, or are looked at by themselves."""
_MOST_TOLD = 3
"""Violations that are told of one example."""


class NoValidExample(MockServerError):  # noqa: N818 - a fault of the document, not of the program
    """The document leaves nothing valid to answer with; ``ref`` is the place that says so."""

    def __init__(self, ref: SchemaRef, message: str) -> None:
        self.ref = ref
        super().__init__(message)


class Slot(Struct, frozen=True):
    """A place for a value, and what the document says of it."""

    schema: SchemaRef | None
    examples: tuple[Example, ...] = ()
    item_schema: SchemaRef | None = None
    """The schema of each item of a sequential body (OpenAPI 3.2, "Sequential Media Types")."""
    codec: Codec | None = None
    """How text is read, where it is not JSON."""


class Sample(Struct, frozen=True):
    """A valid value and its origin, in the words of ``X-Mock-Decision``."""

    value: JSON
    origin: str = GENERATED
    is_text: bool = False
    """Whether ``value`` is the text to send, and not something yet to be encoded."""
    warning: str = ""
    """Why it is not valid, where the document leaves nothing that is."""


class Fault(Struct, frozen=True):
    """Something in the document that keeps a response from being answered as written."""

    kind: Literal["example", "unsatisfiable", "schema"]
    where: str
    """``URI#/json/pointer``, or the pointer alone."""
    message: str


class Values:
    """The values of one document's responses."""

    def __init__(self, schemas: Schemas, fakes: Fakes) -> None:
        self.reader = Reader(schemas, "response")
        self._schemas = schemas
        self._fakes = fakes

    def example(self, slot: Slot, *, is_named: bool = False) -> Sample | None:
        """The first example that is valid, in every reading unless it was asked for by name."""
        for example in (*slot.examples, *self._own(slot)):
            value = _meaning(example, slot)
            try:
                is_broken = any(self._broken(value, slot, is_lenient=is_named))
            except SchemaError:
                is_broken = True
            if not is_broken:
                is_text = example.serialized or (isinstance(value, str) and slot.codec is not None)
                return Sample(example.value if is_text else value, f"example={example.name}", is_text)
        return None

    def nearest(self, slot: Slot, *, key: str, hints: Mapping[str, JSON], now_ms: int) -> Sample:
        """A fake; where the document leaves nothing valid, what comes nearest, with a warning.

        That is a value without the part that cannot be met, else the example as it is.
        """
        try:
            return Sample(self.generated(slot, key=key, hints=hints, now_ms=now_ms))
        except NoValidExample as error:
            warning = f"D502 {error}"
        except Exception as error:  # noqa: BLE001 - a schema that is none may lead the generator anywhere
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
        for example in (*slot.examples, *self._own(slot)):
            return Sample(example.value, f"example={example.name}", example.serialized, warning)
        return Sample({}, "least", warning=warning)

    def generated(self, slot: Slot, *, key: str, hints: Mapping[str, JSON], now_ms: int) -> JSON:
        """A fake, ``{}`` where the document says nothing. Raises Unanswerable where there can be none."""
        if slot.item_schema is not None and slot.schema is None:
            return [self.fake(slot.item_schema, f"{key}/{i}", hints, now_ms) for i in range(_ITEMS)]
        return {} if slot.schema is None else self.fake(slot.schema, key, hints, now_ms)

    def fake(self, ref: SchemaRef, key: str, hints: Mapping[str, JSON], now_ms: int) -> JSON:
        """A fake for one schema. Raises Unanswerable where there can be none."""
        try:
            return self._fakes.value(ref, key=key, hints=hints, now_ms=now_ms)
        except (Unsatisfiable, SchemaError) as error:
            raise NoValidExample(error.ref, str(error)) from error

    def is_valid(self, value: JSON, ref: SchemaRef | None) -> bool:
        """Whether a response may hold ``value``. A schema that cannot be used takes nothing."""
        if ref is None:
            return True
        try:
            return all(each.is_valid(value) for each in self._fakes.validators(ref))
        except (SchemaError, ValueError):  # ValueError: what is no JSON, or nested too deeply
            return False

    def is_any_text(self, slot: Slot) -> bool:
        """Whether the document asks nothing of a value but that it is a text, or bytes."""
        if slot.schema is None:
            return slot.item_schema is None
        try:
            node = self._schemas.lookup(slot.schema)[0]
        except SchemaError:
            return False
        if not isinstance(node, dict):
            return node is True
        asked = {name for name in node if not name.startswith("x-")} - _SAYS_NOTHING
        return (
            not asked and node.get("type", "string") == "string" and node.get("format", "binary") == "binary"
        )

    def faults(self, slot: Slot, where: str) -> Iterator[Fault]:
        """Examples that the schema refuses, a schema that nothing satisfies or that is none."""
        try:
            for ref in filter(None, (slot.schema, slot.item_schema)):
                self._schemas.validator(ref, "response")
            for example in (*slot.examples, *self._own(slot)):
                if broken := [*islice(self._broken(_meaning(example, slot), slot), _MOST_TOLD)]:
                    told = "; ".join(broken)
                    yield Fault("example", where, f"the example {example.name} breaks its schema: {told}")
            self.generated(slot, key=where, hints={}, now_ms=0)
        except SchemaError as error:
            yield Fault("schema", error.ref, error.message)
        except NoValidExample as error:
            yield Fault("unsatisfiable", error.ref, str(error).removeprefix(f"{shown(error.ref)}: "))

    def _own(self, slot: Slot) -> Iterator[Example]:
        """The schema's ``example`` (2.0, 3.0) or ``examples`` (JSON Schema)."""
        try:
            node = self._schemas.lookup(slot.schema)[0] if slot.schema else None
        except SchemaError:
            return
        if not isinstance(node, dict):
            return
        if "example" in node:
            yield Example(_SCHEMA, node["example"])
        elif isinstance(examples := node.get("examples"), list):
            yield from (Example(_SCHEMA, each) for each in examples)

    def _broken(self, value: JSON, slot: Slot, *, is_lenient: bool = False) -> Iterator[str]:
        """How a value breaks its schema; if ``is_lenient``, as that is meant. Raises SchemaError."""
        if isinstance(value, str) and slot.codec is not None:
            raw = slot.codec.decode(value.encode("utf-8", "replace"))
            if isinstance(raw, Malformed):
                yield raw.message
                return
            violations: Iterable[SchemaViolation] = slot.codec.validate(raw).violations
        elif slot.item_schema is not None and isinstance(value, list):
            item_schema = slot.item_schema
            violations = chain.from_iterable(
                self._violations(each, item_schema, is_lenient=is_lenient) for each in value
            )
        else:
            violations = self._violations(value, slot.schema, is_lenient=is_lenient) if slot.schema else ()
        for each in violations:
            yield f"{each.pointer or 'value'}: {each.message}"

    def _violations(self, value: JSON, ref: SchemaRef, *, is_lenient: bool) -> Sequence[SchemaViolation]:
        """In the first reading that the value breaks."""
        if is_lenient:
            return self._schemas.validator(ref, "response").violations(value)
        found = (each.violations(value) for each in self._fakes.validators(ref))
        return next((each for each in found if each), ())


def _meaning(example: Example, slot: Slot) -> JSON:
    """The value that an example stands for: serialized JSON is parsed."""
    if example.serialized and slot.codec is None:
        value = decode_json(str(example.value).encode("utf-8", "replace"))
        return None if isinstance(value, Malformed) else value
    return example.value
