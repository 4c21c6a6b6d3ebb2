"""Probes put to a server, and what it answered."""

from __future__ import annotations

import re
import socket
from typing import NamedTuple

from tests.hardening.probes.probe import Probe
from tests.live import Wire

_STATUS = re.compile(r"HTTP/1\.1 (\d{3}) [^\r\n]*")
_PIECES = 700
"""A probe comes byte by byte, or in so many pieces where it is longer."""


class Told(NamedTuple):
    """One answer."""

    status: int
    text: str
    """Body, or the problem's detail."""
    refuses: bool
    """Whether the connection gave it, as no request that could be read."""


def ask(port: int, probe: Probe, *, in_pieces: bool = False) -> list[Told]:
    """The answers to a probe that is all a client sends. Raises ValueError where an answer is not framed."""
    size = len(probe.sent) // _PIECES + 1 if in_pieces else len(probe.sent) or 1
    with Wire(port) as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for start in range(0, len(probe.sent), size):
                wire.send(probe.sent[start : start + size])
            wire.finish()
        except OSError:
            pass  # it has seen enough
        return read(wire.rest())


def read(received: bytes) -> list[Told]:
    """Everything that was received, as answers. Raises ValueError where one is not framed."""
    told = []
    while received:
        head, end, received = received.partition(b"\r\n\r\n")
        first, *fields = head.decode("latin-1").split("\r\n")
        line = _STATUS.fullmatch(first)
        if not end or line is None:
            raise ValueError(f"no head of an answer: {head[:200]!r}")
        headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
        if len(headers) != len(fields):
            raise ValueError(f"a field is given twice: {head!r}")
        status = int(line[1])
        if ("content-length" in headers) == (status in (100, 204, 304)):
            raise ValueError(f"no framing, or too much: {head!r}")
        length = int(headers.get("content-length", 0))
        if len(received) < length:
            raise ValueError(f"{len(received)} bytes of {length}: {head!r}")
        body, received = received[:length], received[length:]
        text = body.decode("utf-8" if "json" in headers.get("content-type", "") else "latin-1")
        detail = re.search(r'"detail":"([^"]*)"', text)
        told.append(Told(status, detail[1] if detail else text, headers.get("x-mock-decision") == "wire"))
    return told


def sentence(told: list[Told]) -> str:
    """The answers in the form that probes expect them in."""
    return " ".join(f"{each.status} {each.text}".strip() for each in told)
