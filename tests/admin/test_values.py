from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.admin.http import Budget, ControlError
from mockserver.admin.matching.values import ValuePattern


def loosely(wanted: Any) -> Any:
    return {"equalToJson": wanted, "ignoreArrayOrder": True, "ignoreExtraElements": True}


MATCHES: list[tuple[Any, str | None]] = [
    ("plain", "plain"),
    ({"equalTo": "a"}, "a"),
    ({"equalTo": "A", "caseInsensitive": True}, "a"),
    ({"contains": "b"}, "abc"),
    ({"contains": "B", "caseInsensitive": True}, "abc"),
    ({"doesNotContain": "x"}, "abc"),
    ({"doesNotContain": "x"}, None),
    ({"matches": "a.c"}, "abc"),
    ({"matches": "a|bc"}, "bc"),
    ({"matches": "(?!x).*"}, "abc"),
    ({"matches": "(a)\\1"}, "aa"),
    ({"doesNotMatch": "b"}, "abc"),
    ({"doesNotMatch": "b"}, None),
    ({"absent": True}, None),
    ({"absent": False}, "a"),
    ({"equalToJson": '{"a": 1, "b": [1, 2]}'}, '{"b":[1.0,2],"a":1}'),
    ({"equalToJson": {"a": 1}}, '{"a":1}'),
    ({"equalToJson": [1, [2, 3]], "ignoreArrayOrder": True}, "[[3,2],1]"),
    ({"equalToJson": {"a": {"b": 1}}, "ignoreExtraElements": True}, '{"a":{"b":1,"c":2},"d":3}'),
    ({"equalToJson": [2], "ignoreExtraElements": True, "ignoreArrayOrder": True}, "[1,2]"),
    (loosely([{"a": 1}, {"a": 1, "b": 2}]), '[{"a":1,"b":2},{"a":1}]'),
    (loosely([{"a": 1}, {"b": 1}, {"c": 1}]), '[{"a":1,"b":1},{"b":1,"c":1},{"a":1}]'),
    (loosely([{}, {}, {"a": 1}]), '[{"a":1},{"b":1},{"c":1},{"d":1}]'),
    (loosely([[{"a": 1}, {}], []]), '[[{"b":1},{"a":1}],[{"a":1},{"c":1}]]'),
    ({"matchesJsonPath": "$.a"}, '{"a":false}'),
    ({"matchesJsonPath": "$.a[?@.b == 'x']"}, '{"a":[{"b":"x"}]}'),
    ({"matchesJsonPath": "$[?match(@.a, 'x+')]"}, '[{"a":"xx"}]'),
    ({"matchesJsonPath": {"expression": "$.a", "equalTo": "1"}}, '{"a":1}'),
    ({"matchesJsonPath": {"expression": "$.a", "equalToJson": {"b": 1}}}, '{"a":{"b":1}}'),
    ({"matchesJsonPath": {"expression": "$.a", "absent": True}}, '{"b":1}'),
    ({"and": [{"contains": "a"}, {"contains": "b"}]}, "ab"),
    ({"or": [{"contains": "x"}, {"contains": "b"}]}, "ab"),
    ({"not": {"or": [{"contains": "x"}, {"absent": True}]}}, "ab"),
]

MISSES: list[tuple[Any, str | None]] = [
    ("plain", "Plain"),
    ({"equalTo": "a"}, None),
    ({"contains": "x"}, None),
    ({"matches": "b"}, "abc"),
    ({"matches": ".*"}, None),
    ({"doesNotMatch": "a.c"}, "abc"),
    ({"absent": True}, ""),
    ({"absent": False}, None),
    ({"equalToJson": "1"}, "true"),
    ({"equalToJson": {"a": 1}}, '{"a":1,"b":2}'),
    ({"equalToJson": [1, 2]}, "[2,1]"),
    ({"equalToJson": [1, 1, 2], "ignoreArrayOrder": True}, "[1,2,2]"),
    (loosely([{"a": 1}, {"a": 1}]), '[{"a":1,"b":2},{"a":2},{}]'),
    (loosely([{"a": 1}, {"b": 1}, {"a": 1, "b": 1}]), '[{"a":1,"b":1},{"a":1},{"a":1}]'),
    ({"equalToJson": {}}, "no json"),
    ({"matchesJsonPath": "$.a"}, '{"a":null}'),
    ({"matchesJsonPath": "$.a"}, "no json"),
    ({"matchesJsonPath": {"expression": "$.a", "equalTo": "2"}}, '{"a":1}'),
    ({"and": [{"contains": "a"}, {"contains": "x"}]}, "ab"),
    ({"not": {"contains": "a"}}, "ab"),
]

