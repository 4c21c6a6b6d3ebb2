"""Calls as a test reads them: typed, in the order they came, and filtered by what is known of them."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, overload
from urllib.parse import parse_qs

from mockserver.testing.control import Members

_SHOWN = 200
"""Characters of a URL or a text that are shown on one line."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request with its answer. Header names are as they came over the wire, in lower case."""

    number: int
    """Counts from 1 in each namespace."""
    when: datetime
    """By the clock of the namespace."""
    method: str
    url: str
    """Path and query, as sent."""
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    """The first 64 KB of it."""
    status: int
    response_headers: Mapping[str, str] = field(repr=False)
    response_body: bytes = field(repr=False)
    """The first 64 KB of it."""
    operation: str
    """The id of the operation that answered; empty where none did."""
    resource: str
    key: str
    scenario: str
    state: str
    """The state that answered; empty where none did."""
    decision: str
    """What decided the answer, as the ``X-Mock-Decision`` header says it."""
    fault: str
    problems: Sequence[str] = ()
    """In which ways the request breaks the document."""

    @classmethod
    def of(cls, event: Members) -> Call:
        """From a ``ServeEvent`` of the control plane."""
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
            problems=[_told(each) for each in mock["diagnostics"]],
        )

    def json(self) -> Any:
        """The request's body. Raises ValueError where it is no JSON."""
        return json.loads(self.body)

    def response_json(self) -> Any:
        """The answer's body. Raises ValueError where it is no JSON."""
        return json.loads(self.response_body)

    def __str__(self) -> str:
        said = f"#{self.number} {self.method} {_short(self.url)} → {self.status}"
        return f"{said}   {_short(self.where)}" if self.where else said

    @property
    def where(self) -> str:
        """Which resource was called, and the state that it was in; else what decided the answer."""
        if self.resource:
            return f"{self.resource} {self.key}: {self.decision}"
        return self.decision


class Calls(Sequence[Call]):
    """Calls, oldest first."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self._calls = tuple(calls)

    def where(self, condition: Callable[[Call], bool] | None = None, **fields: object) -> Calls:
        """Those that meet a condition and whose fields have these values: ``where(status=404)``.

        Raises AttributeError for what is no field of a call.
        """
        return Calls(
            [
                each
                for each in self
                if (condition is None or condition(each))
                and all(getattr(each, name) == value for name, value in fields.items())
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
        return "\n".join(str(each) for each in self) or "no calls"


def _told(violation: Members) -> str:
    place = " ".join(str(violation[part]) for part in ("in", "name", "pointer") if violation[part])
    return f"{place}: {violation['message']}"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
