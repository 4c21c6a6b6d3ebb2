from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.http import wire
from mockserver.messages import Response


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("localhost", True),
        ("localhost:8080", True),
        ("localhost:", True),
        ("127.0.0.1:80", True),
        ("[::1]", True),
        ("[::1]:8080", True),
        ("[::ffff:1.2.3.4]", True),
        ("a.b-c_d~e", True),
        ("%41.example", True),
        ("", True),
        ("a b", False),
        ("a,b", True),
        ("a, b", False),
        ("a/b", False),
        ("a@b", False),
        ("a?b", False),
        ("a#b", False),
        ("a:b", False),
        ("a:80:90", False),
        ("a:123456", False),
        ("[::1", False),
        ("::1", False),
        ("[]", False),
        ("[g::1]", False),
        ("%4", False),
        ("a\\b", False),
        ('a"b', False),
        ("<a>", False),
        ("é", False),
        ("a\n", False),
    ],
)
def test_a_host_header_is_valid_or_not(value: str, expected: bool) -> None:
    assert wire.is_host(value) is expected


@pytest.mark.parametrize(
    ("target", "method", "expected"),
    [
        ("/", "GET", ("/", "")),
        ("/a/b?c=d", "GET", ("/a/b", "c=d")),
        ("/a?b?c", "GET", ("/a", "b?c")),
        ("/a?b#c", "GET", ("/a", "b")),
        ("//a/b", "GET", ("//a/b", "")),
        ("/%2F%zz", "GET", ("/%2F%zz", "")),
        ("http://h/a?b", "GET", ("/a", "b")),
        ("HTTP://h/a", "GET", ("/a", "")),
        ("https://h:1", "GET", ("/", "")),
        ("http://h?a=b", "GET", ("/", "a=b")),
        ("http://me:secret@h/a", "GET", ("/a", "")),
        ("*", "OPTIONS", ("*", "")),
        ("*", "GET", None),
        ("", "GET", None),
        ("a/b", "GET", None),
        ("?a", "GET", None),
        ("h:80", "CONNECT", None),
        ("ftp://h/a", "GET", None),
        ("http:///a", "GET", None),
        ("http:a", "GET", None),
        ("http://[h/a", "GET", None),
    ],
)
def test_a_request_target_is_split_or_refused(
    target: str, method: str, expected: tuple[str, str] | None
) -> None:
    assert wire.split_target(target, method) == expected


def test_a_head_is_written_with_its_fields() -> None:
    response = Response(404, [("content-type", "text/plain")], decision="a; b")
    head = wire.head(response, length=5, close=True, keep_alive=False).decode()
    line, *fields, empty, last = head.split("\r\n")
    assert line == "HTTP/1.1 404 Not Found"
    assert (empty, last) == ("", "")
    named = dict(field.split(": ", 1) for field in fields)
    parsedate_to_datetime(named.pop("date"))
    assert named == {
        "content-type": "text/plain",
        "x-mock-decision": "a; b",
        "connection": "close",
        "content-length": "5",
    }


@pytest.mark.parametrize("status", [200, 299, 418, 599, 999])
def test_the_usual_answer_is_head_and_body(status: int) -> None:
    response = Response(status, [("a", "b")], b"body", "why")
    assert wire.usual(response) == wire.head(response, length=4, close=False, keep_alive=False) + b"body"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_breaks_out_of_its_field(text: str) -> None:
    response = Response(200, [("a", text)], decision=text)
    head = wire.head(response, length=0, close=False, keep_alive=False)
    fields = head.split(b"\r\n")
    assert len(fields) == len([b"status", b"a", b"date", b"length", b"", b""]) + bool(text)
    assert not any(mark in field for field in fields for mark in b"\r\n\0\x01\x1b\x7f")


@pytest.mark.parametrize(
    ("status", "expected"), [(200, True), (204, False), (205, True), (304, False), (404, True)]
)
def test_a_status_has_content_or_not(status: int, expected: bool) -> None:
    assert wire.has_content(status) is expected
