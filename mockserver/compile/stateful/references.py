"""Find the fields of items that name items of other resources: ``petId`` is the key of a pet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from mockserver.compile.scaffold import singular
from mockserver.compile.stateful.bodies import Bodies, last_word
from mockserver.engine.paging import plain
from mockserver.plan import DataResource

_TOO_GENERAL = frozenset(("id", "key", "name", "uuid", "code"))


def with_references(resources: Sequence[DataResource], bodies: Bodies) -> list[DataResource]:
    """Return the resources with their references: field → the name of the resource with its keys."""
    names = {name: resource for resource in resources for name in _names(resource)}
    found = []
    for resource in resources:
        references = {}
        fields = bodies.shapes.properties(resource.schema) if resource.schema is not None else {}
        for field, ref in fields.items():
            target = names.get(plain(field))
            is_key = field == resource.key_field or target is resource
            if target is not None and not is_key and bodies.is_scalar(ref):
                references[field] = target.name
        found.append(replace(resource, references=references))
    return found


def _names(resource: DataResource) -> Iterator[str]:
    """Yield the plain names of fields with the key of a resource. Nested ones have no such fields."""
    if resource.parents or resource.is_singleton or not resource.key_field:
        return
    word = plain(singular(last_word(resource.path)))
    yield f"{word}{plain(resource.key_field)}"
    keys = {operation.key for operation in resource.operations.values() if operation.key}
    yield from (plain(key) for key in keys if plain(key) not in _TOO_GENERAL)
