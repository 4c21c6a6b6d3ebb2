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
from tests.state.desk import Desk, Desks

STEPS = (Step("pending", calls=2, next=1), Step("issued"))
OTHER = (Step("broken"),)
TIMELINES = {"issued": STEPS, "broken": OTHER}


def call(desk: Desk, key: str, *, world: str = "default", scenario: str = "issued", now: int = 0) -> Decision:
    return desk.call(key, TIMELINES, scenario, world=world, now=now)


def test_each_key_spends_its_own_calls(desk: Desk) -> None:
    assert [call(desk, "a").step for _ in range(3)] == [0, 0, 1]
    assert call(desk, "b").step == 0
    assert call(desk, "a", world="another").step == 0


def test_the_same_key_of_another_resource_is_another(desk: Desk) -> None:
    for _ in range(2):
        call(desk, "a")
    desk.call("a", {"broken": OTHER}, "broken", resource="order")
    assert call(desk, "a").step == 1
    assert (desk.count(), desk.count(resource="order")) == (1, 1)


@pytest.mark.parametrize("key", ["", " ", "a b", "a/b", "\0", "ключ", "\udc80", "x" * 10_000])
def test_any_text_is_a_key(desk: Desk, key: str) -> None:
    call(desk, key)
    assert call(desk, key).call == 2
    assert desk.keys() == [key]
    assert desk.delete(key)


@pytest.mark.parametrize("name", ["a b", "a/b", "издан", "two\nlines"])
def test_any_text_names_a_scenario_or_a_resource(desk: Desk, name: str) -> None:
    decision = desk.call("a", {name: STEPS}, name, resource=name)
    assert decision.state.scenario == name
    assert desk.peek("a", resource=name) == decision.state
    desk.reset()
    assert desk.count(resource=name) == 0


def test_the_scenario_is_chosen_once(desk: Desk) -> None:
    call(desk, "a")
    assert call(desk, "a", scenario="broken").state.scenario == "issued"


@pytest.mark.parametrize(
    "served",
    [
        pytest.param({"broken": OTHER}, id="gone"),
        pytest.param({"issued": STEPS[:1], "broken": OTHER}, id="shorter"),
    ],
)
def test_a_state_whose_step_is_no_longer_served_begins_anew(
    desk: Desk, served: dict[str, tuple[Step, ...]]
) -> None:
    for _ in range(3):
        call(desk, "a", now=5)
    decision = desk.call("a", served, "broken", now=9)
    assert decision.state == initial_state("broken", 9)._replace(calls=1)


def test_what_is_no_longer_served_is_retired_in_every_namespace(desk: Desk) -> None:
    for world in ("default", "another"):
        for key, scenario, calls in (("a", "issued", 1), ("b", "issued", 3), ("c", "broken", 1)):
            for _ in range(calls):
                call(desk, key, world=world, scenario=scenario)
    desk.serve("another resource", {})
    assert len(desk.keys()) == 3
    desk.serve("request", {"issued": STEPS[:1]})
    for world in ("default", "another"):
        assert desk.keys(world) == ["a"]
        assert [desk.peek(key, world) is None for key in "abc"] == [False, True, True]


def test_peeking_and_putting(desk: Desk) -> None:
    assert desk.peek("a") is None
    left = call(desk, "a", now=7).state
    assert desk.peek("a") == left
    desk.put("a", initial_state("broken", 8))
    assert call(desk, "a").state.scenario == "broken"
    assert desk.items() == [("a", initial_state("broken", 8)._replace(calls=1))]


def test_a_step_sees_what_it_wrote_itself(desk: Desk) -> None:
    store, creation = desk.store, CreationRecord(1, b"{}")

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

    assert desk.do(work) == [initial_state("issued", 1), creation, True, "a", None, None, False, None]
    assert desk.keys() == []


def test_times_of_any_size(desk: Desk) -> None:
    """Years 1970 to 9999, and before: scripts count in doubles."""
    for now in (0, 1, 253_402_300_799_999, -1):
        assert call(desk, f"at {now}", now=now).state == initial_state("issued", now)._replace(calls=1)


