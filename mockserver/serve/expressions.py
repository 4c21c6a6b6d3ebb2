"""Runtime expressions (OpenAPI 3.0.4, section 4.8.20.4) over the request that created a resource.

``$url``, ``$method``, ``$request.path.x``, ``.query.x``, ``.header.x``,
``.body`` and ``.body#/json/pointer``; alone, or in braces within a text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mockserver.plan import JSON

_EMBEDDED = re.compile(r"\{(\$[^{}]+)\}")
_FORM = re.compile(
    r"\$(?:url|method|request\.(?:(?:path|query)\..+|header\.[!#-'*+\-.^_`|~0-9A-Za-z]+|body(?:#(?:/.*)?)?))$"
)


def is_expression(text: str) -> bool:
    """Whether every expression in ``text`` is one that is known here."""
    return all(_FORM.match(each) for each in ([text] if text.startswith("$") else _EMBEDDED.findall(text)))


def evaluate(text: str, created_by: Mapping[str, JSON]) -> str | None:
    """``text`` with its expressions replaced; None where one of them has no value."""
    if text.startswith("$"):
        return _text(_value(text, created_by))
    missing = False

    def replaced(found: re.Match[str]) -> str:
        nonlocal missing
        value = _text(_value(found[1], created_by))
        missing = missing or value is None
        return value or ""

    told = _EMBEDDED.sub(replaced, text)
    return None if missing else told


def _value(expression: str, created_by: Mapping[str, JSON]) -> Any:
    if expression in ("$url", "$method"):
        return created_by.get(expression[1:])
    _, part, rest = (*expression.split(".", 2), "")[:3]
    if part in ("path", "query"):
        return (created_by.get(part) or {}).get(rest)
    if part == "header":
        return (created_by.get("headers") or {}).get(rest.lower())
    value = created_by.get("body")
    pointer = expression.partition("#")[2]
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _text(value: Any) -> str | None:
    return None if value is None or isinstance(value, dict | list) else str(value)
