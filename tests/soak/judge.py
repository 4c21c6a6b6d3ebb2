"""Whether what clients saw can have come from the sequences that the scenarios allow, each call counted once.

Every key has a *position*: how many of its calls were counted. An attempt that
was answered spent one, and its answer is that of the position before. So for
attempts that follow each other, the position is known exactly, but for those
of which the client does not know whether they were counted:

- ``refused`` and ``unsent`` spent nothing: the server says so, and is held to it.
- ``unknown`` and ``cut`` spent one or none. They may be counted a while after the
  client gave up, as the command may be under way to Redis; but no later than
  ``late`` after, as by then its deadline is over. Where the server says that it
  waited for all the time there was, that is over already.

Where attempts of a key follow each other, an answer is allowed if it is that
of the position, given some choice of what is unknown; each unknown is chosen
once. What is not allowed is a *violation*, and the key is judged on from there:

doubled    the answer is further than all calls together reach: one was counted twice
lost       the answer is the one given last: a call that was acknowledged was not kept
backwards  the answer is one of an earlier position
wrong      no position has such an answer: another status or body, or that of another key
overlap    two attempts of a key that one client should own at a time: nothing can be told

Where all clients poll one key at the same time, answers must be those of
different positions (else ``lost``), no more positions can be missing than there
are calls without an answer (else ``doubled``), and of two calls of which one
ended before the other began, the later has the greater position (else
``backwards``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from tests.soak.attempt import Attempt

Kind = Literal["doubled", "lost", "backwards", "wrong", "overlap"]
Expected = Callable[[str, int], str]
"""The body that the n-th call of a key has to be answered with, from 0."""
WAITED = "gave no answer within"
"""Says a 503 that was given when the call's time was over."""
_SKEW = 20_000_000
"""Nanoseconds by which the server may take Redis's clock to be wrong."""
_FAR = 1000
"""How many positions further than allowed an answer is looked for, to say what is wrong."""


class Violation(NamedTuple):
    kind: Kind
    key: str
    said: str
    attempt: Attempt


class _Place(NamedTuple):
    """One way in which it can have been: the position, and until when calls may still be counted late."""

    position: int
    late: tuple[int, ...]


@dataclass
class Judgement:
    """Of all keys. ``unknown_spent`` are the calls that must have been counted though no answer came."""

    violations: list[Violation] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    keys: int = 0
    fewest: int = 0
    """Answers to the key that has the fewest."""
    unknown_spent: int = 0
    unknown_open: int = 0
    """Calls of unknown outcome that nothing was answered after."""

    @property
    def exact(self) -> bool:
        return not self.violations and self.keys > 0

    @property
    def kinds(self) -> dict[str, int]:
        return dict(Counter(each.kind for each in self.violations))


