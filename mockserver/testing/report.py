"""What a failing test's report says of the mock server: the calls, and what was wrong with them."""

from __future__ import annotations

from collections.abc import Iterator

from mockserver.errors import MockServerError
from mockserver.testing.calls import Call
from mockserver.testing.namespace import Namespace

_LISTED = 50


def told(namespace: Namespace) -> str:
    """The calls of a namespace, oldest first. Never raises for a server that is gone."""
    try:
        calls = namespace.calls
    except MockServerError as error:
        return f"its calls cannot be told: {error}"
    if not calls:
        return f"nothing was called. Does the client go by {namespace.url}, or send {namespace.headers}?"
    lines = [f"{len(calls) - _LISTED} earlier calls"] if len(calls) > _LISTED else []
    for call in calls[-_LISTED:]:
        lines += [str(call), *(f"    {each}" for each in _wrong(call))]
    return "\n".join(lines)


def _wrong(call: Call) -> Iterator[str]:
    """In which ways the request breaks the document; the nearest paths, where it has none like it."""
    yield from call.problems
    if call.problems or call.response_headers.get("content-type") != "application/problem+json":
        return
    try:
        yield str(call.response_json()["detail"])
    except (ValueError, KeyError, TypeError):
        return
