"""The command line's server when the network and the service misbehave, from outside."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mockserver import inputs
from tests.fixtures import DOCUMENT
from tests.live import Process, Wire, get

FILE = """
resource: thing
key: path.id
operations: {make: {operation: make, creates: body.id, limit: 2/1h}, look: look}
states:
  new: {make: {}, look: {body: {state: new}}}
  reset: {make: {}, look: {body: {state: x}, fault: CONNECTION_RESET_BY_PEER}}
  short: {make: {}, look: {body: {state: x}, fault: short}}
scenarios: {usual: [new]}
"""
LIFECYCLE = inputs.DOCUMENT.with_name("certificate-lifecycle.yaml")


def posted(port: int, target: str, body: object) -> int:
    content = json.dumps(body).encode()
    with Wire(port) as wire:
        head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        wire.send(head.encode() + b"Content-Length: %d\r\n\r\n" % len(content) + content)
        return wire.reply().status


def test_two_documents_faults_and_limits_in_one_process(cache: Path, tmp_path: Path) -> None:
    things, life = tmp_path / "things.yaml", tmp_path / "life.yaml"
    things.write_text(DOCUMENT)
    life.write_text(FILE)
    arguments: list[str | Path] = [
        things,
        LIFECYCLE,
        "--scenarios",
        life,
        "--scenarios",
        inputs.SCENARIOS.parent,
    ]
    for _ in range(2):  # the second start is from the kept Plan
        with Process(*arguments, "--clock", "2026-01-01T00:00:00Z", cache=cache) as process:
            port = process.port
            assert [posted(port, "/things", {}) for _ in range(3)] == [201, 201, 429]
            assert get(port, "/things/1").json()["state"] == "new"
            with Wire(port) as wire:
                wire.send(b"GET /things/1 HTTP/1.1\r\nHost: l\r\nPrefer: scenario=state:reset\r\n\r\n")
                with pytest.raises(ConnectionResetError):
                    wire.socket.recv(1)
            with Wire(port) as wire:
                wire.send(b"GET /things/1 HTTP/1.1\r\nHost: l\r\nPrefer: scenario=state:short\r\n\r\n")
                head, _, body = wire.rest().partition(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)\r\n", head)
                assert length
                assert len(body) == int(length[1]) // 2
            order = {"profileId": "0b8e9a43-6f2a-4c1b-9f5e-6a7d8c9b0a1f"}
            assert posted(port, "/api/v1/cert-manager/certificates", order) == 200


def test_a_delay_for_all(cache: Path) -> None:
    """A frozen clock keeps every answer back."""
    with (
        Process("--delay", "1h", "--clock", "2026-01-01T00:00:00Z", cache=cache) as process,
        Wire(process.port) as wire,
    ):
        wire.send(b"GET / HTTP/1.1\r\nHost: l\r\n\r\n")
        assert wire.reply().status == 404, "what no operation answers"
        target = "/api/v1/cert-manager/certificates/certificate-requests/"
        wire.send(f"GET {target}00000000-0000-4000-8000-000000000200 HTTP/1.1\r\nHost: l\r\n\r\n".encode())
        wire.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            wire.socket.recv(1)
