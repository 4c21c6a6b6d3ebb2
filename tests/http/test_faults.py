"""Wire faults by what arrives on a raw socket."""

from __future__ import annotations

import errno
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mockserver.diagnostics import UsageError
from mockserver.engine.asgi import AsgiApp
from mockserver.engine.engine import Engine
from mockserver.http.owner import Limits
from tests import programs
from tests.fixtures import things, things_plan
from tests.live import CERTIFICATES, PATIENCE, Live, Wire, get, serving_engine

FILE = """
resource: thing
key: path.id
operations: {look: look}
states:
  good: {body: {state: good}}
  reset: {body: {state: x}, fault: reset}
  empty: {body: {state: x}, fault: empty}
  garbage: {body: {state: x}, fault: garbage}
  chunk: {body: {state: x}, fault: chunk}
  short: {body: {state: x}, fault: short}
  stall: {body: {state: x}, fault: stall}
  close: {body: {state: x}, fault: close}
  wiremock: {body: {state: x}, fault: CONNECTION_RESET_BY_PEER}
scenarios:
  good: [good]
  stepped: [{state: good, fault: EMPTY_RESPONSE}]
"""
FAULTS = ["reset", "empty", "garbage", "chunk", "short", "stall", "close"]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    with serving_engine(things(tmp_path, FILE), limits=Limits(stall_time=0)) as found:
        yield found


