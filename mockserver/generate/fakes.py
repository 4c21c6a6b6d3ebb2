"""Valid, plausible values for the schemas of one document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from mockserver.generate.attempt import Attempt, DeadEnd, Endless, Style, Unsatisfiable, seeded_rng
from mockserver.generate.containers import members
from mockserver.generate.generator import Generator
from mockserver.generate.leaves import Leaf, Writer
from mockserver.generate.pools import Frames, Identity, Pools
from mockserver.generate.property_names import apply_hints
from mockserver.generate.relaxed import Relaxed
from mockserver.generate.scalars import Texts
from mockserver.generate.writing import Writers
from mockserver.jsonschema import Direction, SchemaError, Schemas, Validator
from mockserver.plan import JSON, SchemaRef
from mockserver.providers.faker import FakeValues
from mockserver.providers.ids import DAY

NOW_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z, the default time for generated timestamps."""

decode_json = msgspec.json.Decoder().decode

MAX_PARTS_IN_ALL = 30_000
"""The number of generated parts after which no further attempt is made."""

_SAMPLES = ("", "0")
"""The keys of the values that are validated before a writer is trusted."""
_ATTEMPTS: tuple[tuple[Style, bool, bool], ...] = (
    # style, whether parts are validated one by one, whether examples are left out
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
    """Generates values. A value depends only on the seed, the schema and the key, not on earlier values."""

    def __init__(self, schemas: Schemas, seed: int | str = 0) -> None:
        self._schemas = schemas
        self._seed = seed
        self._values = FakeValues(seed)
        self._texts = Texts(self._values)
        self._pools = Pools(seed)
        self._frames = Frames(seed)
        self._generators: dict[tuple[Direction, str, bool], tuple[Generator, Writers]] = {}
        self._strategies: dict[tuple[SchemaRef, Direction], _Strategy | Unsatisfiable] = {}
        """Failures are cached too, because they take long."""

    def value(
        self,
        ref: SchemaRef,
        *,
        key: str,
        direction: Direction = "response",
        hints: Mapping[str, JSON] | None = None,
        now_ms: int = NOW_MS,
    ) -> JSON:
        """Return a valid value of the schema at ``ref``, always the same for one ``key``.

        ``hints`` are values by name, such as path parameters. Top-level members with
        such a name get the value if it is valid. Timestamps are near ``now_ms``,
        which is in milliseconds since the epoch.

        Raises Unsatisfiable if no valid value is found, and SchemaError if the schema
        cannot be used.
        """
        strategy = self._strategy(ref, direction)
        written = None if strategy.script is None else strategy.script.written(key, hints, now_ms)
        if written is not None:
            return decode_json(written)
        self._complete(strategy, tuple(self._schemas.validators(ref, direction)))
        value = strategy.search(self._seed, key, now_ms)
        if hints:
            value = apply_hints(value, hints, strategy.names(), strategy.is_valid)
        return value

    def load(self) -> None:
        """Import what generates texts, which takes long. Any thread may call it."""
        self._values.load()

    def prepare(self, ref: SchemaRef) -> Iterator[None]:
        """Make what the first response value of a schema needs. Yield after each step."""
        if (ref, "response") in self._strategies:
            return
        try:
            first = self._schemas.validator(ref, "response")
            yield
            generator, writers = self._generator(ref, "response", is_thorough=bool(first.readings))
            yield from writers.prepare(generator.shapes.shape((ref,)), "", NOW_MS - NOW_MS % DAY)
            self._strategy(ref, "response")
        except (Unsatisfiable, DeadEnd, SchemaError, RecursionError):
            pass  # the first request reports it
        yield

    def written(
        self, ref: SchemaRef, *, key: str, hints: Mapping[str, JSON] | None = None, now_ms: int = NOW_MS
    ) -> bytes | None:
        """Return the ``value`` of a response as JSON without spaces; None if only ``value`` finds one."""
        script = self.script(ref)
        return None if script is None else script.written(key, hints, now_ms)

    def script(self, ref: SchemaRef) -> Script | None:
        """Return what writes the values of a response as JSON; None if only ``value`` finds them."""
        try:
            return self._strategy(ref, "response").script
        except (Unsatisfiable, SchemaError):
            return None

    def nearest(self, ref: SchemaRef, *, key: str, now_ms: int = NOW_MS) -> JSON:
        """Return a value as close as possible to a response schema for which no valid value is found."""
        return Relaxed(
            self._schemas, lambda part: self.value(part, key=f"{key}\n{part}", now_ms=now_ms)
        ).value(ref)

    def validators(self, ref: SchemaRef, direction: Direction = "response") -> Sequence[Validator]:
        """Return the validators that accept the values of a schema: those of all readings, if possible.

        Raises SchemaError if the schema cannot be used.
        """
        validators = tuple(self._schemas.validators(ref, direction))
        if len(validators) > 1:
            try:
                strategy = self._strategy(ref, direction)
            except Unsatisfiable:
                return validators
            return self._complete(strategy, validators).validators
        return validators

    def _complete(self, strategy: _Strategy, validators: tuple[Validator, ...]) -> _Strategy:
        """Give a strategy the validators of the other readings, if its values are valid in all of them."""
        if strategy.script is not None and not strategy.is_complete:
            strategy.is_complete = True
            written = strategy.script.written("", None, NOW_MS)
            value = None if written is None else decode_json(written)
            if written is not None and all(validator.is_valid(value) for validator in validators):
                strategy.validators = validators
        return strategy

    def _strategy(self, ref: SchemaRef, direction: Direction) -> _Strategy:
        strategy = self._strategies.get((ref, direction))
        if strategy is None:
            try:
                strategy = self._find(ref, direction)
            except Unsatisfiable as error:
                strategy = Unsatisfiable(error.ref, error.reason)
            self._strategies[ref, direction] = strategy
        if isinstance(strategy, Unsatisfiable):
            raise Unsatisfiable(strategy.ref, strategy.reason)
        return strategy

    def _find(self, ref: SchemaRef, direction: Direction) -> _Strategy:
        first = self._schemas.validator(ref, direction)
        generator, writers = self._generator(ref, direction, is_thorough=bool(first.readings))
        name = self._schemas.lookup(ref)[1]
        script = self._proven(ref, name, generator, writers, first)
        if script is not None:
            return _Strategy(ref, name, generator, (first,), script)
        validators = tuple(self._schemas.validators(ref, direction))
        if len(validators) > 1:
            try:
                return self._searched(_Strategy(ref, name, generator, validators))
            except Unsatisfiable:
                pass  # no value is valid in all readings, so use the one of OpenAPI
        generator, _ = self._generator(ref, direction, is_thorough=False)
        return self._searched(_Strategy(ref, name, generator, validators[:1]))

    def _searched(self, strategy: _Strategy) -> _Strategy:
        strategy.search(self._seed, "", NOW_MS)
        return strategy

    def _proven(
        self, ref: SchemaRef, name: SchemaRef, generator: Generator, writers: Writers, validator: Validator
    ) -> Script | None:
        """Return the script of a schema, if what it writes is valid in a few samples; else None."""
        try:
            writer = writers.of(generator.shapes.shape((ref,)), "")
            if isinstance(writer, Leaf) and writer.is_whole:
                return None
        except (DeadEnd, RecursionError):
            return None
        script = Script(writer, Identity(self._seed, name), self._pools)
        samples = [script.written(key, None, NOW_MS) for key in _SAMPLES]
        is_valid = validator.is_valid
        if all(sample is not None and is_valid(decode_json(sample)) for sample in samples):
            return script
        return None

    def _generator(
        self, ref: SchemaRef, direction: Direction, *, is_thorough: bool
    ) -> tuple[Generator, Writers]:
        key = (direction, self._schemas.base(ref), is_thorough)
        found = self._generators.get(key)
        if found is None:
            generator = Generator(self._schemas, direction, key[1], self._texts, is_thorough=is_thorough)
            found = generator, Writers(generator, self._pools, self._frames, str(key))
            self._generators[key] = found
        return found


class Script:
    """Writes the values of one schema as JSON without spaces."""

    __slots__ = ("_identity", "_pools", "_writer")

    def __init__(self, writer: Writer, identity: Identity, pools: Pools) -> None:
        self._writer = writer
        self._identity = identity
        self._pools = pools

    def written(self, key: str, hints: Mapping[str, JSON] | None, now_ms: int) -> bytes | None:
        """Return the value of a key; None if the generator has to search for it."""
        self._pools.day = day = now_ms - now_ms % DAY
        stream = self._identity.stream(key, day)
        try:
            return self._writer.write_hinted(stream, hints) if hints else self._writer.write(stream)
        except (DeadEnd, RecursionError):
            return None


@dataclass(slots=True)
class _Strategy:
    """How values of one schema are generated."""

    ref: SchemaRef
    name: SchemaRef
    """The canonical location of the schema. Responses with the same schema get the same value for a key."""
    generator: Generator
    validators: tuple[Validator, ...]
    script: Script | None = None
    """Writes values, if the schema permits to write them without a search."""
    is_complete: bool = False
    """Whether ``validators`` are those of all readings, if possible: only a search needs them."""
    first: int | None = None
    """The index of the first attempt that succeeds. It is found with a constant key, not the first one."""

    def search(self, seed: int | str, key: str, now_ms: int) -> JSON:
        """Return the value of the first attempt that succeeds. Raises Unsatisfiable."""
        if self.first is None:
            self.first, value = self._search(0, seed, "", NOW_MS)
            if not key and now_ms == NOW_MS:
                return value
        return self._search(self.first, seed, key, now_ms)[1]

    def _search(self, first: int, seed: int | str, key: str, now_ms: int) -> tuple[int, JSON]:
        ref = self.ref
        reason = DeadEnd(ref, "no value that was tried is valid")
        spent = 0
        for number in range(first, len(_ATTEMPTS)):
            style, is_careful, is_fresh = _ATTEMPTS[number]
            if spent > MAX_PARTS_IN_ALL:
                break
            attempt = Attempt(seeded_rng(seed, self.name, key, number), now_ms, style, is_careful, is_fresh)
            try:
                value = self.generator.generate((ref,), "", attempt)
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
                spent += attempt.spent
            if self.is_valid(value):
                return number, value
        raise Unsatisfiable(reason.ref or ref, reason.reason)

    def is_valid(self, value: JSON) -> bool:
        """Return whether a value is valid in all readings that the strategy respects."""
        return all(validator.is_valid(value) for validator in self.validators)

    def names(self) -> list[str]:
        """Return the names of members that the schema allows and mentions."""
        shape = self.generator.shapes.shape((self.ref,))
        return [member.name for member in members(self.generator, shape) if member.shape is not None]
