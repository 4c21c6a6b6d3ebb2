"""The schemas of one document, compiled when first asked for."""

from __future__ import annotations

from collections.abc import Mapping

from mockserver.plan import JSON, Dialect, SchemaRef
from mockserver.schema.closure import FLAGS, Closure, Direction
from mockserver.schema.keywords import is_draft_4
from mockserver.schema.references import References
from mockserver.schema.validator import Validator


class Schemas:
    """Schemas by reference; ``trees`` is ``Document.trees`` and may load its values lazily."""

    def __init__(self, trees: Mapping[str, JSON], dialect: Dialect) -> None:
        self.dialect: Dialect = dialect
        self._references = References(trees, dialect)
        self._closures: dict[Direction, Closure] = {
            direction: Closure(self._references, dialect, direction) for direction in FLAGS
        }
        self._validators: dict[tuple[SchemaRef, Direction], Validator] = {}

    def lookup(self, ref: SchemaRef) -> tuple[JSON, SchemaRef]:
        """Follow references to a schema that is more than a ``$ref``, and tell where it stands.

        Raises SchemaError where a reference leads nowhere or in a ring.
        """
        place = self._references.follow(ref)
        return place.node, place.ref

    def resolve(self, at: SchemaRef, target: str) -> SchemaRef:
        """What ``$ref: target`` means in the schema at ``at``."""
        return self._references.resolve(at, target)

    def hidden(self, ref: SchemaRef, direction: Direction) -> frozenset[str]:
        """The properties that the schema at ``ref`` keeps from a direction by readOnly or writeOnly."""
        return self._closures[direction].hidden(ref)

    def validator(self, ref: SchemaRef, direction: Direction) -> Validator:
        """The validator of the schema at ``ref``. Raises SchemaError if it cannot be one."""
        validator = self._validators.get((ref, direction))
        if validator is None:
            validator = self._validators[ref, direction] = Validator(
                ref,
                self._closures[direction].bundle(ref),
                self._references,
                draft_4=is_draft_4(self.dialect),
                flag=FLAGS[direction],
            )
        return validator
