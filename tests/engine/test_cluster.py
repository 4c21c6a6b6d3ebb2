"""Two workers of one server, over real sockets: what one is told, both know; a call is counted once."""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mockserver.namespaces.clock import parse_time
from tests.engine.resources.test_webhooks import receiving
from tests.redis import Redis
from tests.workers import LOOP, LOOPS, Line, Workers

_FRESH = itertools.count()
STATES = ["one", "two", "three", "four"]


class WorkerClient:
    """A connection to a worker, and a namespace."""

    def __init__(self, line: Line, namespace: str) -> None:
        self.line = line
        self._namespace = namespace

    def get(self, target: str, method: str = "GET", body: Any = None, **fields: str) -> tuple[int, Any]:
        """Status and body."""
        reply = self.line.ask(method, target, body, **{"X_Mock_Namespace": self._namespace, **fields})
        return reply.status, reply.json() if reply.body else None

    def turn(self, key: str) -> str:
        status, body = self.get(f"/loops/{key}")
        assert status == 200, body
        state: str = body["state"]
        return state

    def said(self, method: str, path: str, body: Any = None) -> Any:
        """What the control plane says."""
        status, found = self.get(f"/__admin{path}", method, body)
        assert status in (200, 202), found
        return found


@pytest.fixture
def both(workers: Workers, request: pytest.FixtureRequest) -> Iterator[tuple[WorkerClient, WorkerClient]]:
    """A worker and the other one, in a namespace of the test's own."""
    with _BothWorkers(workers, request.node.originalname.removeprefix("test_") + f".{next(_FRESH)}") as found:
        yield found


class _BothWorkers:
    def __init__(self, workers: Workers, namespace: str) -> None:
        self._lines = workers.lines()
        self._namespace = namespace

    def __enter__(self) -> tuple[WorkerClient, WorkerClient]:
        one, other = (WorkerClient(each, self._namespace) for each in self._lines)
        return one, other

    def __exit__(self, *_: object) -> None:
        for each in self._lines:
            each.socket.close()


