"""What is Redis's own: what is done at once, what lives how long, and that all of it is as in memory."""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mockserver.messages import Request, Response
from mockserver.namespaces.cluster import SharedNamespaces
from mockserver.namespaces.journal import Record
from mockserver.plan import Step
from mockserver.state.machine import ResourceState, initial_state
from mockserver.state.protocol import NamespacesFull, PlanChanged, RemoteDecision
from mockserver.state.redis.connection import Connection, time_limit
from mockserver.state.redis.handshake import read_address
from mockserver.state.redis.store import RedisStore
from mockserver.state.tables import CreationRecord, Item
from tests.proxy import Proxy
from tests.redis import Redis
from tests.state.scripts import Scripts
from tests.state.store_harness import HarnessFactory, PollHarness, RedisHarness, StoreHarness, harness_factory

STEPS = (Step("pending", calls=2, next=1), Step("issued"))
TIMELINES = {"issued": STEPS}
_FRESH = itertools.count()


@pytest.fixture
def harnesses(redis: Redis, prefix: str) -> Iterator[HarnessFactory]:
    with harness_factory("redis by poll", redis, prefix) as found:
        yield found


@pytest.fixture
def scripts(redis: Redis, prefix: str) -> Iterator[Scripts]:
    found = Scripts(redis, f"{prefix}-0")
    yield found
    found.close()


@pytest.fixture
def harness(harnesses: HarnessFactory) -> RedisHarness:
    found = harnesses()
    assert isinstance(found, RedisHarness)
    return found


def at_once(harness: RedisHarness, works: list[Callable[[], Any]]) -> list[Any]:
    """What works come to that are begun before any of them is done."""

    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*(harness.store.atomically(work) for work in works))

    found: list[Any] = harness.run(all_of_them())
    return found


def test_concurrent_transactions_give_the_result_of_sequential_ones(harness: RedisHarness) -> None:
    store = harness.store

    def call() -> tuple[str, int]:
        decision = store.advance("default", "request", "a", 0, "poll", TIMELINES.get, lambda: "issued")
        return STEPS[decision.step].state, decision.call

    told = at_once(harness, [call] * 30)
    assert sorted(told) == sorted([("pending", 1), ("pending", 2), *(("issued", n + 1) for n in range(28))])


def test_steps_and_polls_together_count_every_call(harnesses: HarnessFactory) -> None:
    harness = harnesses()
    assert isinstance(harness, PollHarness)
    harness.serve("request", TIMELINES)
    store = harness.store
    store.frozen_at = 0

    async def all_of_them() -> None:
        polls = []
        for _ in range(100):
            polls.append(store.poll("default", "request", "a", "poll", "issued"))
            await asyncio.sleep(0)
        for polled in polls:
            await polled

    async def work() -> None:
        def call() -> None:
            store.advance("default", "request", "a", 0, "poll", TIMELINES.get, lambda: "issued")

        await asyncio.gather(all_of_them(), *(store.atomically(call) for _ in range(20)))

    harness.run(work())
    state = harness.peek("a")
    assert state is not None
    assert (state.step, state.calls) == (1, 118)


def polled_together(harness: PollHarness, *calls: tuple[str, str]) -> list[object]:
    """The step and call, or the error, of polls to a resource and a key, sent in one turn of the loop."""

    async def work() -> list[object]:
        polls = [harness.store.poll("default", resource, key, "poll", "issued") for resource, key in calls]
        found = [await polled for polled in polls]
        return [(each.step, each.call) if isinstance(each, RemoteDecision) else str(each) for each in found]

    told: list[object] = harness.run(work())
    return told


def test_polls_of_one_turn_of_the_loop_share_scripts_and_are_counted_in_order(
    harnesses: HarnessFactory, scripts: Scripts
) -> None:
    harness = harnesses()
    assert isinstance(harness, PollHarness)
    harness.serve("request", TIMELINES)
    scripts.say("CONFIG", "RESETSTAT")
    told = polled_together(harness, *[("request", key) for _ in range(50) for key in "ab"])
    assert b"cmdstat_evalsha:calls=2," in scripts.say("INFO", "commandstats")
    assert told[::2] == told[1::2] == [(0, 1), (0, 2), *((1, number + 1) for number in range(48))]