def test_forgetting(desk: Desk) -> None:
    call(desk, "a")
    call(desk, "b")
    call(desk, "c", world="another")
    assert desk.delete("a")
    assert not desk.delete("a")
    assert not desk.delete("a", "nowhere")
    desk.reset(resource="another resource")
    assert desk.count() == 1
    desk.reset(resource="request")
    assert desk.count() == 0
    call(desk, "a")
    desk.reset()
    assert desk.count() == 0
    assert desk.count("another") == 1


def test_a_step_that_raises_changes_nothing_on_redis_and_tells_the_error(desk: Desk) -> None:
    def work() -> None:
        assert desk.store.peek("default", "request", "a") is None
        raise KeyError("a")

    with pytest.raises(KeyError, match="a"):
        desk.do(work)
    assert desk.keys() == []


# Assignments


def test_every_new_key_begins_with_what_is_assigned(desk: Desk) -> None:
    call(desk, "a")
    desk.do(lambda: desk.store.assign("default", "request", "broken"))
    assert call(desk, "a").state.scenario == "issued"
    assert call(desk, "b").state.scenario == "broken"
    assert call(desk, "b", world="another").state.scenario == "issued"
    desk.do(lambda: desk.store.assign("default", "request", None))
    assert call(desk, "c").state.scenario == "issued"


def test_a_reset_forgets_assignments_of_its_namespace(desk: Desk) -> None:
    for world in ("default", "another"):
        desk.do(lambda world=world: desk.store.assign(world, "request", "broken"))  # type: ignore[misc]
    desk.reset("default", "request")
    assert call(desk, "a").state.scenario == "broken"
    desk.reset("default")
    assert call(desk, "a").state.scenario == "issued"
    assert call(desk, "a", world="another").state.scenario == "broken"


# Births and handles


def create(desk: Desk, key: str, *, world: str = "default", number: int = 1, **handles: str) -> None:
    def work() -> None:
        desk.store.create(
            world,
            "request",
            key,
            initial_state("issued", 0),
            CreationRecord(number, b'{"a": 1}', "csr", "cn"),
        )
        if handles:
            desk.store.creations.set_handles(world, "request", key, handles)

    desk.do(work)


def creation(desk: Desk, key: str, world: str = "default") -> CreationRecord | None:
    return desk.do(lambda: desk.store.creations.get(world, "request", key))


def find_key(desk: Desk, handle: str, value: str, world: str = "default") -> str | None:
    return desk.do(lambda: desk.store.creations.find_key(world, "request", handle, value))


def has_handles(desk: Desk, key: str) -> bool:
    return desk.do(lambda: desk.store.creations.has_handles("default", "request", key))


def test_a_birth_is_kept_as_it_was(desk: Desk) -> None:
    create(desk, "a")
    assert creation(desk, "a") == CreationRecord(1, b'{"a": 1}', "csr", "cn")
    assert creation(desk, "b") is None
    assert creation(desk, "a", "another") is None
    assert desk.peek("a") == initial_state("issued", 0)


def test_handles_lead_to_the_key(desk: Desk) -> None:
    create(desk, "a", serial="1 0", mail="ä@b")
    create(desk, "b", serial="2", world="another")
    assert find_key(desk, "serial", "1 0") == "a"
    assert find_key(desk, "mail", "ä@b") == "a"
    assert find_key(desk, "mail", "1 0") is None
    assert find_key(desk, "serial", "2") is None
    assert find_key(desk, "serial", "2", "another") == "b"
    assert (has_handles(desk, "a"), has_handles(desk, "b")) == (True, False)


def test_nothing_of_a_first_life_is_kept(desk: Desk) -> None:
    create(desk, "a", serial="1")
    assert desk.delete("a")
    assert (creation(desk, "a"), find_key(desk, "serial", "1"), has_handles(desk, "a")) == (None, None, False)
    create(desk, "a", serial="2")
    desk.reset(resource="request")
    assert (creation(desk, "a"), find_key(desk, "serial", "2"), has_handles(desk, "a")) == (None, None, False)
    create(desk, "a", serial="3")
    desk.reset()
    assert (creation(desk, "a"), find_key(desk, "serial", "3"), has_handles(desk, "a")) == (None, None, False)


