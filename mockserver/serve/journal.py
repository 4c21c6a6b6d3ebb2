"""The record of calls: what came in, what decided, what went out; bounded, oldest out.

Writing is on the path of every request, so a call is one tuple of references
and everything else is left to whoever reads. What the bounds push out is
counted: a reader can tell "never called" from "no longer known".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mockserver.errors import Violation
from mockserver.serve.answer import Answer
from mockserver.serve.request import Request

MOST_CALLS = 10_000
"""Calls that a namespace's journal holds."""
MOST_BYTES = 32 * 1024 * 1024
"""Bytes that the journals of all namespaces hold together, as ``_OVERHEAD`` and bodies are counted."""
MOST_BODY = 64 * 1024
"""Bytes of a body that are kept."""
_OVERHEAD = 1024
"""What a call weighs without its bodies, about."""
_CHUNK = 64

Record = tuple[Any, ...]
"""A call as it is kept: the fields of ``Call`` in their order."""


class Cut(bytes):
    """The beginning of a body that was too long to keep; ``length`` is that of all of it."""

    length: int

    @classmethod
    def of(cls, body: bytes) -> Cut:
        cut = cls(body[:MOST_BODY])
        cut.length = len(body)
        return cut


@dataclass(frozen=True, slots=True)
class Call:
    """One request with its answer. ``when`` is in milliseconds of the namespace's clock."""

    number: int
    """Counts up from 1 in each namespace, for as long as the namespace lives."""
    when: int
    seconds: float
    """What deciding and rendering took; a delay comes on top."""
    method: str
    path: str
    """As sent, percent-encoded."""
    query: str
    headers: dict[str, str]
    body: bytes
    status: int
    answer_headers: list[tuple[str, str]]
    answer_body: bytes
    decision: str
    delay: int
    fault: str
    operation: str
    """Empty where no operation of the document answered."""
    resource: str
    key: str
    violations: Sequence[Violation]

    @property
    def url(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    def decided(self, name: str) -> str:
        """A part of the decision, such as ``scenario``, ``state`` or ``call``; empty where it has none."""
        for part in self.decision.split("; "):
            key, _, value = part.partition("=")
            if key == name:
                return value
        return ""


class Ledger:
    """What all journals share: the bound on bytes, and who listens. ``calls`` 0 keeps no journal at all."""

    __slots__ = ("_journals", "calls", "most", "size", "watch")

    def __init__(self, calls: int = MOST_CALLS, most: int = MOST_BYTES) -> None:
        self.calls = calls
        self.most = most
        self.size = 0
        self.watch: Callable[[str, Record], None] | None = None
        """Called with the namespace and each call; set while somebody follows the events."""
        self._journals: set[Journal] = set()

    def open(self, namespace: str) -> Journal:
        journal = Journal(namespace, self)
        self._journals.add(journal)
        return journal

    def close(self, journal: Journal) -> None:
        journal.clear()
        self._journals.discard(journal)

    def relieve(self) -> None:
        """Make room: the fullest journal gives up its oldest calls, some at a time."""
        while self.size > self.most:
            fullest = max(self._journals, key=lambda each: each.size)
            fullest.drop(max(1, len(fullest) // _CHUNK))


class Journal:
    """The calls of one namespace."""

    __slots__ = ("_calls", "_ledger", "_most", "lost", "namespace", "number", "size")

    def __init__(self, namespace: str, ledger: Ledger) -> None:
        self.namespace = namespace
        self.number = 0
        self.lost = 0
        """Calls that the bounds pushed out since the journal was last cleared."""
        self.size = 0
        self._ledger = ledger
        self._most = ledger.calls
        self._calls: deque[Record] = deque()

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Call]:
        return (Call(*record) for record in self._calls)

    @property
    def kept(self) -> bool:
        """Whether calls are kept at all."""
        return self._most > 0

    def records(self) -> list[Record]:
        """The calls as they are now, oldest first, for a reader on another thread."""
        return list(self._calls)

    def write(self, request: Request, answer: Answer, when: int, seconds: float) -> None:
        """Keep a call. Called for every request."""
        ledger = self._ledger
        if not self._most and ledger.watch is None:
            return
        body, said = request.body, answer.body
        if len(body) > MOST_BODY:
            body = Cut.of(body)
        if len(said) > MOST_BODY:
            said = Cut.of(said)
        self.number = number = self.number + 1
        record = (
            number, when, seconds,
            request.method, request.raw_path, request.query_string, request.headers, body,
            answer.status, answer.headers, said, answer.decision, answer.delay, answer.fault,
            answer.operation, answer.resource, answer.key, answer.violations,
        )  # fmt: skip
        if self._most:
            calls = self._calls
            calls.append(record)
            size = _OVERHEAD + len(body) + len(said)
            self.size += size
            ledger.size += size
            if len(calls) > self._most:
                self.drop(1)
            if ledger.size > ledger.most:
                ledger.relieve()
        if ledger.watch is not None:
            ledger.watch(self.namespace, record)

    def drop(self, count: int) -> None:
        """Give up the oldest calls."""
        for _ in range(min(count, len(self._calls))):
            self._weigh(-_weight(self._calls.popleft()))
            self.lost += 1

    def find(self, number: int) -> Call | None:
        return next((Call(*record) for record in self._calls if record[0] == number), None)

    def remove(self, numbers: Collection[int]) -> list[Call]:
        """Take calls out, on purpose: they are not counted as lost."""
        taken = [record for record in self._calls if record[0] in numbers]
        if taken:
            self._calls = deque(record for record in self._calls if record[0] not in numbers)
            self._weigh(-sum(_weight(record) for record in taken))
        return [Call(*record) for record in taken]

    def clear(self) -> None:
        self._calls.clear()
        self._weigh(-self.size)
        self.lost = 0

    def _weigh(self, size: int) -> None:
        self.size += size
        self._ledger.size += size


def _weight(record: Record) -> int:
    return _OVERHEAD + len(record[7]) + len(record[10])
