"""The generator of values of any shape: it makes the open choices, selects a type and generates it.

A choice that leads to no value raises DeadEnd. Callers with other choices try these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import partial
from itertools import islice

from mockserver.generate.attempt import Attempt, DeadEnd, Endless, Style
from mockserver.generate.constraints import Choice, Option, Shape, Signature, equality_key
from mockserver.generate.containers import Member, distinguish, generate_array, generate_object
from mockserver.generate.scalars import Texts, number
from mockserver.generate.subschemas import Shapes
from mockserver.jsonschema import Direction, Schemas
from mockserver.plan import JSON, SchemaRef

MAX_COMBINATIONS = 24
"""The maximum number of combinations of choices that are tried for one value."""

LAST_RESORTS: tuple[JSON, ...] = ({}, [], "", 0, 1, -1, 0.5, False, True, None, "0", "a", [0], [{}])
"""Values to try if everything else failed."""

_RETRIES: tuple[tuple[Style, bool], ...] = (
    # style, and whether examples are left out
    ("full", False),
    ("full", True),
    ("mixed", True),
    ("lean", True),
    ("mixed", True),
    ("full", True),
)
_BY_LIKELIHOOD: tuple[str, ...] = ("object", "array", "string", "number", "integer", "boolean")
_KEYWORDS_OF: tuple[tuple[str, str], ...] = (
    # the type of a schema without ``type``, by its other keywords
    ("object", "object_parts"),
    ("object", "required"),
    ("array", "array_parts"),
    ("array", "contains"),
    ("string", "patterns"),
    ("number", "steps"),
    ("object", "min_members"),
    ("array", "min_items"),
    ("string", "min_length"),
    ("string", "formats"),
)


class Generator:
    """Generates values of one document, for requests or responses."""

    def __init__(
        self, schemas: Schemas, direction: Direction, outermost: str, texts: Texts, *, is_thorough: bool
    ) -> None:
        """With ``is_thorough``, values must be valid in every reading of their schemas."""
        self.shapes = Shapes(schemas, direction, outermost)
        self._schemas = schemas
        self._direction: Direction = direction
        self.texts = texts
        self._is_thorough = is_thorough
        self._validators: dict[SchemaRef, tuple[Callable[[JSON], bool], ...]] = {}
        self._by_signature: dict[Signature, tuple[Callable[[JSON], bool], ...]] = {}
        """The checks of scalars, which many schemas share."""
        self.members: dict[Shape, list[Member]] = {}
        self._samples: dict[Shape, list[JSON]] = {}
        self._branches: dict[SchemaRef, list[tuple[tuple[SchemaRef, ...], int, bool]]] = {}

    def generate(self, refs: tuple[SchemaRef, ...], name: str, attempt: Attempt) -> JSON:
        """Return a value that all schemas at ``refs`` allow, for a member called ``name``. Raises DeadEnd."""
        return self.generate_shape(self.shapes.shape(refs), name, attempt)

    def generate_shape(self, shape: Shape, name: str, attempt: Attempt) -> JSON:
        """Return a value of a shape. Raises DeadEnd."""
        attempt.count_part(shape)
        has_samples = shape.samples or shape.defaults
        if has_samples and not attempt.is_fresh and (samples := self.samples(shape)):
            return samples[int(attempt.rng.random() * len(samples))]
        if shape.is_plain and not attempt.is_careful:
            (kind,) = shape.types
            return self._generate_type(kind, shape, name, attempt)
        attempt.depth += 1
        attempt.active[shape.refs] += 1
        try:
            if attempt.is_careful and (shape.needs_test or attempt.depth == 1):
                return self._generate_validated(shape, name, attempt)
            return self._generate(shape, name, attempt)
        finally:
            attempt.depth -= 1
            attempt.active[shape.refs] -= 1

    def is_valid(self, shape: Shape, value: JSON) -> bool:
        """Return whether all schemas of a shape allow ``value``."""
        if (signature := shape.signature) is not None and isinstance(value, (str, int, float)):
            if shape.options is not None and not isinstance(value, float) and shape.settles_options():
                return any(equality_key(value) == equality_key(option) for option in shape.options)
            return all(accepts(value) for accepts in self._scalar_checks(signature, shape))
        return all(accepts(value) for ref in shape.refs for accepts in self._checks(ref))

    def check(self, shape: Shape) -> Callable[[JSON], bool]:
        """Return the function that says whether all schemas of a shape allow a scalar."""
        if (signature := shape.signature) is not None and shape.options is None:
            checks = self._scalar_checks(signature, shape)
            if len(checks) == 1:
                return checks[0]
        return partial(self.is_valid, shape)

    def _scalar_checks(self, signature: Signature, shape: Shape) -> tuple[Callable[[JSON], bool], ...]:
        checks = self._by_signature.get(signature)
        if checks is None:
            checks = tuple(check for ref in shape.refs for check in self._checks(ref))
            self._by_signature[signature] = checks
        return checks

    def _checks(self, ref: SchemaRef) -> tuple[Callable[[JSON], bool], ...]:
        checks = self._validators.get(ref)
        if checks is None:
            validators = self._schemas.validators(ref, self._direction)
            wanted = validators if self._is_thorough else islice(validators, 1)
            checks = self._validators[ref] = tuple(validator.is_valid for validator in wanted)
        return checks

    def samples(self, shape: Shape) -> list[JSON]:
        """Return the valid examples of a shape. If there is none, return the first valid default."""
        if not (shape.samples or shape.defaults):
            return shape.samples
        valid = self._samples.get(shape)
        if valid is None:
            valid = [sample for sample in shape.samples if self.is_valid(shape, sample)]
            if not valid:
                valid = [default for default in shape.defaults if self.is_valid(shape, default)][:1]
            self._samples[shape] = valid
        return valid

    def _generate(self, shape: Shape, name: str, attempt: Attempt) -> JSON:
        if not shape.choices and not shape.fault:  # the usual case
            return self._generate_resolved(shape, name, attempt)
        dead_end: DeadEnd | None = None
        for resolved in islice(self._resolve_choices(shape, attempt), MAX_COMBINATIONS):
            try:
                return self._generate_resolved(resolved, name, attempt)
            except DeadEnd as other:
                dead_end = _prefer_retriable(dead_end, other)
        raise dead_end or DeadEnd(shape.at, "no combination of its alternatives is possible")

    def _generate_validated(self, shape: Shape, name: str, attempt: Attempt) -> JSON:
        """Do as ``_generate``, and repeat it with other styles and choices while the value is invalid."""
        style, is_fresh, size = attempt.style, attempt.is_fresh, attempt.size
        dead_end = DeadEnd(shape.at, "no value that was tried is valid")
        for manner, attempt.is_fresh in _RETRIES:
            attempt.style, attempt.size = manner if style == "full" else style, size
            try:
                for value in islice(self._candidates(shape, name, attempt), MAX_COMBINATIONS):
                    if self.is_valid(shape, value):
                        return value
            except Endless as other:
                dead_end = other
                break
            except DeadEnd as other:
                dead_end = other
            finally:
                attempt.style, attempt.is_fresh = style, is_fresh
        for value in LAST_RESORTS:
            if self.is_valid(shape, value):
                return copy(value)
        raise dead_end

    def _candidates(self, shape: Shape, name: str, attempt: Attempt) -> Iterator[JSON]:
        """Yield a value for each combination of choices, then the same changed to match one branch only."""
        dead_end: DeadEnd | None = None
        for resolved in self._resolve_choices(shape, attempt):
            try:
                value = self._generate_resolved(resolved, name, attempt)
            except DeadEnd as other:
                dead_end = _prefer_retriable(dead_end, other)
                continue
            yield value
            if resolved.made and isinstance(value, dict):
                yield distinguish(self, resolved, value)
        if dead_end is not None:
            raise dead_end

    def _resolve_choices(self, shape: Shape, attempt: Attempt) -> Iterator[Shape]:
        """Yield the shapes without open choices, for one combination of choices after the other."""
        if reason := shape.fault:
            raise DeadEnd(shape.at, reason)
        if not shape.choices:
            yield shape
            return
        choice = shape.choices[0]
        faults: list[str] = []
        for option in self._order(choice, attempt):
            attempt.count_alternative(shape)
            taken = self.shapes.take(shape, choice, option)
            if fault := taken.fault:
                faults.append(fault)
            else:
                yield from self._resolve_choices(taken, attempt)
        if len(faults) == len(choice.options):
            raise DeadEnd(choice.at, f"none of its alternatives is possible: {faults[0]}")

    def _order(self, choice: Choice, attempt: Attempt) -> list[int]:
        """Return the options in the order to try them: random, but null late, and recursion last."""
        count = len(choice.options)
        if choice.kind == "dependent":
            return [1, 0] if attempt.style == "lean" else [0, 1]
        if count == 1:
            return [0]
        chance = attempt.rng.random
        if count > MAX_COMBINATIONS:
            return sorted(range(count), key=lambda _: chance())
        branches = self._branches.get(choice.at)
        if branches is None:
            branches = self._branches[choice.at] = [self._branch(option) for option in choice.options]
        has_room, active = attempt.has_room, attempt.active
        ranked = [
            (2 if rank == 0 and (active[refs] or not (has_room or is_leaf)) else rank, chance(), option)
            for option, (refs, rank, is_leaf) in enumerate(branches)
        ]
        ranked.sort()
        return [option for _, _, option in ranked]

    def _branch(self, option: Option) -> tuple[tuple[SchemaRef, ...], int, bool]:
        """Return the schemas of an option, its rank (1 for null, else 0), and whether it has no parts."""
        if not option.refs:
            return (), 0, True
        shape = self.shapes.shape(option.refs)
        is_null = shape.types == {"null"} or shape.options == [None]
        return shape.refs, int(is_null), not shape.types & {"object", "array"}

    def _generate_resolved(self, shape: Shape, name: str, attempt: Attempt) -> JSON:
        if shape.options is not None:
            return self._option(shape, attempt)
        dead_end: DeadEnd | None = None
        for kind in _types(shape, name, attempt):
            try:
                return self._generate_type(kind, shape, name, attempt)
            except DeadEnd as other:
                dead_end = _prefer_retriable(dead_end, other)
        raise dead_end or DeadEnd(shape.at, "no type is possible")

    def allowed_options(self, shape: Shape) -> list[JSON]:
        """Return the values of an enum to choose from; null only if there is no other."""
        options = shape.options or []
        if shape.needs_test or not shape.settles_options():
            options = [option for option in options if self.is_valid(shape, option)] or options
        return [option for option in options if option is not None] or options

    def _option(self, shape: Shape, attempt: Attempt) -> JSON:
        options = self.allowed_options(shape)
        return options[int(attempt.rng.random() * len(options))]

    def _generate_type(self, kind: str, shape: Shape, name: str, attempt: Attempt) -> JSON:
        match kind:  # the usual ones first
            case "string":
                return self.texts.text(shape, name, attempt.rng, attempt.now_ms)
            case "integer" | "number":
                return number(shape, name, attempt.rng, attempt.now_ms, whole=kind == "integer")
            case "boolean":
                return attempt.rng.random() < 0.5
            case "null":
                return None
            case "array":
                return generate_array(self, shape, name, attempt)
            case _:
                return generate_object(self, shape, attempt)


def _prefer_retriable(one: DeadEnd | None, other: DeadEnd) -> DeadEnd:
    """Return the error that another random choice may avoid."""
    return other if one is None or isinstance(one, Endless) else one


def _types(shape: Shape, name: str, attempt: Attempt) -> Sequence[str]:
    """Return the types to try, the most likely first and null last."""
    if len(shape.types) == 1:
        return tuple(shape.types)
    kinds = [kind for kind in _BY_LIKELIHOOD if kind in shape.types]
    if "number" in kinds and "integer" in kinds:
        kinds.remove("integer")
    if len(kinds) > 1:
        likeliest = kind_of(shape, name) or kinds[int(attempt.rng.random() * len(kinds))]
        kinds.remove(likeliest)
        kinds.insert(0, likeliest)
    return [*kinds, "null"] if "null" in shape.types else kinds


def kind_of(shape: Shape, name: str) -> str | None:
    """Return the type of all values of a shape without choices; None if it is selected for each value."""
    kinds = [kind for kind in _BY_LIKELIHOOD if kind in shape.types]
    if "number" in kinds and "integer" in kinds:
        kinds.remove("integer")
    if len(kinds) < 2:
        return kinds[0] if kinds else "null"
    likeliest = _kind_described(shape)
    if likeliest in kinds:
        return likeliest
    return ("string" if name else "object") if len(kinds) == len(_BY_LIKELIHOOD) - 1 else None


def _kind_described(shape: Shape) -> str:
    """Return the type that the other keywords of a schema imply, or an empty text."""
    if shape.low is not None or shape.high is not None:
        return "number" if "number" in shape.types else "integer"
    return next((kind for kind, name in _KEYWORDS_OF if getattr(shape, name) and kind in shape.types), "")
