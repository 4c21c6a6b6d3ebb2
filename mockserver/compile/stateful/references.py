"""Find the fields of items that name items of other resources: ``petId`` is the key of a pet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from mockserver.compile.scaffold import singular
from mockserver.compile.stateful.bodies import Bodies, last_word
from mockserver.compile.stateful.links import Link
from mockserver.engine.paging import plain
from mockserver.plan import DataResource

_TOO_GENERAL = frozenset(("id", "key", "name", "uuid", "code"))


def with_references(
    resources: Sequence[DataResource], bodies: Bodies, stated: Sequence[Link]
) -> list[DataResource]:
    """Return the resources with their references: field → the name of the resource with its keys.

    A reference is a field with a key, or with a list of keys. ``stated``: the links of the document.
    """
    names = {name: resource for resource in resources for name in _names(resource)}
    linked = _linked(resources, stated)
    found = []
    for resource in resources:
        references = {}
        fields = bodies.shapes.properties(resource.schema) if resource.schema is not None else {}
        for field, ref in fields.items():
            items, word = bodies.items(ref), plain(field)
            by_link = linked.get((resource.name, field))
            target = by_link or names.get(word.removesuffix("s") if items else word)
            is_alias = target is resource and not by_link and not items
            is_key = field == resource.key_field or is_alias
            if target is not None and not is_key and bodies.is_scalar(items or ref):
                references[field] = target.name
        found.append(replace(resource, references=references))
    return found


def _linked(
    resources: Sequence[DataResource], stated: Sequence[Link]
) -> Mapping[tuple[str, str], DataResource]:
    """Return the resources whose keys links state to be in fields, by resource and field."""
    owners = {index: resource for resource in resources for index in resource.operations}
    found = {}
    for link in stated:
        source, target = owners.get(link.source), owners.get(link.target)
        if source is None or target is None or target.parents or target.is_singleton:
            continue
        path = source.operations[link.source].path
        if target.operations[link.target].key == link.parameter and link.field[:-1] == path:
            found[source.name, link.field[-1]] = target
    return found


def _names(resource: DataResource) -> Iterator[str]:
    """Yield the plain names of fields with the key of a resource. Nested ones have no such fields."""
    if resource.parents or resource.is_singleton or not resource.key_field:
        return
    word = plain(singular(last_word(resource.path)))
    yield f"{word}{plain(resource.key_field)}"
    keys = {operation.key for operation in resource.operations.values() if operation.key}
    yield from (plain(key) for key in keys if plain(key) not in _TOO_GENERAL)
