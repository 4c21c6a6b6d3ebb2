"""Runtime expressions (OpenAPI 3.0.4, section 4.8.20.4) over the call that created a resource.

``$url``, ``$method``, ``$statusCode``, ``$request.path.x``, ``.query.x``,
``.header.x``, ``.body`` and ``.body#/json/pointer``, ``$response.header.x``,
``.body`` and ``.body#/json/pointer``; alone, or in braces within a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mockserver.plan import JSON
from mockserver.schema.pointers import index, tokens

_EMBEDDED = re.compile(r"\{(\$[^{}]+)\}")
_NAME = r"[!#-'*+\-.^_`|~0-9A-Za-z]+"
_BODY = r"body(?:#(?:/.*)?)?"
_FORM = re.compile(
    rf"\$(?:url|method|statusCode|request\.(?:(?:path|query)\..+|header\.{_NAME}|{_BODY})"
    rf"|response\.(?:header\.{_NAME}|{_BODY}))$"
)

Message = Mapping[str, JSON]
"""A request or an answer by its parts: method, url, path, query, status, headers (lower case), body."""


def _expressions(text: str) -> list[str]:
    return [text] if text.startswith("$") else _EMBEDDED.findall(text)


def is_expression(text: str) -> bool:
    """Whether every expression in ``text`` is one that is known here."""
    return all(_FORM.match(each) for each in _expressions(text))


def reads_answer(text: str) -> bool:
    """Whether an expression in ``text`` is about the answer."""
    return any(each.startswith(("$response.", "$statusCode")) for each in _expressions(text))


def evaluate(text: str, request: Message, answer: Callable[[], Message]) -> str | None:
    """``text`` with its expressions replaced; None where one of them has no value.

    ``answer`` is called for expressions that read the answer.
    """

    def value(expression: str) -> str | None:
        return _text(_value(expression, answer() if reads_answer(expression) else request))

    if text.startswith("$"):
        return value(text)
    missing = False

    def replaced(found: re.Match[str]) -> str:
        nonlocal missing
        told = value(found[1])
        missing = missing or told is None
        return told or ""

    told = _EMBEDDED.sub(replaced, text)
    return None if missing else told


def _value(expression: str, message: Message) -> Any:
    if expression in ("$url", "$method", "$statusCode"):
        return message.get(expression[1:])
    _, part, rest = (*expression.split(".", 2), "")[:3]
    members: Any = message
    if part in ("path", "query"):
        return (members.get(part) or {}).get(rest)
    if part == "header":
        return (members.get("headers") or {}).get(rest.lower())
    value = members.get("body")
    pointer = expression.partition("#")[2]
    for name in tokens(pointer):
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and (place := index(name, value)) is not None:
            value = value[place]
        else:
            return None
    return value


def _text(value: Any) -> str | None:
    return None if value is None or isinstance(value, dict | list) else str(value)
