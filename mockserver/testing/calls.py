"""Recorded calls in tests, and the patterns and messages of ``verify``."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypedDict, overload
from urllib.parse import parse_qs

from mockserver.diagnostics import shortened
from mockserver.testing.control import Members

_SHOWN = 200
"""Maximum number of characters of a URL or a text on one line."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request with its response. Header names are in lower case."""

    number: int
    """The number of the call in its namespace, from 1."""
    when: datetime
    """The time on the clock of the namespace."""
    method: str
    url: str
    """Path and query, as sent."""
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    """The first 64 KB of the body."""
    status: int
    response_headers: Mapping[str, str] = field(repr=False)
    response_body: bytes = field(repr=False)
    """The first 64 KB of the body."""
    operation: str
    """The id of the operation; empty for a call without one."""
    resource: str
    key: str
    scenario: str
    state: str
    """The state of the response; empty without one."""
    decision: str
    """What selected the response, as in the ``X-Mock-Decision`` header field."""
    fault: str
    problems: Sequence[str] = ()
    """The ways in which the request breaks the document."""

    @classmethod
    def of(cls, event: Members) -> Call:
        """Create a call from a ``ServeEvent`` of the control plane."""
        request, response, mock = event["request"], event["response"], event["mock"]
        path, _, query = request["url"].partition("?")
        return cls(
            number=mock["number"],
            when=datetime.fromtimestamp(request["loggedDate"] / 1000, UTC),
            method=request["method"],
            url=request["url"],
            path=path,
            query=parse_qs(query, keep_blank_values=True),
            headers=request["headers"],
            body=b64decode(request["bodyAsBase64"]),
            status=response["status"],
            response_headers=response["headers"],
            response_body=b64decode(response["bodyAsBase64"]),
            operation=mock["operation"],
            resource=mock["resource"],
            key=mock["key"],
            scenario=mock["scenario"],
            state=mock["state"],
            decision=mock["decision"],
            fault=mock["fault"],
            problems=[_problem_text(violation) for violation in mock["diagnostics"]],
        )

    def json(self) -> Any:
        """Return the JSON body of the request. Raise ValueError for other bodies."""
        return json.loads(self.body)

    def response_json(self) -> Any:
        """Return the JSON body of the response. Raise ValueError for other bodies."""
        return json.loads(self.response_body)

    def __str__(self) -> str:
        line = f"#{self.number} {self.method} {shortened(self.url, _SHOWN)} → {self.status}"
        return f"{line}   {shortened(self.where, _SHOWN)}" if self.where else line

    @property
    def where(self) -> str:
        """The called resource with its state, or what selected the response."""
        if self.resource:
            return f"{self.resource} {self.key}: {self.decision}"
        return self.decision


class Calls(Sequence[Call]):
    """A sequence of calls, oldest first."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self._calls = tuple(calls)

    def where(self, condition: Callable[[Call], bool] | None = None, **fields: object) -> Calls:
        """Return the calls that meet a condition and have these values of fields: ``where(status=404)``.

        Raise AttributeError for an unknown field.
        """
        return Calls(
            [
                call
                for call in self
                if (condition is None or condition(call))
                and all(getattr(call, name) == value for name, value in fields.items())
            ]
        )

    @overload
    def __getitem__(self, index: int) -> Call: ...
    @overload
    def __getitem__(self, index: slice) -> Calls: ...
    def __getitem__(self, index: int | slice) -> Call | Calls:
        return Calls(self._calls[index]) if isinstance(index, slice) else self._calls[index]

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls)

    def __eq__(self, other: object) -> bool:
        return self._calls == tuple(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "\n".join(str(call) for call in self) or "no calls"


def _problem_text(violation: Members) -> str:
    location = " ".join(str(violation[part]) for part in ("in", "name", "pointer") if violation[part])
    return f"{location}: {violation['message']}"


_NAMED_PARTS = frozenset(["headers", "queryParameters"])
_LISTED = 20
"""Maximum number of calls that are listed if there are no near misses."""


class Fields(TypedDict, total=False):
    """The conditions of calls in ``verify``. A call must meet all of them."""

    method: str
    path: str
    """A path, or a path template of the document: ``/pets/{petId}``."""
    url: str
    """Path and query."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    json: Any
    """The JSON value of the body, which can have more members."""
    operation: str
    """An operationId; ``GET /pets/{petId}`` if the document has none."""
    resource: str
    key: str
    scenario: str
    state: str
    """The state of the response."""
    status: int
    pattern: Members
    """More members of WireMock's request pattern."""


