"""The scripts on Redis decide exactly as the engine's own code does, of which they are twins."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mockserver.plan import Branch, Step
from mockserver.state.machine import decide, initial_state
from mockserver.state.redis.codec import packed_timeline
from mockserver.state.tables import MemoryCounters
from tests.redis import Redis
from tests.state.scripts import Scripts, Word
from tests.state.test_machine import START

_FRESH = itertools.count()
_SETTINGS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(scope="module")
def scripts(redis: Redis) -> Iterator[Scripts]:
    found = Scripts(redis, "twins")
    yield found
    found.close()


# poll.lua and mockserver.state.machine

ALIASES = ("poll", "move", "end")


@st.composite
def steps(draw: st.DrawFn) -> tuple[Step, ...]:
    """All that a plain timeline may say: holds of every kind, loops, ends, branches, states without answers.

    Branches that ask a fact or throw dice make a resource one that no script decides.
    """
    count = draw(st.integers(1, 5))
    places = st.integers(0, count - 1)
    made = []
    for _ in range(count):
        calls = draw(st.sampled_from([0, 0, 1, 2, 3]))
        after = draw(st.sampled_from([0, 0, 1, 2, 3, 7, 1000, 3_600_000]))
        operation = draw(st.sampled_from(["", "", "move", "end"]))
        holds = calls or after or operation
        branches = draw(
            st.lists(st.builds(Branch, next=places, operation=st.sampled_from(["", *ALIASES])), max_size=3)
        )
        made.append(
            Step(
                draw(st.sampled_from(["a", "b", "c", "a state", "état"])),
                calls,
                after,
                operation,
                draw(places) if holds else -1,
                counted=draw(st.sampled_from(["", "", "poll", "move"])) if calls else "",
                branches=tuple(each for each in branches if holds or each.operation),
                answers=tuple(draw(st.lists(st.sampled_from(ALIASES), max_size=2, unique=True))),
            )
        )
    return tuple(made)


class Moment(NamedTuple):
    wait: int
    """Milliseconds since the call before; a clock may be set back."""
    operation: str


MOMENTS = st.lists(
    st.builds(
        Moment,
        st.one_of(st.integers(0, 12), st.integers(-20, 5000), st.sampled_from([10**7, 3 * 10**10, 10**14])),
        st.sampled_from(["", *ALIASES]),
    ),
    max_size=15,
)
CLOCKS = ("untouched", "frozen", "offset")


@settings(_SETTINGS, max_examples=150)
@given(steps(), MOMENTS, st.sampled_from(CLOCKS))
def test_a_poll_is_decided_as_by_the_rules(
    scripts: Scripts, timeline: tuple[Step, ...], moments: list[Moment], clock: str
) -> None:
    plan, prefix = f"plan-{next(_FRESH)}", scripts.prefix
    state, now, said = None, START, "-"
    commands: list[Sequence[Word]] = [
        ("HSET", f"{prefix}/g", "plan", plan),
        ("HSET", f"{prefix}/t/{plan}", "thing\0it", packed_timeline(timeline)),
    ]
    expected: list[bytes] = []
    for moment in moments:
        now = max(0, now + moment.wait)
        if clock != "untouched":
            said = f"f{now}" if clock == "frozen" else f"o{now - START}"
        untouched = now if clock == "untouched" else 5
        asked = plan, START, untouched, 9, 9, plan, "thing", moment.operation, "it", 1, "key"
        commands += [
            ("HSET", f"{prefix}/m/{plan}", "c" if clock != "untouched" else "x", said),
            scripts.call("poll", asked),
            ("HGET", f"{prefix}/s/{plan}/thing", "key"),
        ]
        decision = decide(timeline, state or initial_state("it", now), now, moment.operation)
        state = decision.state
        expected += [
            f"{now} {decision.step} {decision.call} {decision.changed} {state.created} {said} it".encode(),
            " ".join(map(str, [*state[1:], "it"])).encode(),
        ]
    told = [each for each in scripts.exchange(commands) if not isinstance(each, int)]  # but HSET's
    assert told == expected


@pytest.mark.parametrize("wait", [10**13, 2 * 10**14, 253_402_300_799_999])
def test_a_loop_of_odd_periods_is_passed_exactly(scripts: Scripts, wait: int) -> None:
    timeline = (Step("a", after=999_983, next=1), Step("b", after=7, next=2), Step("a", after=3, next=0))
    plan = f"plan-{next(_FRESH)}"
    scripts.say("HSET", f"{scripts.prefix}/g", "plan", plan)
    scripts.say("HSET", f"{scripts.prefix}/t/{plan}", "thing\0it", packed_timeline(timeline))
    state = initial_state("it", 0)
    for now in (0, wait - 1, wait, wait + 1):
        [told] = scripts.run("poll", (plan, 0, now, 9, 9, plan, "thing", "poll", "it", 1, "key"))
        decision = decide(timeline, state, now, "poll")
        state = decision.state
        assert told == f"{now} {decision.step} {decision.call} {decision.changed} 0 - it".encode()


def test_a_script_refuses_a_plan_that_is_no_longer_served_or_whose_timelines_are_gone(
    scripts: Scripts,
) -> None:
    plan = f"plan-{next(_FRESH)}"
    asked = (plan, 0, 0, 9, 9, plan, "thing", "poll", "it", 1, "key")
    assert scripts.run("poll", asked) == [b"!plan"]
    scripts.say("HSET", f"{scripts.prefix}/g", "plan", plan)
    assert scripts.run("poll", asked) == [b"!plan"]
    assert scripts.say("EXISTS", f"{scripts.prefix}/s/{plan}/thing") == 0


# window.lua and counter.lua, and mockserver.state.tables

NAMES = st.sampled_from(["a", "b", "c d", "é"])


@settings(_SETTINGS, max_examples=150)
@given(st.lists(st.tuples(NAMES, st.integers(-5, 25), st.sampled_from([1, 5, 10])), max_size=30))
def test_windows_count_as_in_memory(scripts: Scripts, calls: list[tuple[str, int, int]]) -> None:
    namespace, counters = f"n{next(_FRESH)}", MemoryCounters()
    told = scripts.run(
        "window", *((namespace, "thing", name, now, length, 1000, 0, 9) for name, now, length in calls)
    )
    expected = [
        counters.count_in_window(namespace, "thing", name, now, length) for name, now, length in calls
    ]
    assert [(count, int(began)) for count, began in told] == expected


@settings(_SETTINGS, max_examples=50)
@given(st.lists(NAMES, max_size=30))
def test_counters_count_as_in_memory(scripts: Scripts, names: list[str]) -> None:
    namespace, counters = f"n{next(_FRESH)}", MemoryCounters()
    told = scripts.run("counter", *((namespace, "thing", name, 1000, 0, 9) for name in names))
    assert told == [counters.increment(namespace, "thing", name) for name in names]


def test_windows_and_counters_are_bounded_and_sequences_are_never_evicted(scripts: Scripts) -> None:
    namespace = f"n{next(_FRESH)}"
    assert scripts.run("counter", *[(namespace, "thing", "#creations", 0, 0, 9)] * 2) == [1, 2]
    for number in range(300):
        scripts.run("counter", (namespace, "thing", f"t{number}", 100, 0, 9))
        scripts.run("window", (namespace, "thing", f"w{number}", 0, 1000, 100, 0, 9))
        assert scripts.say("HLEN", f"{scripts.prefix}/c/{namespace}/thing") <= 100
        assert scripts.say("HLEN", f"{scripts.prefix}/v/{namespace}/thing") <= 100
    assert scripts.run("counter", (namespace, "thing", "#creations", 0, 0, 9)) == [3]
