"""The rules of the scenario engine: what state a resource is in, and which step answers a call.

A scenario is a timeline of steps. A resource is on one step. Its state says
when it entered that step and how many calls it has answered there:

===========  ==================================================================
hold         the step ends …
===========  ==================================================================
calls: N     when it has answered its N-th call; the next step begins at once
after: T     T milliseconds after it was entered, with or without a call
operation    when that operation is called; the next step answers the call
(none)       never
===========  ==================================================================

The hold that ends first decides. Then the resource enters the step ``next``, or
the step of the first *branch* that applies. A branch may require an operation
and a predicate of the request, and may be drawn at random by its weight. Three
rules apply in this order:

1. **Time first.** Every step whose time is over is passed. Each next step is
   entered at the time when the previous one ended.
2. **Then the operation.** If the step waits for the called operation, the next
   step is entered now, and answers the call.
3. **Then the call.** The step answers the call and counts it. If this was the
   last of its calls, the next step is entered now. A call to an operation for
   which the state has no response is not counted.

A step that ends by time evaluates no predicate, because there is no request.
``changed`` is set when a step with another state is entered.

Everything here is pure: no clock, no I/O, no globals. So a store can run the
same rules where its data is. Predicates are passed as booleans. Random
decisions use SHA-1 of a seed and of the number of transitions so far. Times are
milliseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha1
from typing import NamedTuple

from mockserver.plan import Branch, Step

_MAX_TRANSITIONS = 10_000
"""The maximum number of steps with branches that one call passes by time. A longer loop ends there."""


class ResourceState(NamedTuple):
    """The state of a resource. It is small, because there may be hundreds of thousands."""

    scenario: str
    step: int
    """The index of the current step in the timeline."""
    calls: int
    """The number of calls counted since the step was entered."""
    entered: int
    """When the step was entered."""
    created: int
    changed: int
    """When a step with another state was last entered."""
    transitions: int = 0
    """The number of steps entered since the first one. It makes each random decision a different one."""


class Decision(NamedTuple):
    """The step that answers a call, and the state after the call."""

    step: int
    """The index of the step that answers."""
    call: int
    """The number of calls that this step has answered, this one included."""
    changed: int
    """When the state that answers was entered."""
    before: int
    """The index of the step when the call arrived, after rule 1."""
    state: ResourceState
    """The state after the call."""
    answered: bool = True
    """Whether the state has a response for the operation."""
    entered: tuple[tuple[int, int], ...] = ()
    """The steps that were entered: (index, time), in order."""


def initial_state(scenario: str, now: int) -> ResourceState:
    """Return the state of a resource that is first called at ``now``: the first step, no calls."""
    return ResourceState(scenario, 0, 0, now, now, now)


def decide(
    steps: Sequence[Step],
    state: ResourceState,
    now: int,
    operation: str = "",
    predicates: Sequence[bool] = (),
    branch_seed: str = "",
) -> Decision:
    """Return which step answers a call at ``now``, and the state after the call.

    ``predicates`` are the values of the predicates that branches refer to by index. ``branch_seed`` is
    the seed of weighted branches.
    """
    scenario, index, calls, entered, created, changed, transitions = state
    step = steps[index]
    trail: tuple[tuple[int, int], ...] = ()
    if step.after and now >= entered + step.after:
        passed: list[tuple[int, int]] = []
        scenario, index, calls, entered, created, changed, transitions = advance_time(
            steps, state, now, branch_seed, passed
        )
        step, trail = steps[index], tuple(passed)
    before = index
    if step.operation or step.branches:
        following = _enter_by_operation(step, operation, predicates, branch_seed, transitions)
        if following >= 0:
            index, calls, entered, transitions = following, 0, now, transitions + 1
            trail += ((index, now),)
            if steps[index].state != step.state:
                changed = now
            step = steps[index]
    if step.answers and operation not in step.answers:
        left = ResourceState(scenario, index, calls, entered, created, changed, transitions)
        return Decision(index, calls, changed, before, left, answered=False, entered=trail)
    if not step.counted or step.counted == operation:
        calls += 1
    answered, seen = index, changed
    if step.calls and calls >= step.calls:
        index = (
            _choose_branch(step.branches, "", predicates, branch_seed, transitions) if step.branches else -1
        )
        index = step.next if index < 0 else index
        if steps[index].state != step.state:
            changed = now
        trail += ((index, now),)
        left = ResourceState(scenario, index, 0, now, created, changed, transitions + 1)
    else:
        left = ResourceState(scenario, index, calls, entered, created, changed, transitions)
    return Decision(answered, calls, seen, before, left, True, trail)


def advance_time(
    steps: Sequence[Step],
    state: ResourceState,
    now: int,
    branch_seed: str = "",
    trail: list[tuple[int, int]] | None = None,
) -> ResourceState:
    """Return the state at ``now``, after every step whose time is over. Append entered steps to ``trail``.

    ``trail`` gets pairs (index of the step, time when it was entered).

    A loop of timed steps is passed in whole periods. So the cost depends on the
    number of steps, and not on the time since the last call. A loop with random
    branches has no period. It ends after ``_MAX_TRANSITIONS`` steps.
    """
    scenario, index, calls, entered, created, changed, transitions = state
    visited: dict[int, tuple[int, int]] = {}
    drawn = 0
    while (step := steps[index]).after and now >= entered + step.after:
        if any(branch.weight for branch in step.branches):
            drawn += 1
            visited.clear()
            if drawn > _MAX_TRANSITIONS:
                entered = now
                break
        elif index in visited:
            since, moved = visited[index]
            period = entered - since
            periods = (now - entered) // period
            whole = periods * period
            entered += whole
            transitions += periods * (transitions - moved)
            if changed > since:
                changed += whole
            visited.clear()
            if now < entered + step.after:
                break
        else:
            visited[index] = entered, transitions
        entered += step.after
        following = _choose_branch(step.branches, "", (), branch_seed, transitions) if step.branches else -1
        index, calls, transitions = step.next if following < 0 else following, 0, transitions + 1
        if trail is not None:
            trail.append((index, entered))
        if steps[index].state != step.state:
            changed = entered
    return ResourceState(scenario, index, calls, entered, created, changed, transitions)


class Row(NamedTuple):
    """A step without predicates and weights, as scripts walk it: its transitions are resolved."""

    state: str
    calls: int
    after: int
    following: int
    """The step after the last call, or after the time."""
    transitions: dict[str, int]
    """By operation, the step that its call enters before the response."""
    counted: str
    answers: tuple[str, ...]


def rows(steps: Sequence[Step]) -> list[Row]:
    """Return the rows of a timeline without predicates and weights."""
    found = []
    for step in steps:
        operations = dict.fromkeys((step.operation, *(branch.operation for branch in step.branches)))
        ended = _choose_branch(step.branches, "", (), "", 0)
        transitions = {name: _enter_by_operation(step, name, (), "", 0) for name in operations if name}
        found.append(
            Row(
                step.state, step.calls, step.after, step.next if ended < 0 else ended, transitions,
                step.counted, step.answers,
            )
        )  # fmt: skip
    return found


def _enter_by_operation(
    step: Step, operation: str, predicates: Sequence[bool], branch_seed: str, transitions: int
) -> int:
    """Return the step that a call enters before it is answered, or -1 if it enters none."""
    if not operation:
        return -1
    if step.operation == operation:
        following = _choose_branch(step.branches, "", predicates, branch_seed, transitions)
        return step.next if following < 0 else following
    return _choose_branch(step.branches, operation, predicates, branch_seed, transitions)


def _choose_branch(
    branches: Sequence[Branch], operation: str, predicates: Sequence[bool], branch_seed: str, transitions: int
) -> int:
    """Return the next step of the first branch of ``operation`` that applies, or -1 if none does.

    If that branch has a weight, one of all weighted branches that apply is drawn.
    """
    applicable = [
        branch
        for branch in branches
        if branch.operation == operation
        and (branch.predicate < 0 or (branch.predicate < len(predicates) and predicates[branch.predicate]))
    ]
    if not applicable:
        return -1
    if not applicable[0].weight:
        return applicable[0].next
    weighted = [branch for branch in applicable if branch.weight]
    drawn = random_fraction(branch_seed, transitions) * sum(branch.weight for branch in weighted)
    for branch in weighted:
        drawn -= branch.weight
        if drawn < 0:
            return branch.next
    return weighted[-1].next


def random_fraction(seed: str, transitions: int) -> float:
    """Return a number from 0 to below 1: 52 bits of SHA-1, which the scripts of any store can compute too."""
    digest = sha1(f"{seed}:{transitions}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:13], 16) / 16**13
