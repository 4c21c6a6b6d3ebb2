"""Traversal reads nothing, however it is spelt; whom control is refused: ``tests/admin/test_guard.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockserver.inputs import Inputs
from tests.admin.mocking import mocking
from tests.hardening.figures.control import FILES, REFERENCES, spellings
from tests.hostile import HEAD, PING, SECRET, beside_a_secret, referring
from tests.live import PATIENCE, Wire, compiled, engine_of


def test_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = beside_a_secret(tmp_path)
    monkeypatch.chdir(folder)
    Path("beside.yaml").write_text(f"{HEAD}{PING}x-secret: {SECRET}\n")
    served = Path("served.yaml")
    served.write_text(HEAD + PING)
    with mocking(engine_of(compiled(served)), inputs=Inputs((served,))) as mock:
        for target in [*spellings(), *FILES]:
            with Wire(mock.live.port) as wire:
                wire.socket.settimeout(PATIENCE)
                wire.send(
                    f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode("latin-1")
                )
                response = wire.rest()
            assert response.startswith((b"HTTP/1.1 4", b"HTTP/1.1 308")), target
            assert SECRET.encode() not in response
            assert b"root:" not in response
        for target in REFERENCES[:3]:
            answer_to = mock.client.put(
                "/__admin/document", content=referring(target), headers={"content-type": "application/yaml"}
            )
            assert answer_to.status_code == 200, target
            assert [each["code"] for each in answer_to.json()["faults"]] == ["D203"], target
            shown = [answer_to.text, *(mock.client.get(path).text for path in ("/__admin/document", "/ping"))]
            assert not [text for text in shown if SECRET in text]