def at_once(works: list[Callable[[], Any]]) -> list[Any]:
    """What works come to that begin together, each in a thread."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        start.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


# Calls


def test_calls_of_both_workers_advance_one_resource(both: tuple[WorkerClient, WorkerClient]) -> None:
    one, other = both
    assert [each.turn("a") for each in (one, other, other, one, other)] == [*STATES, "one"]


def test_racers_over_both_workers_are_counted_exactly(
    workers: Workers, both: tuple[WorkerClient, WorkerClient]
) -> None:
    places = [*both]
    for _ in range(3):
        with_lines = workers.lines()
        places += [WorkerClient(each, both[0]._namespace) for each in with_lines]

    def race(place: WorkerClient) -> list[str]:
        return [place.turn("a") for _ in range(50)]

    told = at_once([lambda each=each: race(each) for each in places])  # type: ignore[misc]
    assert Counter(state for each in told for state in each) == dict.fromkeys(STATES, 100)
    for each in places[2:]:
        each.line.socket.close()
    assert (
        both[0].said("POST", "/requests/count", {"method": "GET", "urlPattern": "/loops/.*"})["count"] == 400
    )
    assert both[1].said("GET", "/resources/loop/a")["state"] == "one"


def test_a_transition_has_one_winner(workers: Workers, both: tuple[WorkerClient, WorkerClient]) -> None:
    lines = [*both[0:2]] + [
        WorkerClient(each, both[0]._namespace) for _ in range(3) for each in workers.lines()
    ]
    for key in ("once-1", "once-2", "once-3"):
        told = at_once([lambda each=each, key=key: each.turn(key) for each in lines])  # type: ignore[misc]
        assert Counter(told) == {"one": 1, "two": len(lines) - 1}
    for each in lines[2:]:
        each.line.socket.close()


def test_requests_that_are_sent_together_are_answered_in_their_order(
    both: tuple[WorkerClient, WorkerClient],
) -> None:
    for place in both:
        for _ in range(40):
            place.line.put("GET", "/loops/pipe", X_Mock_Namespace=f"{place._namespace}.{id(place)}")
        assert [place.line.reply().json()["state"] for _ in range(40)] == STATES * 10


def test_calls_of_both_workers_count_for_one_limit(both: tuple[WorkerClient, WorkerClient]) -> None:
    told = at_once([lambda each=each: [each.get("/limited/1")[0] for _ in range(20)] for each in both])  # type: ignore[misc]
    assert Counter(told[0] + told[1]) == {200: 10, 429: 30}
    both[0].said("POST", "/reset")
    assert both[1].get("/limited/1")[0] == 200


def test_a_head_request_does_not_advance_the_resource(both: tuple[WorkerClient, WorkerClient]) -> None:
    one, other = both
    assert one.turn("a") == "one"
    for each in both:
        assert each.line.ask("HEAD", "/loops/a", X_Mock_Namespace=each._namespace).status == 200
    assert other.turn("a") == "two"


def test_a_scenario_preferred_at_one_worker_applies_at_the_other(
    both: tuple[WorkerClient, WorkerClient],
) -> None:
    one, other = both
    assert one.get("/loops/a", Prefer="scenario=once")[1]["state"] == "one"
    assert [other.turn("a"), one.turn("a")] == ["two", "two"]


@pytest.mark.parametrize("key", ["a%20b", "%41", "a+b", "k:1", "%D0%BA", "%2F"])
def test_a_key_that_is_written_with_percents_is_the_same(
    both: tuple[WorkerClient, WorkerClient], key: str
) -> None:
    one, other = both
    assert [one.turn(key), other.turn(key)] == ["one", "two"]


# Lifecycles


def test_a_life_over_several_operations_and_both_workers(both: tuple[WorkerClient, WorkerClient]) -> None:
    one, other = both
    assert one.get("/things", "POST", {"name": "n1"}) == (201, {"id": 1, "name": "n1"})
    assert other.get("/things", "POST", {"name": "n2"}) == (201, {"id": 2, "name": "n2"})
    assert other.get("/things/1") == (200, {"id": 1, "state": "new", "name": "n1"})
    assert [each["name"] for each in one.get("/things")[1]["things"]] == ["n1", "n2"]
    assert one.get("/things/2", "POST", {"verb": "start"})[1]["state"] == "busy"
    assert [each.get("/things/2")[1]["state"] for each in (other, one, other)] == ["busy", "busy", "done"]
    assert other.get("/things/1", "DELETE") == (204, None)
    assert one.get("/things/1")[0] == 404
    assert other.get("/things/99")[0] == 404
    assert [each["name"] for each in other.get("/things")[1]["things"]] == ["n2"]
    assert one.get("/things", "POST", {})[1]["id"] == 3, "a key is never given twice"


def test_creations_at_once_have_keys_of_their_own(both: tuple[WorkerClient, WorkerClient]) -> None:
    def create(place: WorkerClient) -> list[int]:
        return [place.get("/things", "POST", {"name": "n"})[1]["id"] for _ in range(25)]

    told = at_once([lambda each=each: create(each) for each in both])  # type: ignore[misc]
    assert sorted(told[0] + told[1]) == list(range(1, 51))
    assert both[0].said("GET", "/resources?limit=1")["meta"]["total"] == 50


def test_an_operation_that_ends_it_has_one_winner(both: tuple[WorkerClient, WorkerClient]) -> None:
    one, _ = both
    for number in range(1, 11):
        one.get("/things", "POST", {})
        told = at_once([lambda each=each: each.get(f"/things/{number}", "DELETE")[0] for each in both])  # type: ignore[misc]  # noqa: B023
        assert sorted(told) == [204, 404]


# The control plane


def test_500_control_requests_at_once_are_all_done(
    workers: Workers, both: tuple[WorkerClient, WorkerClient]
) -> None:
    places = [*both] + [WorkerClient(each, both[0]._namespace) for _ in range(3) for each in workers.lines()]

    def put(start: int) -> list[int]:
        place = places[start]
        keys = range(start, 500, len(places))
        return [place.get(f"/__admin/resources/loop/{key}", "PUT", {"state": "three"})[0] for key in keys]

    told = at_once([lambda start=start: put(start) for start in range(len(places))])  # type: ignore[misc]
    for each in places[2:]:
        each.line.socket.close()
    assert [status for each in told for status in each] == [200] * 500
    for place in both:
        found = place.said("GET", "/resources?limit=1000")
        assert {each["key"] for each in found["resources"]} == {str(key) for key in range(500)}
        assert {each["state"] for each in found["resources"]} == {"three"}


def test_a_key_that_is_called_all_the_time_can_be_put_and_deleted(
    workers: Workers, both: tuple[WorkerClient, WorkerClient]
) -> None:
    with Callers(workers, both[0]._namespace):
        for number in range(10):
            place = both[number % 2]
            place.said("PUT", "/resources/loop/busy", {"scenario": "loop"})
            place.said("DELETE", "/resources/loop/busy")


def test_a_resource_is_shown_and_set_by_either_worker(
    both: tuple[WorkerClient, WorkerClient],
) -> None:
    one, other = both
    one.turn("a")
    assert other.said("GET", "/resources/loop/a")["calls"] == 0
    assert other.said("GET", "/resources/loop/a")["state"] == "two"
    other.said("PUT", "/resources/loop/a", {"state": "four"})
    assert one.turn("a") == "four"
    other.said("PUT", "/assignments/loop", {"scenario": "once"})
    assert [one.turn("b"), other.turn("b"), one.turn("b")] == ["one", "two", "two"]
    assert one.said("GET", "/assignments")["assignments"] == [{"resource": "loop", "scenario": "once"}]
    one.said("DELETE", "/assignments/loop")
    assert [other.turn("c") for _ in range(3)] == ["one", "two", "three"]
    one.said("DELETE", "/resources/loop/a")
    assert other.get("/__admin/resources/loop/a")[0] == 404
    other.said("DELETE", "/resources")
    assert one.said("GET", "/resources")["resources"] == []


def test_the_journal_lists_calls_of_both_workers(both: tuple[WorkerClient, WorkerClient]) -> None:
    one, other = both
    for number in range(10):
        (one, other)[number % 2].turn(f"k{number}")
        for place in both:
            assert place.said("POST", "/requests/count", {"urlPattern": "/loops/.*"})["count"] == number + 1
    calls = other.said("GET", "/requests")["requests"]
    assert [each["request"]["url"] for each in calls] == [f"/loops/k{9 - number}" for number in range(10)]
    assert [each["mock"]["number"] for each in calls] == list(range(10, 0, -1))
    assert one.said("GET", f"/requests/{calls[0]['id']}") == calls[0]
    one.said("DELETE", f"/requests/{calls[0]['id']}")
    assert other.get(f"/__admin/requests/{calls[0]['id']}")[0] == 404
    assert other.said("POST", "/verify", {"exactly": 9}) is not None
    other.said("DELETE", "/requests")
    assert one.said("POST", "/requests/count", {})["count"] == 0


def test_an_event_of_a_call_has_the_number_that_the_journal_gives_it(
    workers: Workers, both: tuple[WorkerClient, WorkerClient]
) -> None:
    one, other = both
    follower, stranger = workers.lines()
    with follower, stranger:
        follower.put("GET", "/__admin/events?kinds=call&most=3", Connection="close")
        assert follower.reply().status == 200
        for _ in range(2):
            other.turn("a")
            one.turn("b")
        one.get("/limited/a")
        heard = [json.loads(each) for each in re.findall(rb"^data: (.*)$", follower.rest(), re.MULTILINE)]
    # Which worker's record reaches the store first is not said; but it has one number everywhere
    oldest_first = reversed(one.said("GET", "/requests")["requests"])
    calls = [(each["id"], each["request"]["url"]) for each in oldest_first]
    assert len(calls) == 5
    assert [each["id"] for each in heard] == [number for number, url in calls if url != "/loops/a"]


def test_long_bodies_are_in_the_journal(both: tuple[WorkerClient, WorkerClient]) -> None:
    one, other = both
    one.get("/things", "POST", {"name": "n" * 100_000})
    [call] = other.said("GET", "/requests")["requests"]
    assert call["request"]["bodyLength"] > 100_000


def test_a_reset_at_one_worker_resets_the_other(both: tuple[WorkerClient, WorkerClient]) -> None:
    one, other = both
    one.turn("a")
    one.get("/things", "POST", {})
    other.said("PUT", "/assignments/loop", {"scenario": "once"})
    other.said("POST", "/clock/freeze", {"at": "2030-01-01T00:00:00Z"})
    one.said("POST", "/reset")
    assert other.said("GET", "/resources")["resources"] == []
    assert other.said("POST", "/requests/count", {})["count"] == 0
    assert other.said("GET", "/assignments")["assignments"] == []
    assert not other.said("GET", "/clock")["frozen"]
    assert other.get("/things", "POST", {})[1]["id"] == 1


def test_a_namespace_of_one_worker_is_listed_by_the_other(both: tuple[WorkerClient, WorkerClient]) -> None:
    one, other = both
    name = one._namespace
    one.turn("a")
    assert name in [each["name"] for each in other.said("GET", "/namespaces")["namespaces"]]
    found = other.said("GET", f"/namespaces/{name}")
    assert (found["resources"], found["journal"]) == (1, {"calls": 1, "lost": 0})
    other.said("DELETE", f"/namespaces/{name}")
    assert one.get(f"/__admin/namespaces/{name}")[0] == 404
    assert one.turn("a") == "one"


PAGE = {"Sec_Fetch_Site": "cross-site", "Origin": "http://app.example"}


@pytest.mark.parametrize(
    ("target", "fields", "status", "there"),
    [("/nothing", {}, 404, 404), ("/loops/a", PAGE, 403, 200), ("/times", PAGE, 403, 200)],
)
def test_what_finds_no_operation_or_comes_from_another_site_makes_no_namespace_but_calls_in_one(
    both: tuple[WorkerClient, WorkerClient], target: str, fields: dict[str, str], status: int, there: int
) -> None:
    one, other = both
    path = f"/__admin/namespaces/{one._namespace}"
    for place in both:
        assert place.get(target, **fields)[0] == status
        assert place.get(path)[0] == 404
    other.turn("mine")
    assert one.get(target, **fields)[0] == there
    assert other.get(path)[1]["journal"]["calls"] == 2


def put_all(place: WorkerClient, targets: list[str], names: list[str]) -> list[int]:
    """Statuses of the requests that are sent together, each in a namespace of its own."""
    found: list[int] = []
    for at in range(0, len(names), 25):
        some = names[at : at + 25]
        for name in some:
            for target in targets:
                place.line.put("GET", target, X_Mock_Namespace=name)
        found += [place.line.reply().status for _ in some for _ in targets]
    return found


def test_a_thousand_others_do_not_end_a_namespace_that_a_test_prepared(own: Workers) -> None:
    with _BothWorkers(own, "mine") as (one, other):
        one.said("POST", "/clock/freeze", {"at": "2030-01-01T00:00:00Z"})
        other.turn("a")
        for place, letter in ((one, "a"), (other, "b")):
            told = put_all(place, ["/nothing", "/loops/a"], [f"{letter}{number}" for number in range(600)])
            assert Counter(told) == {404: 600, 200: 600}
        found = {each["name"]: each for each in other.said("GET", "/namespaces")["namespaces"]}
        assert len(found) == 1_001
        assert (found["mine"]["resources"], found["mine"]["clock"]["frozen"]) == (1, True)
        assert one.turn("a") == "two"


def test_where_a_thousand_namespaces_were_controlled_the_next_is_answered_503(own: Workers) -> None:
    with _BothWorkers(own, "late") as (one, other):
        names = [f"n{number}" for number in range(1_000)]
        assert set(put_all(one, ["/__admin/clock"], names)) == {200}
        for place in (one, other):
            reply = place.line.ask("GET", "/loops/a", X_Mock_Namespace="late")
            assert (reply.status, reply.headers["retry-after"]) == (503, "1")
            assert b"DELETE /__admin/namespaces/NAME" in reply.body
            assert place.get("/__admin/clock")[0] == 503
            assert place.get("/loops/a", X_Mock_Namespace="default")[0] == 200
        assert other.get("/__admin/namespaces/n7", "DELETE")[0] == 200
        assert one.turn("a") == "one"


def test_a_clock_advanced_at_one_worker_is_advanced_at_the_other(
    both: tuple[WorkerClient, WorkerClient],
) -> None:
    one, other = both
    frozen = other.said("POST", "/clock/freeze", {"at": "2030-01-01T00:00:00Z"})
    assert one.said("GET", "/clock") == frozen
    assert one.get("/loops/slow-1")[1] == {"state": "one", "at": "2030-01-01T00:00:00.000Z"}
    one.said("POST", "/clock/advance", {"by": "29999ms"})
    assert other.turn("slow-1") == "one"
    other.said("POST", "/clock/advance", {"by": "1ms"})
    assert one.turn("slow-1") == "two"
    assert [each.said("GET", "/clock")["now"] for each in both] == ["2030-01-01T00:00:30.000Z"] * 2


def test_moves_of_the_clock_at_once_all_count(both: tuple[WorkerClient, WorkerClient]) -> None:
    both[0].said("POST", "/clock/freeze", {"at": "2030-01-01T00:00:00Z"})
    at_once(
        [
            lambda each=each: [each.said("POST", "/clock/advance", {"by": "1s"}) for _ in range(20)]  # type: ignore[misc]
            for each in both
        ]
    )
    for place in both:
        assert place.said("GET", "/clock")["milliseconds"] == parse_time("2030-01-01T00:00:40Z")


def test_a_delay_ends_when_the_other_worker_moves_the_clock(both: tuple[WorkerClient, WorkerClient]) -> None:
    one, other = both
    one.said("POST", "/clock/freeze", {"at": "2030-01-01T00:00:00Z"})
    one.line.put("GET", "/loops/a", X_Mock_Namespace=one._namespace, Prefer="wait=30")
    # The call is counted before it is delayed.
    while other.said("POST", "/requests/count", {"urlPattern": "/loops/.*"})["count"] == 0:
        pass
    other.said("POST", "/clock/advance", {"by": "30s"})
    assert one.line.reply().status == 200


@pytest.mark.parametrize("ending", ["DELETE /namespaces/{}", "POST /reset"])
def test_a_delay_ends_when_the_other_worker_ends_the_namespace(
    both: tuple[WorkerClient, WorkerClient], ending: str
) -> None:
    one, other = both
    name = one._namespace
    one.said("POST", "/clock/freeze", {"at": "2090-01-01T00:00:00Z"})
    one.line.put("GET", "/loops/a", X_Mock_Namespace=name, Prefer="wait=30")
    while other.said("POST", "/requests/count", {"urlPattern": "/loops/.*"})["count"] == 0:
        pass
    other.said(*ending.format(name).split())
    assert one.line.reply().status == 200


# What is served


@pytest.fixture
def own(redis: Redis, folder: Path, request: pytest.FixtureRequest) -> Iterator[Workers]:
    """A server of the test's own, because what it serves changes; it starts from what others compiled."""
    with Workers(redis.url, request.node.name, folder) as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own")


