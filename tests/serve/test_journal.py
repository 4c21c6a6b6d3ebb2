from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mockserver.serve.answer import Answer
from mockserver.serve.journal import MOST_BODY, Call, Cut, Journal, Ledger
from mockserver.serve.request import Request


def write(journal: Journal, path: str = "/", body: bytes = b"", said: bytes = b"") -> None:
    journal.write(Request("GET", path, "", {}, body), Answer(200, [], said), 0, 0.0)


def paths(journal: Journal) -> list[str]:
    return [Call(*record).request.raw_path for record in journal.records()]


def test_keeps_the_last_calls_and_counts_the_others() -> None:
    journal = Ledger(calls=3).open("a")
    for number in range(5):
        write(journal, f"/{number}")
    assert paths(journal) == ["/2", "/3", "/4"]
    assert (len(journal), journal.lost, journal.number) == (3, 2, 5)


def test_what_is_removed_is_not_lost() -> None:
    journal = Ledger(calls=10).open("a")
    for number in range(4):
        write(journal, f"/{number}")
    assert [call.request.raw_path for call in journal.remove({2, 3, 99})] == ["/1", "/2"]
    assert (paths(journal), journal.lost) == (["/0", "/3"], 0)
    assert journal.find(4) is not None
    assert journal.find(2) is None


def test_clearing_begins_anew_but_numbers_go_on() -> None:
    journal = Ledger(calls=2).open("a")
    for _ in range(3):
        write(journal)
    journal.clear()
    assert (len(journal), journal.lost, journal.size) == (0, 0, 0)
    write(journal)
    assert journal.records()[0][0] == 4


def test_long_bodies_are_cut_and_say_how_long_they_were() -> None:
    journal = Ledger().open("a")
    write(journal, body=b"x" * (MOST_BODY + 1), said=b"y" * MOST_BODY)
    [record] = journal.records()
    call = Call(*record)
    assert isinstance(call.request.body, Cut)
    assert (len(call.request.body), call.request.body.length) == (MOST_BODY, MOST_BODY + 1)
    assert not isinstance(call.answer.body, Cut)


def test_the_bound_on_bytes_holds_for_all_journals_together() -> None:
    ledger = Ledger(calls=1000, most=1_000_000)
    noisy, quiet = ledger.open("noisy"), ledger.open("quiet")
    write(quiet)
    for _ in range(100):
        write(noisy, body=b"x" * 50_000)
    assert ledger.size <= ledger.most
    assert noisy.lost > 50
    assert quiet.lost == 0


def test_a_closed_journal_weighs_nothing() -> None:
    ledger = Ledger()
    journal = ledger.open("a")
    write(journal, body=b"x" * 50_000)
    assert ledger.size > 50_000
    ledger.close(journal)
    assert ledger.size == 0


def test_without_a_bound_on_calls_nothing_is_kept_but_it_can_be_followed() -> None:
    ledger = Ledger(calls=0)
    journal = ledger.open("a")
    heard: list[int] = []
    write(journal, body=b"x" * 50_000)
    ledger.watch = lambda _, record: heard.append(record[0])
    write(journal)
    assert (len(journal), journal.lost, ledger.size, journal.kept) == (0, 0, 0, False)
    assert heard == [2]


UNTOLD = 64 * 3072
"""What a journal may hold before it tells the ledger."""
SIZES = st.integers(0, 3 * MOST_BODY)
ACTIONS = st.one_of(
    st.tuples(st.just("write"), SIZES),
    st.tuples(st.just("drop"), st.integers(0, 5)),
    st.tuples(st.just("remove"), st.integers(1, 60)),
    st.tuples(st.just("clear"), st.just(0)),
)


@given(st.lists(ACTIONS, max_size=60), st.integers(0, 8))
def test_sizes_and_losses_add_up(actions: list[tuple[str, int]], most: int) -> None:
    ledger = Ledger(calls=most, most=600_000)
    journal = ledger.open("a")
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
        assert 0 <= journal.size - ledger.size < UNTOLD
        assert journal.size < ledger.most + UNTOLD
        if most:
            assert journal.lost == written - removed - len(journal)