class Judge:
    """``late`` is in nanoseconds; ``crowded`` tells which keys are polled by all clients at once."""

    def __init__(
        self, expected: Expected, late: int, crowded: Callable[[str], bool] = lambda key: False
    ) -> None:
        self._expected = expected
        self._late = late
        self._crowded = crowded

    def judge(self, attempts: Iterable[Attempt]) -> Judgement:
        by_key: dict[str, list[Attempt]] = defaultdict(list)
        found = Judgement()
        for each in attempts:
            by_key[each.key].append(each)
            found.outcomes[each.outcome] += 1
        found.keys = len(by_key)
        found.fewest = min(
            (sum(each.outcome == "answered" for each in tried) for tried in by_key.values()), default=0
        )
        for key, tried in by_key.items():
            tried.sort(key=lambda each: each.start)
            if self._crowded(key):
                self._crowd(key, tried, found)
            else:
                self._sequence(key, tried, found)
        return found

    # One attempt after the other

    def _sequence(self, key: str, attempts: list[Attempt], found: Judgement) -> None:
        places = {_Place(0, ())}
        ended = -1
        unknown = 0
        for attempt in attempts:
            if attempt.start < ended:
                said = "it began before the one before it ended"
                found.violations.append(Violation("overlap", key, said, attempt))
                return
            ended = attempt.end
            match attempt.outcome:
                case "answered":
                    allowed = {after for place in places for after in self._after(key, place, attempt)}
                    if not allowed:
                        violation, position = self._violation(key, places, attempt)
                        found.violations.append(violation)
                        allowed = {_Place(position + 1, ())}
                    else:
                        found.unknown_spent += self._spent(places, allowed)
                        unknown = 0
                    places = allowed
                case "unknown" | "cut":
                    unknown += 1
                    until = attempt.end + (_SKEW if WAITED in attempt.body else self._late)
                    places = {_Place(place.position, (*place.late, until)) for place in places}
        found.unknown_open += unknown

    def _after(self, key: str, place: _Place, attempt: Attempt) -> list[_Place]:
        """Where the key can stand after this answer."""
        found = []
        for more in range(len(place.late) + 1):
            position = place.position + more
            if self._is(key, position, attempt):
                # Those that can still be counted are the last ones: let these be left.
                left = sorted(place.late)[more:]
                found.append(_Place(position + 1, tuple(each for each in left if each > attempt.start)))
        return found

    @staticmethod
    def _spent(before: set[_Place], after: set[_Place]) -> int:
        """How many calls of unknown outcome were counted, at least."""
        return max(0, min(each.position for each in after) - 1 - max(each.position for each in before))

    def _violation(self, key: str, places: set[_Place], attempt: Attempt) -> tuple[Violation, int]:
        """What is wrong with an answer that is not allowed, and the position to go on from."""
        lowest = min(place.position for place in places)
        highest = max(place.position + len(place.late) for place in places)
        wanted = f"{self._expected(key, lowest)} was to come"
        if highest > lowest:
            wanted = f"{self._expected(key, lowest)} to {self._expected(key, highest)} could come"
        if lowest and self._is(key, lowest - 1, attempt):
            return Violation("lost", key, f"{wanted}, not the last one again", attempt), lowest - 1
        for position in range(highest + 1, highest + _FAR):
            if self._is(key, position, attempt):
                said = f"{wanted}, not the one {position - highest} further"
                return Violation("doubled", key, said, attempt), position
        for position in range(lowest - 2, -1, -1):
            if self._is(key, position, attempt):
                return Violation("backwards", key, f"{wanted}, not an earlier one", attempt), position
        return Violation("wrong", key, f"{wanted}", attempt), lowest

    def _is(self, key: str, position: int, attempt: Attempt) -> bool:
        return attempt.status == 200 and attempt.body == self._expected(key, position)

    # All at once

    def _crowd(self, key: str, attempts: list[Attempt], found: Judgement) -> None:
        known = {self._expected(key, position): position for position in range(len(attempts) + _FAR)}
        seen: dict[int, Attempt] = {}
        for attempt in attempts:
            if attempt.outcome != "answered":
                continue
            position = known.get(attempt.body) if attempt.status == 200 else None
            if position is None:
                found.violations.append(Violation("wrong", key, "no position has such an answer", attempt))
            elif position in seen:
                said = "the same answer was given twice"
                found.violations.append(Violation("lost", key, said, attempt))
            else:
                seen[position] = attempt
        unknown = sum(each.outcome in ("unknown", "cut") for each in attempts)
        missing = max(seen, default=-1) + 1 - len(seen)
        if missing > unknown:
            said = f"{missing} answers are missing, and {unknown} calls have none"
            found.violations.append(Violation("doubled", key, said, seen[max(seen)]))
        found.unknown_spent += max(0, min(unknown, missing))
        highest, began = -1, sorted(seen.items(), key=lambda each: each[1].start)
        ends = iter(sorted(seen.items(), key=lambda each: each[1].end))
        ended = next(ends, None)
        for position, attempt in began:
            while ended is not None and ended[1].end < attempt.start:
                highest, ended = max(highest, ended[0]), next(ends, None)
            if position < highest:
                said = "a later position was answered before it began"
                found.violations.append(Violation("backwards", key, said, attempt))