def test_a_document_that_is_put_is_served_by_all_when_that_is_answered(own: Workers) -> None:
    with _BothWorkers(own, "default") as (one, other):
        for number, place, witness in ((1, one, other), (2, other, one)):
            document = LOOPS.replace("/times:", f"/times{number}:")
            place.said("PUT", "/document?name=loops", document)
            assert witness.get(f"/times{number}")[0] == 200
            assert witness.get("/__admin/health")[1] == place.get("/__admin/health")[1]


class Callers:
    """Clients that call all the time until this is left; every one of their calls is answered with 200."""

    def __init__(self, workers: Workers, namespace: str) -> None:
        self._places = [WorkerClient(each, namespace) for each in workers.lines()]
        self._done = threading.Event()
        self._pool = ThreadPoolExecutor(len(self._places))

    def _call(self, place: WorkerClient) -> int:
        count = 0
        while not self._done.is_set():
            place.turn("busy")
            count += 1
        return count

    def __enter__(self) -> None:
        self._calling = [self._pool.submit(self._call, each) for each in self._places]

    def __exit__(self, *_: object) -> None:
        self._done.set()
        with self._pool:
            assert all(each.result() for each in self._calling)
        for place in self._places:
            place.line.socket.close()


def test_a_scenario_file_that_is_put_is_served_by_all(own: Workers) -> None:
    with _BothWorkers(own, "default") as (one, other), Callers(own, "busy"):
        assert one.turn("a") == "one"
        one.said("PUT", "/scenario-files/loop", LOOP.replace("{state: two}", "{state: second}"))
        assert other.turn("a") == "second", "a resource stays where it stands"
        assert "second" in other.line.ask("GET", "/__admin/scenario-files/loop").body.decode()
        wheel = LOOP.replace("loop: [", "wheel: [").replace("scenario: loop", "scenario: wheel")
        other.said("PUT", "/scenario-files/loop", wheel)
        assert one.said("GET", "/resources")["meta"]["total"] == 0
        assert one.turn("a") == "one", "begins anew where its scenario is no longer served"
        assert other.get("/__admin/scenario-files/loop", "PUT", "resource: loop\nkey: nonsense\n")[0] == 422
        assert one.turn("a") == "two"


