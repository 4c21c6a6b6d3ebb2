"""A client of the control plane, before servers that are none, or mean harm."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import repeat
from pathlib import Path
from threading import Event, Thread

import pytest

from mockserver import inputs
from mockserver.diagnostics import UsageError
from mockserver.testing.remote import Remote
from tests.cli.command import run

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def answered(body: bytes, head: bytes = HEAD) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


@contextmanager
def answering(*answers: bytes, then: Callable[[], Iterator[bytes]] | None = None) -> Iterator[str]:
    """The URL of a server that gives these answers, a connection each; the last one again and again.

    ``then``: what follows each, an octet or more whenever there has been time for others.
    """
    ended = Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        given = iter([*answers, *[answers[-1]] * 100])
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.recv(65_536)
                    connection.sendall(next(given))
                    for piece in then() if then else ():
                        connection.sendall(piece)
                        if ended.wait(0.01):
                            break

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"", b"H"),
        (HEAD, b"X"),
        (HEAD + b"Content-Length: 1000000\r\n\r\n", b" "),
        (HEAD + b"\r\n", b" "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status line", "head", "body by length", "body until the end", "chunks", "interim answers"],
)
def test_slow_response_times_out(first: bytes, piece: bytes) -> None:
    with (
        answering(first, then=lambda: repeat(piece)) as url,
        pytest.raises(UsageError, match=r"not within 0\.3 s"),
    ):
        Remote(url, timeout=0.3).request("GET", "/health")


def test_endless_response_is_read_up_to_the_maximum() -> None:
    with (
        answering(HEAD + b"\r\n", then=lambda: repeat(b" " * 100_000)) as url,
        pytest.raises(UsageError, match="more than 1,000,000 bytes"),
    ):
        Remote(url, max_response=1_000_000).request("GET", "/health")


@pytest.mark.parametrize("body", [b"", b"[]", b"[" * 100_000, b"1" * 10_000, b"\xff", b'{"a":'])
def test_response_of_another_server_is_reported(body: bytes) -> None:
    with answering(answered(body)) as url, pytest.raises(UsageError, match="but it is not a mockserver"):
        Remote(url).request("GET", "/health")


@pytest.mark.parametrize("url", ["http://a..b:1", "http://" + "a" * 70 + ":1", "http://127.0.0.1:1/a b"])
def test_a_url_that_leads_nowhere_is_told(url: str) -> None:
    with pytest.raises(UsageError, match="does not respond"):
        Remote(url).request("GET", "/health")


@pytest.mark.parametrize("token", ["a\r\nb", "ä", "a\0b"])
def test_a_token_that_no_header_carries_is_told_without_it(token: str) -> None:
    with pytest.raises(UsageError) as told:
        Remote("http://127.0.0.1:1", token)
    assert token not in str(told.value)


HEALTH = answered(b'{"documents": [{"name": "a"}]}')
FAULT = b"HTTP/1.1 422 No\r\nContent-Type: application/problem+json\r\n"


@pytest.mark.parametrize(
    "answers",
    [
        (answered(b"{}"),),
        (HEALTH, HEALTH, answered(b"{}")),
        (HEALTH, HEALTH, answered(b'{"documents": [1], "resources": 1, "plan": 1, "warnings": [{}]}')),
        (HEALTH, HEALTH, answered(b'{"diagnostics": [{"code": 1}]}', FAULT)),
        (HEALTH, HEALTH, answered(b'{"diagnostics": 1, "detail": []}', FAULT)),
        (HEALTH, answered(b'{"documents": 1}')),
    ],
    ids=["nothing", "nothing served", "other things", "diagnostics", "no diagnostics", "no documents"],
)
def test_push_tells_that_another_kind_of_server_answers(answers: tuple[bytes, ...], tmp_path: Path) -> None:
    with answering(*answers) as url:
        ran = run("push", "--url", url, "--document", inputs.DOCUMENT)
    assert ran.code != 0
    assert "responds, but it is not a mockserver" in ran.err
