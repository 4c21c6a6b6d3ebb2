"""What can be wrong with a schema, as opposed to a value."""

from __future__ import annotations

from mockserver.errors import MockServerError
from mockserver.plan import SchemaRef
from mockserver.schema.pointers import shown


class SchemaError(MockServerError):
    """A schema that cannot be used: malformed, unresolvable, or a pattern no engine here runs.

    ``ref`` is the place in the document, as near to the fault as is known.
    """

    def __init__(self, ref: SchemaRef, message: str) -> None:
        self.ref = ref
        self.message = shown(message)
        super().__init__(shown(f"{ref}: {message}"))
