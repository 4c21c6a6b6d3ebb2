"""Examples that belong to a key: which members of an example repeat the path, and what they become.

The path of ``GET /pets/{petId}`` names the member ``petId`` of an example, else its ``id``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from mockserver.engine.response.negotiation import default_response
from mockserver.generate.property_names import apply_hints, hint_targets, interpretations, words
from mockserver.jsonschema import SchemaError, Schemas
from mockserver.plan import JSON, Document, MediaType, Operation

_PARAMETER = re.compile(r"\{([^{}/]+)\}")
_LAST_PARAMETER = re.compile(r"(.*/\{([^{}/]+)\})(/[^{}]*)?")


class AskedKey(NamedTuple):
    """The key that a path asks for."""

    parameters: Mapping[str, JSON]
    """The path parameters by name."""
    identifier: str = ""
    """The parameter whose value the member ``id`` repeats; empty: none."""

    def is_key_of(self, value: JSON) -> bool:
        """Return whether a value has the key. False if no member of it belongs to the path."""
        if not isinstance(value, dict):
            return False
        targets = [*self._targets(value)]
        return bool(targets) and all(
            any(
                type(reading) is type(value[name]) and reading == value[name]
                for reading in interpretations(self.parameters[parameter], type(value[name]))
            )
            for name, parameter in targets
        )

    def set_in(self, value: JSON, is_valid: Callable[[JSON], bool]) -> JSON:
        """Return a value with the key, as far as it stays valid; else ``value`` itself."""
        if not isinstance(value, dict):
            return value
        hints = {name: self.parameters[parameter] for name, parameter in self._targets(value)}
        return apply_hints(value, hints, (), is_valid) if hints else value

    def _targets(self, value: Mapping[str, JSON]) -> Iterator[tuple[str, str]]:
        """Yield the members of ``value`` that repeat the path, each with the name of its parameter."""
        members = [name for name, member in value.items() if not isinstance(member, dict | list)]
        is_named = False
        for name, parameter in hint_targets(self.parameters, members):
            if words(name) == words(parameter):
                is_named = is_named or parameter == self.identifier or name == "id"
                yield name, parameter
        if self.identifier and not is_named and "id" in members:
            yield "id", self.identifier


class Identifiers:
    """Finds the path parameter that the ``id`` in a response repeats. The results are cached."""

    def __init__(self, document: Document, schemas: Schemas) -> None:
        self._schemas = schemas
        self._reads = {_shape(each.path): each for each in document.operations if each.method == "GET"}
        self._found: dict[tuple[str, str | None], str] = {}

    def find(self, operation: Operation, media: MediaType) -> str:
        """Return the name of the parameter, or an empty text.

        It is the last parameter, if the path ends with it, or if the response has the schema of the
        item at the path that ends with it, as that of ``POST /orders/{orderId}/cancel`` may have.
        """
        cache_key = operation.path, media.schema
        name = self._found.get(cache_key)
        if name is None:
            name = self._found[cache_key] = self._find(operation.path, media)
        return name

    def _find(self, path: str, media: MediaType) -> str:
        found = _LAST_PARAMETER.fullmatch(path)
        if found is None or words(found[2])[-1:] != ("id",):
            return ""
        if not found[3]:
            return found[2]
        item = self._reads.get(_shape(found[1]))
        if item is None or media.schema is None:
            return ""
        own = self._location(media)
        is_same = any(self._location(other) == own for other in default_response(item)[0].content)
        return found[2] if own and is_same else ""

    def _location(self, media: MediaType) -> str:
        """Return the location of a schema behind its references; empty if there is none."""
        try:
            return self._schemas.lookup(media.schema)[1] if media.schema else ""
        except SchemaError:
            return ""


def _shape(path: str) -> str:
    """Return a path without the names of its parameters."""
    return _PARAMETER.sub("{}", path)
