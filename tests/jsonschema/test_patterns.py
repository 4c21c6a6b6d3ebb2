from __future__ import annotations

import json

import pytest

from mockserver.engine.request.validation import Checker, compile_checker
from mockserver.jsonschema import Schemas
from mockserver.jsonschema.patterns import ACCOUNT, MAX_WORK, Account, accounted, backtracks, strict
from mockserver.messages import Request
from mockserver.plan import MediaType, Operation, RequestBody


@pytest.mark.parametrize(
    ("written", "run"),
    [
        (r"^[a-z]{2,3}$", r"^[a-z]{2,3}$"),
        (r"[\w-.]", r"[\w\-.]"),
        (r"[.-\w]", r"[.\-\w]"),
        (r"[a-c-e]", r"[a-c\-e]"),
        (r"[-a]", r"[\-a]"),
        (r"[^\]a]", r"[^\]a]"),
        (r"[[:alpha:]]", r"[\[:alpha:]\]"),
        (r"[\b\0]", r"[\x08\x00]"),
        ("[^]", r"[\s\S]"),
        ("[]", "(?!)"),
        ("{a}", r"\{a\}"),
        ("a{,3}", r"a\{,3\}"),
        (r"\p{L}{2}", r"\p{L}{2}"),
        (r"\A\d\z", r"^\d$"),
        ("[a", "[a"),
        ("a\\", "a\\"),
    ],
)
def test_strict(written: str, run: str) -> None:
    assert strict(written) == run


HARD = "^((?=a)a|(?=a)aa)+$"
TEXT = "a" * 40
WORD = r"^(?!x-)[a-z]+$"
TREES = {"u": {"s": {"items": {"type": "string", "pattern": HARD}}, "w": {"items": {"pattern": WORD}}}}


@pytest.mark.parametrize(
    ("pattern", "verdict"),
    [(HARD, True), (WORD, True), (r"(a)\1", True), ("^(a+)+$", False), ("(?<n>a)", False)],
)
def test_patterns_that_backtrack_are_told_from_others(pattern: str, verdict: bool) -> None:
    assert backtracks(pattern) is verdict


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What matches took of the account."""
    found: list[int] = []
    take = Account.take

    def taking(self: Account, work: int) -> bool:
        granted = take(self, work)
        found.extend([work] if granted else [])
        return granted

    monkeypatch.setattr(Account, "take", taking)
    return found


def checker(schema: str) -> Checker:
    body = RequestBody(True, (MediaType("application/json", f"u#/{schema}"),))
    operation = Operation("post", "POST", "/", (), body, ())
    return compile_checker(operation, Schemas(TREES, "3.1"), {})


def check(checker: Checker, texts: list[str]) -> tuple[int, str]:
    body = json.dumps(texts).encode()
    found = checker.check(Request("POST", "/", "", {"content-type": "application/json"}, body), {})
    return found.status, found.violations[0].message if found.violations else ""


def test_the_texts_of_a_request_share_what_patterns_may_take(taken: list[int]) -> None:
    made = checker("s")
    # Each is a match by backtracking nearly to the end
    status, message = check(made, [f"{TEXT}b{number}" for number in range(2000)])
    assert status == 422
    assert "within the limit on the work of patterns per request" in message
    assert sum(taken) <= MAX_WORK
    taken.clear()
    assert check(made, [TEXT]) == (0, "")  # the next request has an account of its own


def test_the_same_text_is_matched_once_in_a_request(taken: list[int]) -> None:
    made = checker("s")
    assert check(made, [f"{TEXT}b"])[0] == 422
    once = list(taken)
    taken.clear()
    assert once
    assert check(made, [f"{TEXT}b"] * 2000)[0] == 422
    assert taken == once


def test_a_long_text_is_not_held_until_the_end_of_its_request() -> None:
    ACCOUNT.begin()
    try:
        accounted(WORD)("a" * 1_000)
        assert len(ACCOUNT.known) == 1
        accounted(WORD)("a" * 1_001)
        assert len(ACCOUNT.known) == 1
    finally:
        ACCOUNT.end()
    assert not ACCOUNT.known


def test_a_pattern_that_looks_around_and_matches_at_once_takes_nothing(taken: list[int]) -> None:
    assert check(checker("w"), ["word"] * 5000) == (0, "")
    assert taken == []


def test_a_pattern_beside_a_format_is_told_as_it_stands_in_the_document() -> None:
    schema = {"format": "email", "pattern": WORD, "allOf": [{"pattern": r"(?!y)"}]}
    made = Schemas({"u": {"s": schema}}, "3.0").validator("u#/s", "request")
    assert [(each.keyword, each.schema, each.expected) for each in made.violations("x-1")] == [
        ("format", "u#/s/format", "email"),
        ("pattern", "u#/s/pattern", WORD),
    ]


def test_without_a_request_each_text_has_an_account_of_its_own(taken: list[int]) -> None:
    texts = [TEXT + "b", "a" * 5000 + "b"]
    assert not any(map(accounted(HARD), texts))
    assert taken
    assert max(taken) <= MAX_WORK
