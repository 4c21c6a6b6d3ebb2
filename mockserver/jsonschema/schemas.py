"""The schemas of one document, compiled when first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from mockserver.jsonschema.bundler import FLAGS, Bundler, Direction, Reading
from mockserver.jsonschema.discriminators import Discriminators
from mockserver.jsonschema.keywords import is_draft_4
from mockserver.jsonschema.references import References, SchemaError
from mockserver.jsonschema.validator import Validator
from mockserver.plan import JSON, Dialect, SchemaRef

_MAX_PASSED_OVER = 64
"""Parts of one schema that are passed over one by one, before all of it is."""


class Schemas:
    """Schemas by reference; ``trees`` is ``Document.trees`` and may load its values lazily."""

    def __init__(self, trees: Mapping[str, JSON], dialect: Dialect, *, forgiving: bool = False) -> None:
        """``forgiving``: of a schema that cannot be used, the smallest part is passed over."""
        self._forgiving = forgiving
        self.dialect: Dialect = dialect
        self._references = References(trees, dialect)
        self.discriminators = Discriminators(self._references)
        self._closures: dict[tuple[Direction, Reading], Bundler] = {}
        self._validators: dict[tuple[SchemaRef, Direction, Reading], Validator] = {}

    def lookup(self, ref: SchemaRef) -> tuple[JSON, SchemaRef]:
        """Follow references to a schema that is more than a ``$ref``, and tell where it stands.

        Raises SchemaError where a reference leads nowhere or in a ring.
        """
        place = self._references.follow(ref)
        return place.node, place.ref

    def resolve(self, at: SchemaRef, target: str) -> SchemaRef:
        """What ``$ref: target`` means in the schema at ``at``."""
        return self._references.resolve(at, target)

    def resolve_dynamic(self, at: SchemaRef, target: str, outermost: str) -> SchemaRef:
        """What ``$dynamicRef: target`` means at ``at``, in a value that began in the resource ``outermost``.

        The resources between the two are not asked, as the standard would have it
        (JSON Schema core, 8.2.3.2): near enough for making values, which are validated.
        """
        ref = self._references.resolve(at, target)
        place, dynamic = self._references.place(ref), self._references.index.dynamic
        anchor = target.partition("#")[2]
        if dynamic.get(place.base, {}).get(anchor) != place.ref:
            return ref
        return dynamic.get(outermost, {}).get(anchor, ref)

    def base(self, ref: SchemaRef) -> str:
        """The base URI of the JSON Schema resource that the schema at ``ref`` belongs to."""
        return self._references.follow(ref).base

    def hidden(self, ref: SchemaRef, direction: Direction) -> frozenset[str]:
        """The properties that the schema at ``ref`` keeps from a direction by readOnly or writeOnly."""
        return self._closure(direction, "meant").hiding.of(ref)

    def validator(self, ref: SchemaRef, direction: Direction, reading: Reading = "meant") -> Validator:
        """The validator of the schema at ``ref``. Raises SchemaError if it cannot be one."""
        validator = self._validators.get((ref, direction, reading))
        if validator is None:
            validator = self._validators[ref, direction, reading] = self._compile(ref, direction, reading)
        return validator

    def _compile(self, ref: SchemaRef, direction: Direction, reading: Reading) -> Validator:
        closure = self._closure(direction, reading)
        compiled = partial(
            Validator,
            draft_4=is_draft_4(self.dialect),
            flag=FLAGS[direction],
            forgiving=reading == "forgiving",
        )
        for _ in range(_MAX_PASSED_OVER):
            try:
                return compiled(ref, closure.bundle(ref), self._references)
            except SchemaError as error:
                if not self._forgiving:
                    raise
                closure.pass_over(error.ref)
        return compiled(ref, closure.anything(ref), self._references)

    def validators(self, ref: SchemaRef, direction: Direction) -> Iterator[Validator]:
        """A validator for each way to read the schema at ``ref``, as it is meant first.

        What they all take is valid to whoever looks, whether he asserts formats
        and heeds discriminators or not. Raises SchemaError as ``validator`` does.
        """
        meant = self.validator(ref, direction)
        yield meant
        yield from (self.validator(ref, direction, reading) for reading in meant.readings)

    def _closure(self, direction: Direction, reading: Reading) -> Bundler:
        closure = self._closures.get((direction, reading))
        if closure is None:
            closure = Bundler(self._references, self.dialect, direction, reading, forgiving=self._forgiving)
            self._closures[direction, reading] = closure
        return closure
