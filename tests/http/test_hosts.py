from __future__ import annotations

from collections.abc import Iterator

import pytest

from mockserver.http.hosts import Hosts, served
from mockserver.messages import Request, Response
from mockserver.plan import Plan
from tests.live import MISSION, Live, Wire, engine_of, serving, serving_engine


def told(request: Request) -> Response:
    return Response(200, [("x-host", request.headers.get("host", "none"))], request.raw_path.encode())


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    with serving(told) as found:
        found.server.hosts = Hosts(("api.example",))
        yield found


def answered(live: Live, target: str, host: str) -> tuple[int, str]:
    """Status and host of a request, which is sent twice: what is known is no way around."""
    with Wire(live.port) as wire:
        found = []
        for _ in range(2):
            wire.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            reply = wire.reply()
            found.append((reply.status, reply.headers.get("x-host", "")))
            if reply.status != 200:
                return found[-1]
        assert found[0] == found[1]
        return found[0]


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:80", "127.0.0.1", "[::1]:1", "192.0.2.1", "mock:8080", "app.localhost",
     "api.example", "API.example.:80", ""],
)  # fmt: skip
def test_a_name_of_this_machine_or_a_given_one_is_served(live: Live, host: str) -> None:
    assert answered(live, "/a", host) == (200, host)


NOT_OURS = ["evil.example", "evil.example:80", "localhost.evil.example", "evil%2eexample", "x.api.example"]


@pytest.mark.parametrize("host", NOT_OURS)
@pytest.mark.parametrize("target", ["/a", "/__admin/health"])
def test_a_name_that_was_rebound_is_refused(live: Live, target: str, host: str) -> None:
    assert answered(live, target, host)[0] == 421


@pytest.mark.parametrize(
    ("target", "host", "expected"),
    [
        ("http://api.example/a", "evil.example", (200, "api.example")),
        ("http://me:it@api.example:80/a", "localhost", (200, "api.example:80")),
        ("http://evil.example/a", "localhost", (421, "")),
        ("HTTP://evil.example", "localhost", (421, "")),
        ("http://localhost@evil.example/a", "localhost", (421, "")),
        ("http://evil%2eexample/a", "localhost", (421, "")),
    ],
)
def test_the_host_of_the_target_goes_before_the_header(
    live: Live, target: str, host: str, expected: tuple[int, str]
) -> None:
    assert answered(live, target, host) == expected


def test_a_header_that_the_target_overruled_is_not_served_afterwards(live: Live) -> None:
    with Wire(live.port) as wire:
        for target, status in (("http://api.example/a", 200), ("/a", 421)):
            wire.send(f"GET {target} HTTP/1.1\r\nHost: evil.example\r\n\r\n".encode())
            assert wire.reply().status == status


@pytest.mark.parametrize(
    ("bound", "names", "host", "expected"),
    [
        ("127.0.0.1", (), "evil.example", False),
        ("localhost", ("api.example",), "api.example", True),
        ("127.0.0.1", ("*",), "any.example", True),
        ("0.0.0.0", (), "any.example", True),
        ("0.0.0.0", ("api.example",), "any.example", False),
        ("mock.internal", ("api.example",), "mock.internal", True),
    ],
)
def test_any_name_is_served_where_others_may_call_and_none_is_given(
    bound: str, names: tuple[str, ...], host: str, expected: bool
) -> None:
    assert served(bound, names).serves(host) is expected


def test_no_mocked_answer_goes_to_a_rebound_name(mission: Plan) -> None:
    engine = engine_of(mission)
    with serving_engine(engine) as live, Wire(live.port) as wire:
        live.server.hosts = served("127.0.0.1", ())
        wire.send(f"GET {MISSION}/1 HTTP/1.1\r\nHost: evil.example\r\n\r\n".encode())
        reply = wire.reply()
    assert (reply.status, len(engine.namespaces.default.journal)) == (421, 0)
    assert "--hosts evil.example" in reply.json()["detail"]
