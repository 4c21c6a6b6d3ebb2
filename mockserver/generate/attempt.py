"""One attempt to generate a value: its seeded random numbers, its limits, and its errors."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from mockserver.diagnostics import MockServerError
from mockserver.generate.constraints import Shape
from mockserver.jsonschema.references import shown
from mockserver.plan import SchemaRef


class Unsatisfiable(MockServerError):  # noqa: N818 - a verdict on a schema, not a failure of the program
    """No valid value was found for a schema, most often because none exists.

    ``ref`` is the location in the document that could not be satisfied.
    """

    def __init__(self, ref: SchemaRef, reason: str) -> None:
        self.ref = ref
        self.reason = reason
        super().__init__(shown(f"{ref}: {reason}"))


class DeadEnd(Exception):  # noqa: N818 - control flow inside the generator: try something else
    """The current choices lead to no value."""

    def __init__(self, ref: SchemaRef, reason: str) -> None:
        self.ref = ref
        self.reason = reason
        super().__init__(reason)


class Endless(DeadEnd):
    """Every value contains another value of the same schema, so no other choice within it helps."""


Style = Literal["full", "mixed", "lean"]
"""Which optional members to generate: all, some, or none."""

MAX_OPTIONAL_PARTS = 250
"""The size of a value in parts after which only required objects and arrays are added."""
MAX_OPTIONAL_SCALARS = 1_000
"""The size of a value after which only required parts are added."""
MAX_PARTS = 20_000
"""The number of generated parts, with discarded ones, after which an attempt fails."""
ALTERNATIVE_COST = 10
"""The cost of one alternative, in parts."""
MAX_OPTIONAL_DEPTH = 5
"""The depth after which only required objects and arrays are added."""
MAX_DEPTH = 60
"""The depth at which an attempt fails."""
MAX_RECURSION = 4
"""The number of values of the same schemas inside each other after which the recursion counts as endless."""


@dataclass(slots=True)
class Attempt:
    """The state of an attempt. All parts of the generator change it."""

    rng: random.Random
    now_ms: int
    style: Style = "full"
    is_careful: bool = False
    """Whether parts that may be invalid are validated, and generated again, one by one."""
    is_fresh: bool = False
    """Whether examples are not used, because they would be the same again."""
    spent: int = 0
    size: int = 0
    """The number of parts of the value, without discarded ones."""
    depth: int = 0
    active: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """How many values of the same schemas enclose the current part, to detect recursion."""

    def count_alternative(self, shape: Shape) -> None:
        """Count an alternative. Raises DeadEnd above the limit."""
        self.spent += ALTERNATIVE_COST
        if self.spent > MAX_PARTS:
            raise DeadEnd(shape.at, "its alternatives have too many combinations")

    def count_part(self, shape: Shape) -> None:
        """Count one part. Raises DeadEnd above a limit."""
        self.spent += 1
        self.size += 1
        if self.spent > MAX_PARTS:
            raise DeadEnd(shape.at, f"its values have more than {MAX_PARTS} parts")
        if self.depth > MAX_DEPTH:
            raise DeadEnd(shape.at, f"its values are nested more than {MAX_DEPTH} levels deep")
        if self.active[shape.refs] >= MAX_RECURSION:
            raise Endless(shape.at, "its values are nested in each other without end")

    @property
    def has_room(self) -> bool:
        """Whether optional objects and arrays are still added."""
        return self.depth < MAX_OPTIONAL_DEPTH and self.size < MAX_OPTIONAL_PARTS

    @property
    def is_full(self) -> bool:
        """Whether no optional parts are added any more."""
        return self.size >= MAX_OPTIONAL_SCALARS


def seeded_rng(*parts: int | str) -> random.Random:
    """Return a random number generator whose seed is ``parts``."""
    text = "\x1f".join(str(part) for part in parts)
    return random.Random(
        int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest())
    )