def test_polls_leave_nothing_to_the_garbage_collector(harnesses: HarnessFactory) -> None:
    harness = harnesses()
    assert isinstance(harness, PollHarness)
    harness.serve("request", TIMELINES)
    polled_together(harness, ("request", "a"))

    def left(polls: int) -> int:
        gc.collect()
        gc.disable()
        try:
            polled_together(harness, *[("request", "a")] * polls)
            return gc.collect()
        finally:
            gc.enable()

    assert left(101) - left(1) < 100


def test_poll_that_meets_a_key_of_a_wrong_type_fails_alone(
    harnesses: HarnessFactory, scripts: Scripts
) -> None:
    harness = harnesses()
    assert isinstance(harness, PollHarness)
    harness.serve("request", TIMELINES)
    harness.serve("other", TIMELINES)
    scripts.say("SET", harness.store.name("s", "default", "other"), "x")
    first, second, third = polled_together(harness, ("request", "a"), ("other", "a"), ("request", "a"))
    assert (first, third) == ((0, 1), (0, 2))
    assert "WRONGTYPE" in str(second)


def test_a_key_that_is_called_without_a_pause_can_still_be_put(harnesses: HarnessFactory) -> None:
    """Who reads, decides and commits finds the state changed each time; it gets through nevertheless."""
    harness = harnesses()
    assert isinstance(harness, PollHarness)
    harness.serve("request", TIMELINES)
    store, calls = harness.store, itertools.count()

    async def work() -> int:
        done = False

        def again(_: object) -> None:
            if not done:
                next(calls)
                store.poll("default", "request", "a", "poll", "issued").then(again)

        for _ in range(50):
            again(None)
        store.connection.flush()
        try:
            await store.atomically(lambda: store.put("default", "request", "a", initial_state("issued", 7)))
        finally:
            done = True
        return next(calls)

    assert harness.run(work()) > 50
    state = harness.peek("a")
    assert state is not None
    assert state.created == 7


def test_a_call_is_counted_in_its_window_once_though_time_goes_on(harness: RedisHarness) -> None:
    clock = itertools.count(1000)

    def work() -> tuple[int, int]:
        counted = harness.store.counters.count_in_window("default", "request", "n", next(clock), 60_000)
        harness.store.peek("default", "request", "a")  # is read later, so that the work is begun anew
        return counted

    assert [harness.do(work)[0] for _ in range(3)] == [1, 2, 3]


def test_on_commit_callback_runs_once_after_the_commit(harness: RedisHarness) -> None:
    store, told, begun = harness.store, [], []

    def work() -> None:
        begun.append(1)
        number = (store.peek("default", "request", "a") or initial_state("issued", 0)).created
        store.put("default", "request", "a", initial_state("issued", number + 1))
        store.on_commit(lambda: told.append(number + 1))

    at_once(harness, [work] * 10)
    assert sorted(told) == list(range(1, 11))
    assert len(begun) > 10


def test_work_for_a_plan_that_is_no_longer_served_changes_nothing(harness: RedisHarness) -> None:
    harness.serve("request", TIMELINES)
    harness.call("a", TIMELINES, "issued")
    harness.run(harness.store.connection.ask("HSET", harness.store.name("g"), "plan", "another"))
    with pytest.raises(PlanChanged):
        harness.put("a", initial_state("issued", 9))
    with pytest.raises(PlanChanged):
        harness.reset()
    left = harness.peek("a")
    assert left is not None
    assert left.calls == 1


def test_publisher_of_a_plan_serves_its_old_plan_until_it_switches(harness: RedisHarness) -> None:
    """Else a call would be decided by a timeline that it cannot be answered from."""
    harness.serve("request", TIMELINES)
    plan = harness.store.plan
    assert harness.run(harness.store.publish_plan("new", {}, before=plan))
    with pytest.raises(PlanChanged):
        harness.put("a", initial_state("issued", 9))
    assert not harness.run(harness.store.publish_plan("newer", {}, before=plan)), (
        "another one is served by now"
    )
    harness.store.plan = "new"
    harness.put("a", initial_state("issued", 9))


def test_read_outside_of_a_transaction_raises(harness: RedisHarness) -> None:
    with pytest.raises(RuntimeError, match="outside of atomic work"):
        harness.store.peek("default", "request", "a")


