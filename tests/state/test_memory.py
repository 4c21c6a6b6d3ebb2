"""What is the memory's own; all else is in ``test_stores``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.plan import Step
from mockserver.state.machine import initial_state
from mockserver.state.memory import MemoryStore
from mockserver.state.tables import CreationRecord, Item, MemoryCounters, MemoryCreations
from tests.traced import traced

TIMELINES = {"issued": (Step("issued"),)}


@given(st.integers(1, 300), st.lists(st.integers(0, 400), max_size=600))
def test_store_above_its_limit_keeps_the_most_recently_used(most: int, keys: list[int]) -> None:
    store = MemoryStore(max_resources=most)
    for key in keys:
        store.advance("default", "request", str(key), 0, "poll", TIMELINES.get, lambda: "issued")
        assert store.count("default", "request") <= most
        assert store.peek("default", "request", str(key)) is not None


def create(store: MemoryStore, namespace: str, key: int, size: int) -> None:
    store.create(namespace, "request", str(key), initial_state("issued", 0), CreationRecord(key, b"x" * size))


def keys(store: MemoryStore, namespace: str) -> list[str]:
    return [key for key, _ in store.items(namespace, "request")]


def test_requests_that_take_too_much_make_room_in_the_namespace_that_takes_most() -> None:
    store = MemoryStore()
    store.creations.sizes.limit = 100_000
    for key in range(90):
        create(store, "greedy", key, 500)
    for key in range(10):
        create(store, "modest", key, 500)
    assert keys(store, "modest") == [str(key) for key in range(10)]
    assert keys(store, "greedy") == [str(key) for key in range(store.evicted, 90)]
    assert store.creations.sizes.total <= 100_000 < store.creations.sizes.total + 100_000 // 64 + 1012


def test_a_request_that_takes_too_much_by_itself_is_kept_until_there_is_another() -> None:
    store = MemoryStore()
    store.creations.sizes.limit = 100_000
    create(store, "greedy", 1, 90_000)
    create(store, "modest", 1, 90)
    create(store, "greedy", 2, 190_000)
    assert (keys(store, "greedy"), keys(store, "modest")) == (["2"], ["1"])
    assert store.creations.get("greedy", "request", "2") is not None
    create(store, "modest", 1, 90)
    assert (keys(store, "greedy"), keys(store, "modest")) == ([], ["1"])


def test_deleted_creations_take_no_memory() -> None:
    store = MemoryStore()
    for namespace in ("a", "b"):
        for key in (1, 1, 2, 3):
            create(store, namespace, key, 90)
    store.delete("a", "request", "1")
    store.reset("b")
    assert store.creations.sizes.total == 2 * 602
    store.reset("a")
    assert store.creations.sizes.total == 0


def test_of_a_full_store_the_least_recently_used_goes() -> None:
    store = MemoryStore(max_resources=2)
    for key in ("a", "b", "a", "c"):
        store.advance("default", "request", key, 0, "poll", TIMELINES.get, lambda: "issued")
    assert {key for key, _ in store.items("default", "request")} == {"a", "c"}


def test_a_key_after_a_reload_in_the_same_millisecond_begins_on_the_timeline_that_is_served() -> None:
    store = MemoryStore()
    timelines = (Step("pending", calls=1, next=1), Step("issued")), (Step("issued"),)
    left = [
        store.advance("default", "request", key, 0, "poll", {"s": steps}.get, lambda: "s").state.step
        for key, steps in zip("ab", timelines, strict=True)
    ]
    assert left == [1, 0]


def test_a_key_first_seen_by_an_operation_that_does_not_count_begins_by_itself() -> None:
    store = MemoryStore()
    steps = (Step("pending", calls=1, counted="poll", next=1), Step("issued"))
    left = [
        store.advance("default", "request", operation, 0, operation, {"s": steps}.get, lambda: "s").state.step
        for operation in ("poll", "list")
    ]
    assert left == [1, 0]


def call(store: MemoryStore, namespace: str, key: str, now: int = 0) -> None:
    store.advance(namespace, "request", key, now, "poll", TIMELINES.get, lambda: "issued")


LONG = {"short": "{:036d}", "long": "{:015000d}", "beyond ASCII": "\N{PILE OF POO}{:01000d}"}


@pytest.mark.parametrize("form", LONG.values(), ids=LONG)
def test_keys_weigh_what_they_take(form: str) -> None:
    store = MemoryStore()
    with traced() as size:
        for number in range(1000):
            call(store, "default", form.format(number), 1_800_000_000_000 + number)
        taken = size()
    assert taken <= store.sizes.total <= 2 * taken


def test_creations_weigh_what_they_take() -> None:
    store = MemoryStore()
    with traced() as size:
        for number in range(1000):
            key, creation = (
                f"{number:036d}",
                CreationRecord(number, b"%01000d" % number, f"\N{PILE OF POO}{number:0500d}"),
            )
            store.create(
                "default", "request", key, initial_state("issued", 1_800_000_000_000 + number), creation
            )
            handles = {"order": f"{number:0100d}", "customer": f"\N{PILE OF POO}{number:0100d}"}
            store.creations.set_handles("default", "request", key, handles)
        taken = size()
    assert taken <= store.sizes.total + store.creations.sizes.total <= 2 * taken


def test_items_of_data_weigh_what_they_take() -> None:
    store = MemoryStore()
    with traced() as size:
        for number in range(1000):
            body = b'{"name": "%0300d"}' % number
            store.data.put("default", "/pets", f"{number:05d}", f"{number:036d}", Item(number, 1, 1, 1, body))
        taken = size()
    assert taken <= store.creations.sizes.total <= 2 * taken


def test_items_above_the_bound_of_bytes_make_room() -> None:
    store = MemoryStore(creations=MemoryCreations(1_000_000))
    for number in range(100):
        store.data.put("default", "/pets", "", str(number), Item(number, 1, 1, 1, b"x" * 50_000))
    left = [key for key, _ in store.data.page("default", "/pets", "")]
    assert left[-1] == "99"
    assert 10 < len(left) < 20
    assert store.creations.sizes.total <= 1_000_000
    store.data.put("default", "/pets", "", "huge", Item(100, 1, 1, 1, b"x" * 2_000_000))
    assert [key for key, _ in store.data.page("default", "/pets", "")] == ["huge"]
    store.reset("default")
    assert store.creations.sizes.total == 0


def test_keys_that_take_too_much_make_room_in_the_namespace_that_takes_most() -> None:
    store = MemoryStore(max_bytes=1_000_000)
    for key in ("a", "b", "c"):
        call(store, "modest", key)
    for number in range(300):
        call(store, "greedy", f"{number:015000d}")
        assert store.sizes.total <= store.sizes.limit
    assert keys(store, "modest") == ["a", "b", "c"]
    assert keys(store, "greedy") == [f"{number:015000d}" for number in range(store.evicted, 300)]
    assert store.evicted < 250


def test_the_bound_on_keys_holds_for_a_thousand_namespaces_together() -> None:
    store = MemoryStore(max_bytes=1_000_000)
    for number in range(5000):
        call(store, f"n{number % 1000}", f"{number:01000d}")
    assert store.sizes.total <= 1_000_000
    assert store.evicted > 4000


def test_a_key_that_is_longer_than_the_bound_is_answered_and_the_next_one_too() -> None:
    store = MemoryStore(max_bytes=1000)
    for key in ("x" * 2000, "y" * 2000):
        call(store, "default", key)
        assert keys(store, "default") == [key]


def test_keys_that_are_gone_weigh_nothing() -> None:
    store = MemoryStore(max_resources=3)
    for key in "abcde":
        call(store, "default", key)
        call(store, "other", key)
    store.put("default", "request", "f", initial_state("issued", 0))
    store.put("default", "request", "f", initial_state("issued", 0))
    for key in keys(store, "default"):
        store.delete("default", "request", key)
    store.reset("other")
    assert store.sizes.total == 0


def test_handles_that_take_too_much_make_room_without_a_creation() -> None:
    store = MemoryStore(creations=MemoryCreations(1_000_000))
    for number in range(300):
        call(store, "default", str(number))
        store.creations.set_handles("default", "request", str(number), {"order": f"{number:015000d}"})
        assert store.creations.sizes.total <= 1_000_000
    assert store.evicted > 200
    assert store.creations.find_key("default", "request", "order", f"{299:015000d}") == "299"


def test_a_handle_that_another_resource_took_over_stays_when_the_first_goes() -> None:
    store = MemoryStore()
    for key in ("a", "b"):
        create(store, "default", 1, 1)
        store.creations.set_handles("default", "request", key, {"order": "1"})
    store.delete("default", "request", "a")
    assert store.creations.find_key("default", "request", "order", "1") == "b"


def test_counts_of_long_names_make_room_for_each_other() -> None:
    counters = MemoryCounters(max_bytes=1_000_000)
    for number in range(300):
        assert counters.increment("a", "request", f"{number:015000d}") == 1
        assert counters.count_in_window("b", "request", f"{number:015000d}", 0, 1000) == (1, 0)
        assert counters.sizes.total <= 1_000_000
    assert counters.increment("a", "request", f"{299:015000d}") == 2
    assert counters.count_in_window("b", "request", f"{299:015000d}", 0, 1000) == (2, 0)
    assert counters.increment("a", "request", f"{0:015000d}") == 1
    counters.reset("a")
    counters.reset("b")
    assert counters.sizes.total == 0


def test_counts_weigh_what_they_take() -> None:
    counters = MemoryCounters()
    with traced() as size:
        for number in range(1000):
            counters.increment("a", "request", f"{number:036d}")
            counters.count_in_window("a", "request", f"{number:036d}", 1_800_000_000_000 + number, 1000)
        taken = size()
    assert taken <= counters.sizes.total <= 2.5 * taken
