from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.plan import Step
from mockserver.scenario import Decision, begin
from mockserver.store.memory import MemoryStore

STEPS = (Step("pending", calls=2, next=1), Step("issued"))
OTHER = (Step("broken"),)
TIMELINES = {"issued": STEPS, "broken": OTHER}


def call(
    store: MemoryStore, key: str, *, world: str = "default", scenario: str = "issued", now: int = 0
) -> Decision:
    return store.call(world, "request", key, now, "poll", TIMELINES.get, lambda: scenario)


def test_each_key_spends_its_own_calls() -> None:
    store = MemoryStore()
    assert [call(store, "a").step for _ in range(3)] == [0, 0, 1]
    assert call(store, "b").step == 0
    assert call(store, "a", world="another").step == 0


def test_the_scenario_is_chosen_once() -> None:
    store = MemoryStore()
    call(store, "a")
    assert call(store, "a", scenario="broken").state.scenario == "issued"


@pytest.mark.parametrize(
    "served",
    [
        pytest.param({"broken": OTHER}, id="gone"),
        pytest.param({"issued": STEPS[:1], "broken": OTHER}, id="shorter"),
    ],
)
def test_a_state_whose_step_is_no_longer_served_begins_anew(served: dict[str, Sequence[Step]]) -> None:
    store = MemoryStore()
    for _ in range(3):
        call(store, "a", now=5)
    decision = store.call("default", "request", "a", 9, "poll", served.get, lambda: "broken")
    assert decision.state == begin("broken", 9)._replace(calls=1)


def test_peeking_and_putting() -> None:
    store = MemoryStore()
    assert store.peek("default", "request", "a") is None
    left = call(store, "a", now=7).state
    assert store.peek("default", "request", "a") == left
    store.put("default", "request", "a", begin("broken", 8))
    assert call(store, "a").state.scenario == "broken"
    assert dict(store.items("default", "request")) == {"a": begin("broken", 8)._replace(calls=1)}


def test_what_is_no_longer_served_is_retired_in_every_namespace() -> None:
    store = MemoryStore()
    for world in ("default", "another"):
        for key, scenario, calls in (("a", "issued", 1), ("b", "issued", 3), ("c", "broken", 1)):
            for _ in range(calls):
                call(store, key, world=world, scenario=scenario)
    store.retire("another resource", lambda scenario: None)
    assert store.count("default", "request") == 3
    store.retire("request", {"issued": STEPS[:1]}.get)
    for world in ("default", "another"):
        assert [key for key, _ in store.items(world, "request")] == ["a"]


def test_forgetting() -> None:
    store = MemoryStore()
    call(store, "a")
    call(store, "b")
    call(store, "c", world="another")
    assert store.delete("default", "request", "a")
    assert not store.delete("default", "request", "a")
    assert not store.delete("nowhere", "request", "a")
    store.reset("default", "another resource")
    assert store.count("default", "request") == 1
    store.reset("default")
    assert store.count("default", "request") == 0
    assert store.count("another", "request") == 1


def test_the_least_recently_used_go_first_and_are_counted() -> None:
    store = MemoryStore(max_resources=3)
    for key in "abc":
        call(store, key)
    call(store, "a")
    call(store, "d")
    assert [key for key, _ in store.items("default", "request")] == ["c", "a", "d"]
    store.put("default", "request", "e", begin("issued", 0))
    store.put("default", "request", "e", begin("issued", 1))
    assert [key for key, _ in store.items("default", "request")] == ["a", "d", "e"]
    assert store.evicted == 2
    assert call(store, "b").call == 1


@given(st.integers(1, 300), st.lists(st.integers(0, 400), max_size=600))
def test_it_stays_within_its_bound_and_keeps_the_last_used(most: int, keys: list[int]) -> None:
    store = MemoryStore(max_resources=most)
    for key in keys:
        call(store, str(key))
        assert store.count("default", "request") <= most
        assert store.peek("default", "request", str(key)) is not None