FAULTS: list[tuple[Any, str]] = [
    (7, ""),
    ({}, ""),
    ({"equalsTo": "a"}, ""),
    ({"equalTo": "a", "contains": "b"}, ""),
    ({"equalTo": 1}, "/equalTo"),
    ({"equalTo": "a", "ignoreArrayOrder": True}, "/ignoreArrayOrder"),
    ({"equalTo": "a", "caseInsensitive": "yes"}, "/caseInsensitive"),
    ({"matches": "("}, "/matches"),
    ({"matches": "a" * 5000}, "/matches"),
    ({"absent": "no"}, "/absent"),
    ({"equalToJson": "{"}, "/equalToJson"),
    ({"matchesJsonPath": "$["}, "/matchesJsonPath"),
    ({"matchesJsonPath": {"equalTo": "a"}}, "/matchesJsonPath/expression"),
    ({"and": []}, "/and"),
    ({"or": [{"contains": "a"}, {"matches": "["}]}, "/or/1/matches"),
    ({"not": {"not": {"matches": "*"}}}, "/not/not/matches"),
]


def matches(pattern: Any, value: str | None) -> bool:
    return ValuePattern(pattern, "").test(value, Budget())


@pytest.mark.parametrize(("pattern", "value"), MATCHES, ids=json.dumps)
def test_value_pattern_matches_the_value(pattern: Any, value: str | None) -> None:
    assert matches(pattern, value)


@pytest.mark.parametrize(("pattern", "value"), MISSES, ids=json.dumps)
def test_value_pattern_does_not_match_other_values(pattern: Any, value: str | None) -> None:
    assert not matches(pattern, value)


@pytest.mark.parametrize(("pattern", "pointer"), FAULTS, ids=lambda each: json.dumps(each)[:60])
def test_invalid_patterns_are_reported_with_a_pointer(pattern: Any, pointer: str) -> None:
    with pytest.raises(ControlError) as raised:
        ValuePattern(pattern, "")
    assert raised.value.status == 422
    assert raised.value.members["pointer"] == pointer


@given(
    wanted=st.lists(st.frozensets(st.sampled_from("abcd")), max_size=5),
    actual=st.lists(st.frozensets(st.sampled_from("abcd")), max_size=6),
)
def test_array_elements_match_in_any_order(
    wanted: list[frozenset[str]], actual: list[frozenset[str]]
) -> None:
    found = matches(
        loosely([dict.fromkeys(each, 1) for each in wanted]),
        json.dumps([dict.fromkeys(each, 1) for each in actual]),
    )
    chosen = itertools.permutations(actual, len(wanted))
    assert found == any(all(map(frozenset.issubset, wanted, each)) for each in chosen)


def test_deeply_nested_patterns_are_refused() -> None:
    pattern: Any = {"contains": "a"}
    for _ in range(50):
        pattern = {"not": pattern}
    with pytest.raises(ControlError):
        ValuePattern(pattern, "")


@pytest.mark.parametrize("pattern", ["(a+)+", "(a|a)*", "(a|aa)+", "([a-z]+)*", "(.*)*", "(a*)*b"])
def test_patterns_that_would_backtrack_run_in_linear_time(pattern: str) -> None:
    assert not matches({"matches": pattern}, "a" * 50_000 + "!") or pattern == "(.*)*"


def test_slow_backtracking_pattern_is_an_error() -> None:
    with pytest.raises(ControlError, match="backtracks"):
        matches({"matches": "(?=a)(a*)*\\1c"}, "a" * 200)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("$..*..*..*..*..*..x", "[" * 200 + "]" * 200),
        ("$[?count($..*) > count($..*)]", "[" + "1," * 5000 + "1]"),
    ],
)
def test_endless_json_path_is_an_error(path: str, body: str) -> None:
    with pytest.raises(ControlError, match="Use a narrower pattern"):
        matches({"matchesJsonPath": path}, body)


def test_a_text_of_json_with_more_values_than_a_control_request_may_hold_is_refused() -> None:
    most = "[" + "1," * 19_998 + "1]"
    assert ValuePattern({"equalToJson": most}, "/body").test(most, Budget())
    with pytest.raises(ControlError, match="more than 20,000 values"):
        ValuePattern({"equalToJson": "[" + "1," * 20_001 + "1]"}, "/body")
