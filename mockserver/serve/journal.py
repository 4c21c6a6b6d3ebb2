"""The record of calls: what came in, what decided, what went out; bounded, oldest out.

Writing is on the path of every request: a call is kept as one small tuple, the
bounds are looked at once in a while, and everything else is left to whoever
reads. What the bounds push out is counted, so that a reader can tell "never
called" from "no longer known".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection

from msgspec import Struct
from msgspec.structs import replace

from mockserver.serve.answer import Answer
from mockserver.serve.request import Request

MOST_CALLS = 10_000
"""Calls that a namespace's journal holds."""
MOST_BYTES = 64 * 1024 * 1024
"""Bytes that the journals of all namespaces hold together, as calls are weighed here."""
MOST_BODY = 64 * 1024
"""Bytes of a body that are kept."""
_LARGE = 4096
_LIGHT = 3072
"""What a call weighs, about, whose bodies are no larger than ``_LARGE`` together."""
_ROUND = 64
"""Calls between two looks at the bounds."""

Record = tuple[int, int, float, Request, Answer]


class Cut(bytes):
    """The beginning of a body that was too long to keep; ``length`` is that of all of it."""

    length: int

    @classmethod
    def of(cls, body: bytes) -> bytes:
        if len(body) <= MOST_BODY:
            return body
        cut = cls(body[:MOST_BODY])
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
    answer: Answer

    @property
    def url(self) -> str:
        request = self.request
        return f"{request.raw_path}?{request.query_string}" if request.query_string else request.raw_path

    def decided(self, name: str) -> str:
        """A part of the decision, such as ``scenario``, ``state`` or ``call``; empty where it has none."""
        for part in self.answer.decision.split("; "):
            key, _, value = part.partition("=")
            if key == name:
                return value
        return ""


class Ledger:
    """What all journals share: their bounds, and who listens. ``calls`` 0 keeps no journal at all."""

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
        self.forget(journal)

    def forget(self, journal: Journal) -> None:
        """No longer count a journal among those that share the bounds."""
        self._journals.discard(journal)

    def relieve(self) -> None:
        """Make room: the fullest journal gives up its oldest calls, some at a time."""
        while self.size > self.most:
            fullest = max(self._journals, key=lambda each: each.size)
            fullest.drop(max(1, len(fullest) // _ROUND))


class Journal:
    """The calls of one namespace."""

    __slots__ = ("_calls", "_heavy", "_ledger", "_most", "_removed", "_start", "_told", "namespace", "number")

    def __init__(self, namespace: str, ledger: Ledger) -> None:
        self.namespace = namespace
        self.number = 0
        self._ledger = ledger
        self._most = ledger.calls
        self._calls: deque[Record] = deque(maxlen=ledger.calls)
        self._heavy = 0
        """Bytes of the large bodies among the calls."""
        self._told = 0
        """The size that the ledger knows of."""
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
        return len(self._calls) * _LIGHT + self._heavy

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

    def write(self, request: Request, answer: Answer, when: int, seconds: float) -> None:
        """Keep a call. Called for every request."""
        self.number = number = self.number + 1
        if len(request.body) + len(answer.body) > _LARGE:
            request = replace(request, body=Cut.of(request.body))
            answer = replace(answer, body=Cut.of(answer.body))
            self._heavy += (len(request.body) + len(answer.body)) * bool(self._most)
        calls = self._calls
        if self._heavy and len(calls) == self._most:
            self.drop(1)
        calls.append((number, when, seconds, request, answer))
        if self._heavy or not number % _ROUND:
            self._settle()
        if self._ledger.watch is not None:
            self._ledger.watch(self.namespace, (number, when, seconds, request, answer))

    def drop(self, count: int) -> None:
        """Give up the oldest calls."""
        for _ in range(min(count, len(self._calls))):
            self._heavy -= _excess(self._calls.popleft())
        self._tell()

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
            self._heavy -= sum(map(_excess, taken))
            self._tell()
        return [Call(*record) for record in taken]

    def clear(self) -> None:
        self._calls.clear()
        self._start, self._removed, self._heavy = self.number, 0, 0
        self._tell()

    def _settle(self) -> None:
        self._tell()
        if self._ledger.size > self._ledger.most:
            self._ledger.relieve()

    def _tell(self) -> None:
        size = self.size
        self._ledger.size += size - self._told
        self._told = size


def _excess(record: Record) -> int:
    """What the bodies of a call weigh that was not light."""
    bodies = len(record[3].body) + len(record[4].body)
    return bodies if bodies > _LARGE else 0
