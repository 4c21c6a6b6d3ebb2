"""The rules that ``mockserver.state.machine`` states, as tables and as laws."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.plan import Branch, Step
from mockserver.state.machine import Decision, ResourceState, advance_time, decide, initial_state

START = 1_000_000


class Call(NamedTuple):
    at: int
    """Milliseconds after the start."""
    state: str
    """That answers."""
    call: int
    changed: int = 0
    """Milliseconds after the start."""
    operation: str = ""


ISSUED = (Step("pending", calls=2, next=1), Step("issued"))
SLOW = (Step("pending", after=30_000, next=1), Step("issued"))
EITHER = (Step("pending", calls=2, after=30_000, next=1), Step("issued"))
APPROVED = (Step("waiting", operation="approve", next=1), Step("approved"))
LOOP = (Step("red", after=1000, next=1), Step("green", after=500, next=0))
COUNTED_LOOP = (Step("red", calls=1, next=1), Step("green", calls=2, next=0))
SAME = (Step("a", calls=1, next=1), Step("a", calls=1, next=2), Step("b"))
CANCEL = (
    Step("pending", calls=3, after=10_000, operation="cancel", next=1),
    Step("cancelled", calls=1, next=2),
    Step("gone"),
)


@pytest.mark.parametrize(
    ("steps", "calls"),
    [
        pytest.param(
            ISSUED,
            [Call(0, "pending", 1), Call(5, "pending", 2), Call(9, "issued", 1, 5), Call(99, "issued", 2, 5)],
            id="two calls, then for ever",
        ),
        pytest.param(
            SLOW,
            [Call(0, "pending", 1), Call(29_999, "pending", 2), Call(30_000, "issued", 1, 30_000)],
            id="the step ends on the millisecond",
        ),
        pytest.param(
            SLOW,
            [Call(0, "pending", 1), Call(90_000, "issued", 1, 30_000)],
            id="changed when the time ran out, not when somebody asked",
        ),
        pytest.param(
            EITHER,
            [Call(0, "pending", 1), Call(30_000, "issued", 1, 30_000)],
            id="whichever ends first: time",
        ),
        pytest.param(
            EITHER,
            [Call(0, "pending", 1), Call(1, "pending", 2), Call(2, "issued", 1, 1)],
            id="whichever ends first: calls",
        ),
        pytest.param(
            APPROVED,
            [
                Call(0, "waiting", 1),
                Call(1, "waiting", 2, operation="poll"),
                Call(2, "approved", 1, 2, operation="approve"),
                Call(3, "approved", 2, 2, operation="approve"),
            ],
            id="the operation is answered by the step that it leads to",
        ),
        pytest.param(
            LOOP,
            [
                Call(0, "red", 1),
                Call(1000, "green", 1, 1000),
                Call(1499, "green", 2, 1000),
                Call(1500, "red", 1, 1500),
                Call(1500 * 1_000_000_007, "red", 1, 1500 * 1_000_000_007),
                Call(1500 * 1_000_000_007 + 1200, "green", 1, 1500 * 1_000_000_007 + 1000),
            ],
            id="a loop of timed steps goes round however long nobody asks",
        ),
        pytest.param(
            COUNTED_LOOP,
            [
                Call(0, "red", 1),
                Call(1, "green", 1, 0),
                Call(2, "green", 2, 0),
                Call(3, "red", 1, 2),
                Call(4, "green", 1, 3),
            ],
            id="a loop of counted steps",
        ),
        pytest.param(
            SAME,
            [Call(0, "a", 1), Call(7, "a", 1), Call(9, "b", 1, 7)],
            id="a step of the same state changes nothing",
        ),
        pytest.param(
            CANCEL,
            [Call(0, "pending", 1), Call(3, "cancelled", 1, 3, operation="cancel"), Call(4, "gone", 1, 3)],
            id="the operation's call counts on the step that it leads to",
        ),
        pytest.param(
            CANCEL,
            [Call(0, "pending", 1), Call(10_000, "cancelled", 1, 10_000, operation="cancel")],
            id="time first: what it waited for is over, so the operation moves nothing",
        ),
    ],
)
def test_a_timeline(steps: tuple[Step, ...], calls: list[Call]) -> None:
    state = initial_state("it", START)
    for expected in calls:
        decision = decide(steps, state, START + expected.at, expected.operation)
        told = Call(
            expected.at,
            steps[decision.step].state,
            decision.call,
            decision.changed - START,
            expected.operation,
        )
        assert told == expected
        assert decision.state.created == START
        state = decision.state


def test_decision_says_which_step_the_call_found() -> None:
    state = initial_state("it", START)
    assert decide(SLOW, state, START).before == 0
    assert decide(SLOW, state, START + 30_000).before == 1
    approved = decide(APPROVED, state, START, "approve")
    assert (approved.before, approved.step) == (0, 1)


# Laws


class Timeline(NamedTuple):
    steps: tuple[Step, ...]
    calls: list[tuple[int, str]]
    """(milliseconds since the call before, operation)"""


@st.composite
def timelines(draw: st.DrawFn, *, longest: int = 12) -> Timeline:
    """Timelines with loops; lengths are small, so that a loop is passed many times within ``longest``."""
    count = draw(st.integers(1, 5))
    steps = []
    for _ in range(count):
        calls = draw(st.sampled_from([0, 0, 1, 2, 3]))
        after = draw(st.sampled_from([0, 1, 1, 2, 3, 5, 7]))
        operation = draw(st.sampled_from(["", "", "move"]))
        holds = calls or after or operation
        following = draw(st.integers(0, count - 1)) if holds else -1
        state = draw(st.sampled_from("abc"))
        steps.append(Step(state, calls, after, operation, following))
    waits = st.tuples(st.integers(0, longest), st.sampled_from(["", "poll", "move"]))
    return Timeline(tuple(steps), draw(st.lists(waits, max_size=12)))


def naive_settle(steps: tuple[Step, ...], state: ResourceState, now: int) -> ResourceState:
    """One millisecond after the other, as rule 1 says it."""
    for moment in range(state.entered, now + 1):
        step = steps[state.step]
        if step.after and moment == state.entered + step.after:
            entered = steps[step.next]
            changed = moment if entered.state != step.state else state.changed
            state = ResourceState(
                state.scenario, step.next, 0, moment, state.created, changed, state.transitions + 1
            )
    return state


def naive_decide(steps: tuple[Step, ...], state: ResourceState, now: int, operation: str) -> Decision:
    def enter(state: ResourceState) -> ResourceState:
        here = steps[state.step]
        changed = now if steps[here.next].state != here.state else state.changed
        return ResourceState(state.scenario, here.next, 0, now, state.created, changed, state.transitions + 1)

    state = naive_settle(steps, state, now)
    before = state.step
    if operation and steps[state.step].operation == operation:
        state = enter(state)
    state = state._replace(calls=state.calls + 1)
    left = enter(state) if state.calls == steps[state.step].calls else state
    return Decision(state.step, state.calls, state.changed, before, left)


@given(timelines())
def test_decisions_are_those_of_the_rules_read_literally(timeline: Timeline) -> None:
    state, now = initial_state("it", START), START
    for wait, operation in timeline.calls:
        now += wait
        expected = naive_decide(timeline.steps, state, now, operation)
        assert decide(timeline.steps, state, now, operation)._replace(entered=()) == expected
        state = expected.state


@given(timelines(), st.integers(0, 400))
def test_advance_time_skips_whole_periods_exactly(timeline: Timeline, wait: int) -> None:
    state = initial_state("it", START)
    assert advance_time(timeline.steps, state, START + wait) == naive_settle(
        timeline.steps, state, START + wait
    )


@given(timelines(), st.lists(st.integers(0, 10**15), min_size=2, max_size=4))
def test_advance_time_in_several_steps_gives_the_same_state(timeline: Timeline, waits: list[int]) -> None:
    """Time passes the same whether or not anybody looks."""
    state = initial_state("it", START)
    moments = sorted(START + wait for wait in waits)
    looked = state
    for moment in moments:
        looked = advance_time(timeline.steps, looked, moment)
    assert looked == advance_time(timeline.steps, state, moments[-1])


@given(timelines(longest=50))
def test_times_never_go_back_nor_ahead_of_the_clock(timeline: Timeline) -> None:
    state, now = initial_state("it", START), START
    for wait, operation in timeline.calls:
        now += wait
        decision = decide(timeline.steps, state, now, operation)
        left = decision.state
        assert state.entered <= left.entered <= now
        assert state.changed <= decision.changed <= left.changed <= left.entered
        assert left.created == START
        state = left


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.integers(1, 60))
def test_n_calls_spend_exactly_n(holds: list[int], count: int) -> None:
    steps = (*(Step(f"s{i}", calls=n, next=i + 1) for i, n in enumerate(holds)), Step("end"))
    expected = [f"s{i}" for i, n in enumerate(holds) for _ in range(n)] + ["end"] * count
    state, seen = initial_state("it", START), []
    for _ in range(count):
        decision = decide(steps, state, START)
        seen.append(steps[decision.step].state)
        state = decision.state
    assert seen == expected[:count]


@given(timelines(), st.integers(0, 10**15), st.sampled_from(["", "move"]))
def test_same_input_gives_the_same_decision(timeline: Timeline, wait: int, operation: str) -> None:
    state = initial_state("it", START)
    first = decide(timeline.steps, state, START + wait, operation)
    assert state == initial_state("it", START)
    assert decide(timeline.steps, state, START + wait, operation) == first


def test_calls_of_another_operation_where_one_is_counted_do_not_count() -> None:
    steps = (Step("pending", calls=2, counted="poll", next=1), Step("issued"))
    state, seen = initial_state("s", START), []
    for operation in ("poll", "list", "list", "poll", "list"):
        decision = decide(steps, state, START, operation)
        state = decision.state
        seen.append((decision.step, decision.call))
    assert seen == [(0, 1), (0, 1), (0, 1), (0, 2), (1, 1)]


def test_random_loop_that_is_too_long_ends_at_the_time_of_the_call() -> None:
    """Time that cannot be gone through in so many moves is let go, and the next call goes on from here."""
    branches = Branch(0, weight=1), Branch(1, weight=1)
    steps = (
        Step("red", after=1, branches=branches),
        Step("green", after=1, next=0),
    )
    now = START + 10_000_000
    left = advance_time(steps, initial_state("s", START), now, "dice")
    assert left.entered == now
    assert advance_time(steps, left, now, "dice") == left