def test_stores_with_different_prefixes_share_nothing(harnesses: HarnessFactory) -> None:
    one, two = harnesses(), harnesses()
    one.call("a", TIMELINES, "issued")
    assert two.keys() == []
    two.call("a", TIMELINES, "issued")
    two.reset()
    assert one.keys() == ["a"]


def test_journal_read_includes_calls_that_other_processes_wrote_before(redis: Redis, prefix: str) -> None:
    """Who writes does not wait, and its octets may be on the way still when another process reads."""

    async def listen(store: RedisStore, ready: asyncio.Event) -> None:
        async for _ in store.broadcast.subscribe():
            ready.set()

    async def work() -> list[Record]:
        with Proxy(redis.port) as proxy:
            links = [
                Connection(read_address(f"redis://127.0.0.1:{port}"), prefix=prefix, timeout=20)
                for port in (proxy.port, redis.port)
            ]
            for connection in links:
                await connection.open()
            writer, reader = map(RedisStore, links)
            ready = [asyncio.Event(), asyncio.Event()]
            listening = [
                asyncio.create_task(listen(*each)) for each in zip((writer, reader), ready, strict=True)
            ]
            for event in ready:
                await event.wait()
            proxy.hold("there")
            request = Request("GET", "/", "", {}, b"")
            SharedNamespaces(writer).default.journal.write(request, Response(200, [], b""), 0, 0.0)
            links[0].flush()
            reading = asyncio.create_task(reader.atomically(SharedNamespaces(reader).default.journal.records))
            await asyncio.to_thread(proxy.kept, b"PUBLISH")  # the writer says that it has heard
            assert not reading.done()
            proxy.let_go()
            records = await reading
            for task in listening:
                task.cancel()
            await asyncio.wait(listening)
            for connection in links:
                await connection.close()
            return records

    assert [each[0] for each in asyncio.run(work())] == [1]


# What lives how long


def everything(harness: StoreHarness) -> None:
    """Something of every kind, then once more after it was forgotten."""
    store = harness.store
    for world in ("default", "other"):
        journal = harness.journal(world)

        def name(world: str = world) -> None:
            store.create(world, "born", "k", initial_state("issued", 0), CreationRecord(1, b"{}"))
            store.creations.set_handles(world, "born", "k", {"serial": "1"})

        def keep(world: str = world) -> None:
            for key in ("a", "b"):
                store.data.put(world, "/pets", "1", key, Item(1, 0, 0, 1, b"{}"))

        def remove(world: str = world) -> None:
            store.data.remove(world, "/pets", "1", "a")
            store.data.remove_below(world, "/pets", "1")

        def count(world: str = world) -> None:
            for resource in ("request", "", "limited"):
                store.counters.next_in_sequence(world, resource, "n")
                store.counters.increment(world, resource, "n")
                store.counters.count_in_window(world, resource, "n", 0, 10)

        def wind(world: str = world) -> None:
            found = harness.namespaces.get_or_create(world)
            assert found is not None
            found.clock.advance(5)

        for _ in range(2):
            for _ in range(3):
                journal.write(Request("GET", "/", "", {}, b""), Response(200, [], b""), 0, 0.0)
            harness.do(count)
            harness.do(name)
            harness.do(keep)
            harness.do(remove)
            harness.call("a", TIMELINES, "issued", world=world)
            harness.do(lambda world=world: store.assign(world, "request", "issued"))  # type: ignore[misc]
            harness.do(wind)
            harness.delete("a", world)
            harness.delete("k", world, "born")
            harness.do(lambda journal=journal: journal.clear())  # type: ignore[misc]
        harness.call("a", TIMELINES, "issued", world=world)
        harness.do(name)
        journal.write(Request("GET", "/", "", {}, b""), Response(200, [], b""), 0, 0.0)
        harness.reset(world, "request")
        harness.call("a", TIMELINES, "issued", world=world)
        harness.do(count)
        harness.reset(world)
        harness.do(count)
        harness.do(name)
        harness.do(keep)
        harness.call("a", TIMELINES, "issued", world=world)