def test_what_makes_room_takes_its_birth_and_handles_along(desks: Desks) -> None:
    desk = desks(2)
    create(desk, "a", serial="1", mail="m")
    create(desk, "b", serial="2")
    create(desk, "c", serial="3")
    assert desk.keys() == ["b", "c"]
    assert (creation(desk, "a"), find_key(desk, "serial", "1"), find_key(desk, "mail", "m")) == (
        None,
        None,
        None,
    )
    assert not has_handles(desk, "a")
    assert find_key(desk, "serial", "2") == "b"


# Bounds


def test_the_least_recently_used_go_first_and_are_counted(desks: Desks) -> None:
    desk = desks(3)
    for key in "abc":
        call(desk, key)
    call(desk, "a")
    call(desk, "d")
    assert desk.keys() == ["c", "a", "d"]
    desk.put("e", initial_state("issued", 0))
    desk.put("e", initial_state("issued", 1))
    assert desk.keys() == ["a", "d", "e"]
    assert desk.evicted() == 2
    assert call(desk, "b").call == 1


def test_keys_that_are_used_in_one_millisecond_make_room_in_their_order(desks: Desks) -> None:
    desk = desks(1)
    for key in "zyxwvutsrqponmlkjihgfedcba":
        call(desk, key)
        assert desk.keys() == [key]
        assert call(desk, key).call == 2


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(1, 40), st.lists(st.integers(0, 60), max_size=60))
def test_it_stays_within_its_bound_and_keeps_the_last_used(desks: Desks, most: int, keys: list[int]) -> None:
    desk = desks(most)
    for key in keys:
        call(desk, str(key))
        assert desk.count() <= most
        assert desk.peek(str(key)) is not None


# Counters


def test_runs_and_tallies_count_from_one_by_namespace_and_resource(desk: Desk) -> None:
    counters = desk.store.counters
    for count in (counters.next_in_sequence, counters.increment):
        told = [
            desk.do(lambda count=count, place=place: count(*place))  # type: ignore[misc]
            for place in (
                ("default", "request", "n"), ("default", "request", "n"), ("default", "request", "m"),
                ("another", "request", "n"), ("default", "order", "n"), ("default", "request", "n"),
            )
        ]  # fmt: skip
        assert told == [1, 2, 1, 1, 1, 3]


def test_a_step_may_draw_from_one_counter_several_times(desk: Desk) -> None:
    counters = desk.store.counters
    drawn = [counters.next_in_sequence, counters.increment]
    for count in drawn:
        told = desk.do(lambda count=count: [count("default", "request", "n") for _ in range(3)])  # type: ignore[misc]
        assert told == [1, 2, 3]
    assert desk.do(lambda: counters.next_in_sequence("default", "request", "n")) == 4


def test_a_reset_begins_counters_anew(desk: Desk) -> None:
    counters = desk.store.counters

    def draw() -> tuple[int, int, int]:
        return (
            desk.do(lambda: counters.next_in_sequence("default", "request", "n")),
            desk.do(lambda: counters.increment("default", "request", "n")),
            desk.do(lambda: counters.count_in_window("default", "request", "n", 0, 1000))[0],
        )

    assert draw() == (1, 1, 1)
    assert draw() == (2, 2, 2)
    desk.reset("another")
    desk.reset(resource="order")
    assert draw() == (3, 3, 3)
    desk.reset(resource="request")
    assert draw() == (1, 1, 1)
    desk.reset()
    assert draw() == (1, 1, 1), "although no resource was seen since"


def test_a_window_begins_with_the_first_call_after_the_last_is_over(desk: Desk) -> None:
    told = [
        desk.do(lambda now=now: desk.store.counters.count_in_window("default", "request", "n", now, 100))  # type: ignore[misc]
        for now in (50, 50, 149, 150, 120, 249, 260, 0)
    ]
    assert told == [(1, 50), (2, 50), (3, 50), (1, 150), (1, 120), (1, 249), (2, 249), (1, 0)]


# The journal


def write(journal: Journal, path: str = "/", body: bytes = b"", said: bytes = b"") -> None:
    request = Request("GET", path, "a=b", {"accept": "*/*"}, body)
    journal.write(request, Response(200, [("content-type", "text/plain")], said, "why"), 7, 0.25)


