from __future__ import annotations

import pytest

from mockserver.engine.response.negotiation import is_json, negotiate
from mockserver.plan import MediaType

JSON, XML, TEXT = "application/json", "application/xml", "text/plain"
PROBLEM = "application/problem+json"


def chosen(offered: str, accept: str | None) -> str | None:
    choice = negotiate([MediaType(name) for name in offered.split(" | ")], accept)
    return choice.content_type if choice else None


@pytest.mark.parametrize(
    ("offered", "accept", "expected"),
    [
        # nothing asked for: the first
        (f"{XML} | {JSON}", None, XML),
        (f"{XML} | {JSON}", "", XML),
        (f"{XML} | {JSON}", "*/*", XML),
        (f"{JSON} | {XML}", "*/*", JSON),
        (f"{XML} | {PROBLEM}", "*/*", XML),
        (f"{XML} | {JSON}", f"{JSON};q=0.5, */*;q=0.5", JSON),
        (f"{XML} | {TEXT}", None, XML),
        # named
        (f"{JSON} | {XML}", XML, XML),
        (f"{JSON} | {XML}", "Application/XML", XML),
        (f"{JSON} | {XML}", "text/*", None),
        (f"{JSON} | {TEXT}", "text/*", TEXT),
        ("text/html | text/plain", "text/*", "text/html"),
        # weights
        (f"{JSON} | {XML}", f"{JSON};q=0.5, {XML}", XML),
        (f"{JSON} | {XML}", f"{JSON};q=0.5, {XML};q=0.501", XML),
        (f"{JSON} | {XML}", f"{JSON}; q=0.9, */*; q=0.1", JSON),
        (f"{JSON} | {XML}", f"{JSON};q=0, */*", XML),
        (JSON, f"{JSON};q=0, */*", None),
        (JSON, "*/*;q=0", None),
        (f"{TEXT} | {JSON}", f"{JSON};q=0.2, {TEXT};q=0.000", JSON),
        # the most specific range gives the weight, wherever it stands
        (f"{JSON} | {XML}", f"*/*, {JSON};q=0.1", XML),
        ("text/html | text/html;level=1", "text/html;q=0.3, text/html;level=1", "text/html;level=1"),
        ("text/html;level=1", "text/html;level=1;q=0, text/html", None),
        # ties: what is more specific, then what is named first
        (f"{JSON} | {XML}", f"{XML}, */*", XML),
        (f"{JSON} | {XML}", f"{XML}, {JSON}", XML),
        (f"{TEXT} | {JSON}", f"{JSON}, {TEXT}, */*", JSON),
        (f"{JSON} | {XML}", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", XML),
        # suffixes and parameters that do not match to the letter
        (PROBLEM, JSON, PROBLEM),
        (JSON, "application/vnd.acme.v3+json", JSON),
        (
            "application/vnd.a+json | application/vnd.b+json",
            "application/vnd.b+json",
            "application/vnd.b+json",
        ),
        (f"{PROBLEM} | {JSON}", JSON, JSON),
        (PROBLEM, f"{JSON};q=0", None),
        ("application/vnd.a+xml | application/vnd.a+json", "application/*+json", "application/vnd.a+json"),
        (JSON, f"{JSON};charset=utf-8", JSON),
        (JSON, f"{JSON};version=2", JSON),
        (f"{JSON};version=1", f"{JSON};version=2", None),
        (f"{JSON};version=1 | {JSON};version=2", f"{JSON};version=2", f"{JSON};version=2"),
        (f'{JSON};profile="a b"', f'{JSON}; profile="a\\ b"', f'{JSON};profile="a b"'),
        (f"{JSON}; charset=utf-8", JSON, f"{JSON}; charset=utf-8"),
        (JSON, "application/vnd.acme+xml", None),
        # documented ranges become concrete
        ("*/*", None, JSON),
        ("*/*", "text/csv", "text/csv"),
        ("*/*", "text/html, */*;q=0.8", JSON),
        ("*/*", "text/*", TEXT),
        ("*/*", "text/csv;q=0.1, text/html;q=0.5", "text/html"),
        ("text/*", "text/csv;header=present", "text/csv"),
        ("text/*", None, TEXT),
        ("text/*", JSON, None),
        ("application/*", XML, XML),
        ("image/*", "image/*", "image/png"),
        ("image/*", "image/webp, image/*;q=0.1", "image/png"),
        (f"*/* | {XML}", None, XML),
        (f"*/* | {JSON}", JSON, JSON),
        # malformed is as good as none
        (f"{JSON} | {XML}", "xml", JSON),
        (f"{JSON} | {XML}", "*/xml", JSON),
        (f"{JSON} | {XML}", f"{XML};q=2", JSON),
        (f"{JSON} | {XML}", f"{XML};q=", JSON),
        (f"{JSON} | {XML}", f"{XML} {JSON}", JSON),
        (f"{JSON} | {XML}", f'{XML};a="', JSON),
        (f"{XML} | {JSON}", "text/html, image/gif, *; q=.2, */*; q=.2", XML),
        (f"{XML} | {JSON}", f",, {XML} ,, ", XML),
        # a documented name that is no media type
        ("json", None, "json"),
        ("json", "text/plain", None),
    ],
)
def test_the_accept_header_chooses_the_media_type(
    offered: str, accept: str | None, expected: str | None
) -> None:
    assert chosen(offered, accept) == expected


def test_the_choice_says_what_is_documented_as_well() -> None:
    media = MediaType("application/*")
    choice = negotiate([media], XML)
    assert choice is not None
    assert choice.media is media


@pytest.mark.parametrize(
    "accept", ["a/b;" * 20_000, "a/b," * 20_000, 'a/b;c="' + "\\" * 50_000, "a" * 65_000]
)
def test_a_long_header_is_only_read_once(accept: str) -> None:
    assert chosen(JSON, accept) in (JSON, None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (JSON, True),
        (f"{JSON}; charset=utf-8", True),
        (PROBLEM, True),
        (XML, False),
        ("text/json", True),
        ("x", False),
    ],
)
def test_json_is_told_by_its_suffix(name: str, expected: bool) -> None:
    assert is_json(name) is expected
