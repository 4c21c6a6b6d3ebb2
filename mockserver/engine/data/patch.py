"""Changes of a stored value: JSON Merge Patch (RFC 7396) and JSON Patch (RFC 6902)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mockserver.diagnostics import MockServerError, Violation
from mockserver.plan import JSON


class PatchError(MockServerError):
    """A JSON Patch that cannot be applied to the value."""

    def __init__(self, message: str) -> None:
        self.violations: Sequence[Violation] = (Violation("body", "", "", "patch", message, None),)
        super().__init__(message)


def merged(value: JSON, change: JSON) -> Any:
    """Return ``value`` after a merge patch: null removes a member, objects are merged."""
    if not isinstance(change, Mapping):
        return change
    result = dict(value) if isinstance(value, dict) else {}
    for name, member in change.items():
        if member is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), member)
    return result


def patched(value: JSON, operations: list[JSON]) -> Any:
    """Return ``value`` after the operations of a JSON Patch. Raises PatchError."""
    import jsonpatch  # only for requests with a JSON Patch

    try:
        return jsonpatch.apply_patch(value, operations)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        raise PatchError(f"the patch cannot be applied: {error}") from error
    except (TypeError, KeyError, ValueError) as error:
        raise PatchError(f"this is not a JSON Patch: {error}") from error