def read(desk: Desk, world: str = "default") -> list[Call]:
    return [Call(*record) for record in desk.do(desk.journal(world).records)]


def paths(desk: Desk, world: str = "default") -> list[str]:
    return [each.request.raw_path for each in read(desk, world)]


def lost(desk: Desk) -> int:
    return desk.do(lambda: desk.journal().lost)


def test_a_call_is_told_as_it_was(desk: Desk) -> None:
    write(desk.journal(), "/a", b"asked", b"said")
    [found] = read(desk)
    assert (found.number, found.when, found.seconds) == (1, 7, 0.25)
    assert found.request == Request("GET", "/a", "a=b", {"accept": "*/*"}, b"asked")
    assert found.response == Response(200, [("content-type", "text/plain")], b"said", "why")
    assert desk.do(lambda: desk.journal().find(1)) == found
    assert desk.do(lambda: desk.journal().find(2)) is None


def test_the_journal_keeps_the_last_calls_and_counts_the_others(desks: Desks) -> None:
    desk = desks(journal=3)
    for number in range(5):
        write(desk.journal(), f"/{number}")
    write(desk.journal("another"), "/other")
    assert paths(desk) == ["/2", "/3", "/4"]
    assert paths(desk, "another") == ["/other"]
    assert (desk.do(lambda: len(desk.journal())), lost(desk)) == (3, 2)


def test_no_journal_is_kept_where_none_is_wanted(desks: Desks) -> None:
    desk = desks(journal=0)
    write(desk.journal())
    assert (paths(desk), lost(desk)) == ([], 0)


def test_calls_that_are_taken_out_are_not_lost(desk: Desk) -> None:
    for number in range(4):
        write(desk.journal(), f"/{number}")
    taken = desk.do(lambda: desk.journal().remove({2, 3, 99}))
    assert [each.request.raw_path for each in taken] == ["/1", "/2"]
    assert desk.do(lambda: desk.journal().remove({2})) == []
    assert (paths(desk), lost(desk)) == (["/0", "/3"], 0)


def test_clearing_the_journal_begins_anew_but_numbers_go_on(desks: Desks) -> None:
    desk = desks(journal=2)
    for _ in range(3):
        write(desk.journal())
    assert lost(desk) == 1
    desk.do(lambda: desk.journal().clear())
    assert (paths(desk), lost(desk)) == ([], 0)
    write(desk.journal())
    assert [each.number for each in read(desk)] == [4]


def test_long_bodies_are_cut_and_say_how_long_they_were(desk: Desk) -> None:
    write(desk.journal(), body=b"x" * 70_000, said=b"y" * 65_536)
    [found] = read(desk)
    assert isinstance(found.request.body, TruncatedBody)
    assert (len(found.request.body), found.request.body.length) == (65_536, 70_000)
    assert not isinstance(found.response.body, TruncatedBody)


def test_a_journal_stays_within_its_bytes(desks: Desks) -> None:
    desk = desks(journal_bytes=400_000)
    for number in range(20):
        write(desk.journal(), f"/{number}", b"x" * 50_000)
    kept = paths(desk)
    assert kept == [f"/{number}" for number in range(20 - len(kept), 20)]
    assert 4 <= len(kept) <= 8
    assert lost(desk) == 20 - len(kept)


# Namespaces


def test_namespaces_are_kept_apart_and_dropped_whole(desk: Desk) -> None:
    for world in ("default", "one", "two"):
        call(desk, "a", world=world)
        write(desk.journal(world), f"/{world}")
    assert [each.name for each in desk.do(lambda: list(desk.worlds))] == ["default", "one", "two"]
    desk.do(lambda: desk.worlds.drop("one"))
    assert desk.do(lambda: desk.worlds.get("one")) is None
    with pytest.raises(KeyError, match="one"):
        desk.do(lambda: desk.worlds.drop("one"))
    assert [each.name for each in desk.do(lambda: list(desk.worlds))] == ["default", "two"]
    assert paths(desk, "two") == ["/two"]
    write(desk.journal("one"), "/again")
    assert paths(desk, "one") == ["/again"]
