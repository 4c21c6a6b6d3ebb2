"""The record of calls: what came in, what decided, what went out; bounded, oldest out.

Writing is on the path of every request: a call is kept as one small tuple with
its weight, and everything else is left to whoever reads. What the bounds push
out is counted, so that a reader can tell "never called" from "no longer known".
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable

from msgspec import Struct
from msgspec.structs import replace

from mockserver import problem
from mockserver.diagnostics import Violation
from mockserver.messages import Request, Response
from mockserver.state.tables import text_size

MAX_CALLS = 10_000
"""Calls that a namespace's journal holds."""
MAX_BYTES = 64 * 1024 * 1024
"""Bytes that the journals of all namespaces hold together."""
MAX_BODY = 64 * 1024
"""Bytes of a body that are kept."""
_LARGE = 16 * 1024
_EACH = 900
"""Bytes of a call's objects, but for its texts, header fields and bodies."""
_TEXT = 56
"""Bytes of a text or bytes object beside what is in it."""
_FIELD = 16
"""Bytes of a pair beside its texts."""
_VIOLATION = 400
_ROUND = 64
"""Small calls between two looks at what all journals take."""
_SLACK = 64
"""One in so many of the bytes is given up beyond what is too much, so that room is not made for each call."""

Record = tuple[int, int, float, Request, Response, int]
"""As a Call has it."""


class Cut(bytes):
    """The beginning of a body that was too long to keep; ``length`` is that of all of it."""

    length: int

    @classmethod
    def of(cls, body: bytes) -> bytes:
        if len(body) <= MAX_BODY:
            return body
        cut = cls(body[:MAX_BODY])
        cut.length = len(body)
        return cut


class Call(Struct, frozen=True):
    """One request with its answer."""

    number: int
    """Counts up from 1 in each namespace, for as long as the namespace lives."""
    when: int
    """Milliseconds of the namespace's clock."""
    seconds: float
    """What deciding and rendering took; a delay comes on top."""
    request: Request
    response: Response
    size: int = 0
    """Bytes that it takes."""

    @property
    def url(self) -> str:
        request = self.request
        return f"{request.raw_path}?{request.query_string}" if request.query_string else request.raw_path

    def decided(self, name: str) -> str:
        """A part of the decision, such as ``scenario``, ``state`` or ``call``; empty where it has none."""
        for part in self.response.decision.split("; "):
            key, _, value = part.partition("=")
            if key == name:
                return value
        return ""