LIMITED = """
resource: limited
key: path.id
operations: {hit: hit}
states: {changed: {body: {state: changed}}}
scenarios: {changed: [changed]}
"""


def test_files_that_are_put_to_both_at_once_are_all_served(own: Workers) -> None:
    with _BothWorkers(own, "default") as (one, other):
        second = LOOP.replace("{state: two}", "{state: second}")
        at_once(
            [
                lambda: one.said("PUT", "/scenario-files/loop", second),
                lambda: other.said("PUT", "/scenario-files/limit", LIMITED),
            ]
        )
        for place in (one, other):
            assert place.get("/limited/1")[1]["state"] == "changed"
        assert [one.turn("b"), other.turn("b")] == ["one", "second"]


WATCHED = """
resource: loop
key: path.id
operations: {turn: turn}
states: {one: {body: {state: one}}, two: {body: {state: two}}, three: {body: {state: three}}}
scenarios: {timed: [{state: one, until: {after: 10s}}, {state: two, until: {after: 10s}}, three]}
notify: {on: [one, two, three], url: "URL/{{ resource.state }}"}
"""


def test_a_state_that_time_enters_is_noticed_once_though_both_watch(own: Workers) -> None:
    with _BothWorkers(own, "default") as (one, other), receiving() as receiver:
        one.said("PUT", "/scenario-files/loop", WATCHED.replace("URL", receiver.url))
        one.said("POST", "/clock/freeze", {"at": "2030-01-01T00:00:00Z"})
        assert [each.turn("a") for each in (one, other, one, other)] == ["one"] * 4
        came = [receiver.next().path]
        for _ in range(2):
            other.said("POST", "/clock/advance", {"by": "10s"})
            came.append(receiver.next().path)
        assert came == ["/hook/one", "/hook/two", "/hook/three"]
        assert receiver.received.empty()
        assert [each.turn("a") for each in (one, other)] == ["three"] * 2
        outcomes = [each for place in (one, other) for each in place.said("GET", "/notices")["notices"]]
        assert sorted(each["state"] for each in outcomes) == ["one", "three", "two"]
