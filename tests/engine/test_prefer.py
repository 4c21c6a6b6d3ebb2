from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.engine.prefer import NONE, Preference, parse_prefer


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", NONE),
        ("code=404", Preference(code=404)),
        ("Code=404", Preference(code=404)),
        (" code = 404 ", Preference(code=404)),
        ('code="404"', Preference(code=404)),
        ("code=404, example=nice", Preference(code=404, example="nice")),
        ("code=404; example=nice", Preference(code=404, example="nice")),
        ('example="a \\"nice\\" one"', Preference(example='a "nice" one')),
        ('example="with, comma; and semicolon"', Preference(example="with, comma; and semicolon")),
        ("dynamic", Preference(dynamic=True)),
        ("dynamic=true", Preference(dynamic=True)),
        ("dynamic=false", Preference(dynamic=False)),
        ("state=issued", Preference(state="issued")),
        ("scenario=state:issued", Preference(scenario="state:issued")),
        ("wait=1.5", Preference(wait=1500)),
        ("code=200, code=404", Preference(code=200)),
        ("respond-async, return=minimal, handling=lenient", NONE),
        ("respond-async, state=issued", Preference(state="issued")),
        ("état=1", NONE),
        ('"code=404", state=issued', Preference(state="issued")),
        ('example="never closed, code=404', NONE),
        ("nothing at all; code=404", Preference(code=404)),
    ],
)
def test_a_prefer_header_is_parsed(value: str, expected: Preference) -> None:
    assert parse_prefer(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "code=99",
        "code=1000",
        "code=abc",
        "code",
        "code=4०4",
        "dynamic=maybe",
        "wait=-1",
        "wait=soon",
        "wait=99999",
    ],
)
def test_an_invalid_preference_is_refused(value: str) -> None:
    parsed = parse_prefer(value)
    assert parsed.problem.startswith(f"Prefer: {value.partition('=')[0]}=")
    assert parsed == Preference(problem=parsed.problem)


@pytest.mark.parametrize(
    ("value", "direct"),
    [("code=200", True), ("example=x", True), ("dynamic=false", True), ("state=x", False), ("", False)],
)
def test_a_preference_for_a_documented_answer_skips_scenarios(value: str, direct: bool) -> None:
    assert parse_prefer(value).is_direct is direct


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=100))
def test_any_prefer_header_is_parsed_or_refused(value: str) -> None:
    parse_prefer(value)


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255)))
def test_any_text_is_read_back_quoted(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    assert parse_prefer(f'example="{quoted}"').example == text


LONG = 200_000


@pytest.mark.parametrize(
    "value",
    [
        "a" + " " * LONG + "!",
        " " * LONG + '"',
        "a=" + " " * LONG + '"',
        "a" * LONG + '"',
        '"' + '\\"' * LONG + "\\",
    ],
    ids=["blanks", "blanks first", "blanks behind", "a name", "quotes"],
)
def test_a_long_prefer_header_is_parsed_to_its_end(value: str) -> None:
    """Each octet is looked at a few times; a parser that goes back would be at this for hours."""
    assert parse_prefer(f"{value}, code=404") in (NONE, Preference(code=404))
