"""The data of inferred resources, alike in every store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mockserver.state.tables import Item
from tests.redis import Redis
from tests.state.store_harness import HarnessFactory, RedisHarness, StoreHarness

PETS = "/pets"


def item(number: int, body: bytes = b"{}", version: int = 1) -> Item:
    return Item(number, 0, 0, version, body)


def put(harness: StoreHarness, key: str, number: int, parent: str = "", resource: str = PETS) -> None:
    harness.do(lambda: harness.store.data.put("default", resource, parent, key, item(number)))


def get(harness: StoreHarness, key: str, parent: str = "", resource: str = PETS) -> Item | None:
    return harness.do(lambda: harness.store.data.get("default", resource, parent, key))


def remove(harness: StoreHarness, key: str) -> bool:
    return harness.do(lambda: harness.store.data.remove("default", PETS, "", key))


def keys(harness: StoreHarness, parent: str = "", resource: str = PETS, *page: int) -> list[str]:
    return [key for key, _ in harness.do(lambda: harness.store.data.page("default", resource, parent, *page))]


def count(harness: StoreHarness, parent: str) -> int:
    return harness.do(lambda: harness.store.data.count("default", PETS, parent))


@pytest.mark.parametrize("key", ["", " ", "a/b", "\0", "ключ", "\udc80", "x" * 10_000])
def test_any_text_is_the_key_of_an_item(harness: StoreHarness, key: str) -> None:
    put(harness, key, 1)
    assert get(harness, key) == item(1)
    assert keys(harness) == [key]
    assert remove(harness, key)
    assert get(harness, key) is None
    assert keys(harness) == []


def test_several_items_are_read_at_once(harness: StoreHarness) -> None:
    put(harness, "a", 1)
    put(harness, "b", 2)
    put(harness, "c", 3, parent="1")
    found = harness.do(lambda: harness.store.data.get_all("default", PETS, "", ["b", "c", "a", "b"]))
    assert found == {"a": item(1), "b": item(2)}


def test_items_are_in_the_order_of_their_numbers_page_by_page(harness: StoreHarness) -> None:
    for number in (2, 16, 1, 300, 10):
        put(harness, f"k{number}", number)
    assert keys(harness) == ["k1", "k2", "k10", "k16", "k300"]
    assert keys(harness, "", PETS, 1, 2) == ["k2", "k10"]
    assert keys(harness, "", PETS, 4, 2) == ["k300"]
    assert keys(harness, "", PETS, 5, 2) == []


def test_a_changed_item_keeps_its_number(harness: StoreHarness) -> None:
    put(harness, "a", 1)
    put(harness, "b", 2)
    put(harness, "a", 3)
    assert keys(harness) == ["a", "b"]
    assert get(harness, "a") == item(1)


def test_collections_of_several_parents_are_apart(harness: StoreHarness) -> None:
    for number, parent in enumerate(["1", "10", "1/2", "2"]):
        put(harness, "a", number, parent)
    for parent in ("1", "10", "1/2", "2"):
        assert keys(harness, parent) == ["a"]
        assert count(harness, parent) == 1
    harness.do(lambda: harness.store.data.remove_below("default", PETS, "1"))
    assert [keys(harness, parent) for parent in ("1", "10", "1/2", "2")] == [[], ["a"], [], ["a"]]


def test_reset_deletes_the_items_of_a_namespace(harness: StoreHarness) -> None:
    put(harness, "a", 1)
    harness.do(lambda: harness.store.data.put("another", PETS, "", "a", item(1)))
    harness.reset()
    assert get(harness, "a") is None
    assert keys(harness) == []
    assert harness.do(lambda: harness.store.data.get("another", PETS, "", "a")) == item(1)


def test_above_the_limit_the_oldest_items_go(harnesses: HarnessFactory) -> None:
    harness = harnesses(3)
    for number in range(5):
        put(harness, f"k{number}", number)
    assert keys(harness) == ["k2", "k3", "k4"]
    assert harness.evicted() == 2


def test_an_item_that_is_read_is_used(harnesses: HarnessFactory) -> None:
    harness = harnesses(3)
    for number in range(3):
        put(harness, f"k{number}", number)
    assert get(harness, "k0") == item(0)
    put(harness, "k3", 3)
    assert keys(harness) == ["k0", "k2", "k3"]


def put_bytes(harness: StoreHarness, key: str, number: int, size: int, parent: str = "") -> None:
    body = b'"' + b"x" * (size - 2) + b'"'
    harness.do(lambda: harness.store.data.put("default", PETS, parent, key, item(number, body)))


def test_above_the_limit_in_bytes_the_least_recently_used_items_go(harnesses: HarnessFactory) -> None:
    harness = harnesses(data_bytes=100_000)
    for number in range(9):
        put_bytes(harness, f"k{number}", number, 10_000)
    assert len(keys(harness)) == 9
    assert get(harness, "k0") is not None
    put_bytes(harness, "k9", 9, 10_000)
    assert keys(harness) == ["k0", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9"]
    assert harness.evicted() == 1


def test_an_item_that_grows_counts_with_its_new_size(harnesses: HarnessFactory) -> None:
    harness = harnesses(data_bytes=100_000)
    for number in range(4):
        put_bytes(harness, f"k{number}", number, 10_000)
    put_bytes(harness, "k2", 2, 80_000)
    assert keys(harness) == ["k2", "k3"]
    put_bytes(harness, "k2", 2, 10_000)
    for number in range(4, 11):
        put_bytes(harness, f"k{number}", number, 10_000)
    assert len(keys(harness)) == 9


def test_the_bytes_of_deleted_items_are_free_again(harnesses: HarnessFactory) -> None:
    harness = harnesses(data_bytes=100_000)
    for round_ in range(3):
        for number in range(4):
            put_bytes(harness, f"k{number}", number, 10_000)
            put_bytes(harness, f"k{number}", number, 10_000, parent="1/2")
        assert (count(harness, ""), count(harness, "1/2")) == (4, 4)
        harness.do(lambda: harness.store.data.remove_below("default", PETS, "1"))
        for number in range(4):
            remove(harness, f"k{number}")
        if round_ == 1:
            harness.reset()
    assert harness.evicted() == 0


def test_an_item_above_the_limit_in_bytes_is_stored_alone(harnesses: HarnessFactory) -> None:
    harness = harnesses(data_bytes=100_000)
    put_bytes(harness, "a", 1, 10_000)
    put_bytes(harness, "b", 2, 200_000)
    assert keys(harness) == ["b"]
    put_bytes(harness, "c", 3, 10_000)
    assert keys(harness) == ["c"]


class DataMachine(RuleBasedStateMachine):
    """A table of items and a dictionary do the same."""

    harness: StoreHarness
    namespaces: Iterator[str]

    @initialize()
    def begin(self) -> None:
        self.namespace = next(self.namespaces)
        self.model: dict[tuple[str, str], Item] = {}
        self.number = 0

    places = st.tuples(st.sampled_from(["", "1", "1/2", "12"]), st.sampled_from(["a", "b", "\0", "ü"]))

    @rule(place=places, body=st.binary(max_size=3))
    def put(self, place: tuple[str, str], body: bytes) -> None:
        self.number += 1
        known = self.model.get(place)
        self.harness.do(
            lambda: self.harness.store.data.put(self.namespace, PETS, *place, item(self.number, body))
        )
        self.model[place] = item(known.number if known else self.number, body)

    @rule(place=places)
    def remove(self, place: tuple[str, str]) -> None:
        found = self.harness.do(lambda: self.harness.store.data.remove(self.namespace, PETS, *place))
        assert found == (self.model.pop(place, None) is not None)

    @rule(parent=st.sampled_from(["1", "1/2"]))
    def remove_below(self, parent: str) -> None:
        self.harness.do(lambda: self.harness.store.data.remove_below(self.namespace, PETS, parent))
        for place in [p for p in self.model if p[0] == parent or p[0].startswith(f"{parent}/")]:
            del self.model[place]

    @rule(place=places)
    def get(self, place: tuple[str, str]) -> None:
        found = self.harness.do(lambda: self.harness.store.data.get(self.namespace, PETS, *place))
        assert found == self.model.get(place)

    def page(self, parent: str) -> list[tuple[str, Item]]:
        return list(self.harness.do(lambda: self.harness.store.data.page(self.namespace, PETS, parent)))

    @invariant()
    def lists_are_the_same(self) -> None:
        if not hasattr(self, "model"):
            return
        for parent in ("", "1", "1/2", "12"):
            expected = sorted(
                ((key, found) for (inner, key), found in self.model.items() if inner == parent),
                key=lambda entry: entry[1].number,
            )
            assert self.page(parent) == expected


@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_a_table_of_items_is_a_dictionary(kind: str, redis: Redis, prefix: str) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    found = StoreHarness() if kind == "memory" else RedisHarness(redis, prefix)

    class Machine(DataMachine):
        harness = found
        namespaces = iter(map(str, range(10**9)))

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=30, stateful_step_count=20, deadline=None)
    )
    if isinstance(found, RedisHarness):
        found.close()