def test_unused_keys_expire_in_a_week(harness: RedisHarness, scripts: Scripts) -> None:
    everything(harness)
    names = scripts.say("KEYS", f"{scripts.prefix}/*")
    left = {name.decode().removeprefix(f"{scripts.prefix}/"): scripts.say("TTL", name) for name in names}
    kinds = {name.partition("/")[0] for name in left}
    assert kinds == {"g", "t", "w", "ns", "m", "s", "u", "b", "h", "k", "c", "v", "r", *"doqy"}
    for_ever = {name for name, seconds in left.items() if seconds == -1}
    assert for_ever <= {"g", "w/test"}, "w/test is of this test"
    weeks = {name: seconds for name, seconds in left.items() if name[0] in "msubhkcvrdoqy"}
    assert all(604_000 < seconds <= 604_800 for seconds in weeks.values()), weeks


def test_cleared_journal_expires_too(harness: RedisHarness, scripts: Scripts) -> None:
    for _ in range(2):
        harness.journal().write(Request("GET", "/", "", {}, b""), Response(200, [], b""), 0, 0.0)
        assert harness.do(lambda: len(harness.journal())) == 1
        assert scripts.say("TTL", f"{scripts.prefix}/r/default") > 604_000
        harness.do(lambda: harness.journal().clear())


def test_used_keys_do_not_expire(harness: RedisHarness, scripts: Scripts) -> None:
    """Times to live are set anew when a 64th of them is over by the machine's clock, which is moved here."""
    harness.serve("request", TIMELINES)
    harness.call("a", TIMELINES, "issued")
    prefix = scripts.prefix
    for name in (f"{prefix}/s/default/request", f"{prefix}/m/default", f"{prefix}/t/{harness.store.plan}"):
        scripts.say("EXPIRE", name, 1000)
    harness.call("a", TIMELINES, "issued")
    assert scripts.say("TTL", f"{prefix}/s/default/request") <= 1000
    scripts.say("HSET", f"{prefix}/m/default", "r/request", 1)  # as if it had been long ago
    harness.call("a", TIMELINES, "issued")
    assert scripts.say("TTL", f"{prefix}/s/default/request") > 600_000
    assert scripts.say("TTL", f"{prefix}/m/default") > 600_000
    assert scripts.say("TTL", f"{prefix}/t/{harness.store.plan}") > 2_000_000


def test_the_namespace_that_was_not_used_for_longest_makes_room(
    harnesses: HarnessFactory, scripts: Scripts
) -> None:
    harness = harnesses(namespaces=4)
    for world in ("default", "a", "b", "c"):
        harness.call("k", TIMELINES, "issued", world=world)
        harness.call("k", TIMELINES, "issued", world=world)
    harness.call("k", TIMELINES, "issued", world="a")
    harness.call("k", TIMELINES, "issued", world="d")
    assert [each.name for each in harness.do(lambda: list(harness.namespaces))] == ["default", "c", "a", "d"]
    assert harness.do(lambda: harness.namespaces.evicted) == 1
    assert harness.count("b") == 0
    harness.put("k", initial_state("issued", 0), "e")
    assert [each.name for each in harness.do(lambda: list(harness.namespaces))] == ["default", "a", "d", "e"]
    assert scripts.say("KEYS", f"{scripts.prefix}/[^w]/c*") == []


def names(harness: StoreHarness) -> list[str]:
    return [each.name for each in harness.do(lambda: list(harness.namespaces))]


def control(harness: StoreHarness, *namespaces: str) -> None:
    for world in namespaces:
        harness.do(lambda world=world: harness.namespaces.control(world))  # type: ignore[misc]


def test_the_namespace_that_makes_room_is_none_that_was_controlled(harnesses: HarnessFactory) -> None:
    harness = harnesses(namespaces=4)
    for world in ("a", "b", "c"):
        harness.call("k", TIMELINES, "issued", world=world)
    control(harness, "a", "c")
    for world in ("a", "d", "a", "e", "f"):
        harness.call("k", TIMELINES, "issued", world=world)
        harness.call("k", TIMELINES, "issued", world="default")
        assert harness.count("a") == harness.count("c") == harness.count(world) == 1
    assert sorted(names(harness)) == ["a", "c", "default", "f"]
    assert harness.do(lambda: harness.namespaces.evicted) == 3


