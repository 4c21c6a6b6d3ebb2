from __future__ import annotations

import fnmatch
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.engine.resources.conditions import Selection, cookies, query, reader
from mockserver.messages import Request
from mockserver.plan import Condition, Lookup, Rule

REQUEST = Request(
    "POST",
    "/things/7",
    "limit=10&limit=20&q=a+b%26c&empty=&odd=%ff",
    {"x-tenant": "Acme-East", "cookie": 'session=abc; theme="dark"', "host": "localhost"},
)
PATH = {"id": "7", "Name": "x"}
BODY = {"id": 5, "nested": {"list": [{"name": "first"}]}, "flag": True, "none": None, "text": "Hello"}


@pytest.mark.parametrize(
    ("part", "name", "expected"),
    [
        ("path", "id", "7"),
        ("path", "name", None),
        ("query", "limit", "10"),
        ("query", "q", "a b&c"),
        ("query", "empty", ""),
        ("query", "odd", "�"),
        ("query", "other", None),
        ("header", "X-Tenant", "Acme-East"),
        ("header", "X-Other", None),
        ("cookie", "session", "abc"),
        ("cookie", "theme", "dark"),
        ("cookie", "other", None),
        ("method", "", "POST"),
        ("body", "id", "5"),
        ("body", "flag", "true"),
        ("body", "none", None),
        ("body", "nested", None),
        ("body", "nested.list.0.name", "first"),
        ("body", "/nested/list/0/name", "first"),
        ("body", "nested.list.1.name", None),
        ("body", "nested.list.first", None),
        ("body", "nested.list.²", None),
        ("body", "nested.list." + "9" * 5000, None),
        ("body", "text.more", None),
    ],
)
def test_a_part_of_a_request_is_read(part: str, name: str, expected: str | None) -> None:
    assert reader(Lookup(part, name))(REQUEST, PATH, BODY) == expected


@pytest.mark.parametrize("body", [None, [], "text", 5, b"bytes"])
def test_a_body_without_the_part_gives_nothing(body: Any) -> None:
    assert reader(Lookup("body", "id"))(REQUEST, PATH, body) is None


@pytest.mark.parametrize("value", ["", "a", "=;", "a=b=c; d", '"', "\x80=\xff", "a=1; ;;=b"])
def test_any_cookie_or_query_is_read(value: str) -> None:
    request = Request("GET", "/", value, {"cookie": value})
    assert all(isinstance(each, str) for each in (*cookies(request).values(), *query(request).values()))


def rule(scenario: str, **parts: str) -> Rule:
    """``rule("x", path_id="7 8")``: a condition for each part, whose patterns stand between spaces."""
    conditions = []
    for place, patterns in parts.items():
        part, _, name = place.partition("_")
        conditions.append(Condition(part, name, tuple(patterns.split(" "))))  # type: ignore[arg-type]
    return Rule(tuple(conditions), scenario)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([], "default"),
        ([rule("always")], "always"),
        ([rule("a", path_id="7")], "a"),
        ([rule("a", path_id="8")], "default"),
        ([rule("a", path_id="8 7")], "a"),
        ([rule("a", path_id="8"), rule("b", path_id="7")], "b"),
        ([rule("a", path_id="7"), rule("b", path_id="7")], "a"),
        ([rule("glob", path_id="?"), rule("exact", path_id="7")], "glob"),
        ([rule("exact", path_id="7"), rule("glob", path_id="?")], "exact"),
        ([rule("a", path_id="[0-6]"), rule("b", path_id="[!0-6]")], "b"),
        ([rule("always"), rule("b", path_id="7")], "always"),
        ([rule("a", query_q="a b&c")], "default"),
        ([rule("a", query_q="a*c")], "a"),
        ([rule("a", **{"header_X-Tenant": "acme-*"})], "a"),
        ([rule("a", **{"header_X-Tenant": "ACME-EAST"})], "a"),
        ([rule("a", **{"header_X-Tenant": "acme"})], "default"),
        ([rule("a", **{"header_X-Missing": "*"})], "default"),
        ([rule("a", path_id="7", query_limit="11"), rule("b", path_id="7", query_limit="1?")], "b"),
        ([rule("a", method_="POST", body_flag="true")], "a"),
        ([rule("a", cookie_session="abc"), rule("b", path_id="7")], "a"),
        ([rule("b", path_id="9"), rule("a", cookie_session="abc"), rule("c", path_id="7")], "a"),
    ],
)
def test_the_first_rule_that_holds_decides(rules: list[Rule], expected: str) -> None:
    assert Selection(rules, "default", ()).choose(REQUEST, PATH, BODY) == expected


def naive(rules: list[Rule], path: dict[str, str]) -> str:
    for each in rules:
        if all(
            condition.name in path
            and any(fnmatch.fnmatchcase(path[condition.name], pattern) for pattern in condition.patterns)
            for condition in each.conditions
        ):
            return each.scenario
    return "default"


PATTERNS = st.lists(st.text("ab*?", min_size=1, max_size=3), min_size=1, max_size=2).map(tuple)
CONDITIONS = st.builds(Condition, st.just("path"), st.sampled_from("xy"), PATTERNS)
RULES = st.lists(
    st.tuples(st.lists(CONDITIONS, max_size=2).map(tuple), st.sampled_from("pqrs")).map(
        lambda each: Rule(*each)
    ),
    max_size=6,
)


@given(RULES, st.dictionaries(st.sampled_from("xy"), st.text("ab", max_size=3)))
def test_the_index_of_rules_decides_as_trying_every_rule_in_turn(
    rules: list[Rule], path: dict[str, str]
) -> None:
    assert Selection(rules, "default", ()).choose(REQUEST, path, None) == naive(rules, path)