def request(state: str, number: int = 1, method: str = "GET") -> bytes:
    lines = [
        f"{method} /things/{number} HTTP/1.1",
        "Host: localhost",
        f"Prefer: scenario=state:{state}",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def seen(port: int, state: str, number: int = 1) -> tuple[bytes, str]:
    """Every byte that arrives, and how the connection ends."""
    with Wire(port) as wire:
        wire.send(request(state, number))
        found = b""
        try:
            while data := wire.socket.recv(65536):
                found += data
        except OSError as error:
            return found, errno.errorcode[error.errno or 0]
        return found, "closed"


@pytest.mark.parametrize("state", ["reset", "wiremock"])
def test_a_reset_fault_resets_the_connection(live: Live, state: str) -> None:
    assert seen(live.port, state) == (b"", "ECONNRESET")


def test_an_empty_fault_closes_without_an_answer(live: Live) -> None:
    assert seen(live.port, "empty") == (b"", "closed")


def test_a_garbage_fault_sends_what_is_no_http(live: Live) -> None:
    found, end = seen(live.port, "garbage")
    assert end == "closed"
    assert len(found) > 32
    assert not found.startswith(b"HTTP/")
    assert found == seen(live.port, "garbage")[0], "by the request, not by the day"


def test_a_malformed_chunk_fault_breaks_the_body(live: Live) -> None:
    found, end = seen(live.port, "chunk")
    head, _, rest = found.partition(b"\r\n\r\n")
    assert end == "closed"
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"transfer-encoding: chunked" in head
    with pytest.raises(ValueError, match="invalid literal"):
        int(rest.partition(b"\r\n")[0], 16)


def test_a_short_fault_sends_less_than_its_content_length(live: Live) -> None:
    found, end = seen(live.port, "short")
    head, _, body = found.partition(b"\r\n\r\n")
    assert end == "closed"
    length = int(head.rpartition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert 0 < len(body) < length


def test_stall_until_the_client_leaves(live: Live) -> None:
    live.server.limits = Limits(stall_time=3600)
    with Wire(live.port) as wire:
        wire.send(request("stall"))
        head = wire.socket.recv(65536)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert head.endswith(b"\r\n\r\n")
        live.run(live.server.expire)
        wire.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            wire.socket.recv(1)
        wire.finish()
        wire.socket.settimeout(PATIENCE)
        assert wire.socket.recv(1) == b""


def test_a_stalled_answer_is_closed_at_its_end(live: Live) -> None:
    with Wire(live.port) as wire:
        wire.send(request("stall"))
        assert wire.socket.recv(65536).endswith(b"\r\n\r\n")
        live.run(live.server.expire)
        assert wire.rest() == b""


def test_a_fault_ends_the_connection_before_the_next_request(live: Live) -> None:
    with Wire(live.port) as wire:
        wire.send(request("close") + request("good"))
        reply = wire.reply()
        assert reply.json() == {"state": "x"} | {k: v for k, v in reply.json().items() if k != "state"}
        assert "connection" not in reply.headers
        assert wire.rest() == b""


def test_a_fault_of_a_step_is_sent(live: Live) -> None:
    with Wire(live.port) as wire:
        wire.send(b"GET /things/7 HTTP/1.1\r\nHost: localhost\r\nPrefer: scenario=stepped\r\n\r\n")
        assert wire.rest() == b""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_head_request_sends_no_body(live: Live, fault: str) -> None:
    with Wire(live.port) as wire:
        wire.send(request(fault, method="HEAD"))
        data = b""
        try:
            data = wire.socket.recv(65536)
        except ConnectionResetError:
            assert fault == "reset"
        assert b'"state"' not in data


def test_curl_and_httpx_report_each_fault(live: Live) -> None:
    expected = {"reset": 56, "empty": 52, "garbage": 1, "chunk": 56, "short": 18, "close": 0}
    curl = programs.path("curl")
    for fault, code in expected.items():
        command = [curl, "-s", "-o", "/dev/null", "-H", f"Prefer: scenario=state:{fault}"]
        done = subprocess.run([*command, f"{live.url}/things/1"], check=False)
        assert done.returncode == code, fault
    errors = {
        "reset": httpx.ReadError,
        "empty": httpx.RemoteProtocolError,
        "garbage": httpx.RemoteProtocolError,
        "chunk": httpx.RemoteProtocolError,
        "short": httpx.RemoteProtocolError,
    }
    for fault, error in errors.items():
        with httpx.Client(verify=CERTIFICATES) as client, pytest.raises(error):
            client.get(f"{live.url}/things/1", headers={"Prefer": f"scenario=state:{fault}"})


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_fault_does_not_affect_other_connections(live: Live) -> None:
    """Faults by the hundred, while other connections poll on; no descriptor stays open."""
    get(live.port, "/things/1")
    before = descriptors()
    bystanders = [Wire(live.port) for _ in range(4)]
    for number in range(50):
        for fault in FAULTS:
            if fault != "stall":
                found, end = seen(live.port, fault, number + 10)
                assert end == ("ECONNRESET" if fault == "reset" else "closed"), (fault, found)
        for wire in bystanders:
            wire.send(request("good", number + 1000))
            assert wire.reply().status == 200
    for wire in bystanders:
        wire.socket.close()
    while live.run(lambda: len(live.server.connections)):
        pass
    assert descriptors() <= before


def test_a_plan_with_faults_is_refused_under_asgi(tmp_path: Path) -> None:
    engine: Engine = things(tmp_path, FILE)
    with pytest.raises(UsageError, match=r"life\.yaml:6:\d+: reset.*step 1 of scenario stepped"):
        AsgiApp(engine)
    assert AsgiApp(engine, faults="off").engine is engine
    plain = FILE.replace("fault: EMPTY_RESPONSE", "delay: 1s").split("  reset:")[0]
    plain += "scenarios: {good: [good]}\n"
    assert AsgiApp(things(tmp_path, plain))


def test_a_client_that_resets_first_does_not_stop_the_server(live: Live) -> None:
    """Whoever resets first, the server goes on."""
    for fault in FAULTS:
        with socket.create_connection(("127.0.0.1", live.port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            client.sendall(request(fault))
    assert get(live.port, "/things/1").status == 200


def test_the_plan_keeps_wiremocks_names_as_ours(tmp_path: Path) -> None:
    [resource] = things_plan(tmp_path, FILE).resources
    assert resource.states["wiremock"].answers["look"].fault == "reset"
