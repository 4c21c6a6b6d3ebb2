"""Changes of a stored value by JSON Patch (RFC 6902)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mockserver.diagnostics import MockServerError, Violation
from mockserver.plan import JSON


class PatchError(MockServerError):
    """A JSON Patch that cannot be applied to the value."""

    def __init__(self, message: str) -> None:
        self.violations: Sequence[Violation] = (Violation("body", "", "", "patch", message, None),)
        super().__init__(message)


_OPERATIONS = frozenset(("add", "remove", "replace", "move", "copy", "test"))


def is_json_patch(body: JSON, content_type: str) -> bool:
    """Return whether a body is a JSON Patch, by its media type or its form."""
    if "json-patch" in content_type:
        return True
    return isinstance(body, list) and all(
        isinstance(item, dict) and item.get("op") in _OPERATIONS and "path" in item for item in body
    )


def patched(value: JSON, operations: list[JSON]) -> Any:
    """Return ``value`` after the operations of a JSON Patch. Raises PatchError."""
    import jsonpatch  # only for requests with a JSON Patch

    try:
        return jsonpatch.apply_patch(value, operations)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        raise PatchError(f"the patch cannot be applied: {error}") from error
    except (TypeError, KeyError, ValueError) as error:
        raise PatchError(f"this is not a JSON Patch: {error}") from error
