"""The table of faults: how each fault is reported, how it is mended, and its code.

A document that breaks its specification is still served. A fault with a probable
meaning is read with that meaning. Otherwise the smallest part is dropped: a keyword,
else a schema, else an operation. Each fault is reported at each location, up to
``MAX_FINDINGS`` in one document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mockserver.compile.source import quote_token
from mockserver.diagnostics import shortened
from mockserver.jsonschema.references import escape, shown, tokens
from mockserver.plan import SchemaRef

MAX_FINDINGS = 1000
_MAX_TEXT = 160

At = tuple[Any, Any]
"""A location: the location of the parent and the key in it. A tree has ``(None, URI)``."""


class Row(NamedTuple):
    """``seen`` and ``assumed`` are format texts of the message and the remedy."""

    code: str
    seen: str
    assumed: str


ROWS: Mapping[str, Row] = {
    # The document
    "version": Row("D112", "states its version as {}", "read as {}; write it as a string, such as 3.1.0."),
    "type": Row("D311", "{} is {}, not {}", "passed over; write it as the OpenAPI Specification has it."),
    "retyped": Row("D311", "{} is {}, not {}", "read as {}; write it so."),
    "missing": Row("D312", "{} is missing", "read as {}; add it."),
    "incomplete": Row("D312", "{} is missing", "passed over without it; add it."),
    "key": Row("D313", "no {} has a key {!r}", "passed over; begin it with x-, or mend its name."),
    "moved": Row("D313", "no {} has a key {!r}", "read as {}; write it there."),
    # Names
    "path": Row("D314", "the path {!r} does not begin with a slash", "read as {!r}; begin it with one."),
    "method": Row("D314", "the method {!r} is not in lower case", "read as {!r}; write it so."),
    "status": Row("D314", "{!r} is no status code", "{}; write one such as 200, 4XX or default."),
    "media type": Row("D314", "{!r} is no media type", "read as {!r}; write one such as application/json."),
    "location": Row("D314", "a parameter is in {!r}", "read as {!r}; write path, query, header or cookie."),
    # Parameters, operations and security
    "undeclared": Row(
        "D315",
        "no parameter describes {{{}}} of the path {}",
        "any text is taken for it; add a parameter of that name in: path.",
    ),
    "unused": Row(
        "D315",
        "the path {1} has no {{{0}}}, which this parameter describes",
        "passed over; remove it, or mend the path.",
    ),
    "optional": Row(
        "D315", "the path parameter {} is not required", "read as if it were; say required: true."
    ),
    "twice": Row("D316", "the {} {!r} is given twice", "the first one counts; remove the other."),
    "operation id": Row(
        "D316",
        "the operationId {!r} for {} in {} is not unique",
        "the first operation has it, this one goes by method and path; give each its own.",
    ),
    "scheme": Row("D318", "no security scheme is called {!r}", "nothing is asked for it; describe one."),
    "scheme type": Row("D318", "{!r} is no type of a security scheme", "{}; write apiKey or http, say."),
    # References
    "dangling": Row("D201", "$ref {!r} points to nothing", "passed over; add what it names."),
    "reference": Row("D317", "$ref {!r} points to nothing as it is written", "read as {!r}; write it so."),
    "reference place": Row("D317", "a $ref stands in the place of {}", "followed; write out what is there."),
    "reference kind": Row("D317", "$ref {!r} leads to a {}, not to a {}", "{}; mend the pointer."),
    "siblings": Row("D317", "a $ref has {} beside it", "both count; put them into one."),
    # Examples
    "both": Row("D319", "there is an example beside examples", "read as one of them; join them."),
    "bare example": Row("D319", "the example {!r} is a bare value", "read as its value; write `value`."),
    # Schemas
    "no schema": Row("D503", "{} is {}, which is no schema", "any value is taken; write a schema."),
    "keyword": Row("D503", "{} is {}, which is no value for it", "passed over; mend the schema."),
    "as": Row("D503", "{} is {}, which is no value for it", "read as {}; write it so."),
    "pattern": Row("D503", "the pattern {!r} is not one that can be run", "passed over; mend the pattern."),
    "unknown type": Row("D503", "{!r} is no type", "{}; write one of JSON Schema's types."),
    "bounds": Row("D502", "{}", "passed over; mend the bounds."),
    "values": Row("D502", "the values of enum are none of type {}", "read as {}; write them so."),
    "newer": Row("D320", "{} is no keyword of OpenAPI {}", "read as in newer ones; mend the version."),
    "older": Row("D320", "{} is {}, as older versions of OpenAPI have it", "read as they mean it; write {}."),
    "other": Row("D320", "{} is no keyword of OpenAPI {}", "{}; write {}."),
}  # fmt: skip


class Finding(NamedTuple):
    """One reported fault: its texts, and the reference to its location."""

    code: str
    message: str
    remedy: str
    ref: SchemaRef
    is_key: bool


class Findings:
    """The faults of one document, in order of discovery."""

    def __init__(self) -> None:
        self.found: list[Finding] = []

    def report(
        self, row: str, at: At, *seen: object, assumed: tuple[object, ...] = (), key: bool = False
    ) -> None:
        """Add a fault; ``seen`` and ``assumed`` fill its texts. ``key``: its key is wrong, not its value."""
        if len(self.found) < MAX_FINDINGS:
            code, message, remedy = ROWS[row]
            message_text = shown(message.format(*map(_short, seen)))
            self.found.append(
                Finding(code, message_text, shown(remedy.format(*map(_short, assumed))), ref(at), key)
            )


def ref(at: At) -> SchemaRef:
    """Return a location as an absolute reference, without percent-encoding."""
    parts = []
    while at[0] is not None:
        parts.append(escape(str(at[1])))
        at = at[0]
    return f"{at[1]}#" + "".join(f"/{part}" for part in reversed(parts))


def link(at: At) -> SchemaRef:
    """Return a location as the value of a ``$ref``."""
    uri, _, pointer = ref(at).partition("#")
    return f"{uri}#" + "".join(f"/{quote_token(part)}" for part in tokens(pointer))


def tree(at: At) -> str:
    """Return the URI of the tree of a location."""
    while at[0] is not None:
        at = at[0]
    return str(at[1])


def kind(value: object) -> str:
    """Describe a value, for messages."""
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return f"the {'text' if isinstance(value, str) else 'value'} {_short(value)!r}"


def _short(value: object) -> object:
    text = value if isinstance(value, str) else repr(value)
    return value if len(text) <= _MAX_TEXT else shortened(text, _MAX_TEXT)
