from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver import inputs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("200ms", 200),
        ("30s", 30_000),
        ("5m", 300_000),
        ("1h", 3_600_000),
        ("2d", 172_800_000),
        ("1.5s", 1500),
        ("0s", 0),
        (" 7 s ", 7000),
        ("0.5ms", 0),
    ],
)
def test_what_a_duration_is(text: str, expected: int) -> None:
    assert inputs.parse_duration(text) == expected


@pytest.mark.parametrize(
    "text", ["", "30", "s", "-1s", "30 seconds", "1s2s", "1,5s", "1e3s", "ms", "30S", ".5s", "1.s", "1s\n1s"]
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as 200ms"):
        inputs.parse_duration(text)


@pytest.mark.parametrize("text", ["365001d", "99999999999999999999d", "9" * 400 + "d", "31536000000000001ms"])
def test_what_is_too_long(text: str) -> None:
    with pytest.raises(ValueError, match="is longer than 365000d"):
        inputs.parse_duration(text)
    assert inputs.parse_duration("365000d") == inputs.MAX_DURATION


@given(st.integers(0, 10**12))
def test_written_durations_are_read_back(length: int) -> None:
    assert inputs.parse_duration(inputs.format_duration(length)) == length


@pytest.mark.parametrize(
    ("length", "expected"), [(0, "0ms"), (1500, "1500ms"), (60_000, "1m"), (86_400_000, "1d")]
)
def test_durations_are_written_shortly(length: int, expected: str) -> None:
    assert inputs.format_duration(length) == expected
