"""Valid, plausible values for the schemas of one document."""

from __future__ import annotations

from collections.abc import Mapping

from mockserver.fakes.dice import dice
from mockserver.fakes.echo import echo
from mockserver.fakes.errors import DeadEnd, Unsatisfiable
from mockserver.fakes.generator import Generator
from mockserver.fakes.objects import members
from mockserver.fakes.run import Run, Style
from mockserver.fakes.texts import Texts
from mockserver.plan import JSON, SchemaRef
from mockserver.providers.faker import FakeValues
from mockserver.schema import Direction, Schemas

NOW_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z: the time that values refer to unless they are told another."""

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
        self._generators: dict[tuple[Direction, str], Generator] = {}
        self._first_attempts: dict[tuple[SchemaRef, Direction], int] = {}

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
        first = self._first_attempts.get((ref, direction))
        if first is None:
            # Found with a key of its own, so that it is the same whatever key comes first
            first, _ = self._search(ref, "", direction, NOW_MS, 0)
            self._first_attempts[ref, direction] = first
        _, value = self._search(ref, key, direction, now_ms, first)
        if hints:
            names = self._names(ref, direction)
            value = echo(value, hints, names, self._schemas.validator(ref, direction).is_valid)
        return value

    def _search(
        self, ref: SchemaRef, key: str, direction: Direction, now_ms: int, first: int
    ) -> tuple[int, JSON]:
        """The first attempt that succeeds, and its value."""
        is_valid = self._schemas.validator(ref, direction).is_valid
        generator = self._generator(ref, direction)
        reason = DeadEnd(ref, "no value that was tried is valid")
        spent = 0
        for attempt in range(first, len(_ATTEMPTS)):
            style, is_careful, is_fresh = _ATTEMPTS[attempt]
            if spent > MOST_IN_ALL:
                break
            run = Run(dice(self._seed, ref, key, attempt), now_ms, style, is_careful, is_fresh)
            try:
                value = generator.make((ref,), "", run)
            except DeadEnd as dead_end:
                reason = dead_end
                continue
            except RecursionError:
                reason = DeadEnd(ref, "the schema is nested too deeply")
                continue
            finally:
                spent += run.spent
            if is_valid(value):
                return attempt, value
        raise Unsatisfiable(reason.ref or ref, reason.reason)

    def _names(self, ref: SchemaRef, direction: Direction) -> list[str]:
        generator = self._generator(ref, direction)
        return [name for name, refs in members(generator, generator.shapes.shape((ref,))) if refs is not None]

    def _generator(self, ref: SchemaRef, direction: Direction) -> Generator:
        key = (direction, self._schemas.base(ref))
        generator = self._generators.get(key)
        if generator is None:
            generator = self._generators[key] = Generator(self._schemas, *key, self._texts)
        return generator
