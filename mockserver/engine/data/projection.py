"""Stored values in responses: what the schema of a response allows of them, over a generated value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mockserver.engine.service import Service
from mockserver.jsonschema import SchemaError, Validator
from mockserver.jsonschema.keywords import NUMERIC
from mockserver.jsonschema.patterns import ACCOUNT
from mockserver.media.coercion import scalars
from mockserver.media.shapes import Shapes
from mockserver.plan import JSON, SchemaRef

_MAX_DEPTH = 32
MAX_BASES = 16
"""The generated values that are tried for a stored value: of other branches of ``oneOf``."""


class Projected(NamedTuple):
    """The value of a response. ``lost``: the fields whose stored value the schema does not allow.

    ``converted``: the fields whose stored value has another type in the response.
    """

    value: JSON
    lost: tuple[str, ...] = ()
    converted: tuple[str, ...] = ()


class _View(NamedTuple):
    """What a schema shows of a value."""

    known: Mapping[str, SchemaRef]
    is_open: bool
    """Whether objects may have other properties."""
    hidden: frozenset[str]
    item: SchemaRef | None


class Projection:
    """Lays stored values over generated values of one schema."""

    def __init__(self, service: Service, shapes: Shapes, ref: SchemaRef) -> None:
        self._service = service
        self._schemas = service.schemas
        self._shapes = shapes
        self._ref = ref
        self._validators: Sequence[Validator] | None = None
        self._views: dict[SchemaRef, _View] = {}

    def base(self, key: str, hints: Mapping[str, JSON], now: int, number: int = 0) -> JSON:
        """Return a generated value; ``number``: another one. Raises Unsatisfiable and SchemaError."""
        key = f"{key}\n{number}" if number else key
        return self._service.fakes.value(self._ref, key=key, hints=hints, now_ms=now)

    def project(self, stored: JSON, base: Callable[[int], JSON]) -> Projected:
        """Return the valid value of the schema that is nearest to ``stored``.

        ``base`` generates a value; with another number another one, which may be of another branch.
        """
        value = self.visible(stored)
        if self.is_valid(value):
            return Projected(value)
        first = base(0)
        if not isinstance(value, dict) or not isinstance(first, dict):
            return Projected(first, ("/",))
        for number in range(MAX_BASES):
            generated = base(number) if number else first
            if isinstance(generated, dict) and (found := self.laid(value, generated)) is not None:
                return Projected(self._pruned(found, value))
        return self._fitted(value, first)

    def laid(self, value: dict[str, JSON], generated: dict[str, JSON]) -> dict[str, JSON] | None:
        """Return a valid value with all of ``value``, over a generated one; None if there is none."""
        missing = self._missing(value, generated)
        candidates = ({**missing, **value}, {**generated, **value}, _merged(generated, value))
        return next((candidate for candidate in candidates if self.is_valid(candidate)), None)

    def is_valid(self, value: JSON) -> bool:
        """Return whether a value is valid in a response, in every reading of the schema."""
        if self._validators is None:
            self._validators = self._service.fakes.validators(self._ref)
        ACCOUNT.begin()
        try:
            return all(validator.is_valid(value) for validator in self._validators)
        except (SchemaError, ValueError):
            return False
        finally:
            ACCOUNT.end()

    def violations(self, stored: JSON) -> set[tuple[str, str, str]]:
        """Return what makes a stored value invalid in a response: location, keyword and message."""
        found = self._schemas.validator(self._ref, "response").violations(self.visible(stored))
        return {(violation.pointer, violation.keyword, violation.message) for violation in found}

    def visible(self, value: JSON) -> JSON:
        """Return the part of a stored value that the schema mentions and does not hide."""
        return self._visible(value, self._ref, 0)

    def _visible(self, value: JSON, ref: SchemaRef | None, depth: int) -> JSON:
        if ref is None or depth > _MAX_DEPTH or not isinstance(value, dict | list):
            return value
        view = self._views.get(ref)
        if view is None:
            view = self._views[ref] = self._view(ref)
        if isinstance(value, list):
            return [self._visible(member, view.item, depth + 1) for member in value]
        known = view.known
        return {
            name: self._visible(member, known.get(name), depth + 1)
            if isinstance(member, dict | list)
            else member
            for name, member in value.items()
            if (view.is_open or name in known) and name not in view.hidden
        }

    def _view(self, ref: SchemaRef) -> _View:
        known = self._shapes.properties(ref)
        item = next((shape.items[0] for shape in self._shapes.of(ref) if shape.items), None)
        return _View(known, not known or self._is_open(ref), self._hidden(ref), item)

    def _hidden(self, ref: SchemaRef) -> frozenset[str]:
        try:
            return self._schemas.hidden(ref, "response")
        except SchemaError:
            return frozenset()

    def _is_open(self, ref: SchemaRef) -> bool:
        """Return whether the schema says that objects may have other properties."""
        if any(shape.others for shape in self._shapes.of(ref)):
            return True
        try:
            node = self._schemas.lookup(ref)[0]
        except SchemaError:
            return False
        return isinstance(node, dict) and node.get("additionalProperties") is True

    def _missing(self, value: dict[str, JSON], generated: dict[str, JSON]) -> dict[str, JSON]:
        """Return the generated fields that the schema requires and ``value`` lacks."""
        names: set[str] = set()
        for violation in self._schemas.validator(self._ref, "response").violations(value):
            if violation.keyword == "required" and not violation.pointer:
                names.update(violation.expected if isinstance(violation.expected, list) else ())
        return {name: member for name, member in generated.items() if name in names and name not in value}

    def _pruned(self, candidate: dict[str, JSON], value: dict[str, JSON]) -> dict[str, JSON]:
        """Return a valid value without the generated fields that it does not need."""
        for name in [name for name in candidate if name not in value]:
            smaller = {other: member for other, member in candidate.items() if other != name}
            if self.is_valid(smaller):
                candidate = smaller
        return candidate

    def _fitted(self, value: dict[str, JSON], generated: dict[str, JSON]) -> Projected:
        """Return the generated value with each field of ``value`` that keeps it valid."""
        found = generated
        lost, converted = [], []
        for name, member in value.items():
            offers = [{**found, name: member}, _merged(found, {name: member})]
            texts = [{**found, name: text} for text in _coerced(member)]
            accepted = next((offer for offer in (*offers, *texts) if self.is_valid(offer)), None)
            if accepted is not None:
                found = accepted
                if accepted in texts:
                    converted.append(f"/{name}")
            elif found.get(name) != member:
                lost.append(f"/{name}")
        return Projected(self._pruned(found, value), tuple(lost), tuple(converted))


def _coerced(value: JSON) -> Iterator[JSON]:
    """Yield a number as text, or a text as a number: some documents read another type than they write."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, str):
        yield from scalars(value, NUMERIC)


def _merged(base: Any, value: Any) -> Any:
    """Return ``value`` laid over ``base``, at every depth. An item of a list lies over the nearest one."""
    if isinstance(base, list) and isinstance(value, list) and base:
        return [_merged(base[min(index, len(base) - 1)], item) for index, item in enumerate(value)]
    if not isinstance(base, dict) or not isinstance(value, dict):
        return value
    return {**base, **{name: _merged(base.get(name), member) for name, member in value.items()}}
