"""The bounds on what a client may send, set as users set them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live import Process, Wire

_HEAD = b"POST /a HTTP/1.1\r\nHost: localhost\r\n"
_OPTIONS = {
    "max-target": "64",
    "max-head": "256",
    "max-headers": "3",
    "max-body": "10",
    "max-nodes": "1",
    "max-ratio": "1",
    "max-unfinished": "266",
    "head-timeout": "1s",
    "body-timeout": "200ms",
    "idle-timeout": "300ms",
}
_OVER = {
    "target": (b"GET /" + b"a" * 64 + b" HTTP/1.1\r\n\r\n", [414]),
    "head": (_HEAD + b"X: " + b"y" * 256 + b"\r\n\r\n", [431]),
    "headers": (_HEAD + b"X: y\r\n" * 3 + b"\r\n", [431]),
    "body": (_HEAD + b"Content-Length: 11\r\n\r\n", [413]),
    "time of a head": (_HEAD, [408]),
    "time of a body": (_HEAD + b"Content-Length: 10\r\n\r\nhello", [408]),
    "time between": (b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n", [404]),
}


@pytest.mark.parametrize("by_environment", [False, True])
def test_all_bounds(cache: Path, by_environment: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _OPTIONS.items() if by_environment else ():
        monkeypatch.setenv("MOCKSERVER_" + name.upper().replace("-", "_"), value)
    arguments = [] if by_environment else [f"--{name}={value}" for name, value in _OPTIONS.items()]
    with Process(*arguments, cache=cache) as process:
        found = {}
        for name, (sent, _) in _OVER.items():
            with Wire(process.port) as wire:
                wire.send(sent)
                found[name] = [wire.reply().status]
                assert wire.rest() == b"", name
        assert found == {name: statuses for name, (_, statuses) in _OVER.items()}
        with Wire(process.port) as one, Wire(process.port) as other:  # what the two hold together
            for wire in (one, other):
                wire.send(_HEAD + b"X: " + b"y" * 190)
            assert sorted([one.reply().status, other.reply().status]) == [408, 503]