class Ledger:
    """What all journals share: their bounds, and who listens. ``calls`` 0 keeps no journal at all."""

    __slots__ = ("_journals", "calls", "most", "watch")

    def __init__(self, calls: int = MAX_CALLS, most: int = MAX_BYTES) -> None:
        self.calls = calls
        self.most = most
        self.watch: Callable[[str, Record], None] | None = None
        """Called with the namespace and each call; set while somebody follows the events."""
        self._journals: set[Journal] = set()

    @property
    def size(self) -> int:
        """Bytes that the journals take together."""
        return sum(journal.size for journal in self._journals)

    def open(self, namespace: str) -> Journal:
        journal = Journal(namespace, self)
        self._journals.add(journal)
        return journal

    def close(self, journal: Journal) -> None:
        journal.clear()
        self.forget(journal)

    def forget(self, journal: Journal) -> None:
        """No longer count a journal among those that share the bounds."""
        self._journals.discard(journal)

    def relieve(self) -> None:
        """Make room where it is needed: the fullest journal gives up its oldest calls, some at a time."""
        if self.size <= self.most:
            return
        enough = self.most - self.most // _SLACK
        while self.size > enough:
            fullest = max(self._journals, key=lambda each: each.size)
            fullest.drop(max(1, len(fullest) // _SLACK))


class Journal:
    """The calls of one namespace."""

    __slots__ = ("_calls", "_ledger", "_most", "_removed", "_size", "_start", "namespace", "number")

    def __init__(self, namespace: str, ledger: Ledger) -> None:
        self.namespace = namespace
        self.number = 0
        self._ledger = ledger
        self._most = ledger.calls
        self._calls: deque[Record] = deque()
        self._size = 0
        self._start = 0
        self._removed = 0

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def kept(self) -> bool:
        """Whether calls are kept at all."""
        return self._most > 0

    @property
    def size(self) -> int:
        """Bytes that the calls take."""
        return self._size

    @property
    def came(self) -> int:
        """Calls since the journal was last cleared, but for those that were taken out on purpose."""
        return self.number - self._start - self._removed if self._most else 0

    @property
    def lost(self) -> int:
        """Calls that the bounds pushed out since the journal was last cleared."""
        return self.came - len(self._calls)

    def records(self) -> list[Record]:
        """The calls as they are now, oldest first, for a reader on another thread."""
        return list(self._calls)

    def write(self, request: Request, response: Response, when: int, seconds: float) -> None:
        """Keep a call. Called for every request."""
        self.number = number = self.number + 1
        size = 2 * len(request.raw_path) + len(request.query_string) + len(response.body) + _EACH
        # With a head it is a poll: no body, and header fields that it has in common with others
        if not response.head or size > _LARGE:
            request, response = kept(request, response)
            size = weight(request, response)
        ledger = self._ledger
        if self._most:
            calls = self._calls
            if len(calls) >= self._most:
                self._size -= calls.popleft()[5]
            calls.append((number, when, seconds, request, response, size))
            self._size += size
            if size > _LARGE or not number % _ROUND:
                ledger.relieve()
        if ledger.watch is not None:
            ledger.watch(self.namespace, (number, when, seconds, request, response, size))

    def drop(self, count: int) -> None:
        """Give up the oldest calls."""
        self._free(self._calls.popleft() for _ in range(min(count, len(self._calls))))

    def find(self, number: int) -> Call | None:
        return next((Call(*record) for record in self._calls if record[0] == number), None)

    def remove(self, numbers: Collection[int]) -> list[Call]:
        """Take calls out, on purpose: they are not counted as lost."""
        taken = [record for record in self._calls if record[0] in numbers]
        if taken:
            rest = [record for record in self._calls if record[0] not in numbers]
            self._calls.clear()
            self._calls.extend(rest)
            self._removed += len(taken)
            self._free(taken)
        return [Call(*record) for record in taken]

    def clear(self) -> None:
        self._free(self._calls)
        self._calls.clear()
        self._start, self._removed = self.number, 0

    def _free(self, records: Iterable[Record]) -> None:
        """Weigh no longer what is gone."""
        self._size -= sum(record[5] for record in records)


def kept(request: Request, response: Response) -> tuple[Request, Response]:
    """What is kept of a call: the beginnings of its bodies, and nothing that holds on to all of them."""
    if len(request.body) > MAX_BODY:
        request = replace(request, body=Cut.of(request.body))
    if len(response.body) > MAX_BODY or response.stream is not None or response.violations:
        violations = tuple(map(_bounded, response.violations[: problem.MAX_VIOLATIONS]))
        response = replace(response, body=Cut.of(response.body), stream=None, violations=violations)
    return request, response


def _bounded(violation: Violation) -> Violation:
    """A violation as it is told, whose value may be all of a body."""
    return replace(
        violation,
        name=problem.shortened(violation.name),
        pointer=problem.shortened(violation.pointer),
        message=problem.shortened(violation.message, problem.MAX_MESSAGE),
        value=None if violation.location == "security" else problem.quoted(violation.value),
        expected=None,
    )


def weight(request: Request, response: Response) -> int:
    """Bytes of a call with all that it holds, as if nothing else held that too."""
    fields, given = request.headers, response.headers
    size = (
        _EACH
        + 2 * len(request.raw_path)
        + len(request.query_string)
        + len(request.body)
        + len(response.body)
        + sys.getsizeof(fields)
        + len("".join(fields))
        + len("".join(fields.values()))
        + 2 * _TEXT * len(fields)
        + len(response.decision)
        + text_size(response.key)
        + (_TEXT + _FIELD) * (2 + 2 * len(given))
    )
    for name, value in given:
        size += len(name) + len(value)
    if response.warnings or response.violations:
        texts = [*response.warnings]
        for each in response.violations:
            texts += (each.name, each.pointer, each.message, str(each.value))
        size += sum(map(text_size, texts)) + (_TEXT + _FIELD) * len(texts)
        size += _VIOLATION * len(response.violations)
    return size
