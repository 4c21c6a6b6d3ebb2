"""Generated values of one schema, to lay stored values over: those of the branch of a value first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from operator import itemgetter
from typing import NamedTuple

from mockserver.diagnostics import MockServerError
from mockserver.engine.service import Service
from mockserver.jsonschema import SchemaError
from mockserver.jsonschema.keywords import is_draft_4
from mockserver.jsonschema.references import tokens
from mockserver.media.shapes import Shapes
from mockserver.plan import JSON, SchemaRef

MAX_BASES = 16
"""The generated values of a schema that are tried for a stored value."""
_MAX_BRANCHES = 64
"""The branches of a schema that are compared with a stored value."""
_MAX_NESTING = 8
"""The branches inside each other that are looked at."""
CONSTANTS = frozenset(("const", "enum", "discriminator"))
"""The keywords of violations by a value that is another constant than that of a schema."""


class Origin(NamedTuple):
    """What the generated values of an item depend on, beside their schema."""

    key: str
    hints: Mapping[str, JSON]
    now: int

    def part(self, token: str | int) -> Origin:
        """Return the origin of a member or an item."""
        return Origin(f"{self.key}/{token}", {}, self.now)


_Tags = Mapping[str, tuple[str, ...]]


class _Branch(NamedTuple):
    """A branch of ``oneOf`` or ``anyOf``. ``tags``: the values that a discriminator selects it for."""

    ref: SchemaRef
    tags: _Tags


class Bases:
    """Generates values of one schema."""

    def __init__(self, service: Service, shapes: Shapes, ref: SchemaRef) -> None:
        self._service = service
        self._schemas = service.schemas
        self._shapes = shapes
        self._ref = ref

    def base(self, origin: Origin, number: int = 0) -> JSON:
        """Return a generated value; ``number``: another one. Raises Unsatisfiable and SchemaError."""
        key = f"{origin.key}\n{number}" if number else origin.key
        return self._service.fakes.value(self._ref, key=key, hints=origin.hints, now_ms=origin.now)

    def branches(self, value: Mapping[str, JSON], first: JSON, origin: Origin) -> Iterator[dict[str, JSON]]:
        """Yield generated objects of the branches to which ``value`` may belong, the nearest first.

        ``first`` is a generated value of any branch, with what the branches have in common.
        """
        for branch in self._nearest(value):
            try:
                generated = self._service.fakes.value(
                    branch.ref, key=origin.key, hints=origin.hints, now_ms=origin.now
                )
            except MockServerError:
                continue
            if isinstance(generated, dict):
                tags = {
                    name: value[name] if value.get(name) in names else names[0]
                    for name, names in branch.tags.items()
                }
                yield generated | tags
                if isinstance(first, dict):
                    yield first | generated | tags

    def _nearest(self, value: Mapping[str, JSON]) -> list[_Branch]:
        """Return the branches with most constants of ``value``, that with most of its members first."""
        distances = [(self._distance(branch, value), branch) for branch in self._branches]
        fewest = min((strange for (strange, _), _ in distances), default=0)
        near = [(wrong, branch) for (strange, wrong), branch in distances if strange == fewest]
        return [branch for _, branch in sorted(near, key=itemgetter(0))]

    def _distance(self, branch: _Branch, value: Mapping[str, JSON]) -> tuple[int, int]:
        """Return how many members are other constants than those of a branch, and how many it has not."""
        known = self._shapes.properties(branch.ref)
        try:
            found = self._schemas.validator(branch.ref, "response").violations(value)
        except (SchemaError, ValueError):
            return len(value) + 1, 0
        places = [(tokens(violation.pointer), violation.keyword) for violation in found]
        strange = {name for name, names in branch.tags.items() if name in value and value[name] not in names}
        strange |= {place[0] for place, keyword in places if len(place) == 1 and keyword in CONSTANTS}
        wrong = {place[0] for place, _ in places if place} | {name for name in value if name not in known}
        return len(strange), len(wrong)

    @cached_property
    def _branches(self) -> list[_Branch]:
        found: list[_Branch] = []
        with suppress(SchemaError):  # those before the fault
            self._find(self._ref, {}, frozenset(), found)
        return found

    def _find(self, ref: SchemaRef, tags: _Tags, outer: frozenset[SchemaRef], found: list[_Branch]) -> bool:
        """Add the branches of a schema to ``found``. Return whether it has some."""
        node, at = self._schemas.lookup(ref)
        if not isinstance(node, dict) or at in outer or len(outer) > _MAX_NESTING:
            return False
        outer, count = outer | {at}, len(found)
        for keyword in ("oneOf", "anyOf"):
            discriminator = self._schemas.discriminators.find(at, node, keyword)
            for index, branch in enumerate(subschemas(node, at, keyword)):
                names = discriminator.names[index] if discriminator is not None else ()
                own = {**tags, discriminator.property: names} if discriminator is not None and names else tags
                if len(found) < _MAX_BRANCHES and not self._find(branch, own, outer, found):
                    found.append(_Branch(branch, own))
        for part in subschemas(node, at, "allOf"):
            self._find(part, tags, outer, found)
        if not is_draft_4(self._schemas.dialect) and isinstance(target := node.get("$ref"), str):
            self._find(self._schemas.resolve(at, target), tags, outer, found)
        return len(found) > count


def subschemas(node: Mapping[str, JSON], at: SchemaRef, keyword: str) -> list[SchemaRef]:
    """Return the references of the subschemas of a keyword with a list."""
    listed = node.get(keyword)
    return [f"{at}/{keyword}/{index}" for index in range(len(listed) if isinstance(listed, list) else 0)]
