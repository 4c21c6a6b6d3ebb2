"""What several schemas together ask of one value.

A *conjunction* is a set of schemas, by reference, that hold at once: those of
an ``allOf``, of a ``$ref`` with siblings, or all that speak of one property. A
Shape is their sum: bounds at their tightest, types that all allow, names that
any requires. What is a matter of choice (``oneOf``, ``anyOf``, ``if``,
``dependentSchemas``) is kept as open Choices; taking one gives another Shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Literal

from msgspec import Struct, field

from mockserver.plan import JSON, SchemaRef

TYPES = frozenset(("null", "boolean", "integer", "number", "string", "array", "object"))
SCALARS = frozenset(("boolean", "integer", "number", "string"))

Taken = tuple[tuple[SchemaRef, int], ...]
"""Choices already made: where the choice stands, and the number of the option."""


Span = tuple[Fraction, int, int]
"""Numbers on a grid: the step, and the least and the greatest count of steps."""


class Option(Struct, frozen=True):
    """One way out of a choice."""

    refs: tuple[SchemaRef, ...] = ()
    required: str = ""
    forbidden: str = ""
    tag: tuple[str, str] | None = None
    """Discriminator property and its value."""


class Choice(Struct, frozen=True):
    """An open choice. ``oneOf`` asks for exactly one option, ``anyOf`` for any."""

    kind: Literal["oneOf", "anyOf", "if", "dependent"]
    at: SchemaRef
    options: tuple[Option, ...]


class Part(Struct, frozen=True):
    """One schema's say about members of an object or items of an array."""

    ref: SchemaRef
    node: Mapping[str, JSON]


class Contains(Struct, frozen=True):
    """At least ``least`` and at most ``most`` items match ``ref``."""

    ref: SchemaRef
    least: int
    most: int | None


class Shape(Struct, eq=False):
    """The sum of a conjunction. Built by Shapes, and not changed afterwards."""

    refs: tuple[SchemaRef, ...]
    taken: Taken = ()
    types: frozenset[str] = TYPES
    options: list[JSON] | None = None
    """Values of ``enum`` and ``const`` that all schemas allow."""
    samples: list[JSON] = field(default_factory=list)
    """Examples, valid or not."""
    defaults: list[JSON] = field(default_factory=list)
    """Valid or not; the one nearest to the value goes first."""
    choices: list[Choice] = field(default_factory=list)
    made: list[tuple[Choice, int]] = field(default_factory=list)
    """The choices of ``oneOf`` that were made, and how."""
    tags: dict[str, str] = field(default_factory=dict)
    fault: str = ""
    """Why there can be no such value, where that is plain."""
    needs_test: bool = False
    """Whether a value made from this shape may still be wrong (``not`` and the like)."""
    excluded: list[JSON] = field(default_factory=list)

    low: Fraction | None = None
    low_open: bool = False
    high: Fraction | None = None
    high_open: bool = False
    steps: list[Fraction] = field(default_factory=list)
    spans: dict[tuple[str, bool], Span] = field(default_factory=dict)
    """The numbers to choose from, by name and wholeness, once they have been found."""

    shortest: int = 0
    longest: int | None = None
    patterns: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)

    fewest_items: int = 0
    most_items: int | None = None
    unique: bool = False
    contains: list[Contains] = field(default_factory=list)
    array_parts: list[Part] = field(default_factory=list)

    fewest_members: int = 0
    most_members: int | None = None
    required: dict[str, None] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    concealed: set[str] = field(default_factory=set)
    """Of the forbidden names, those that readOnly or writeOnly hides."""
    names: list[SchemaRef] = field(default_factory=list)
    """Schemas of ``propertyNames``."""
    dependent: dict[str, list[str]] = field(default_factory=dict)
    object_parts: list[Part] = field(default_factory=list)

    is_leaf: bool = False
    """Whether its values have no parts that are described, and no alternatives."""
    is_mute: bool = False
    """Whether nothing at all is said of its values."""
    is_plain: bool = False
    """Whether it is a leaf of a single type that can be made outright."""

    @property
    def at(self) -> SchemaRef:
        """The first of its schemas, for a reader to look at."""
        return self.refs[0] if self.refs else ""

    def raise_low(self, bound: Fraction, *, is_open: bool) -> None:
        """Take a lower bound into account."""
        if self.low is None or bound > self.low or (bound == self.low and is_open):
            self.low, self.low_open = bound, is_open

    def lower_high(self, bound: Fraction, *, is_open: bool) -> None:
        """Take an upper bound into account."""
        if self.high is None or bound < self.high or (bound == self.high and is_open):
            self.high, self.high_open = bound, is_open

    def contradiction(self) -> str:
        """Why no value can be of this shape, as far as bounds and types tell; empty otherwise."""
        if self.fault:
            return self.fault
        if not self.types:
            return "no type is allowed by all of its schemas"
        if self.options is not None and not self.options:
            return "no value of its enum is allowed"
        return ""
