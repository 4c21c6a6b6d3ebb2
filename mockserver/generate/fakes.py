"""Valid, plausible values for the schemas of one document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mockserver.generate.attempt import DeadEnd, Endless, Run, Style, Unsatisfiable, dice
from mockserver.generate.containers import members
from mockserver.generate.generator import Generator
from mockserver.generate.property_names import echo
from mockserver.generate.relaxed import Relaxed
from mockserver.generate.scalars import Texts
from mockserver.jsonschema import Direction, Schemas, Validator
from mockserver.plan import JSON, SchemaRef
from mockserver.providers.faker import FakeValues

NOW_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z: the time that values refer to unless they are told another."""

Judge = Callable[[JSON], bool]

MOST_IN_ALL = 30_000
"""Parts made in all attempts, after which no other is begun."""

_ATTEMPTS: tuple[tuple[Style, bool, bool], ...] = (
    # style, whether parts are tested as they are made, whether examples are passed over
    ("full", False, False),
    ("full", True, False),
    ("full", True, True),
    ("mixed", True, True),
    ("lean", True, False),
    ("lean", True, True),
    ("mixed", True, True),
    ("mixed", True, True),
)


class Fakes:
    """Makes values. They depend on the seed, the schema and the key alone, never on what was made before."""

    def __init__(self, schemas: Schemas, seed: int | str = 0) -> None:
        self._schemas = schemas
        self._seed = seed
        self._texts = Texts(FakeValues(seed))
        self._generators: dict[tuple[Direction, str, bool], Generator] = {}
        self._ways: dict[tuple[SchemaRef, Direction], _Way | Unsatisfiable] = {}
        """Also where there is none: it takes long to find out."""

    def value(
        self,
        ref: SchemaRef,
        *,
        key: str,
        direction: Direction = "response",
        hints: Mapping[str, JSON] | None = None,
        now_ms: int = NOW_MS,
    ) -> JSON:
        """A valid value of the schema at ``ref``; the same one for the same ``key``.

        ``hints`` are values by name, such as path parameters, that top-level
        members of that name repeat where they may. Timestamps lie around
        ``now_ms``. Raises Unsatisfiable where no valid value is found, and
        SchemaError where the schema cannot be used.
        """
        way = self._way(ref, direction)
        _, value = way.search(self._seed, key, now_ms)
        if hints:
            value = echo(value, hints, way.names(), way.is_valid)
        return value

    def nearest(self, ref: SchemaRef, *, key: str, now_ms: int = NOW_MS) -> JSON:
        """The nearest value to a schema of a response that no valid value is found for."""
        return Relaxed(
            self._schemas, lambda part: self.value(part, key=f"{key}\n{part}", now_ms=now_ms)
        ).value(ref)

    def validators(self, ref: SchemaRef, direction: Direction = "response") -> Sequence[Validator]:
        """The readings of a schema that its values are valid in: all, unless they exclude each other.

        Raises SchemaError where the schema cannot be used.
        """
        validators = tuple(self._schemas.validators(ref, direction))
        if len(validators) > 1:
            try:
                return self._way(ref, direction).validators
            except Unsatisfiable:
                return validators
        return validators

    def _way(self, ref: SchemaRef, direction: Direction) -> _Way:
        way = self._ways.get((ref, direction))
        if way is None:
            try:
                way = self._found(ref, direction)
            except Unsatisfiable as error:
                way = Unsatisfiable(error.ref, error.reason)
            self._ways[ref, direction] = way
        if isinstance(way, Unsatisfiable):
            raise Unsatisfiable(way.ref, way.reason)
        return way

    def _found(self, ref: SchemaRef, direction: Direction) -> _Way:
        validators = tuple(self._schemas.validators(ref, direction))
        if len(validators) > 1:
            try:
                return self._tried(ref, direction, validators)
            except Unsatisfiable:
                pass  # no value is valid in all readings; the one that is meant goes first
        return self._tried(ref, direction, validators[:1])

    def _tried(self, ref: SchemaRef, direction: Direction, validators: tuple[Validator, ...]) -> _Way:
        generator = self._generator(ref, direction, is_thorough=len(validators) > 1)
        way = _Way(ref, self._schemas.lookup(ref)[1], generator, validators, _all_of(validators))
        # Found with a key of its own, so that it is the same whatever key comes first
        way.first, _ = way.search(self._seed, "", NOW_MS)
        return way

    def _generator(self, ref: SchemaRef, direction: Direction, *, is_thorough: bool) -> Generator:
        key = (direction, self._schemas.base(ref), is_thorough)
        generator = self._generators.get(key)
        if generator is None:
            generator = self._generators[key] = Generator(
                self._schemas, direction, key[1], self._texts, is_thorough=is_thorough
            )
        return generator


@dataclass(slots=True)
class _Way:
    """How values of one schema are made."""

    ref: SchemaRef
    name: SchemaRef
    """Where the schema stands: answers that refer to one schema make the same of one key."""
    generator: Generator
    validators: tuple[Validator, ...]
    is_valid: Judge
    first: int = 0
    """The first attempt that is not in vain."""

    def search(self, seed: int | str, key: str, now_ms: int) -> tuple[int, JSON]:
        """The first attempt that succeeds, and its value. Raises Unsatisfiable."""
        ref = self.ref
        reason = DeadEnd(ref, "no value that was tried is valid")
        spent = 0
        for attempt in range(self.first, len(_ATTEMPTS)):
            style, is_careful, is_fresh = _ATTEMPTS[attempt]
            if spent > MOST_IN_ALL:
                break
            run = Run(dice(seed, self.name, key, attempt), now_ms, style, is_careful, is_fresh)
            try:
                value = self.generator.make((ref,), "", run)
            except Endless as dead_end:
                reason = dead_end
                break
            except DeadEnd as dead_end:
                reason = dead_end
                continue
            except RecursionError:
                reason = DeadEnd(ref, "the schema is nested too deeply")
                continue
            finally:
                spent += run.spent
            if self.is_valid(value):
                return attempt, value
        raise Unsatisfiable(reason.ref or ref, reason.reason)

    def names(self) -> list[str]:
        """The members that there can be."""
        shape = self.generator.shapes.shape((self.ref,))
        return [each.name for each in members(self.generator, shape) if each.shape is not None]


def _all_of(validators: Sequence[Validator]) -> Judge:
    judges = [each.is_valid for each in validators]
    if len(judges) == 1:
        return judges[0]
    return lambda value: all(judge(value) for judge in judges)
