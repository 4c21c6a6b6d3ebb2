"""What calls a test expects, and how it is told that they did not come."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from mockserver.testing.calls import Calls
from mockserver.testing.control import Members

_OF_NAMES = frozenset(["headers", "queryParameters"])
_LISTED = 20
"""Calls that are listed where nothing came close."""


class Fields(TypedDict, total=False):
    """What may be said of a call. All that is said must hold."""

    method: str
    path: str
    """A path, or a template of the document: ``/pets/{petId}``."""
    url: str
    """Path and query."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    json: Any
    """The body's value; members that it has beyond it do not matter."""
    operation: str
    """An operationId; ``GET /pets/{petId}`` where the document gives none."""
    resource: str
    key: str
    scenario: str
    state: str
    """The state that answered."""
    status: int
    pattern: Members
    """What WireMock's request pattern can say beyond this."""


def called(fields: Fields) -> Members:
    """A ``RequestPattern`` of the control plane. Raises TypeError for what is no field of a call."""
    __tracebackhide__ = True
    pattern: Members = dict(fields.get("pattern", {}))
    for name, value in fields.items():
        match name:
            case "path":
                pattern["urlPathTemplate" if "{" in str(value) else "urlPath"] = value
            case "query":
                pattern["queryParameters"] = _equal(value)
            case "headers":
                pattern["headers"] = _equal(value)
            case "json":
                wanted = {"equalToJson": json.dumps(value), "ignoreExtraElements": True}
                pattern["bodyPatterns"] = [*pattern.get("bodyPatterns", []), wanted]
            case "pattern":
                continue
            case "method" | "url" | "operation" | "resource" | "key" | "scenario" | "state" | "status":
                pattern[name] = value
            case _:
                known = ", ".join(Fields.__annotations__)
                raise TypeError(f"{name!r} is nothing that can be said of a call; there is {known}")
    return pattern


def _equal(values: object) -> Members:
    return {name: {"equalTo": str(value)} for name, value in dict(values).items()}  # type: ignore[call-overload]


def mismatch(verification: Members, verdict: Members, calls: Calls) -> str:
    """Why a verification failed, for the person who reads a test's report."""
    lines = [f"{_wanted(verification)}: {verdict['detail']}"]
    missed: Sequence[Members] = [each for each in verdict.get("nearMisses") or () if each["distance"]]
    told: list[list[str]] = []
    for each in missed:
        if (differing := _differing(each)) not in told:
            told.append(differing)
            lines += ["", _closest(each), *differing]
    if not missed:
        lines += ["", "calls of this namespace:" if calls else "nothing was called in this namespace"]
        lines += [f"  {each}" for each in calls[-_LISTED:]]
    return "\n".join(lines)


def _wanted(verification: Members) -> str:
    if "inOrder" in verification:
        return "in order " + ", then ".join(_said(each) for each in verification["inOrder"])
    return _said(verification.get("request", {}))


def _said(pattern: Members) -> str:
    told = []
    for name, value in pattern.items():
        fields = value.items() if name in _OF_NAMES else ()
        told += [f"{name}.{each}={_plain(of)}" for each, of in fields] or [f"{name}={_plain(value)}"]
    return "a call with " + ", ".join(told) if told else "any call"


def _closest(missed: Members) -> str:
    call = missed["call"]
    number = int(call["id"][-12:], 16)
    return f"closest: #{number} {call['method']} {call['url']} → {call['status']}"


def _differing(missed: Members) -> list[str]:
    """Where it stood, and in what it differs."""
    call = missed["call"]
    lines = [f"  decided by: {call['decision']}"]
    if missed["state"]:
        lines = [f"  {call['resource']} {call['key']} was {missed['state']} (scenario {missed['scenario']})"]
    for each in missed["fields"]:
        if each["matched"]:
            lines.append(f"    {each['field']}: {_plain(each['required'])}")
        else:
            lines.append(f"  - {each['field']}: {_plain(each['required'])}")
            lines.append(f"  + {each['field']}: {_plain(each['actual'])}")
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, dict) and value.keys() == {"equalTo"}:
        value = value["equalTo"]
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
