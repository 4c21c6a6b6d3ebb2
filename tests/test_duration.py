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
def test_valid_duration_is_parsed_as_milliseconds(text: str, expected: int) -> None:
    assert inputs.parse_duration(text) == expected


@pytest.mark.parametrize(
    "text", ["", "30", "s", "-1s", "30 seconds", "1s2s", "1,5s", "1e3s", "ms", "30S", ".5s", "1.s", "1s\n1s"]
)
def test_invalid_duration_raises_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as 200ms"):
        inputs.parse_duration(text)


@pytest.mark.parametrize("text", ["365001d", "99999999999999999999d", "9" * 400 + "d", "31536000000000001ms"])
def test_duration_above_the_maximum_raises_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="is longer than 365000d"):
        inputs.parse_duration(text)
    assert inputs.parse_duration("365000d") == inputs.MAX_DURATION


@given(st.integers(0, 10**12))
def test_written_durations_are_read_back(length: int) -> None:
    assert inputs.parse_duration(inputs.format_duration(length)) == length


@pytest.mark.parametrize(
    ("length", "expected"), [(0, "0ms"), (1500, "1500ms"), (60_000, "1m"), (86_400_000, "1d")]
)
def test_duration_is_written_in_its_largest_unit(length: int, expected: str) -> None:
    assert inputs.format_duration(length) == expected
