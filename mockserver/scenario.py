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

Whichever ends first, ends it, and the step named by ``next`` is entered. Three
rules follow from this and are all there is:

1. **Time first.** A call first finds every step whose time has run out since
   the last one passed over, each entered at the moment its predecessor ended.
2. **Then the operation.** If the call is what the step waits for, the next step
   is entered now, and it is that step which answers.
3. **Then the call.** The step answers and counts it; if that was the last of
   its calls, the next step is entered now.

``changed`` moves whenever a step of another state is entered. Everything here
is pure: no clock, no I/O, no globals. Times are milliseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mockserver.plan import Step


class ResourceState(NamedTuple):
    """Where a resource stands. Small on purpose: there may be hundreds of thousands."""

    scenario: str
    step: int
    calls: int
    """Calls answered since the step was entered."""
    entered: int
    created: int
    changed: int


class Decision(NamedTuple):
    """The step that answers, how many calls it has answered with this one, and what is left behind."""

    step: int
    call: int
    changed: int
    """When the answering state was entered."""
    before: int
    """The step that the resource stood on when the call arrived, after rule 1."""
    state: ResourceState


def begin(scenario: str, now: int) -> ResourceState:
    """A resource that is first seen ``now``."""
    return ResourceState(scenario, 0, 0, now, now, now)


def decide(steps: Sequence[Step], state: ResourceState, now: int, operation: str = "") -> Decision:
    """The answer to a call at ``now``, and the state that it leaves behind."""
    scenario, index, calls, entered, created, changed = state
    step = steps[index]
    if step.after and now >= entered + step.after:
        scenario, index, calls, entered, created, changed = settle(steps, state, now)
        step = steps[index]
    before = index
    if step.operation and step.operation == operation:
        index, calls, entered = step.next, 0, now
        if steps[index].state != step.state:
            changed = now
        step = steps[index]
    calls += 1
    answered, seen = index, changed
    if step.calls and calls >= step.calls:
        following = steps[step.next]
        if following.state != step.state:
            changed = now
        left = ResourceState(scenario, step.next, 0, now, created, changed)
    else:
        left = ResourceState(scenario, index, calls, entered, created, changed)
    return Decision(answered, calls, seen, before, left)


def settle(steps: Sequence[Step], state: ResourceState, now: int) -> ResourceState:
    """Pass every step whose time has run out by ``now``.

    A loop of timed steps is passed whole periods at a time, so that the work
    is bounded by the number of steps, not by how long nobody asked.
    """
    scenario, index, calls, entered, created, changed = state
    visited: dict[int, int] = {}
    while (step := steps[index]).after and now >= entered + step.after:
        if index in visited:
            period = entered - visited[index]
            whole = (now - entered) // period * period
            entered += whole
            if changed > visited[index]:
                changed += whole
            visited.clear()
            if now < entered + step.after:
                break
        else:
            visited[index] = entered
        entered += step.after
        index, calls = step.next, 0
        if steps[index].state != step.state:
            changed = entered
    return ResourceState(scenario, index, calls, entered, created, changed)
