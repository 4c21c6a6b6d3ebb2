"""``mockserver serve`` as a process: its answers across restarts, its certificates, its end."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import programs
from tests.live import MISSION, NOON, PATIENCE, Process, Wire, Write, get

KEY = "5b1c0a52-6a0e-4f1c-8f4c-0d2a1b1e6a11"
ISSUED = f"{MISSION}/00000000-0000-4000-8000-000000000200"


@pytest.fixture(scope="module")
def running(cache: Path) -> Iterator[Process]:
    with Process(cache=cache) as process:
        yield process


@pytest.fixture(scope="module")
def issued(running: Process) -> dict[str, Any]:
    found: dict[str, Any] = get(running.port, ISSUED).json()
    return found


def openssl(*arguments: str, given: str = "") -> str:
    command = [programs.path("openssl"), *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    return done.stdout


def test_three_polls_tell_the_story(running: Process) -> None:
    assert [get(running.port, f"{MISSION}/{KEY}").json()["status"] for _ in range(3)] == [
        "pending",
        "pending",
        "issued",
    ]


def test_openssl_reads_the_certificate(issued: dict[str, Any]) -> None:
    told = openssl("x509", "-noout", "-serial", "-checkend", "0", given=issued["certificate"])
    assert f"serial={issued['serialNumber'].upper()}" in told
    assert "will not expire" in told
    public = openssl("x509", "-noout", "-pubkey", given=issued["certificate"])
    assert openssl("pkey", "-pubout", given=issued["privateKey"]) == public


SCENARIOS = f"""
    resource: certificate-request
    key: path.requestId
    operations: {{poll: "GET {MISSION}/{{requestId}}"}}
    states:
      chained:
        body:
          status: issued
          certificate: "{{{{ x509.certificate }}}}"
          privateKey: "{{{{ x509.private_key }}}}"
          errorMessage: "{{{{ x509.chain }}}}"
      slow:
        delay: 700ms
        body: {{status: pending}}
    scenarios:
      chained: [chained]
      slow: [slow]
"""


@pytest.fixture
def other(write: Write, cache: Path) -> Iterator[Process]:
    """A server of scenarios that hand out the authority, and that take their time."""
    path = write("mine.yaml", SCENARIOS)
    with Process("--scenarios", path, cache=cache) as process:
        yield process


@dataclass(frozen=True)
class Files:
    """A certificate, its key and its chain, as a web server and its clients want them."""

    key: Path
    leaf: Path
    served: Path
    """The leaf, then the certificates above it."""
    intermediate: Path
    root: Path


def saved(port: int, folder: Path) -> Files:
    body = get(port, f"{MISSION}/{KEY}").json()
    intermediate, root = re.findall(r"-----BEGIN.+?END CERTIFICATE-----", body["errorMessage"], re.DOTALL)
    leaf = body["certificate"]
    texts = [body["privateKey"], leaf, f"{leaf}\n{intermediate}\n", intermediate, root]
    paths = [folder / name for name in ("key.pem", "leaf.pem", "served.pem", "intermediate.pem", "root.pem")]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return Files(*paths)


def test_openssl_verifies_the_certificate(other: Process, tmp_path: Path) -> None:
    files = saved(other.port, tmp_path)
    above = ["-CAfile", str(files.root), "-untrusted", str(files.intermediate)]
    assert openssl("verify", "-x509_strict", *above, str(files.leaf)) == f"{files.leaf}: OK\n"


def test_a_tls_handshake_over_the_loopback(other: Process, tmp_path: Path) -> None:
    files = saved(other.port, tmp_path)
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(files.served, files.key)
    theirs = ssl.create_default_context(cafile=str(files.root))
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(PATIENCE)

    def echo() -> bytes:
        connection, _ = listener.accept()
        connection.settimeout(PATIENCE)
        with ours.wrap_socket(connection, server_side=True) as tls:
            heard = tls.recv(100)
            tls.sendall(heard)
            return heard

    with listener, ThreadPoolExecutor(1) as pool:
        heard = pool.submit(echo)
        plain = socket.create_connection(listener.getsockname(), PATIENCE)
        with theirs.wrap_socket(plain, server_hostname="localhost") as tls:
            tls.sendall(b"hello")
            assert tls.recv(100) == b"hello"
        assert heard.result(PATIENCE) == b"hello"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_a_slow_answer_in_flight_arrive_whole(other: Process, number: signal.Signals) -> None:
    with Wire(other.port) as busy, Wire(other.port) as idle:
        idle.send(b"GET /__admin/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.reply().status == 200
        busy.send(
            f"GET {MISSION}/{KEY} HTTP/1.1\r\nHost: localhost\r\nPrefer: scenario=slow\r\n\r\n".encode()
        )
        # Health is answered after the slow request was read: both came by the same loop.
        assert get(other.port, "/__admin/health").status == 200
        other.tell(number)
        reply = busy.reply()
        assert reply.json()["status"] == "pending"
        assert reply.headers["x-mock-decision"] == "scenario=slow; state=slow; call=1"
        assert busy.rest() == b""
        assert idle.rest() == b""
    code, errors = other.stop()
    assert (code, errors) == (0, "")


def test_an_idle_connection_that_sent_a_body_does_not_hold_up_the_end(cache: Path, write: Write) -> None:
    path = write("post.yaml", POST)
    with Process(path, "--log-level", "warning", cache=cache) as process, Wire(process.port) as wire:
        wire.send(b"POST /things HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello")
        assert wire.reply().status == 201
        assert process.stop(signal.SIGTERM) == (0, "")  # else a warning says that connections were busy


POST = """
    openapi: 3.1.0
    info: {title: things, version: "1"}
    paths:
      /things:
        post:
          responses: {"201": {description: made}}
"""


def story(process: Process) -> list[bytes]:
    keys = [KEY] * 3 + [f"00000000-0000-4000-8000-000000000{status}" for status in (200, 202, 400, 404, 422)]
    return [get(process.port, f"{MISSION}/{key}").body for key in keys]


def test_a_frozen_clock_makes_every_byte_the_same_in_every_process(cache: Path) -> None:
    stories = []
    for _ in range(2):
        with Process("--clock", NOON, cache=cache) as process:
            stories.append(story(process))
    assert stories[0] == stories[1]
    assert json.loads(stories[0][0])["createdAt"] == "2026-01-01T00:00:00.000Z"


def test_a_restart_keeps_what_was_issued(issued: dict[str, Any], cache: Path) -> None:
    with Process(cache=cache) as process:
        again = get(process.port, ISSUED).json()
    for field in ("privateKey", "serialNumber", "certificateId"):
        assert again[field] == issued[field]


def test_a_port_that_is_taken(running: Process, cache: Path) -> None:
    with pytest.raises(AssertionError) as failure:
        Process("--port", str(running.port), cache=cache)
    assert str(failure.value) == (
        f"mockserver: port {running.port} on 127.0.0.1 is in use; "
        "choose another with --port, or --port 0 for a free one.\n"
    )


def test_the_standard_library_reads_our_answers(running: Process) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE)
    for method in ("GET", "HEAD", "OPTIONS", "GET"):
        connection.request(method, ISSUED)
        response = connection.getresponse()
        response.read()
        assert response.status == (204 if method == "OPTIONS" else 200)
        assert response.version == 11
    connection.close()
