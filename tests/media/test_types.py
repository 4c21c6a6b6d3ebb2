from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.media.types import ContentType, Malformed, match_content, parse_content_type
from mockserver.plan import MediaType


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("application/json", "application/json", {}),
        (" Application/JSON ;Charset=UTF-8", "application/json", {"charset": "UTF-8"}),
        ('multipart/form-data; boundary="a;b\\"c"', "multipart/form-data", {"boundary": 'a;b"c'}),
        ("text/plain;;", "text/plain", {}),
        ("text/plain; a=1; a=2", "text/plain", {"a": "1"}),
        ("*/*", "*/*", {}),
    ],
)
def test_media_type_is_parsed(text: str, name: str, parameters: dict[str, str]) -> None:
    parsed = parse_content_type(text)
    assert isinstance(parsed, ContentType)
    assert (parsed.name, dict(parsed.parameters)) == (name, parameters)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "json",
        "/",
        "a/",
        "a/b/c",
        "a/b; c",
        "a/b; c=",
        'a/b; c="d',
        "a/b, c/d",
        "a b/c",
        "a/b; c=d e",
        "ä/b",
    ],
)
def test_malformed_media_type_is_refused(text: str) -> None:
    assert isinstance(parse_content_type(text), Malformed)


def test_long_malformed_media_type_is_refused() -> None:
    for text in ("a/b" + ";" * 100_000 + "!", "a/b;c=" + '"' + "\\a" * 100_000, "a/b" + " " * 100_000 + "x"):
        assert isinstance(parse_content_type(text), Malformed)


@given(st.text())
def test_any_text_is_parsed_without_an_exception(text: str) -> None:
    parse_content_type(text)


@pytest.mark.parametrize(
    ("documented", "sent", "chosen"),
    [
        (["application/json"], "application/json; charset=utf-8", "application/json"),
        (["application/json; charset=utf-8"], "application/json", "application/json; charset=utf-8"),
        (
            ["application/json; v=1", "application/json; v=2"],
            "application/json; v=2",
            "application/json; v=2",
        ),
        (["application/json; v=1"], "application/json", None),
        (["*/*", "application/*", "application/json"], "application/json", "application/json"),
        (["*/*", "application/*"], "application/json", "application/*"),
        (["*/*", "application/*"], "text/plain", "*/*"),
        (["application/*", "application/*+json"], "application/problem+json", "application/*+json"),
        (["application/json"], "application/problem+json", None),
        (["application/json"], "text/plain", None),
        (["nonsense", "text/plain"], "text/plain", "text/plain"),
        ([], "text/plain", None),
    ],
)
def test_the_most_specific_entry_is_chosen(documented: list[str], sent: str, chosen: str | None) -> None:
    parsed = parse_content_type(sent)
    assert isinstance(parsed, ContentType)
    media = match_content([MediaType(name) for name in documented], parsed)
    assert (media.name if media else None) == chosen