REACHES = {
    "a poll": lambda harness: harness.call("k", TIMELINES, "issued", world="late"),
    "a step": lambda harness: harness.put("k", initial_state("issued", 0), "late"),
    "a counter": lambda harness: harness.do(lambda: harness.store.counters.increment("late", "request", "n")),
    "a window": lambda harness: harness.do(
        lambda: harness.store.counters.count_in_window("late", "request", "n", 0, 9)
    ),
    "an assignment": lambda harness: harness.do(lambda: harness.store.assign("late", "request", "issued")),
    "a control request": lambda harness: control(harness, "late"),
}


@pytest.mark.parametrize("reach", REACHES.values(), ids=REACHES)
def test_new_namespace_without_evictable_ones_is_rejected_and_nothing_is_written(
    harnesses: HarnessFactory, scripts: Scripts, reach: Callable[[StoreHarness], object]
) -> None:
    harness = harnesses(namespaces=3)
    harness.call("k", TIMELINES, "issued", world="default")
    control(harness, "a", "b")
    with pytest.raises(NamespacesFull, match="DELETE /__admin/namespaces/NAME"):
        reach(harness)
    harness.journal("late").write(Request("GET", "/", "", {}, b""), Response(200, [], b""), 0, 0.0)
    assert names(harness) == ["default", "a", "b"]
    assert scripts.say("KEYS", f"{scripts.prefix}/*/late*") == []
    harness.do(lambda: harness.namespaces.drop("a"))
    reach(harness)
    assert "a" not in names(harness)


def test_a_namespace_that_was_controlled_and_is_not_used_for_a_week_makes_room(
    harnesses: HarnessFactory, scripts: Scripts
) -> None:
    harness = harnesses(namespaces=2)
    control(harness, "a")
    place = f"{scripts.prefix}/ns"
    scripts.say("ZINCRBY", place, -7 * 86_400 * 1_000_000, "a")
    harness.call("k", TIMELINES, "issued", world="b")
    assert names(harness) == ["default", "b"]


def test_a_namespace_stays_controlled_when_it_is_reset_and_is_not_once_it_was_deleted(
    harnesses: HarnessFactory,
) -> None:
    harness = harnesses(namespaces=2)
    control(harness, "a")
    harness.reset("a")
    with pytest.raises(NamespacesFull):
        harness.call("k", TIMELINES, "issued", world="b")
    harness.do(lambda: harness.namespaces.drop("a"))
    harness.call("k", TIMELINES, "issued", world="a")
    harness.call("k", TIMELINES, "issued", world="b")
    assert names(harness) == ["default", "b"]


def test_listing_all_namespaces_takes_few_commands(harness: RedisHarness) -> None:
    """A step is begun again for what it asks for and was not read: never once for each namespace."""
    names, begun = [f"n{number}" for number in range(40)], []
    for name in names:
        harness.call("a", TIMELINES, "issued", world=name)
    harness.store.assignments("request")  # as an engine that serves it

    def work() -> list[tuple[str, int, int, int]]:
        begun.append(1)
        return [
            (each.name, len(each.journal), each.journal.lost, harness.store.count(each.name, "request"))
            for each in harness.namespaces
        ]

    assert harness.do(work) == [("default", 0, 0, 0), *((name, 0, 0, 1) for name in names)]
    assert len(begun) == 3


# As in memory

WORLDS = st.sampled_from(["default", "w"])
KEYS = st.sampled_from(["a", "b", "c", "d"])
RESOURCES = st.sampled_from(["request", "order"])
LIVES = {
    "issued": STEPS,
    "timed": (Step("red", after=5, next=1), Step("green", calls=1, after=7, next=0)),
    "moved": (Step("one", operation="move", next=1), Step("two", calls=3, next=0)),
}
STATES = st.sampled_from(
    [
        ResourceState(scenario, step, 0, 3, 1, 3, transitions)
        for scenario in LIVES
        for step in (0, 1)
        for transitions in (0, 7)
    ]
)
OPERATIONS = st.one_of(
    st.tuples(st.just("call"), WORLDS, RESOURCES, KEYS, st.sampled_from(sorted(LIVES)),
              st.sampled_from(["poll", "move"])),
    st.tuples(st.just("put"), WORLDS, RESOURCES, KEYS, STATES),
    st.tuples(st.just("create"), WORLDS, RESOURCES, KEYS, st.sampled_from(["1", "2", "3"])),
    st.tuples(st.just("named"), WORLDS, RESOURCES, st.sampled_from(["1", "2", "3"])),
    st.tuples(st.just("creation"), WORLDS, RESOURCES, KEYS),
    st.tuples(st.just("delete"), WORLDS, RESOURCES, KEYS),
    st.tuples(st.just("assign"), WORLDS, RESOURCES, st.sampled_from([None, *sorted(LIVES)])),
    st.tuples(st.just("run"), WORLDS, RESOURCES),
    st.tuples(st.just("window"), WORLDS, RESOURCES, st.integers(0, 40)),
    st.tuples(st.just("reset"), WORLDS, st.one_of(st.none(), RESOURCES)),
    st.tuples(st.just("write"), WORLDS),
    st.tuples(st.just("clear"), WORLDS),
    st.tuples(st.just("advance"), WORLDS, st.integers(0, 9)),
)  # fmt: skip


