"""Calls of one script that are sent together: those of one iteration of the event loop.

A script costs Redis more than what it does for one call: its arguments, its
deadline, its number, the timeline that it reads. So the calls of all clients
that were read together share one script, and with it one write to the socket.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from mockserver.state.protocol import NamespacesFull, Unavailable
from mockserver.state.redis.connection import Connection
from mockserver.state.redis.handshake import Word

_LOG = logging.getLogger("mockserver.state")
_MAX_CALLS = 64
"""The maximum number of calls of one script: Redis does nothing else while it runs one."""
_ERROR = b"!error "
_MARK = ord("!")
"""The first byte of the part of a call that was not counted."""

ReplyPart = bytes | Unavailable
"""The part of the reply that belongs to one call."""
PartCallback = Callable[[ReplyPart], None]


class Batch:
    """Calls of the script ``script``, in groups of those with the same first arguments.

    ``first_words`` returns the arguments of the script before the groups. The script gets for each
    group its words, the number of its calls, and a word for each call. It replies with a part for each
    call, in this order, and ``\\0`` between them.
    """

    def __init__(
        self, connection: Connection, script: str, first_words: Callable[[], Sequence[Word]]
    ) -> None:
        self._connection = connection
        self._script = script
        self._first_words = first_words
        self._groups: dict[tuple[Word, ...], tuple[list[Word], list[PartCallback | None]]] = {}
        self._count = 0
        connection.batches.append(self)

    def add(self, group: tuple[Word, ...], word: Word, callback: PartCallback | None) -> None:
        """Add a call. ``callback`` is called with its part of the reply or an Unavailable."""
        found = self._groups.get(group)
        if found is None:
            found = self._groups[group] = [], []
        found[0].append(word)
        found[1].append(callback)
        self._count += 1
        if self._count == 1:
            self._connection.flush_soon()
        elif self._count == _MAX_CALLS:
            self.send()

    def send(self) -> None:
        """Send the calls that were added. The connection does this before it sends something else."""
        if not self._count:
            return
        groups, self._groups, self._count = self._groups, {}, 0
        words = [*self._first_words()]
        callbacks: list[PartCallback | None] = []
        for group, (calls, of_calls) in groups.items():
            words += group
            words.append(len(calls))
            words += calls
            callbacks += of_calls
        self._connection.send(words, partial(self._answered, callbacks), script=self._script)

    def _answered(self, callbacks: Sequence[PartCallback | None], reply: Any) -> None:
        parts = [reply] * len(callbacks) if isinstance(reply, Unavailable) else reply.split(b"\0")
        for callback, part in zip(callbacks, parts, strict=True):
            if callback is None:
                continue
            try:
                callback(
                    part if isinstance(part, Unavailable) or part[0] != _MARK else self._read_refusal(part)
                )
            except Exception:  # noqa: BLE001 - the other calls get their replies
                _LOG.exception("the reply of the store to a call could not be used")

    def _read_refusal(self, part: bytes) -> ReplyPart:
        """Return the Unavailable that a part with an exclamation mark means, or the part."""
        if part == b"!full":
            return NamespacesFull()
        if part.startswith(_ERROR):
            return self._connection.refusal(part.removeprefix(_ERROR).decode(errors="replace"))
        return part
