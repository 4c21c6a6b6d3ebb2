"""The journal: a bounded record of the calls of a namespace.

Every request writes to it, so a write only appends one small tuple. Readers
build everything else. Calls that the bounds remove are counted, so that a
reader can distinguish "never called" from "no longer recorded".
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable

from msgspec import Struct
from msgspec.structs import replace

from mockserver import problem
from mockserver.diagnostics import Violation
from mockserver.messages import MAX_DIFFERING, Request, Response
from mockserver.state.tables import text_size

MAX_CALLS = 10_000
"""The default number of calls in the journal of a namespace."""
MAX_BYTES = 64 * 1024 * 1024
"""The default number of bytes of all journals together."""
MAX_BODY = 64 * 1024
"""Longer bodies are truncated to this number of bytes."""
_LARGE = 16 * 1024
"""The size of a call above which the total of all journals is checked at once."""
_CALL_OVERHEAD = 900
"""Bytes of a call's objects, without texts, header fields and bodies."""
_TEXT_OVERHEAD = 56
"""Bytes of a str or bytes object without its content."""
_DIFFERING_OVERHEAD = MAX_DIFFERING + _TEXT_OVERHEAD
"""The most bytes of a header field that differs from that of a shared section."""
_FIELD_OVERHEAD = 16
"""Bytes of a (name, value) pair without its texts."""
_SHARED_FIELD_OVERHEAD = 2 * _TEXT_OVERHEAD + _FIELD_OVERHEAD
"""Bytes of a header field of a response besides its value; its name is a text that others share."""
_VIOLATION_OVERHEAD = 400
_CHECK_INTERVAL = 64
"""The number of small calls after which the total of all journals is checked."""
_SLACK = 64
"""Above the limit, 1/64 more is removed than needed, so that it does not happen for each call."""

Record = tuple[int, int, float, Request, Response, int]
"""The fields of a Call, in order."""


class TruncatedBody(bytes):
    """The first MAX_BODY bytes of a longer body. ``length`` is the length of the whole body."""

    length: int

    @classmethod
    def of(cls, body: bytes) -> bytes:
        """Return ``body``, truncated if it is too long."""
        if len(body) <= MAX_BODY:
            return body
        truncated = cls(body[:MAX_BODY])
        truncated.length = len(body)
        return truncated


class Call(Struct, frozen=True):
    """One request with its response."""

    number: int
    """Counts from 1 in each namespace."""
    when: int
    """Milliseconds of the namespace's clock."""
    seconds: float
    """The time to compute the response, without its delay."""
    request: Request
    response: Response
    size: int = 0
    """The bytes that it takes in memory, about."""

    @property
    def url(self) -> str:
        """The path and query."""
        request = self.request
        return f"{request.raw_path}?{request.query_string}" if request.query_string else request.raw_path

    def decided(self, name: str) -> str:
        """Return a part of the decision, such as ``scenario``, ``state`` or ``call``, or an empty text."""
        for part in self.response.decision.split("; "):
            key, _, value = part.partition("=")
            if key == name:
                return value
        return ""


