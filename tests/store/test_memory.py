"""What is the memory's own; all else is in ``test_stores``."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mockserver.plan import Step
from mockserver.scenario import begin
from mockserver.store.births import Birth
from mockserver.store.memory import MemoryStore

TIMELINES = {"issued": (Step("issued"),)}


@given(st.integers(1, 300), st.lists(st.integers(0, 400), max_size=600))
def test_it_stays_within_its_bound_and_keeps_the_last_used(most: int, keys: list[int]) -> None:
    store = MemoryStore(max_resources=most)
    for key in keys:
        store.call("default", "request", str(key), 0, "poll", TIMELINES.get, lambda: "issued")
        assert store.count("default", "request") <= most
        assert store.peek("default", "request", str(key)) is not None


def create(store: MemoryStore, namespace: str, key: int, size: int) -> None:
    store.create(namespace, "request", str(key), begin("issued", 0), Birth(key, b"x" * size))


def keys(store: MemoryStore, namespace: str) -> list[str]:
    return [key for key, _ in store.items(namespace, "request")]


def test_requests_that_take_too_much_make_room_in_the_namespace_that_takes_most() -> None:
    store = MemoryStore()
    store.births.most = 100_000
    for key in range(90):
        create(store, "greedy", key, 500)
    for key in range(10):
        create(store, "modest", key, 500)
    assert keys(store, "modest") == [str(key) for key in range(10)]
    assert keys(store, "greedy") == [str(key) for key in range(store.evicted, 90)]
    assert store.births.size <= store.births.most < store.births.size + 1012


def test_a_request_that_takes_too_much_by_itself_is_kept_until_there_is_another() -> None:
    store = MemoryStore()
    store.births.most = 100_000
    create(store, "greedy", 1, 90_000)
    create(store, "modest", 1, 90)
    create(store, "greedy", 2, 190_000)
    assert (keys(store, "greedy"), keys(store, "modest")) == (["2"], ["1"])
    assert store.births.get("greedy", "request", "2") is not None
    create(store, "modest", 1, 90)
    assert (keys(store, "greedy"), keys(store, "modest")) == ([], ["1"])


def test_what_is_forgotten_takes_no_room() -> None:
    store = MemoryStore()
    for namespace in ("a", "b"):
        for key in (1, 1, 2, 3):
            create(store, namespace, key, 90)
    store.delete("a", "request", "1")
    store.reset("b")
    assert store.births.size == 2 * 602
    store.reset("a")
    assert store.births.size == 0


def test_of_a_full_store_the_least_recently_used_goes() -> None:
    store = MemoryStore(max_resources=2)
    for key in ("a", "b", "a", "c"):
        store.call("default", "request", key, 0, "poll", TIMELINES.get, lambda: "issued")
    assert {key for key, _ in store.items("default", "request")} == {"a", "c"}


def test_a_key_after_a_reload_in_the_same_millisecond_begins_on_the_timeline_that_is_served() -> None:
    store = MemoryStore()
    timelines = (Step("pending", calls=1, next=1), Step("issued")), (Step("issued"),)
    left = [
        store.call("default", "request", key, 0, "poll", {"s": steps}.get, lambda: "s").state.step
        for key, steps in zip("ab", timelines, strict=True)
    ]
    assert left == [1, 0]


def test_a_key_first_seen_by_an_operation_that_does_not_count_begins_by_itself() -> None:
    store = MemoryStore()
    steps = (Step("pending", calls=1, counted="poll", next=1), Step("issued"))
    left = [
        store.call("default", "request", operation, 0, operation, {"s": steps}.get, lambda: "s").state.step
        for operation in ("poll", "list")
    ]
    assert left == [1, 0]
