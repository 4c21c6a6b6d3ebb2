"""Values of any shape: choices are made, a type is picked, and its maker called.

A way that leads nowhere raises DeadEnd; whoever had another way tries that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from itertools import islice

from mockserver.generate.attempt import DeadEnd, Endless, Run, Style
from mockserver.generate.constraints import Choice, Option, Shape
from mockserver.generate.containers import Member, make_array, make_object, set_apart
from mockserver.generate.scalars import Texts, number
from mockserver.generate.subschemas import Shapes
from mockserver.jsonschema import Direction, Schemas
from mockserver.plan import JSON, SchemaRef

MOST_WAYS = 24
"""Combinations of choices that are followed for one value."""

PLAIN: tuple[JSON, ...] = ({}, [], "", 0, 1, -1, 0.5, False, True, None, "0", "a", [0], [{}])
"""Values to try when all else failed."""

_MANNERS: tuple[tuple[Style, bool], ...] = (
    # style, and whether examples are passed over
    ("full", False),
    ("full", True),
    ("mixed", True),
    ("lean", True),
    ("mixed", True),
    ("full", True),
)
_BY_LIKELIHOOD: tuple[str, ...] = ("object", "array", "string", "number", "integer", "boolean")
_KEYWORDS_OF: tuple[tuple[str, str], ...] = (
    # what a schema without a type is about, by what it says
    ("object", "object_parts"),
    ("object", "required"),
    ("array", "array_parts"),
    ("array", "contains"),
    ("string", "patterns"),
    ("number", "steps"),
    ("object", "fewest_members"),
    ("array", "fewest_items"),
    ("string", "shortest"),
    ("string", "formats"),
)


class Generator:
    """Makes values for one direction of one document."""

    def __init__(
        self, schemas: Schemas, direction: Direction, outermost: str, texts: Texts, *, is_thorough: bool
    ) -> None:
        """``is_thorough``: values must be valid in every reading of their schemas."""
        self.shapes = Shapes(schemas, direction, outermost)
        self._schemas = schemas
        self._direction: Direction = direction
        self._texts = texts
        self._is_thorough = is_thorough
        self._judges: dict[SchemaRef, tuple[Callable[[JSON], bool], ...]] = {}
        self.members: dict[Shape, list[Member]] = {}
        self._samples: dict[Shape, list[JSON]] = {}
        self._branches: dict[SchemaRef, list[tuple[tuple[SchemaRef, ...], int, bool]]] = {}

    def make(self, refs: tuple[SchemaRef, ...], name: str, run: Run) -> JSON:
        """A value that all schemas at ``refs`` allow, for a member called ``name``. Raises DeadEnd."""
        return self.make_shape(self.shapes.shape(refs), name, run)

    def make_shape(self, shape: Shape, name: str, run: Run) -> JSON:
        """As ``make``, for who has the shape already."""
        run.spend(shape)
        has_samples = shape.samples or shape.defaults
        if has_samples and not run.is_fresh and (samples := self.samples(shape)):
            return samples[int(run.rng.random() * len(samples))]
        if shape.is_plain and not run.is_careful:
            (kind,) = shape.types
            return self._make_typed(kind, shape, name, run)
        run.depth += 1
        run.active[shape.refs] += 1
        try:
            if run.is_careful and (shape.needs_test or run.depth == 1):
                return self._make_tested(shape, name, run)
            return self._make(shape, name, run)
        finally:
            run.depth -= 1
            run.active[shape.refs] -= 1

    def is_valid(self, shape: Shape, value: JSON) -> bool:
        """Whether each schema of the conjunction allows ``value``."""
        return all(judge(value) for ref in shape.refs for judge in self._judges.get(ref) or self._judge(ref))

    def _judge(self, ref: SchemaRef) -> tuple[Callable[[JSON], bool], ...]:
        validators = self._schemas.validators(ref, self._direction)
        wanted = validators if self._is_thorough else islice(validators, 1)
        judges = self._judges[ref] = tuple(each.is_valid for each in wanted)
        return judges

    def samples(self, shape: Shape) -> list[JSON]:
        """The examples of a shape that are valid; where there is none, the first default that is."""
        if not (shape.samples or shape.defaults):
            return shape.samples
        valid = self._samples.get(shape)
        if valid is None:
            valid = [each for each in shape.samples if self.is_valid(shape, each)]
            if not valid:
                valid = [each for each in shape.defaults if self.is_valid(shape, each)][:1]
            self._samples[shape] = valid
        return valid

    def _make(self, shape: Shape, name: str, run: Run) -> JSON:
        if not shape.choices and not shape.fault:  # the usual case, without the machinery
            return self._make_settled(shape, name, run)
        dead_end: DeadEnd | None = None
        for settled in islice(self._ways(shape, run), MOST_WAYS):
            try:
                return self._make_settled(settled, name, run)
            except DeadEnd as other:
                dead_end = _more_hopeful(dead_end, other)
        raise dead_end or DeadEnd(shape.at, "no combination of its alternatives is possible")

    def _make_tested(self, shape: Shape, name: str, run: Run) -> JSON:
        """As ``_make``, but what comes out wrong is made again, in another manner and by other choices."""
        style, is_fresh, size = run.style, run.is_fresh, run.size
        dead_end = DeadEnd(shape.at, "no value that was tried is valid")
        for manner, run.is_fresh in _MANNERS:
            run.style, run.size = manner if style == "full" else style, size
            try:
                for value in islice(self._candidates(shape, name, run), MOST_WAYS):
                    if self.is_valid(shape, value):
                        return value
            except Endless as other:
                dead_end = other
                break
            except DeadEnd as other:
                dead_end = other
            finally:
                run.style, run.is_fresh = style, is_fresh
        for value in PLAIN:
            if self.is_valid(shape, value):
                return copy(value)
        raise dead_end

    def _candidates(self, shape: Shape, name: str, run: Run) -> Iterator[JSON]:
        """A value for each way to settle a shape, then the same made to match one alternative only."""
        dead_end: DeadEnd | None = None
        for settled in self._ways(shape, run):
            try:
                value = self._make_settled(settled, name, run)
            except DeadEnd as other:
                dead_end = _more_hopeful(dead_end, other)
                continue
            yield value
            if settled.made and isinstance(value, dict):
                yield set_apart(self, settled, value)
        if dead_end is not None:
            raise dead_end

    def _ways(self, shape: Shape, run: Run) -> Iterator[Shape]:
        """The shapes that are left when all choices are made, one way after the other."""
        if reason := shape.fault:
            raise DeadEnd(shape.at, reason)
        if not shape.choices:
            yield shape
            return
        choice = shape.choices[0]
        faults: list[str] = []
        for option in self._order(choice, run):
            run.look(shape)
            taken = self.shapes.take(shape, choice, option)
            if fault := taken.fault:
                faults.append(fault)
            else:
                yield from self._ways(taken, run)
        if len(faults) == len(choice.options):
            raise DeadEnd(choice.at, f"none of its alternatives is possible: {faults[0]}")

    def _order(self, choice: Choice, run: Run) -> list[int]:
        """The options in the order to try them: by chance, but null last, and recursion later than that."""
        count = len(choice.options)
        if choice.kind == "dependent":
            return [1, 0] if run.style == "lean" else [0, 1]
        if count == 1:
            return [0]
        chance = run.rng.random
        if count > MOST_WAYS:
            return sorted(range(count), key=lambda _: chance())
        branches = self._branches.get(choice.at)
        if branches is None:
            branches = self._branches[choice.at] = [self._branch(option) for option in choice.options]
        is_modest, active = run.is_modest, run.active
        ranked = [
            (2 if rank == 0 and (active[refs] or not (is_modest or is_leaf)) else rank, chance(), option)
            for option, (refs, rank, is_leaf) in enumerate(branches)
        ]
        ranked.sort()
        return [option for _, _, option in ranked]

    def _branch(self, option: Option) -> tuple[tuple[SchemaRef, ...], int, bool]:
        """Its conjunction, whether it is last for being null, and whether it has no parts."""
        if not option.refs:
            return (), 0, True
        shape = self.shapes.shape(option.refs)
        is_null = shape.types == {"null"} or shape.options == [None]
        return shape.refs, int(is_null), not shape.types & {"object", "array"}

    def _make_settled(self, shape: Shape, name: str, run: Run) -> JSON:
        if shape.options is not None:
            return self._option(shape, run)
        dead_end: DeadEnd | None = None
        for kind in _types(shape, name, run):
            try:
                return self._make_typed(kind, shape, name, run)
            except DeadEnd as other:
                dead_end = _more_hopeful(dead_end, other)
        raise dead_end or DeadEnd(shape.at, "no type is possible")

    def _option(self, shape: Shape, run: Run) -> JSON:
        options = shape.options or []
        if shape.needs_test or len(shape.refs) > 1 or shape.patterns or shape.low is not None:
            options = [each for each in options if self.is_valid(shape, each)] or options
        told = [each for each in options if each is not None] or options
        return told[int(run.rng.random() * len(told))]

    def _make_typed(self, kind: str, shape: Shape, name: str, run: Run) -> JSON:
        match kind:  # the usual ones first
            case "string":
                return self._texts.text(shape, name, run.rng, run.now_ms)
            case "integer" | "number":
                return number(shape, name, run.rng, run.now_ms, whole=kind == "integer")
            case "boolean":
                return run.rng.random() < 0.5
            case "null":
                return None
            case "array":
                return make_array(self, shape, name, run)
            case _:
                return make_object(self, shape, run)


def _more_hopeful(one: DeadEnd | None, other: DeadEnd) -> DeadEnd:
    """The one that may be a matter of luck."""
    return other if one is None or isinstance(one, Endless) else one


def _types(shape: Shape, name: str, run: Run) -> Sequence[str]:
    """The types to try, the likeliest first; null is the last resort."""
    if len(shape.types) == 1:
        return tuple(shape.types)
    kinds = [each for each in _BY_LIKELIHOOD if each in shape.types]
    if "number" in kinds and "integer" in kinds:
        kinds.remove("integer")
    if len(kinds) > 1:
        likeliest = _kind_described(shape)
        if likeliest not in kinds and len(kinds) == len(_BY_LIKELIHOOD) - 1:  # anything will do
            likeliest = "string" if name else "object"
        elif likeliest not in kinds:
            likeliest = kinds[int(run.rng.random() * len(kinds))]
        kinds.remove(likeliest)
        kinds.insert(0, likeliest)
    return [*kinds, "null"] if "null" in shape.types else kinds


def _kind_described(shape: Shape) -> str:
    """The type that a schema without a single one is about, by what else it says."""
    if shape.low is not None or shape.high is not None:
        return "number" if "number" in shape.types else "integer"
    return next((kind for kind, facts in _KEYWORDS_OF if getattr(shape, facts) and kind in shape.types), "")
