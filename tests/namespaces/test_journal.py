from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.diagnostics import Violation
from mockserver.engine.delays import dribbled
from mockserver.messages import Request, Response
from mockserver.namespaces.clock import Clock
from mockserver.namespaces.journal import MAX_BODY, Call, Journal, JournalPool, TruncatedBody
from mockserver.plan import Dribble
from tests.traced import traced

FIELDS = {"host": "localhost"}
LISTED = [("content-type", "application/json")]
BODY = b'{"status": "pending"}'


def write(journal: Journal, path: str = "/", body: bytes = b"", said: bytes = b"") -> None:
    journal.write(Request("GET", path, "", {}, body), Response(200, [], said), 0, 0.0)


def paths(journal: Journal) -> list[str]:
    return [Call(*record).request.raw_path for record in journal.records()]


def test_keeps_the_last_calls_and_counts_the_others() -> None:
    journal = JournalPool(calls=3).open("a")
    for number in range(5):
        write(journal, f"/{number}")
    assert paths(journal) == ["/2", "/3", "/4"]
    assert (len(journal), journal.lost, journal.number) == (3, 2, 5)


def test_removed_call_is_not_lost() -> None:
    journal = JournalPool(calls=10).open("a")
    for number in range(4):
        write(journal, f"/{number}")
    assert [call.request.raw_path for call in journal.remove({2, 3, 99})] == ["/1", "/2"]
    assert (paths(journal), journal.lost) == (["/0", "/3"], 0)
    assert journal.find(4) is not None
    assert journal.find(2) is None


def test_clearing_begins_anew_but_numbers_go_on() -> None:
    journal = JournalPool(calls=2).open("a")
    for _ in range(3):
        write(journal)
    journal.clear()
    assert (len(journal), journal.lost, journal.size) == (0, 0, 0)
    write(journal)
    assert journal.records()[0][0] == 4


def test_long_bodies_are_cut_and_say_how_long_they_were() -> None:
    journal = JournalPool().open("a")
    write(journal, body=b"x" * (MAX_BODY + 1), said=b"y" * MAX_BODY)
    [record] = journal.records()
    call = Call(*record)
    assert isinstance(call.request.body, TruncatedBody)
    assert (len(call.request.body), call.request.body.length) == (MAX_BODY, MAX_BODY + 1)
    assert not isinstance(call.response.body, TruncatedBody)


def test_the_bound_on_bytes_holds_for_all_journals_together() -> None:
    journal_pool = JournalPool(calls=1000, max_bytes=1_000_000)
    noisy, quiet = journal_pool.open("noisy"), journal_pool.open("quiet")
    write(quiet)
    for _ in range(100):
        write(noisy, body=b"x" * 50_000)
    assert journal_pool.size <= journal_pool.max_bytes
    assert noisy.lost > 50
    assert quiet.lost == 0


def test_a_closed_journal_weighs_nothing() -> None:
    journal_pool = JournalPool()
    journal = journal_pool.open("a")
    write(journal, body=b"x" * 50_000)
    assert journal_pool.size > 50_000
    journal_pool.close(journal)
    assert journal_pool.size == 0


def test_without_a_bound_on_calls_nothing_is_kept_but_it_can_be_followed() -> None:
    journal_pool = JournalPool(calls=0)
    journal = journal_pool.open("a")
    heard: list[int] = []
    write(journal, body=b"x" * 50_000)
    journal_pool.watch = lambda _, record: heard.append(record[0])
    write(journal)
    assert (len(journal), journal.lost, journal_pool.size, journal.enabled) == (0, 0, 0, False)
    assert heard == [2]


KINDS: dict[str, Callable[[int], tuple[Request, Response]]] = {
    "a poll": lambda number: (
        Request("GET", f"/things/{number:036d}", "", FIELDS, b"", FIELDS),
        Response(200, LISTED, BODY, f"scenario=a; state=b; call={number}", 0, "", None, "poll", "thing",
               f"{number:036d}", (), b"HTTP/1.1 200 OK"),
    ),
    "a long header field": lambda number: (
        Request("GET", "/", "", {"host": "localhost", "x-a": f"{number:060000d}"}), Response(200, [], BODY)
    ),
    "a hundred short header fields": lambda number: (
        Request("GET", "/", "", {f"x-{number}-{each}": f"{number}" for each in range(100)}), Response(200)
    ),
    "a long key": lambda number: (
        Request("GET", f"/{number:015000d}"), Response(200, [], b"", "", key=f"{number:015000d}")
    ),
    "a long query": lambda number: (Request("GET", "/", f"{number:015000d}"), Response(200)),
    "a key beyond ASCII": lambda number: (
        Request("GET", f"/{number}"), Response(200, key=f"\N{PILE OF POO}{number:02000d}")
    ),
    "bodies": lambda number: (
        Request("POST", "/", "", {}, b"%060000d" % number), Response(200, [], b"%040000d" % number)
    ),
    "bodies that are cut": lambda number: (
        Request("POST", "/", "", {}, b"%0200000d" % number), Response(200, [], b"%0200000d" % number)
    ),
    "header fields of the answer": lambda number: (
        Request("GET", "/"), Response(200, [(f"x-{each}", f"{number:0500d}") for each in range(20)])
    ),
    "what is wrong with a body": lambda number: (
        Request("POST", "/"),
        Response(422, violations=[
            Violation("body", "", f"/{each}", "type", f"{number:0200d}", [f"{number}"] * 5000, ["a"])
            for each in range(20)
        ]),
    ),
    "warnings": lambda number: (
        Request("GET", "/"), Response(200, warnings=[f"{number:0900d}", f"{number:01000d}"])
    ),
    "an answer that dribbles": lambda number: (
        Request("GET", "/"),
        Response(200, [], body := b"%0200000d" % number, stream=dribbled(body, Dribble(10, 10), Clock())),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_calls_of_any_kind_weigh_what_they_take(kind: str) -> None:
    number, make = 100, KINDS[kind]
    journal = JournalPool(max_bytes=1 << 30).open("a")
    made = map(make, range(10**6, 10**6 + number))
    with traced() as size:
        for request, response in made:
            journal.write(request, response, 1_800_000_000_000 + journal.number, 0.001 * journal.number)
        del request, response
        taken = size()
    assert taken <= journal.size <= 2 * taken


def test_the_size_of_a_call_is_what_the_journal_gives_up_with_it() -> None:
    journal = JournalPool(calls=2).open("a")
    for size in (70_000, 10, 5_000):
        write(journal, body=b"x" * size)
    assert journal.size == sum(record[5] for record in journal.records())


SIZES = st.integers(0, 3 * MAX_BODY)
ACTIONS = st.one_of(
    st.tuples(st.just("write"), SIZES),
    st.tuples(st.just("drop"), st.integers(0, 5)),
    st.tuples(st.just("remove"), st.integers(1, 60)),
    st.tuples(st.just("clear"), st.just(0)),
)


@given(st.lists(ACTIONS, max_size=60), st.integers(0, 8))
def test_sizes_and_losses_add_up(actions: list[tuple[str, int]], most: int) -> None:
    journal_pool = JournalPool(calls=most, max_bytes=600_000)
    journal = journal_pool.open("a")
    written = removed = 0
    for action, value in actions:
        match action:
            case "write":
                write(journal, body=b"x" * value)
                written += 1
            case "drop":
                journal.drop(value)
            case "remove":
                removed += len(journal.remove({value}))
            case "clear":
                journal.clear()
                written = removed = 0
        assert len(journal) <= most
        assert journal.size == journal_pool.size <= journal_pool.max_bytes
        if most:
            assert journal.lost == written - removed - len(journal)
