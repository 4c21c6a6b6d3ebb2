"""Fields of a creating request in the responses of the resource that it created."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mockserver.engine.data.projection import Projection
from mockserver.engine.resources.context import RenderContext, created_fields
from mockserver.engine.service import Service
from mockserver.generate.property_names import hint_targets
from mockserver.jsonschema import SchemaError
from mockserver.media.shapes import Shapes
from mockserver.plan import JSON, SchemaRef

MAX_TRIED = 200
"""The fields that are tried one by one, if not all of them are valid in a response."""


class CreatedFields:
    """Selects the fields of creating requests for responses with one schema."""

    def __init__(self, service: Service, ref: SchemaRef, key_name: str) -> None:
        """``key_name``: the name of the key in the request."""
        self._projection = Projection(service, Shapes(service.schemas), ref)
        self._key_name = key_name
        try:
            self._read_only = service.schemas.hidden(ref, "request")
        except SchemaError:
            self._read_only = frozenset()

    def select(self, subject: RenderContext) -> dict[str, JSON]:
        """Return the fields that the schema mentions: not the key, nor what only the server sets."""
        visible = self._projection.visible(created_fields(subject))
        if not isinstance(visible, dict):
            return {}
        keys = {name for name, _ in hint_targets((self._key_name,), [*visible])}
        return {name: member for name, member in visible.items() if name not in self._read_only | keys}


def lay_over(
    base: JSON, fields: Mapping[str, JSON], merge: Callable[[Any, Any], JSON], fits: Callable[[JSON], bool]
) -> JSON:
    """Return ``base`` with those of ``fields`` that fit in it."""
    if not isinstance(base, dict) or not fields:
        return base
    for candidate in ({**base, **fields}, merge(base, fields)):
        if fits(candidate):
            return candidate
    for name in [*fields][:MAX_TRIED]:
        offers = ({**base, name: fields[name]}, merge(base, {name: fields[name]}))
        base = next((offer for offer in offers if fits(offer)), base)
    return base