class JournalPool:
    """The journals of all namespaces: their common limits and observer.

    ``calls`` is the maximum number of calls per journal. With 0 nothing is recorded.
    ``max_bytes`` is the limit for all journals together.
    """

    __slots__ = ("_journals", "calls", "max_bytes", "watch")

    def __init__(self, calls: int = MAX_CALLS, max_bytes: int = MAX_BYTES) -> None:
        self.calls = calls
        self.max_bytes = max_bytes
        self.watch: Callable[[str, Record], None] | None = None
        """Called with the namespace and each call, while a client follows the events."""
        self._journals: set[Journal] = set()

    @property
    def size(self) -> int:
        """The bytes that all journals take."""
        return sum(journal.size for journal in self._journals)

    def open(self, namespace: str) -> Journal:
        """Return a new journal."""
        journal = Journal(namespace, self)
        self._journals.add(journal)
        return journal

    def close(self, journal: Journal) -> None:
        """Clear a journal and remove it from the pool."""
        journal.clear()
        self.forget(journal)

    def forget(self, journal: Journal) -> None:
        """Remove a journal from the pool."""
        self._journals.discard(journal)

    def relieve(self) -> None:
        """Drop the oldest calls of the largest journal while the journals are above the limit."""
        if self.size <= self.max_bytes:
            return
        enough = self.max_bytes - self.max_bytes // _SLACK
        while self.size > enough:
            largest = max(self._journals, key=lambda journal: journal.size)
            largest.drop(max(1, len(largest) // _SLACK))


class Journal:
    """The calls of one namespace."""

    __slots__ = ("_calls", "_max_calls", "_pool", "_removed", "_size", "_start", "namespace", "number")

    def __init__(self, namespace: str, journal_pool: JournalPool) -> None:
        self.namespace = namespace
        self.number = 0
        self._pool = journal_pool
        self._max_calls = journal_pool.calls
        self._calls: deque[Record] = deque()
        self._size = 0
        self._start = 0
        self._removed = 0

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def enabled(self) -> bool:
        """Whether calls are recorded."""
        return self._max_calls > 0

    @property
    def size(self) -> int:
        """The bytes that the calls take."""
        return self._size

    @property
    def recorded(self) -> int:
        """The number of calls since the journal was last cleared, without those that ``remove`` took."""
        return self.number - self._start - self._removed if self._max_calls else 0

    @property
    def lost(self) -> int:
        """The number of calls that the limits have removed since the journal was last cleared."""
        return self.recorded - len(self._calls)

    def records(self) -> list[Record]:
        """Return a copy of the calls, oldest first. Another thread may read it."""
        return list(self._calls)

    def write(self, request: Request, response: Response, when: int, seconds: float) -> None:
        """Record a call. ``when`` is in milliseconds of the namespace's clock. Called for every request."""
        self.number = number = self.number + 1
        size = 2 * len(request.raw_path) + len(request.query_string) + len(response.body) + _CALL_OVERHEAD
        if (
            request.section is None
            or size > _LARGE
            or response.stream is not None
            or response.warnings
            or response.violations
        ):
            request, response = truncate(request, response)
            size = weight(request, response)
        else:  # it has no body, and shares header fields with others
            if request.differing:
                size += sys.getsizeof(request.headers) + _DIFFERING_OVERHEAD * len(request.differing)
            if not response.head:
                for _, value in response.headers:
                    size += len(value) + _SHARED_FIELD_OVERHEAD
        journal_pool = self._pool
        if self._max_calls:
            calls = self._calls
            if len(calls) >= self._max_calls:
                self._size -= calls.popleft()[5]
            calls.append((number, when, seconds, request, response, size))
            self._size += size
            if size > _LARGE or not number % _CHECK_INTERVAL:
                journal_pool.relieve()
        if journal_pool.watch is not None:
            journal_pool.watch(self.namespace, (number, when, seconds, request, response, size))

    def drop(self, count: int) -> None:
        """Remove the ``count`` oldest calls, which then count as lost."""
        self._free(self._calls.popleft() for _ in range(min(count, len(self._calls))))

    def find(self, number: int) -> Call | None:
        """Return the call with this number, or None."""
        return next((Call(*record) for record in self._calls if record[0] == number), None)

    def remove(self, numbers: Collection[int]) -> list[Call]:
        """Remove the calls with these numbers, and return them. They do not count as lost."""
        removed = [record for record in self._calls if record[0] in numbers]
        if removed:
            rest = [record for record in self._calls if record[0] not in numbers]
            self._calls.clear()
            self._calls.extend(rest)
            self._removed += len(removed)
            self._free(removed)
        return [Call(*record) for record in removed]

    def clear(self) -> None:
        """Remove all calls. They do not count as lost."""
        self._free(self._calls)
        self._calls.clear()
        self._start, self._removed = self.number, 0

    def _free(self, records: Iterable[Record]) -> None:
        """Subtract the size of removed calls."""
        self._size -= sum(record[5] for record in records)


def truncate(request: Request, response: Response) -> tuple[Request, Response]:
    """Return the request and response to record, with truncated bodies."""
    if len(request.body) > MAX_BODY:
        request = replace(request, body=TruncatedBody.of(request.body))
    if len(response.body) > MAX_BODY or response.stream is not None or response.violations:
        violations = tuple(map(_bounded, response.violations[: problem.MAX_VIOLATIONS]))
        response = replace(response, body=TruncatedBody.of(response.body), stream=None, violations=violations)
    return request, response


def _bounded(violation: Violation) -> Violation:
    """Return a violation with shortened texts, because its value may be a whole body."""
    return replace(
        violation,
        name=problem.shortened(violation.name),
        pointer=problem.shortened(violation.pointer),
        message=problem.shortened(violation.message, problem.MAX_MESSAGE),
        value=None if violation.location == "security" else problem.quoted(violation.value),
        expected=None,
    )


def weight(request: Request, response: Response) -> int:
    """Return the bytes that a call takes, as if it shared no object with others."""
    fields, response_fields = request.headers, response.headers
    size = (
        _CALL_OVERHEAD
        + 2 * len(request.raw_path)
        + len(request.query_string)
        + len(request.body)
        + len(response.body)
        + sys.getsizeof(fields)
        + len("".join(fields))
        + len("".join(fields.values()))
        + 2 * _TEXT_OVERHEAD * len(fields)
        + len(response.decision)
        + text_size(response.key)
        + (_TEXT_OVERHEAD + _FIELD_OVERHEAD) * (2 + 2 * len(response_fields))
    )
    for name, value in response_fields:
        size += len(name) + len(value)
    if response.warnings or response.violations:
        texts = [*response.warnings]
        for violation in response.violations:
            texts += (violation.name, violation.pointer, violation.message, str(violation.value))
        size += sum(map(text_size, texts)) + (_TEXT_OVERHEAD + _FIELD_OVERHEAD) * len(texts)
        size += _VIOLATION_OVERHEAD * len(response.violations)
    return size
