"""Fields of a body that hold the HTTP status of its own answer (RFC 9457, section 3.1.2).

A name alone does not tell: a ``code`` is often the application's own. What the
document says of a field decides: its values, its bounds, its description. Only
``status`` of an error and names such as ``statusCode`` need no more than to be
numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus

from mockserver.media.reading import Reader
from mockserver.media.shapes import ANY
from mockserver.plan import JSON, SchemaRef
from mockserver.schema import SchemaError
from mockserver.serve.cause import role

_LOWEST, _LOWEST_ERROR, _HIGHEST = 100, 400, 599
_MAX_DEPTH = 4
_REGISTERED = frozenset(int(each) for each in HTTPStatus)
_DESCRIBED = re.compile(r"\bHTTP\b[\w\s/-]{0,40}\b(?:status|code)\b", re.IGNORECASE)


class StatusFields:
    """Puts the status of an answer in the fields of a generated body that hold it."""

    def __init__(self, reader: Reader, is_valid: Callable[[JSON, SchemaRef], bool]) -> None:
        self._reader = reader
        self._is_valid = is_valid

    def filled(self, body: JSON, ref: SchemaRef, status: int, *, is_problem: bool) -> JSON:
        """``body``, valid by the schema at ``ref``, for an answer of ``status``; still valid."""
        filled = self._filled(body, ref, status, is_problem or status >= _LOWEST_ERROR, 0)
        return filled if filled is not body and self._is_valid(filled, ref) else body

    def _filled(self, body: JSON, ref: SchemaRef, status: int, is_error: bool, depth: int) -> JSON:
        """``body`` itself where nothing changes. In what is no error, only fields at the top count."""
        is_deep = depth < _MAX_DEPTH and status >= _LOWEST_ERROR
        if isinstance(body, list) and is_deep:
            shapes = self._reader.shapes.of(ref)
            item = next((shape.items[0] for shape in shapes if shape.items), None)
            items = [self._filled(each, item, status, is_error, depth + 1) for each in body] if item else body
            return items if any(new is not old for new, old in zip(items, body, strict=True)) else body
        if not isinstance(body, dict):
            return body
        changed: dict[str, JSON] = {}
        for name, at in self._reader.shapes.properties(ref).items():
            value = body.get(name)
            if isinstance(value, (int, float, str)) and not isinstance(value, bool):
                new: JSON = str(status) if isinstance(value, str) else status
                if value != new and self._holds_status(name, at, status, is_error):
                    changed |= {name: new} if self._is_valid(new, at) else {}
            elif is_deep and value is not None:
                new = self._filled(value, at, status, is_error, depth + 1)
                changed |= {name: new} if new is not value else {}
        return {**body, **changed} if changed else body

    def _holds_status(self, name: str, ref: SchemaRef, status: int, is_error: bool) -> bool:
        purpose = role(name)
        if purpose not in ("status", "code"):
            return False
        try:
            node = self._reader.schemas.lookup(ref)[0]
        except SchemaError:
            return False
        if not isinstance(node, dict):
            return False
        values = _values(node)
        if values:
            known = [_status(each) for each in values]
            if purpose == "code" and not _REGISTERED.issuperset(known):
                return False
            # The status of something else, such as the last call of a webhook, may be any in a success
            highest = _HIGHEST if is_error else _LOWEST_ERROR - 1
            return all(_LOWEST <= each <= highest for each in known)
        if _is_bounded(node) or _DESCRIBED.search(str(node.get("description", ""))):
            return True
        types = self._reader.shapes.types(ref)
        is_number = types != ANY and not types.isdisjoint(("integer", "number"))
        return purpose == "status" and is_number and (is_error or name.lower() != "status")


def _values(node: Mapping[str, JSON]) -> list[JSON]:
    """The values that a schema names, as the only ones or as examples."""
    found = [node[each] for each in ("const", "example", "default") if each in node]
    for each in ("enum", "examples"):
        listed = node.get(each)
        found += listed if isinstance(listed, list) else []
    return [each for each in found if each is not None]


def _status(value: JSON) -> int:
    """A number, or a text of three digits, as a status; 0 for anything else."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{3}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _is_bounded(node: Mapping[str, JSON]) -> bool:
    """Whether numbers from 100 to 599 are what is allowed."""
    low = node.get("minimum")
    high = node.get("maximum", node.get("exclusiveMaximum"))
    return (
        isinstance(low, (int, float))
        and isinstance(high, (int, float))
        and _LOWEST <= low <= high <= _HIGHEST + 1
    )
