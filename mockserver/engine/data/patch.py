"""Changes of a stored value by JSON Patch (RFC 6902) and merge patch (RFC 7396)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mockserver.diagnostics import MockServerError, Violation
from mockserver.engine.data.bases import Origin
from mockserver.engine.data.projection import Projection
from mockserver.jsonschema.references import pointer
from mockserver.media.json import merge_patch
from mockserver.plan import JSON


class PatchError(MockServerError):
    """A JSON Patch that cannot be applied to the value."""

    def __init__(self, message: str) -> None:
        self.violations: Sequence[Violation] = (Violation("body", "", "", "patch", message, None),)
        super().__init__(message)


_OPERATIONS = frozenset(("add", "remove", "replace", "move", "copy", "test"))
_MAX_NULLS = 64
"""The nulls of a merge patch that may stay."""


def is_json_patch(body: JSON, content_type: str) -> bool:
    """Return whether a body is a JSON Patch, by its media type or its form."""
    if "json-patch" in content_type:
        return True
    return isinstance(body, list) and all(
        isinstance(item, dict) and item.get("op") in _OPERATIONS and "path" in item for item in body
    )


def foreign_operations(operations: JSON) -> list[str]:
    """Return the operations in a JSON Patch that RFC 6902 does not have."""
    listed = operations if isinstance(operations, list) else []
    named = (item.get("op") for item in listed if isinstance(item, dict))
    return [name for name in named if isinstance(name, str) and name not in _OPERATIONS]


def patched(value: JSON, operations: list[JSON]) -> Any:
    """Return ``value`` after the operations of a JSON Patch. Raises PatchError."""
    import jsonpatch  # only for requests with a JSON Patch

    try:
        return jsonpatch.apply_patch(value, operations)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        raise PatchError(f"the patch cannot be applied: {error}") from error
    except (TypeError, KeyError, ValueError) as error:
        raise PatchError(f"this is not a JSON Patch: {error}") from error


def merged(value: dict[str, JSON], patch: JSON, projection: Projection, origin: Origin) -> Any:
    """Return ``value`` after a merge patch. Null stays where the schema requires a member and allows null."""
    changed = merge_patch(value, patch, keep_null=True)
    found = projection.project(changed, origin)
    shown, lost = found.value, found.lost
    for number, path in enumerate(_nulls(patch, ())):
        smaller = _without(shown, path)
        is_shown = not any(pointer(path[:end]) in lost for end in range(1, len(path) + 1))
        if number < _MAX_NULLS and is_shown and not projection.is_valid(smaller):
            continue
        changed, shown = _without(changed, path), smaller if is_shown else shown
    return changed


def _nulls(patch: JSON, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield where the members of a merge patch are null."""
    for name, member in patch.items() if isinstance(patch, Mapping) else ():
        if member is None:
            yield (*path, name)
        else:
            yield from _nulls(member, (*path, name))


def _without(value: JSON, path: Sequence[str]) -> Any:
    """Return a value without the member at ``path``."""
    name, *rest = path
    if not isinstance(value, dict) or name not in value:
        return value
    if rest:
        return {**value, name: _without(value[name], rest)}
    return {other: member for other, member in value.items() if other != name}
