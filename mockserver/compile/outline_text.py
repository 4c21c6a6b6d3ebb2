"""An outline as the text of a scenario file, with comments that say how to go on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from mockserver.compile.outline import Outline, OutlinedState
from mockserver.plan import JSON

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*$")
_MEANT = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n"])
"""Texts that some YAML parser takes for something else."""
_RESERVED = "00000000-0000-4000-8000-000000000{status}"


def write(outline: Outline, document: str) -> str:
    """The scenario file; ``document`` is what its comments call the document."""
    return "\n".join(line for part in _PARTS for line in part(outline, document)) + "\n"


def _head(outline: Outline, document: str) -> Iterator[str]:
    thing = outline.resource.replace("-", " ")
    article = "an" if thing[:1] in "aeio" else "a"
    yield f"# The life of {article} {thing}, as far as {document} tells it: a start, to be edited."
    yield f"resource: {_scalar(outline.resource)}"
    yield "# What tells one from another. Each has a life of its own."
    yield f"key: path.{outline.key}"
    yield "operations:"
    for alias, operation in outline.operations.items():
        yield f"  {alias}: {_scalar(f'{operation.method} {operation.path}')}"
    for alias, (operation, part) in outline.life.items():
        yield f"  {alias}: {{operation: {_scalar(f'{operation.method} {operation.path}')}, {part}}}"
    if outline.life:
        yield "# What is answered where no such resource is."
        yield "unknown: 404"
    yield ""


def _states(outline: Outline, _: str) -> Iterator[str]:
    yield "# A body is partial: what it leaves out is generated from the documented schema."
    yield "states:"
    reading, *more = outline.operations
    ending = [alias for alias in outline.life if alias != "list"]
    others = [*more, *ending]
    told = False
    for state in outline.states:
        if state.kind == "error" and not told:
            told = True
            yield "  # The documented errors; they can have a body too: {status: 404, body: {message: Gone}}."
        answer = _answer(state)
        told_too = ending if state.kind == "error" else others
        if others or outline.life:
            shown = f"{{{', '.join([f'{reading}: {answer}', *(f'{alias}: {{}}' for alias in told_too)])}}}"
        else:
            shown = answer
        yield f"  {_key(state.name)}: {shown}"
    yield ""


def _defaults(outline: Outline, _: str) -> Iterator[str]:
    if outline.defaults:
        yield "# Laid under every body whose schema has the field."
        yield "defaults:"
        for name, template in outline.defaults.items():
            yield f"  {_key(name)}: {json.dumps(template)}"
        yield ""


def _scenarios(outline: Outline, _: str) -> Iterator[str]:
    yield "# Timelines of states. A hold is a number of calls or a duration; the last state stays."
    yield "scenarios:"
    waits = [f"{_key(name)}: 1" for name in outline.of_kind("pending")]
    if len(waits) == 1:
        waits = [waits[0].replace(": 1", ": 2")]
    ends = _ends(outline)
    for name in ends:
        yield f"  {_key(name)}: [{', '.join([*waits, _key(name)])}]"
    if waits:
        for name in ends:
            yield f"  {_key(name)}-at-once: [{_key(name)}]"
        first = _key(outline.of_kind("pending")[0])
        yield f"  slow: [{first}: 30s, {_key(ends[0])}]"
        yield f"  for-ever-{outline.of_kind('pending')[0]}: [{first}]"
    for name in outline.of_kind("error"):
        yield f"  {_key(name)}: [{_key(name)}]"
    if "server-error" in outline.of_kind("error"):
        yield f"  flaky: [{', '.join(['server-error: 1', *waits, _key(ends[0])])}]"
    yield ""


def _select(outline: Outline, _: str) -> Iterator[str]:
    yield "# Which scenario a key begins with, when it is first seen: the first rule that matches. A request"
    yield "# can also choose by itself, with the header `Prefer: scenario=NAME` or `Prefer: state=NAME`."
    yield "select:"
    if outline.is_uuid and not outline.life:
        for state in outline.states:
            if state.kind == "error":
                reserved = _RESERVED.format(status=state.status)
                yield f"  - {{{_key(outline.key)}: {reserved}, scenario: {_key(state.name)}}}"
    other = [name for name in _ends(outline) if name != _ends(outline)[0]] or outline.of_kind("error")
    if other:
        yield f'  # - {{header.X-Tenant: "acme-*", scenario: {_key(other[0])}}}'
    yield f"  - scenario: {_key(_ends(outline)[0])}"


_PARTS = (_head, _states, _defaults, _scenarios, _select)


def _ends(outline: Outline) -> list[str]:
    """The states that a life can end with: success before failure."""
    return [*outline.of_kind("done"), *outline.of_kind("failed")] or outline.of_kind("pending")[-1:]


def _answer(state: OutlinedState) -> str:
    if state.status:
        return f"{{status: {state.status}}}"
    if not state.body:
        return "{}"
    return (
        f"{{body: {{{', '.join(f'{_key(name)}: {_scalar(value)}' for name, value in state.body.items())}}}}}"
    )


def _key(name: str) -> str:
    return name if _PLAIN.match(name) and name.lower() not in _MEANT else json.dumps(name)


def _scalar(value: JSON) -> str:
    """A value in YAML: texts plain where nothing else can be read into them."""
    if isinstance(value, str) and _PLAIN.match(value) and value.lower() not in _MEANT:
        return value
    return json.dumps(value, ensure_ascii=False)
