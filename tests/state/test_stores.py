"""What every store does alike: in memory, on Redis by steps, and on Redis by the script of the hot path."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mockserver.messages import Request, Response
from mockserver.namespaces.journal import Call, Journal, TruncatedBody
from mockserver.plan import Step
from mockserver.state.machine import Decision, initial_state
from mockserver.state.tables import CreationRecord
from tests.state.store_harness import HarnessFactory, StoreHarness

STEPS = (Step("pending", calls=2, next=1), Step("issued"))
OTHER = (Step("broken"),)
TIMELINES = {"issued": STEPS, "broken": OTHER}


def call(
    harness: StoreHarness, key: str, *, world: str = "default", scenario: str = "issued", now: int = 0
) -> Decision:
    return harness.call(key, TIMELINES, scenario, world=world, now=now)


def test_each_key_spends_its_own_calls(harness: StoreHarness) -> None:
    assert [call(harness, "a").step for _ in range(3)] == [0, 0, 1]
    assert call(harness, "b").step == 0
    assert call(harness, "a", world="another").step == 0


def test_the_same_key_of_another_resource_is_another(harness: StoreHarness) -> None:
    for _ in range(2):
        call(harness, "a")
    harness.call("a", {"broken": OTHER}, "broken", resource="order")
    assert call(harness, "a").step == 1
    assert (harness.count(), harness.count(resource="order")) == (1, 1)


@pytest.mark.parametrize("key", ["", " ", "a b", "a/b", "\0", "ключ", "\udc80", "x" * 10_000])
def test_any_text_is_a_key(harness: StoreHarness, key: str) -> None:
    call(harness, key)
    assert call(harness, key).call == 2
    assert harness.keys() == [key]
    assert harness.delete(key)


@pytest.mark.parametrize("name", ["a b", "a/b", "издан", "two\nlines"])
def test_any_text_names_a_scenario_or_a_resource(harness: StoreHarness, name: str) -> None:
    decision = harness.call("a", {name: STEPS}, name, resource=name)
    assert decision.state.scenario == name
    assert harness.peek("a", resource=name) == decision.state
    harness.reset()
    assert harness.count(resource=name) == 0


def test_the_scenario_is_chosen_once(harness: StoreHarness) -> None:
    call(harness, "a")
    assert call(harness, "a", scenario="broken").state.scenario == "issued"


@pytest.mark.parametrize(
    "served",
    [
        pytest.param({"broken": OTHER}, id="gone"),
        pytest.param({"issued": STEPS[:1], "broken": OTHER}, id="shorter"),
    ],
)
def test_a_state_whose_step_is_no_longer_served_begins_anew(
    harness: StoreHarness, served: dict[str, tuple[Step, ...]]
) -> None:
    for _ in range(3):
        call(harness, "a", now=5)
    decision = harness.call("a", served, "broken", now=9)
    assert decision.state == initial_state("broken", 9)._replace(calls=1)


def test_states_that_are_no_longer_served_are_pruned_in_every_namespace(harness: StoreHarness) -> None:
    for world in ("default", "another"):
        for key, scenario, calls in (("a", "issued", 1), ("b", "issued", 3), ("c", "broken", 1)):
            for _ in range(calls):
                call(harness, key, world=world, scenario=scenario)
    harness.serve("another resource", {})
    assert len(harness.keys()) == 3
    harness.serve("request", {"issued": STEPS[:1]})
    for world in ("default", "another"):
        assert harness.keys(world) == ["a"]
        assert [harness.peek(key, world) is None for key in "abc"] == [False, True, True]


def test_peeking_and_putting(harness: StoreHarness) -> None:
    assert harness.peek("a") is None
    left = call(harness, "a", now=7).state
    assert harness.peek("a") == left
    harness.put("a", initial_state("broken", 8))
    assert call(harness, "a").state.scenario == "broken"
    assert harness.items() == [("a", initial_state("broken", 8)._replace(calls=1))]


def test_a_step_sees_what_it_wrote_itself(harness: StoreHarness) -> None:
    store, creation = harness.store, CreationRecord(1, b"{}")

    def work() -> list[object]:
        store.create("default", "request", "a", initial_state("issued", 1), creation)
        store.creations.set_handles("default", "request", "a", {"serial": "42"})
        seen: list[object] = [
            store.peek("default", "request", "a"),
            store.creations.get("default", "request", "a"),
            store.creations.has_handles("default", "request", "a"),
            store.creations.find_key("default", "request", "serial", "42"),
        ]
        store.delete("default", "request", "a")
        return [
            *seen,
            store.peek("default", "request", "a"),
            store.creations.get("default", "request", "a"),
            store.creations.has_handles("default", "request", "a"),
            store.creations.find_key("default", "request", "serial", "42"),
        ]

    assert harness.do(work) == [initial_state("issued", 1), creation, True, "a", None, None, False, None]
    assert harness.keys() == []


def test_times_of_any_size(harness: StoreHarness) -> None:
    """Years 1970 to 9999, and before: scripts count in doubles."""
    for now in (0, 1, 253_402_300_799_999, -1):
        assert call(harness, f"at {now}", now=now).state == initial_state("issued", now)._replace(calls=1)


def test_delete_and_reset_remove_states(harness: StoreHarness) -> None:
    call(harness, "a")
    call(harness, "b")
    call(harness, "c", world="another")
    assert harness.delete("a")
    assert not harness.delete("a")
    assert not harness.delete("a", "nowhere")
    harness.reset(resource="another resource")
    assert harness.count() == 1
    harness.reset(resource="request")
    assert harness.count() == 0
    call(harness, "a")
    harness.reset()
    assert harness.count() == 0
    assert harness.count("another") == 1


def test_a_step_that_raises_changes_nothing_on_redis_and_tells_the_error(harness: StoreHarness) -> None:
    def work() -> None:
        assert harness.store.peek("default", "request", "a") is None
        raise KeyError("a")

    with pytest.raises(KeyError, match="a"):
        harness.do(work)
    assert harness.keys() == []


# Assignments


def test_every_new_key_begins_with_what_is_assigned(harness: StoreHarness) -> None:
    call(harness, "a")
    harness.do(lambda: harness.store.assign("default", "request", "broken"))
    assert call(harness, "a").state.scenario == "issued"
    assert call(harness, "b").state.scenario == "broken"
    assert call(harness, "b", world="another").state.scenario == "issued"
    harness.do(lambda: harness.store.assign("default", "request", None))
    assert call(harness, "c").state.scenario == "issued"


def test_a_reset_forgets_assignments_of_its_namespace(harness: StoreHarness) -> None:
    for world in ("default", "another"):
        harness.do(lambda world=world: harness.store.assign(world, "request", "broken"))  # type: ignore[misc]
    harness.reset("default", "request")
    assert call(harness, "a").state.scenario == "broken"
    harness.reset("default")
    assert call(harness, "a").state.scenario == "issued"
    assert call(harness, "a", world="another").state.scenario == "broken"


# Births and handles


def create(
    harness: StoreHarness, key: str, *, world: str = "default", number: int = 1, **handles: str
) -> None:
    def work() -> None:
        harness.store.create(
            world,
            "request",
            key,
            initial_state("issued", 0),
            CreationRecord(number, b'{"a": 1}', "csr", "cn"),
        )
        if handles:
            harness.store.creations.set_handles(world, "request", key, handles)

    harness.do(work)


def creation(harness: StoreHarness, key: str, world: str = "default") -> CreationRecord | None:
    return harness.do(lambda: harness.store.creations.get(world, "request", key))


def find_key(harness: StoreHarness, handle: str, value: str, world: str = "default") -> str | None:
    return harness.do(lambda: harness.store.creations.find_key(world, "request", handle, value))


def has_handles(harness: StoreHarness, key: str) -> bool:
    return harness.do(lambda: harness.store.creations.has_handles("default", "request", key))


def test_creation_record_is_returned_unchanged(harness: StoreHarness) -> None:
    create(harness, "a")
    assert creation(harness, "a") == CreationRecord(1, b'{"a": 1}', "csr", "cn")
    assert creation(harness, "b") is None
    assert creation(harness, "a", "another") is None
    assert harness.peek("a") == initial_state("issued", 0)


def test_handles_lead_to_the_key(harness: StoreHarness) -> None:
    create(harness, "a", serial="1 0", mail="ä@b")
    create(harness, "b", serial="2", world="another")
    assert find_key(harness, "serial", "1 0") == "a"
    assert find_key(harness, "mail", "ä@b") == "a"
    assert find_key(harness, "mail", "1 0") is None
    assert find_key(harness, "serial", "2") is None
    assert find_key(harness, "serial", "2", "another") == "b"
    assert (has_handles(harness, "a"), has_handles(harness, "b")) == (True, False)


def test_key_that_is_created_again_has_nothing_of_its_first_creation(harness: StoreHarness) -> None:
    create(harness, "a", serial="1")
    assert harness.delete("a")
    assert (creation(harness, "a"), find_key(harness, "serial", "1"), has_handles(harness, "a")) == (
        None,
        None,
        False,
    )
    create(harness, "a", serial="2")
    harness.reset(resource="request")
    assert (creation(harness, "a"), find_key(harness, "serial", "2"), has_handles(harness, "a")) == (
        None,
        None,
        False,
    )
    create(harness, "a", serial="3")
    harness.reset()
    assert (creation(harness, "a"), find_key(harness, "serial", "3"), has_handles(harness, "a")) == (
        None,
        None,
        False,
    )


def test_evicted_resource_loses_its_creation_and_handles(harnesses: HarnessFactory) -> None:
    harness = harnesses(2)
    create(harness, "a", serial="1", mail="m")
    create(harness, "b", serial="2")
    create(harness, "c", serial="3")
    assert harness.keys() == ["b", "c"]
    assert (creation(harness, "a"), find_key(harness, "serial", "1"), find_key(harness, "mail", "m")) == (
        None,
        None,
        None,
    )
    assert not has_handles(harness, "a")
    assert find_key(harness, "serial", "2") == "b"


# Bounds


def test_the_least_recently_used_go_first_and_are_counted(harnesses: HarnessFactory) -> None:
    harness = harnesses(3)
    for key in "abc":
        call(harness, key)
    call(harness, "a")
    call(harness, "d")
    assert harness.keys() == ["c", "a", "d"]
    harness.put("e", initial_state("issued", 0))
    harness.put("e", initial_state("issued", 1))
    assert harness.keys() == ["a", "d", "e"]
    assert harness.evicted() == 2
    assert call(harness, "b").call == 1


def test_keys_that_are_used_in_one_millisecond_make_room_in_their_order(harnesses: HarnessFactory) -> None:
    harness = harnesses(1)
    for key in "zyxwvutsrqponmlkjihgfedcba":
        call(harness, key)
        assert harness.keys() == [key]
        assert call(harness, key).call == 2


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(1, 40), st.lists(st.integers(0, 60), max_size=60))
def test_store_above_its_limit_keeps_the_most_recently_used(
    harnesses: HarnessFactory, most: int, keys: list[int]
) -> None:
    harness = harnesses(most)
    for key in keys:
        call(harness, str(key))
        assert harness.count() <= most
        assert harness.peek(str(key)) is not None


# Counters


def test_counters_count_from_one_by_namespace_and_resource(harness: StoreHarness) -> None:
    counters = harness.store.counters
    for count in (counters.next_in_sequence, counters.increment):
        told = [
            harness.do(lambda count=count, place=place: count(*place))  # type: ignore[misc]
            for place in (
                ("default", "request", "n"), ("default", "request", "n"), ("default", "request", "m"),
                ("another", "request", "n"), ("default", "order", "n"), ("default", "request", "n"),
            )
        ]  # fmt: skip
        assert told == [1, 2, 1, 1, 1, 3]


def test_transaction_may_count_one_counter_several_times(harness: StoreHarness) -> None:
    counters = harness.store.counters
    drawn = [counters.next_in_sequence, counters.increment]
    for count in drawn:
        told = harness.do(lambda count=count: [count("default", "request", "n") for _ in range(3)])  # type: ignore[misc]
        assert told == [1, 2, 3]
    assert harness.do(lambda: counters.next_in_sequence("default", "request", "n")) == 4


def test_a_reset_begins_counters_anew(harness: StoreHarness) -> None:
    counters = harness.store.counters

    def draw() -> tuple[int, int, int]:
        return (
            harness.do(lambda: counters.next_in_sequence("default", "request", "n")),
            harness.do(lambda: counters.increment("default", "request", "n")),
            harness.do(lambda: counters.count_in_window("default", "request", "n", 0, 1000))[0],
        )

    assert draw() == (1, 1, 1)
    assert draw() == (2, 2, 2)
    harness.reset("another")
    harness.reset(resource="order")
    assert draw() == (3, 3, 3)
    harness.reset(resource="request")
    assert draw() == (1, 1, 1)
    harness.reset()
    assert draw() == (1, 1, 1), "although no resource was seen since"


def test_a_window_begins_with_the_first_call_after_the_last_is_over(harness: StoreHarness) -> None:
    told = [
        harness.do(
            lambda now=now: harness.store.counters.count_in_window("default", "request", "n", now, 100)  # type: ignore[misc]
        )
        for now in (50, 50, 149, 150, 250, 349, 360, 260, 159)
    ]
    assert told == [(1, 50), (2, 50), (3, 50), (1, 150), (1, 250), (2, 250), (1, 360), (1, 260), (1, 159)]


def test_call_with_a_time_before_its_window_began_counts_in_it(harness: StoreHarness) -> None:
    """Two workers read their clocks in one order and reach the store in the other."""
    told = [
        harness.do(
            lambda now=now: harness.store.counters.count_in_window("default", "request", "n", now, 100)  # type: ignore[misc]
        )
        for now in (150, 149, 150, 248, 249, 149)
    ]
    assert told == [(1, 150), (2, 149), (3, 149), (4, 149), (1, 249), (1, 149)]


# The journal


def write(journal: Journal, path: str = "/", body: bytes = b"", said: bytes = b"") -> None:
    request = Request("GET", path, "a=b", {"accept": "*/*"}, body)
    journal.write(request, Response(200, [("content-type", "text/plain")], said, "why"), 7, 0.25)


def read(harness: StoreHarness, world: str = "default") -> list[Call]:
    return [Call(*record) for record in harness.do(harness.journal(world).records)]


def paths(harness: StoreHarness, world: str = "default") -> list[str]:
    return [each.request.raw_path for each in read(harness, world)]


def lost(harness: StoreHarness) -> int:
    return harness.do(lambda: harness.journal().lost)


def test_recorded_call_is_returned_unchanged(harness: StoreHarness) -> None:
    write(harness.journal(), "/a", b"asked", b"said")
    [found] = read(harness)
    assert (found.number, found.when, found.seconds) == (1, 7, 0.25)
    assert found.request == Request("GET", "/a", "a=b", {"accept": "*/*"}, b"asked")
    assert found.response == Response(200, [("content-type", "text/plain")], b"said", "why")
    assert harness.do(lambda: harness.journal().find(1)) == found
    assert harness.do(lambda: harness.journal().find(2)) is None


def test_the_journal_keeps_the_last_calls_and_counts_the_others(harnesses: HarnessFactory) -> None:
    harness = harnesses(journal=3)
    for number in range(5):
        write(harness.journal(), f"/{number}")
    write(harness.journal("another"), "/other")
    assert paths(harness) == ["/2", "/3", "/4"]
    assert paths(harness, "another") == ["/other"]
    assert (harness.do(lambda: len(harness.journal())), lost(harness)) == (3, 2)


def test_limit_of_zero_calls_records_nothing(harnesses: HarnessFactory) -> None:
    harness = harnesses(journal=0)
    write(harness.journal())
    assert (paths(harness), lost(harness)) == ([], 0)


def test_removed_calls_are_not_counted_as_lost(harness: StoreHarness) -> None:
    for number in range(4):
        write(harness.journal(), f"/{number}")
    taken = harness.do(lambda: harness.journal().remove({2, 3, 99}))
    assert [each.request.raw_path for each in taken] == ["/1", "/2"]
    assert harness.do(lambda: harness.journal().remove({2})) == []
    assert (paths(harness), lost(harness)) == (["/0", "/3"], 0)


def test_clearing_the_journal_begins_anew_but_numbers_go_on(harnesses: HarnessFactory) -> None:
    harness = harnesses(journal=2)
    for _ in range(3):
        write(harness.journal())
    assert lost(harness) == 1
    harness.do(lambda: harness.journal().clear())
    assert (paths(harness), lost(harness)) == ([], 0)
    write(harness.journal())
    assert [each.number for each in read(harness)] == [4]


def test_long_bodies_are_cut_and_say_how_long_they_were(harness: StoreHarness) -> None:
    write(harness.journal(), body=b"x" * 70_000, said=b"y" * 65_536)
    [found] = read(harness)
    assert isinstance(found.request.body, TruncatedBody)
    assert (len(found.request.body), found.request.body.length) == (65_536, 70_000)
    assert not isinstance(found.response.body, TruncatedBody)


def test_a_journal_stays_within_its_bytes(harnesses: HarnessFactory) -> None:
    harness = harnesses(journal_bytes=400_000)
    for number in range(20):
        write(harness.journal(), f"/{number}", b"x" * 50_000)
    kept = paths(harness)
    assert kept == [f"/{number}" for number in range(20 - len(kept), 20)]
    assert 4 <= len(kept) <= 8
    assert lost(harness) == 20 - len(kept)


# Namespaces


def test_namespaces_are_kept_apart_and_dropped_whole(harness: StoreHarness) -> None:
    for world in ("default", "one", "two"):
        call(harness, "a", world=world)
        write(harness.journal(world), f"/{world}")
    assert [each.name for each in harness.do(lambda: list(harness.namespaces))] == ["default", "one", "two"]
    harness.do(lambda: harness.namespaces.drop("one"))
    assert harness.do(lambda: harness.namespaces.get("one")) is None
    with pytest.raises(KeyError, match="one"):
        harness.do(lambda: harness.namespaces.drop("one"))
    assert [each.name for each in harness.do(lambda: list(harness.namespaces))] == ["default", "two"]
    assert paths(harness, "two") == ["/two"]
    write(harness.journal("one"), "/again")
    assert paths(harness, "one") == ["/again"]
