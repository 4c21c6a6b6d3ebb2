"""What a generator cannot do."""

from __future__ import annotations

from mockserver.errors import MockServerError
from mockserver.plan import SchemaRef
from mockserver.schema.pointers import shown


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
