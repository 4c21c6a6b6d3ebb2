"""The schemas of one document, compiled on first use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from mockserver.jsonschema.bundler import FLAGS, Bundler, Direction, Reading
from mockserver.jsonschema.discriminators import Discriminators
from mockserver.jsonschema.keywords import is_draft_4
from mockserver.jsonschema.references import References, SchemaError
from mockserver.jsonschema.validator import Validator
from mockserver.plan import JSON, Dialect, SchemaRef

_MAX_SKIPPED = 64
"""The maximum number of parts of a schema that are skipped. After these, all of it is."""


class Schemas:
    """Schemas by reference. ``trees`` is ``Document.trees``, which may load its values lazily."""

    def __init__(self, trees: Mapping[str, JSON], dialect: Dialect, *, forgiving: bool = False) -> None:
        """With ``forgiving``, the smallest faulty part of a schema that cannot be used is skipped."""
        self._forgiving = forgiving
        self.dialect: Dialect = dialect
        self._references = References(trees, dialect)
        self.discriminators = Discriminators(self._references)
        self._bundlers: dict[tuple[Direction, Reading], Bundler] = {}
        self._validators: dict[tuple[SchemaRef, Direction, Reading], Validator] = {}

    def lookup(self, ref: SchemaRef) -> tuple[JSON, SchemaRef]:
        """Follow references. Return the schema and its canonical reference.

        Raises SchemaError if a reference leads nowhere or to itself.
        """
        location = self._references.follow(ref)
        return location.node, location.ref

    def resolve(self, at: SchemaRef, target: str) -> SchemaRef:
        """Resolve ``$ref: target`` in the schema at ``at``. Raises SchemaError."""
        return self._references.resolve(at, target)

    def resolve_dynamic(self, at: SchemaRef, target: str, outermost: str) -> SchemaRef:
        """Resolve ``$dynamicRef: target`` at ``at``. ``outermost`` is the outermost schema resource.

        Other than in the standard (JSON Schema core, section 8.2.3.2), the resources
        between the two are ignored. This is enough to generate values, which are
        validated afterwards.
        """
        ref = self._references.resolve(at, target)
        location, dynamic = self._references.location(ref), self._references.index.dynamic
        anchor = target.partition("#")[2]
        if dynamic.get(location.base, {}).get(anchor) != location.ref:
            return ref
        return dynamic.get(outermost, {}).get(anchor, ref)

    def base(self, ref: SchemaRef) -> str:
        """Return the base URI of the JSON Schema resource to which the schema at ``ref`` belongs."""
        return self._references.follow(ref).base

    def hidden(self, ref: SchemaRef, direction: Direction) -> frozenset[str]:
        """Return the properties that the schema at ``ref`` hides in a direction by readOnly or writeOnly."""
        return self._bundler(direction, "openapi").hidden_properties.of(ref)

    def validator(self, ref: SchemaRef, direction: Direction, reading: Reading = "openapi") -> Validator:
        """Return the validator of the schema at ``ref``. Raises SchemaError if the schema cannot be used."""
        validator = self._validators.get((ref, direction, reading))
        if validator is None:
            validator = self._validators[ref, direction, reading] = self._compile(ref, direction, reading)
        return validator

    def _compile(self, ref: SchemaRef, direction: Direction, reading: Reading) -> Validator:
        bundler = self._bundler(direction, reading)
        compiled = partial(
            Validator,
            draft_4=is_draft_4(self.dialect),
            flag=FLAGS[direction],
            forgiving=reading == "forgiving",
        )
        for _ in range(_MAX_SKIPPED):
            try:
                return compiled(ref, bundler.bundle(ref), self._references)
            except SchemaError as error:
                if not self._forgiving:
                    raise
                bundler.skip(error.ref)
        return compiled(ref, bundler.allow_anything(ref), self._references)

    def validators(self, ref: SchemaRef, direction: Direction) -> Iterator[Validator]:
        """Yield a validator for each reading of the schema at ``ref``, the one of OpenAPI first.

        A value that all of them accept is valid for every client, with or without
        formats and discriminators. Raises SchemaError as ``validator`` does.
        """
        first = self.validator(ref, direction)
        yield first
        yield from (self.validator(ref, direction, reading) for reading in first.readings)

    def _bundler(self, direction: Direction, reading: Reading) -> Bundler:
        bundler = self._bundlers.get((direction, reading))
        if bundler is None:
            bundler = Bundler(self._references, self.dialect, direction, reading, forgiving=self._forgiving)
            self._bundlers[direction, reading] = bundler
        return bundler
