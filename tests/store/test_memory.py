"""What is the memory's own; all else is in ``test_stores``."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mockserver.plan import Step
from mockserver.store.memory import MemoryStore

TIMELINES = {"issued": (Step("issued"),)}


@given(st.integers(1, 300), st.lists(st.integers(0, 400), max_size=600))
def test_it_stays_within_its_bound_and_keeps_the_last_used(most: int, keys: list[int]) -> None:
    store = MemoryStore(max_resources=most)
    for key in keys:
        store.call("default", "request", str(key), 0, "poll", TIMELINES.get, lambda: "issued")
        assert store.count("default", "request") <= most
        assert store.peek("default", "request", str(key)) is not None
