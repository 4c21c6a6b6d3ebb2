"""One attempt to generate a value: its seeded random numbers, what it may spend, and how it fails."""

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
    """No valid value was found for a schema, most often because there is none.

    ``ref`` is the place in the document that could not be satisfied.
    """

    def __init__(self, ref: SchemaRef, reason: str) -> None:
        self.ref = ref
        self.reason = reason
        super().__init__(shown(f"{ref}: {reason}"))


class DeadEnd(Exception):  # noqa: N818 - control flow inside the generator: try something else
    """This way leads to no value."""

    def __init__(self, ref: SchemaRef, reason: str) -> None:
        self.ref = ref
        self.reason = reason
        super().__init__(reason)


class Endless(DeadEnd):
    """Every value would hold another value of the same schema: no other choice within it helps."""


Style = Literal["full", "mixed", "lean"]
"""Whether optional members are there: all of them, some, or none."""

MODEST = 250
"""Parts of a value after which only what is required is still added."""
WIDE = 1_000
"""Parts of a value after which even texts and numbers are added only if they are required."""
MOST = 20_000
"""Parts made, those thrown away included, after which an attempt is given up."""
LOOK = 10
"""Parts that looking at one alternative counts for."""
DEEP = 5
"""Levels after which only what is required is still added."""
DEEPEST = 60
RECURRENT = 4
"""Values of one conjunction inside each other, all of them required, after which no end is to be seen."""


@dataclass(slots=True)
class Run:
    """State of an attempt; every part of the generator writes to it."""

    rng: random.Random
    now_ms: int
    style: Style = "full"
    is_careful: bool = False
    """Whether parts that may be wrong are tested where they are made, and made again."""
    is_fresh: bool = False
    """Whether examples are passed over, since they would be the same again."""
    spent: int = 0
    size: int = 0
    """Parts of the value as it stands; what was thrown away does not count."""
    depth: int = 0
    active: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """Conjunctions whose values are being made, to know recursion by."""

    def look(self, shape: Shape) -> None:
        """Count a look at an alternative. Raises DeadEnd when too much has been spent."""
        self.spent += LOOK
        if self.spent > MOST:
            raise DeadEnd(shape.at, "its alternatives have too many combinations")

    def spend(self, shape: Shape) -> None:
        """Count one part. Raises DeadEnd when too much has been spent."""
        self.spent += 1
        self.size += 1
        if self.spent > MOST:
            raise DeadEnd(shape.at, f"its values have more than {MOST} parts")
        if self.depth > DEEPEST:
            raise DeadEnd(shape.at, f"its values are nested more than {DEEPEST} levels deep")
        if self.active[shape.refs] >= RECURRENT:
            raise Endless(shape.at, "its values are nested in each other without end")

    @property
    def is_modest(self) -> bool:
        """Whether there is room for what is not required."""
        return self.depth < DEEP and self.size < MODEST

    @property
    def is_wide(self) -> bool:
        """Whether the value is so large that there is room for nothing more."""
        return self.size >= WIDE


def dice(*parts: int | str) -> random.Random:
    """A generator of random numbers that belongs to ``parts`` alone."""
    text = "\x1f".join(str(part) for part in parts)
    return random.Random(
        int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest())
    )
