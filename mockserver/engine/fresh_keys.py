"""New keys of resources, in the type and format that the document gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from mockserver.diagnostics import MockServerError
from mockserver.jsonschema import SchemaError, Schemas
from mockserver.jsonschema.keywords import NUMERIC
from mockserver.media.coercion import scalars
from mockserver.plan import JSON, SchemaRef
from mockserver.providers import ids

if TYPE_CHECKING:
    from mockserver.generate import Fakes

_MAX_FAKES = 32
_MAX_ATTEMPTS = 10_000


class FreshKeys:
    """Creates the keys of one resource: a function of the seed, the namespace and a number."""

    def __init__(
        self, name: str, key_schemas: Sequence[SchemaRef], schemas: Schemas, fakes: Fakes, seed: str
    ) -> None:
        """``name`` is that of the resource; ``key_schemas``: what a key must satisfy."""
        self._name = name
        self._key_schemas = key_schemas
        self._schemas = schemas
        self._fakes = fakes
        self._seed = seed

    def key(self, namespace: str, number: int) -> str:
        """Return the key with a number. Raises MockServerError if no key is valid."""
        for value in self._candidates(namespace, number):
            if all(self._schemas.validator(ref, "response").is_valid(value) for ref in self._key_schemas):
                return value if isinstance(value, str) else str(value)
        for value in self._candidates(namespace, number):
            # A path has text, whatever the type of the field is
            if all(self.typed(ref, str(value)) is not None for ref in self._key_schemas):
                return str(value)
        raise MockServerError(
            f"no fresh key for {self._name} satisfies the document; give its schema an example"
        )

    def typed(self, ref: SchemaRef, key: str) -> JSON:
        """Return a key as a valid value of the schema at ``ref``; None if it is not one."""
        validator = self._schemas.validator(ref, "response")
        return next((value for value in (key, *scalars(key, NUMERIC)) if validator.is_valid(value)), None)

    def fresh(
        self,
        next_number: Callable[[], int],
        is_used: Callable[[str], bool],
        namespace: str,
        attempts: int = _MAX_ATTEMPTS,
    ) -> tuple[int, str]:
        """Return the next number and an unused key. Raises MockServerError if there is none."""
        for _ in range(attempts):
            number = next_number()
            key = self.key(namespace, number)
            if not is_used(key):
                return number, key
        raise MockServerError(f"every possible key of {self._name} is in use")

    @cached_property
    def _is_numeric(self) -> bool:
        """Whether no text is a valid key."""
        try:
            nodes = [self._schemas.lookup(ref)[0] for ref in self._key_schemas]
        except SchemaError:
            return False
        return any(isinstance(node, dict) and node.get("type") in ("integer", "number") for node in nodes)

    def _candidates(self, namespace: str, number: int) -> Iterator[JSON]:
        if self._is_numeric:
            yield number
        identity = ids.derive_identity(self._seed, namespace, self._name, f"#{number}")
        yield ids.uuid(identity, "key")
        yield number
        for ref in self._key_schemas:
            for attempt in range(_MAX_FAKES):
                yield self._fakes.value(ref, key=f"{identity}/{attempt}")
        yield str(number)
