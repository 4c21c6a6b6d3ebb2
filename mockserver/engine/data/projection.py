"""Stored values in responses: what the schema of a response allows of them, over a generated value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple

from mockserver.diagnostics import MockServerError
from mockserver.engine.data.bases import CONSTANTS, Bases, Origin
from mockserver.engine.data.views import Views
from mockserver.engine.service import Service
from mockserver.jsonschema import SchemaError, Validator
from mockserver.jsonschema.keywords import NUMERIC
from mockserver.jsonschema.patterns import ACCOUNT
from mockserver.jsonschema.references import pointer, tokens
from mockserver.media.coercion import scalars
from mockserver.media.shapes import Shapes
from mockserver.plan import JSON, SchemaRef

_MAX_TRIED = 6
"""The generated values that one stored value is laid over."""
_MAX_SCHEMAS = 8
"""The schemas of one part, in different branches, that its stored value is fitted to."""
_MAX_PARTS = 2000
"""The parts of a stored value that are fitted to their schemas, which takes long for large values."""
_ALL = ("",)
"""The pointers of a value of which nothing can be shown."""


class Projected(NamedTuple):
    """The value of a response. ``lost``: where the stored value is one that the schema does not allow.

    ``converted``: where the stored value has another type in the response. Both are pointers.
    """

    value: JSON
    lost: tuple[str, ...] = ()
    converted: tuple[str, ...] = ()
    strange: int = 0
    """How many of the lost values are other constants than the schema has: those of another branch."""

    @property
    def distance(self) -> tuple[bool, int, int]:
        """How far the value is from the stored one."""
        return self.lost == _ALL, self.strange, len(self.lost)

    @property
    def lost_fields(self) -> frozenset[str]:
        """The fields of an object with a value that the schema does not allow, or with a part like that."""
        return frozenset(_fields(self.lost))

    @property
    def converted_fields(self) -> frozenset[str]:
        """The fields of an object that have another type in the response, or a part like that."""
        return frozenset(_fields(self.converted))


def _fields(pointers: Iterable[str]) -> Iterator[str]:
    return (tokens(pointer)[0] for pointer in pointers if pointer)


class Projections:
    """The projections to the schemas of one document."""

    def __init__(self, service: Service, shapes: Shapes) -> None:
        self.service = service
        self.shapes = shapes
        self.views = Views(service.schemas, shapes)
        self._known: dict[SchemaRef, Projection] = {}

    def of(self, ref: SchemaRef) -> Projection:
        """Return the projection of stored values to a schema."""
        projection = self._known.get(ref)
        if projection is None:
            try:
                target = self.service.schemas.lookup(ref)[1]
            except SchemaError:
                target = ref
            projection = self._known.get(target) or Projection(self, target)
            self._known[ref] = self._known[target] = projection
        return projection


class Projection:
    """Lays stored values over generated values of one schema."""

    def __init__(self, projections: Projections, ref: SchemaRef) -> None:
        self._projections = projections
        self._service = projections.service
        self._schemas = projections.service.schemas
        self._shapes = projections.shapes
        self._ref = ref
        self._bases = Bases(self._service, self._shapes, ref)
        self._validators: Sequence[Validator] | None = None

    def base(self, origin: Origin, number: int = 0) -> JSON:
        """Return a generated value; ``number``: another one. Raises Unsatisfiable and SchemaError."""
        return self._bases.base(origin, number)

    def project(self, stored: JSON, origin: Origin) -> Projected:
        """Return the valid value of the schema that is nearest to ``stored``."""
        found = self._project(stored, origin, _Effort())
        return found._replace(lost=tuple(at or "/" for at in found.lost)) if found.lost else found

    def fill(self, sent: Mapping[str, JSON], origin: Origin) -> dict[str, JSON]:
        """Return ``sent`` over a generated value, also what of it the schema does not allow."""
        value = self.visible(dict(sent))

        def over(generated: dict[str, JSON]) -> dict[str, JSON] | None:
            whole = {**generated, **sent}
            return whole if self.is_valid(self.visible(whole)) else None

        found, bases = self._lay(value, origin, over)
        if found is not None or not bases:
            return dict(sent) if found is None else found
        nearest = self._nearest(value, bases, origin, _Effort())
        filled: dict[str, JSON] = _overlaid(nearest.value, sent, nearest.lost, "")
        return filled

    def complete(self, value: dict[str, JSON], origin: Origin) -> dict[str, JSON]:
        """Return a stored value whose parts have the generated members that responses show in them."""
        found = self.project(value, origin)
        shown = found.value if isinstance(found.value, dict) else {}
        return {
            name: _overlaid(shown[name], member, found.lost, pointer([name])) if name in shown else member
            for name, member in value.items()
        }

    def _project(self, stored: JSON, origin: Origin, effort: _Effort) -> Projected:
        value = self.visible(stored)
        if self.is_valid(value):
            return Projected(value)
        if isinstance(value, dict):
            found, bases = self._lay(value, origin, partial(self._over, value))
            if found is not None:
                return Projected(self._pruned(found, value))
            if bases:
                nearest = self._nearest(value, bases, origin, effort)
                return nearest._replace(value=self._pruned(nearest.value, value))
        elif isinstance(value, list):
            if (fitted := self._fitted_list(value, origin, effort)) is not None:
                return fitted
        else:
            for other in _coerced(value):
                if self.is_valid(other):
                    return Projected(other, converted=_ALL)
        broken = self._schemas.validator(self._ref, "response").violations(value)
        strange = any(not found.pointer and found.keyword in CONSTANTS for found in broken)
        return Projected(self.base(origin), _ALL, strange=int(strange))

    def _lay(
        self,
        value: dict[str, JSON],
        origin: Origin,
        over: Callable[[dict[str, JSON]], dict[str, JSON] | None],
    ) -> tuple[dict[str, JSON] | None, list[dict[str, JSON]]]:
        """Return a generated value as ``over`` returns it; else None, and those to fit ``value`` to."""
        first = self.base(origin)
        if isinstance(first, dict) and (found := over(first)) is not None:
            return found, []
        near: list[dict[str, JSON]] = []
        for generated in islice(
            filter(self.is_valid, self._bases.branches(value, first, origin)), _MAX_TRIED
        ):
            if (found := over(generated)) is not None:
                return found, []
            near.append(generated)
        return None, near or ([first] if isinstance(first, dict) else [])

    def _over(self, value: dict[str, JSON], generated: dict[str, JSON]) -> dict[str, JSON] | None:
        """Return a valid value with all of ``value``, over a generated one; None if there is none."""
        missing = self._missing(value, generated)
        candidates = ({**missing, **value}, {**generated, **value})
        return next((candidate for candidate in candidates if self.is_valid(candidate)), None)

    def _nearest(
        self, value: dict[str, JSON], bases: Sequence[dict[str, JSON]], origin: Origin, effort: _Effort
    ) -> Projected:
        """Return the valid value with the most of ``value`` over one of the generated ones."""
        known: dict[str, list[Projected]] = {}

        def parts(name: str) -> list[Projected]:
            if name not in known:
                refs = (ref for shape in self._shapes.of(self._ref) for ref in shape.property(name))
                known[name] = self._parts(refs, value[name], origin.part(name), effort)
            return known[name]

        fitted = (self._fitted(value, base, parts, effort) for base in bases)
        nearest = min(fitted, key=attrgetter("distance"))
        if nearest.lost:
            for base in bases:
                if self.is_valid(merged := _merged(base, value)):
                    return Projected(merged)
        return nearest

    def _parts(
        self, refs: Iterable[SchemaRef], stored: JSON, origin: Origin, effort: _Effort
    ) -> list[Projected]:
        """Return the values of a part by each of its schemas, the nearest to the stored one first."""
        found = []
        for ref in islice(dict.fromkeys(refs), _MAX_SCHEMAS):
            if not effort.spend():
                break
            try:
                found.append(self._projections.of(ref)._project(stored, origin, effort))  # noqa: SLF001
            except MockServerError:  # the schema permits no value
                continue
        return sorted(found, key=attrgetter("distance"))

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

    def visible(self, value: JSON) -> Any:
        """Return the part of a stored value that the schema mentions and does not hide."""
        return self._projections.views.visible(value, self._ref)

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

    def _fitted(
        self,
        value: dict[str, JSON],
        generated: dict[str, JSON],
        parts: Callable[[str], list[Projected]],
        effort: _Effort,
    ) -> Projected:
        """Return the generated value with what of each field of ``value`` keeps it valid."""
        found = generated
        lost: list[str] = []
        converted: list[str] = []
        strange = 0
        for name, member in value.items():
            for part in self._offers(name, member, found, parts) if effort.spend() else ():
                if self.is_valid(offer := {**found, name: part.value}):
                    found = offer
                    strange += part.strange
                    lost += (pointer([name]) + at for at in part.lost)
                    converted += (pointer([name]) + at for at in part.converted)
                    break
            else:
                if found.get(name) != member:
                    lost.append(pointer([name]))
        return Projected(found, tuple(lost), tuple(converted), strange)

    def _offers(
        self, name: str, member: JSON, found: dict[str, JSON], parts: Callable[[str], list[Projected]]
    ) -> Iterator[Projected]:
        """Yield what a field may be, the nearest to its stored value first."""
        yield Projected(member)
        fitted = parts(name)
        yield from (part for part in fitted if not part.lost)
        if name in found:
            yield Projected(_merged(found[name], member))
        yield from (part for part in fitted if part.lost and part.lost != _ALL)
        yield from (Projected(other, converted=_ALL) for other in _coerced(member))
        yield from (part for part in fitted if part.lost == _ALL)  # the same by schemas with the same part

    def _fitted_list(self, value: list[JSON], origin: Origin, effort: _Effort) -> Projected | None:
        """Return a valid list with what of each item its schema allows; None if there is none."""
        shapes = [shape for shape in self._shapes.of(self._ref) if "array" in shape.types]
        fitted: list[Projected] = []
        for index, member in enumerate(value):
            refs = (ref for shape in shapes for ref in shape.item(index))
            parts = self._parts(refs, member, origin.part(index), effort)
            fitted.append(parts[0] if parts else Projected(member))
        found = [part.value for part in fitted]
        if all(part.lost == _ALL for part in fitted) or not self.is_valid(found):
            return None
        lost = (f"/{index}{at}" for index, part in enumerate(fitted) for at in part.lost)
        converted = (f"/{index}{at}" for index, part in enumerate(fitted) for at in part.converted)
        return Projected(found, tuple(lost), tuple(converted), sum(part.strange for part in fitted))


class _Effort:
    """The parts of one stored value that may still be fitted."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _MAX_PARTS

    def spend(self) -> bool:
        """Return whether another part may be fitted."""
        self.left -= 1
        return self.left >= 0


def _overlaid(shown: JSON, stored: Any, lost: Sequence[str], at: str) -> Any:
    """Return a stored value with the members that a response shows beside it, except where it is lost."""
    if at in lost:
        return stored
    if isinstance(shown, dict) and isinstance(stored, Mapping):
        inner = {
            name: _overlaid(shown[name], member, lost, at + pointer([name])) if name in shown else member
            for name, member in stored.items()
        }
        return {**shown, **inner}
    if isinstance(shown, list) and isinstance(stored, list) and len(shown) == len(stored):
        pairs = enumerate(zip(shown, stored, strict=True))
        return [_overlaid(one, other, lost, f"{at}/{index}") for index, (one, other) in pairs]
    return stored


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
