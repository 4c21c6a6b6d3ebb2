from __future__ import annotations

import errno
import logging
import resource
import socket
from contextlib import closing
from pathlib import Path

import pytest

from mockserver.diagnostics import UsageError
from mockserver.http.listener import bind, listen
from mockserver.messages import Request, Response
from tests.live import Process, Wire, get, serving


def test_listening_on_a_free_port() -> None:
    with closing(bind("127.0.0.1", 0)) as first, closing(bind("127.0.0.1", 0)) as second:
        assert first.getsockname()[1] != second.getsockname()[1]


def test_listening_on_version_6() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        listener = bind("::1", 0)
    except UsageError:
        pytest.skip("no IPv6 here")
    with closing(listener):
        assert listener.family == socket.AF_INET6


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("no-such-host.invalid", "is unknown; use an address of this machine"),
        ("192.0.2.1", "cannot listen on 192.0.2.1:"),
    ],
)
def test_a_host_that_is_not_ours(host: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        bind(host, 0)


def test_a_port_that_is_taken_on_a_system_that_numbers_errors_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Taken(socket.socket):
        def bind(self, address: object) -> None:
            raise OSError(48, "Address already in use")

    monkeypatch.setattr(errno, "EADDRINUSE", 48)
    monkeypatch.setattr(socket, "socket", Taken)
    with pytest.raises(UsageError, match=r"port 1 on 127\.0\.0\.1 is in use; choose another"):
        bind("127.0.0.1", 1)


def test_a_port_that_is_taken() -> None:
    with closing(bind("127.0.0.1", 0)) as taken:
        listen(taken)
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} on 127.0.0.1 is in use; choose another"):
            bind("127.0.0.1", port)


def test_a_port_that_another_takes_before_it_is_listened_on() -> None:
    with closing(bind("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
        with closing(bind("127.0.0.1", port)) as other:
            listen(other)
            with pytest.raises(UsageError, match=f"port {port} on 127.0.0.1 is in use; choose another"):
                listen(one)


def handle(request: Request) -> Response:
    return Response(200, [], request.raw_path.encode(), delay=60_000 if request.raw_path == "/slow" else 0)


def test_stopping_closes_the_idle_and_takes_no_more() -> None:
    with serving(handle) as live:
        idle = Wire(live.port)
        idle.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.reply().status == 200
    assert idle.rest() == b""
    idle.socket.close()
    with pytest.raises(ConnectionRefusedError):
        Wire(live.port)


def test_stopping_breaks_off_what_takes_too_long(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("mockserver"), "propagate", True)
    with serving(handle) as live:  # which gives it no time at all
        busy = Wire(live.port)
        busy.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert get(live.port, "/").status == 200
    assert busy.rest() == b""
    busy.socket.close()
    assert "connections were still busy after 0 s" in caplog.text


def test_too_many_connections_are_told_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("mockserver"), "propagate", True)
    with serving(handle) as live, Wire(live.port) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.reply().status == 200
        live.run(live.server.expire)
        assert "descriptors" not in caplog.text
        live.server.descriptors = 32
        for _ in range(2):
            live.run(live.server.expire)
    assert caplog.text.count("1 connections are open, and this process may have 32 descriptors") == 1


def test_the_limit_of_descriptors_is_raised_as_far_as_may_be(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 1_048_576 if hard == resource.RLIM_INFINITY else min(hard, 1_048_576)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most - 1, hard))
    try:
        with Process(cache=tmp_path) as process:
            assert process.limit(resource.RLIMIT_NOFILE) == (most, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_calls_are_told_to_the_access_log() -> None:
    told: list[str] = []
    with serving(handle) as live:
        live.server.log_access = lambda request, response, seconds: told.append(
            f"{request.raw_path} {response.status} {seconds >= 0}"
        )
        get(live.port, "/a")
        get(live.port, "/b", method="HEAD")
    assert told == ["/a 200 True", "/b 200 True"]
