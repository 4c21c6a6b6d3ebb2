"""The clock of a namespace, which holds and timestamps follow. It runs, or is frozen until it is moved."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """A clock in milliseconds since the epoch. With ``frozen_at`` it starts frozen at that time."""

    moved = False
    """Whether any clock of this process has ever differed from the machine's clock."""

    def __init__(self, frozen_at: int | None = None) -> None:
        if frozen_at is not None:
            Clock.moved = True
        self._frozen = frozen_at
        self._offset = 0
        self._sleepers: set[asyncio.Event] = set()
        self._releases = 0
        self.closed = False
        """Whether the namespace was deleted. Then ``sleep`` returns at once."""

    @property
    def frozen(self) -> bool:
        """Whether the clock is frozen."""
        return self._frozen is not None

    def now(self) -> int:
        """Return the time in milliseconds since the epoch."""
        if self._frozen is not None:
            return self._frozen
        return time.time_ns() // 1_000_000 + self._offset

    def freeze(self, at: int | None = None) -> None:
        """Freeze the clock at ``at``, or at the time it shows."""
        self._frozen = self.now() if at is None else at
        self._wake()

    def set(self, at: int) -> None:
        """Set the time to ``at``. A running clock keeps running, a frozen clock stays frozen."""
        if self._frozen is not None:
            self._frozen = at
        else:
            self._offset += at - self.now()
        self._wake()

    def advance(self, milliseconds: int) -> None:
        """Move the time forward."""
        self.set(self.now() + milliseconds)

    def resume(self) -> None:
        """Let a frozen clock run again, from the time it shows."""
        if self._frozen is not None:
            shown, self._frozen = self._frozen, None
            self._offset += shown - self.now()
            self._wake()

    def reset(self) -> None:
        """Show the machine's time again, running."""
        self._frozen, self._offset = None, 0
        self._wake()

    def release(self) -> None:
        """Let every ``sleep`` return now, because its time may never come."""
        self._releases += 1
        for moved in self._sleepers:
            moved.set()

    def close(self) -> None:
        """Release all sleepers, because the namespace is deleted and its clock cannot be moved any more."""
        self.closed = True
        self.release()

    async def sleep(self, milliseconds: int) -> None:
        """Return when this clock has moved that far, or is released. A frozen clock must be moved."""
        await self.sleep_until(self.now() + milliseconds)

    async def sleep_until(self, due: int) -> None:
        """Return when this clock shows ``due`` or later, or is released."""
        releases = self._releases
        moved = asyncio.Event()
        self._sleepers.add(moved)
        try:
            while not self.closed and releases == self._releases and (left := due - self.now()) > 0:
                moved.clear()
                try:
                    await asyncio.wait_for(moved.wait(), None if self.frozen else left / 1000)
                except TimeoutError:
                    continue
        finally:
            self._sleepers.discard(moved)

    def _wake(self) -> None:
        Clock.moved = True
        for moved in self._sleepers:
            moved.set()


@lru_cache(maxsize=1024)
def iso(milliseconds: int) -> str:
    """Return a time in ISO 8601 with milliseconds and ``Z``, as JavaScript's ``toISOString`` does."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def parse_time(text: str) -> int:
    """Return the milliseconds since the epoch of an ISO 8601 date-time. Raises ValueError.

    A date-time without an offset is in UTC.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is not an ISO 8601 date-time such as 2026-01-01T00:00:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def http_date(milliseconds: int) -> str:
    """Return a time as an IMF-fixdate (RFC 9110, section 5.6.7)."""
    at = time.gmtime(milliseconds / 1000)
    day, month = _DAYS[at.tm_wday], _MONTHS[at.tm_mon - 1]
    return f"{day}, {at.tm_mday:02} {month} {at.tm_year:04} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"
