"""What a resource does over time: the scenario engine's one rule book.

A scenario is a timeline of steps. A resource stands on one step and remembers
when it entered it and how many calls it has answered there:

===========  ==================================================================
hold         the step ends …
===========  ==================================================================
calls: N     with the answer to its N-th call; the next step begins at once
after: T     T milliseconds after it was entered, whether anyone asks or not
operation    when that operation is called, before it is answered
(none)       never
===========  ==================================================================

Whichever ends first, ends it, and the step named by ``next`` is entered, or by
the first of its *branches* that applies: a branch may belong to an operation,
ask a *fact* of the request, or be drawn by weight with the seed's dice. Three
rules follow from this and are all there is:

1. **Time first.** A call first finds every step whose time has run out since
   the last one passed over, each entered at the moment its predecessor ended.
2. **Then the operation.** If the call is what the step waits for, the next step
   is entered now, and it is that step which answers.
3. **Then the call.** The step answers and counts it; if that was the last of
   its calls, the next step is entered now. A call that the state has no answer
   to is none: it is not counted.

A step that ends by the clock asks no fact, for no request is there to ask.
``changed`` moves whenever a step of another state is entered. Everything here
is pure, data to data, so that a store may run it where its data are: no clock,
no I/O, no globals; facts arrive as booleans, and dice as a text that SHA-1 and
the number of moves so far make a throw of. Times are milliseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha1
from typing import NamedTuple

from mockserver.plan import Branch, Step

_MOST_MOVES = 10_000
"""Steps with branches that one call passes by time; a loop of them is cut short there."""


class ResourceState(NamedTuple):
    """Where a resource stands. Small on purpose: there may be hundreds of thousands."""

    scenario: str
    step: int
    calls: int
    """Calls answered since the step was entered."""
    entered: int
    created: int
    changed: int
    moves: int = 0
    """Steps entered since the first: what tells one throw of the dice from another."""


class Decision(NamedTuple):
    """The step that answers, how many calls it has answered with this one, and what is left behind."""

    step: int
    call: int
    changed: int
    """When the answering state was entered."""
    before: int
    """The step that the resource stood on when the call arrived, after rule 1."""
    state: ResourceState
    answered: bool = True
    """Whether the state has an answer to the operation."""
    entered: tuple[tuple[int, int], ...] = ()
    """The steps that were entered, and when, in their order."""


def begin(scenario: str, now: int) -> ResourceState:
    """A resource that is first seen ``now``."""
    return ResourceState(scenario, 0, 0, now, now, now)


def decide(
    steps: Sequence[Step],
    state: ResourceState,
    now: int,
    operation: str = "",
    facts: Sequence[bool] = (),
    dice: str = "",
) -> Decision:
    """The answer to a call at ``now``, and the state that it leaves behind."""
    scenario, index, calls, entered, created, changed, moves = state
    step = steps[index]
    trail: tuple[tuple[int, int], ...] = ()
    if step.after and now >= entered + step.after:
        passed: list[tuple[int, int]] = []
        scenario, index, calls, entered, created, changed, moves = settle(steps, state, now, dice, passed)
        step, trail = steps[index], tuple(passed)
    before = index
    if step.operation or step.branches:
        following = _by_operation(step, operation, facts, dice, moves)
        if following >= 0:
            index, calls, entered, moves = following, 0, now, moves + 1
            trail += ((index, now),)
            if steps[index].state != step.state:
                changed = now
            step = steps[index]
    if step.answers and operation not in step.answers:
        left = ResourceState(scenario, index, calls, entered, created, changed, moves)
        return Decision(index, calls, changed, before, left, answered=False, entered=trail)
    if not step.counted or step.counted == operation:
        calls += 1
    answered, seen = index, changed
    if step.calls and calls >= step.calls:
        index = _chosen(step.branches, "", facts, dice, moves) if step.branches else -1
        index = step.next if index < 0 else index
        if steps[index].state != step.state:
            changed = now
        trail += ((index, now),)
        left = ResourceState(scenario, index, 0, now, created, changed, moves + 1)
    else:
        left = ResourceState(scenario, index, calls, entered, created, changed, moves)
    return Decision(answered, calls, seen, before, left, True, trail)


def settle(
    steps: Sequence[Step],
    state: ResourceState,
    now: int,
    dice: str = "",
    trail: list[tuple[int, int]] | None = None,
) -> ResourceState:
    """Pass every step whose time has run out by ``now``; ``trail`` is told which are entered, and when.

    A loop of timed steps is passed whole periods at a time, so that the work
    is bounded by the number of steps, not by how long nobody asked. A loop
    that is drawn has no period, and is cut short where it grows too long.
    """
    scenario, index, calls, entered, created, changed, moves = state
    visited: dict[int, tuple[int, int]] = {}
    drawn = 0
    while (step := steps[index]).after and now >= entered + step.after:
        if any(branch.weight for branch in step.branches):
            drawn += 1
            visited.clear()
            if drawn > _MOST_MOVES:
                entered = now
                break
        elif index in visited:
            since, moved = visited[index]
            period = entered - since
            periods = (now - entered) // period
            whole = periods * period
            entered += whole
            moves += periods * (moves - moved)
            if changed > since:
                changed += whole
            visited.clear()
            if now < entered + step.after:
                break
        else:
            visited[index] = entered, moves
        entered += step.after
        following = _chosen(step.branches, "", (), dice, moves) if step.branches else -1
        index, calls, moves = step.next if following < 0 else following, 0, moves + 1
        if trail is not None:
            trail.append((index, entered))
        if steps[index].state != step.state:
            changed = entered
    return ResourceState(scenario, index, calls, entered, created, changed, moves)


class Row(NamedTuple):
    """A step without facts and weights, as scripts walk it: where it leads is decided already."""

    state: str
    calls: int
    after: int
    following: int
    """The step after the last call, or after the time."""
    transitions: dict[str, int]
    """By operation, the step that its call enters before it is answered."""
    counted: str
    answers: tuple[str, ...]


def rows(steps: Sequence[Step]) -> list[Row]:
    """The rows of a timeline that asks no fact and draws nothing."""
    found = []
    for step in steps:
        operations = dict.fromkeys((step.operation, *(branch.operation for branch in step.branches)))
        ended = _chosen(step.branches, "", (), "", 0)
        transitions = {each: _by_operation(step, each, (), "", 0) for each in operations if each}
        found.append(
            Row(
                step.state, step.calls, step.after, step.next if ended < 0 else ended, transitions,
                step.counted, step.answers,
            )
        )  # fmt: skip
    return found


def _by_operation(step: Step, operation: str, facts: Sequence[bool], dice: str, moves: int) -> int:
    """The step that a call moves on to before it is answered; -1 where it does not."""
    if not operation:
        return -1
    if step.operation == operation:
        following = _chosen(step.branches, "", facts, dice, moves)
        return step.next if following < 0 else following
    return _chosen(step.branches, operation, facts, dice, moves)


def _chosen(branches: Sequence[Branch], operation: str, facts: Sequence[bool], dice: str, moves: int) -> int:
    """Where the first branch of an operation that applies leads; -1 where none does.

    Weighted branches stand together: the first of them that is reached draws
    among all of them that are of the same operation and whose facts hold.
    """
    open_ = [
        each
        for each in branches
        if each.operation == operation
        and (each.predicate < 0 or (each.predicate < len(facts) and facts[each.predicate]))
    ]
    if not open_:
        return -1
    if not open_[0].weight:
        return open_[0].next
    weighted = [each for each in open_ if each.weight]
    drawn = roll(dice, moves) * sum(each.weight for each in weighted)
    for each in weighted:
        drawn -= each.weight
        if drawn < 0:
            return each.next
    return weighted[-1].next


def roll(dice: str, moves: int) -> float:
    """A throw from 0 to below 1. 52 bits of SHA-1, which any store's scripts can make as well."""
    digest = sha1(f"{dice}:{moves}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:13], 16) / 16**13