def request_pattern(fields: Fields) -> Members:
    """Return a ``RequestPattern`` of the control plane. Raise TypeError for an unknown field."""
    __tracebackhide__ = True
    pattern: Members = dict(fields.get("pattern", {}))
    for name, value in fields.items():
        match name:
            case "path":
                pattern["urlPathTemplate" if "{" in str(value) else "urlPath"] = value
            case "query":
                pattern["queryParameters"] = _equal_patterns(value)
            case "headers":
                pattern["headers"] = _equal_patterns(value)
            case "json":
                wanted = {"equalToJson": json.dumps(value), "ignoreExtraElements": True}
                pattern["bodyPatterns"] = [*pattern.get("bodyPatterns", []), wanted]
            case "pattern":
                continue
            case "method" | "url" | "operation" | "resource" | "key" | "scenario" | "state" | "status":
                pattern[name] = value
            case _:
                known = ", ".join(Fields.__annotations__)
                raise TypeError(f"{name!r} is not a field of a call; use {known}")
    return pattern


def _equal_patterns(values: object) -> Members:
    return {name: {"equalTo": str(value)} for name, value in dict(values).items()}  # type: ignore[call-overload]


def describe_mismatch(verification: Members, verdict: Members, calls: Calls) -> str:
    """Return the message of a failed verification."""
    lines = [f"{_verification_text(verification)}: {verdict['detail']}"]
    not_found: Sequence[Members] = [
        near_miss for near_miss in verdict.get("nearMisses") or () if near_miss["distance"]
    ]
    shown: list[list[str]] = []
    for near_miss in not_found:
        if (differences := _difference_lines(near_miss)) not in shown:
            shown.append(differences)
            lines += ["", _closest(near_miss), *differences]
    if not not_found:
        lines += ["", "calls of this namespace:" if calls else "there were no calls in this namespace"]
        lines += [f"  {call}" for call in calls[-_LISTED:]]
    return "\n".join(lines)


def _verification_text(verification: Members) -> str:
    if "inOrder" in verification:
        return "in order " + ", then ".join(_pattern_text(pattern) for pattern in verification["inOrder"])
    return _pattern_text(verification.get("request", {}))


def _pattern_text(pattern: Members) -> str:
    parts = []
    for name, value in pattern.items():
        fields = value.items() if name in _NAMED_PARTS else ()
        parts += [f"{name}.{member}={_plain(of)}" for member, of in fields] or [f"{name}={_plain(value)}"]
    return "a call with " + ", ".join(parts) if parts else "any call"


def _closest(not_found: Members) -> str:
    call = not_found["call"]
    number = int(call["id"][-12:], 16)
    return f"closest: #{number} {call['method']} {call['url']} → {call['status']}"


def _difference_lines(not_found: Members) -> list[str]:
    """Return the lines about the state of a near miss and its differences."""
    call = not_found["call"]
    lines = [f"  decided by: {call['decision']}"]
    if not_found["state"]:
        lines = [
            f"  {call['resource']} {call['key']} was {not_found['state']} (scenario {not_found['scenario']})"
        ]
    for condition in not_found["fields"]:
        if condition["matched"]:
            lines.append(f"    {condition['field']}: {_plain(condition['required'])}")
        else:
            lines.append(f"  - {condition['field']}: {_plain(condition['required'])}")
            lines.append(f"  + {condition['field']}: {_plain(condition['actual'])}")
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, dict) and value.keys() == {"equalTo"}:
        value = value["equalTo"]
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
