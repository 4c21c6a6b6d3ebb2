"""The clock of a namespace, as a test turns it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mockserver.duration import written
from mockserver.testing.control import Control, Members
from mockserver.testing.tracebacks import raises_at_caller

Moment = str | datetime
"""ISO 8601, or a datetime; one without a zone is UTC."""


class Clock:
    """Holds, timestamps, certificates and delays of the namespace follow it.

    Each verb returns the time that is shown then.
    """

    def __init__(self, reach: Callable[[], Control], namespace: str) -> None:
        self._reach = reach
        self._namespace = namespace

    @property
    @raises_at_caller
    def now(self) -> datetime:
        return self._turn("get")

    @property
    @raises_at_caller
    def frozen(self) -> bool:
        return bool(self._reach().clock(self._namespace, "get", {})["frozen"])

    @raises_at_caller
    def freeze(self, at: Moment | None = None) -> datetime:
        """Stand still, at ``at`` or at this moment."""
        return self._turn("freeze", {} if at is None else {"at": _iso(at)})

    @raises_at_caller
    def set(self, at: Moment) -> datetime:
        """Show ``at`` from now on, running or standing as before."""
        return self._turn("set", {"at": _iso(at)})

    @raises_at_caller
    def advance(self, by: str | timedelta) -> datetime:
        """Move on by ``200ms``, ``30s``, ``5m``, ``1h``, ``2d`` or a timedelta. What waits for it goes on."""
        if isinstance(by, timedelta):
            by = written(round(by / timedelta(milliseconds=1)))
        return self._turn("advance", {"by": by})

    @raises_at_caller
    def resume(self) -> datetime:
        """Run on from the time shown."""
        return self._turn("resume")

    @raises_at_caller
    def reset(self) -> datetime:
        """Back to the machine's time, running."""
        return self._turn("reset")

    def _turn(self, verb: str, body: Members | None = None) -> datetime:
        found = self._reach().clock(self._namespace, verb, body or {})
        return datetime.fromtimestamp(found["milliseconds"] / 1000, UTC)


def _iso(moment: Moment) -> str:
    return moment.isoformat() if isinstance(moment, datetime) else moment