def told(harness: StoreHarness, operation: tuple[Any, ...]) -> Any:
    """What a store says to an operation."""
    kind, world, *rest = operation
    store = harness.store
    match kind:
        case "call":
            resource, key, scenario, alias = rest
            now = harness.namespaces.get_or_create(world).clock.now()  # type: ignore[union-attr]
            found = harness.call(
                key, LIVES, scenario, world=world, resource=resource, now=now, operation=alias
            )
            return found.step, found.call, found.changed, found.state
        case "put":
            resource, key, state = rest
            harness.put(key, state, world, resource)
        case "create":
            resource, key, handle = rest

            def create() -> None:
                store.create(
                    world, resource, key, initial_state("issued", 2), CreationRecord(int(handle), b"{}")
                )
                if not store.creations.has_handles(world, resource, key):
                    store.creations.set_handles(world, resource, key, {"serial": handle})

            harness.do(create)
        case "named":
            return harness.do(lambda: store.creations.find_key(world, rest[0], "serial", rest[1]))
        case "creation":
            return harness.do(lambda: store.creations.get(world, *rest))
        case "delete":
            return harness.delete(rest[1], world, rest[0])
        case "assign":
            harness.do(lambda: store.assign(world, *rest))
        case "run":
            return harness.do(lambda: store.counters.next_in_sequence(world, rest[0], "n"))
        case "window":
            return harness.do(lambda: store.counters.count_in_window(world, rest[0], "n", rest[1], 20))
        case "reset":
            harness.reset(world, *rest)
        case "write":
            harness.journal(world).write(Request("GET", "/", "", {}, b""), Response(200, [], b""), 0, 0.0)
        case "clear":
            harness.do(lambda: harness.journal(world).clear())
        case "advance":
            clock = harness.namespaces.get_or_create(world).clock  # type: ignore[union-attr]
            harness.do(lambda: clock.advance(rest[0]))
            return clock.now()
    return None


def standing(harness: StoreHarness) -> list[Any]:
    """All that a store holds."""
    found: list[Any] = []
    for world in ("default", "w"):
        journal = harness.journal(world)
        found.append(harness.do(lambda journal=journal: [each[0] for each in journal.records()]))  # type: ignore[misc]
        found.append(harness.do(lambda journal=journal: journal.lost))  # type: ignore[misc]
        for resource in ("request", "order"):
            found += [harness.items(world, resource), harness.count(world, resource)]
            found += [told(harness, ("named", world, resource, handle)) for handle in "123"]
    return [*found, harness.evicted()]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(OPERATIONS, max_size=25))
def test_any_history_gives_the_same_result_as_in_memory(
    harnesses: HarnessFactory, history: list[tuple[Any, ...]]
) -> None:
    memory, shared = StoreHarness(3, journal=2), harnesses(3, journal=2)
    shared.serve("request", LIVES)
    shared.serve("order", LIVES)
    for operation in history:
        assert told(shared, operation) == told(memory, operation), operation
    assert standing(shared) == standing(memory)


def test_long_work_of_this_process_is_no_time_of_the_store(
    harness: RedisHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + passed[0])
    monkeypatch.setattr("mockserver.state.redis.connection.time", clock)

    def work() -> int:
        passed[0] += 60
        return harness.store.counters.next_in_sequence("default", "request", "n")

    async def limited() -> int:
        with time_limit(20):
            return await harness.store.atomically(work)

    assert harness.run(limited()) == 1
