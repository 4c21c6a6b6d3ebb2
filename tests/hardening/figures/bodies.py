"""The cap on bodies is exact to the byte: by length, by chunks of any size, and after decompression."""

from __future__ import annotations

import gzip
import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.hardening.probes.asking import read
from tests.live import Wire
from tests.measured import served
from tests.verdict import Verdict

CAPS = (1, 2, 1000, 65_536, 1_000_003, 10 * 1024 * 1024)
_CHUNKS = (1, 7, 4096, 65_536, 100_000_000)
_MAX_CHUNKS = 100_000
_DOCUMENT = """
openapi: 3.0.3
info: {title: Bodies, version: '1'}
paths:
  /bodies:
    post:
      operationId: take
      requestBody:
        required: true
        content: {application/octet-stream: {schema: {type: string, format: binary}}}
      responses:
        '204': {description: taken}
"""
_HEAD = b"POST /bodies HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n"


def run() -> Verdict:
    verdict = Verdict("The cap on bodies, to the byte")
    with TemporaryDirectory() as made:
        document = Path(made) / "bodies.yaml"
        document.write_text(_DOCUMENT)
        for cap in CAPS:
            with served(document, f"--max-body={cap}", cache=Path(made)) as server:
                told = {
                    f"{what}, {size - cap:+d}": (_status(server.port, sent), 204 if size <= cap else 413)
                    for size in (cap - 1, cap, cap + 1)
                    if size
                    for what, sent in _spellings(size).items()
                }
                # What comes after one that is taken is a request of its own
                with Wire(server.port) as wire:
                    wire.send((_HEAD + b"Content-Length: %d\r\n\r\n" % cap + b"x" * cap) * 2)
                    told["twice, +0"] = (wire.reply().status + wire.reply().status, 408)
            wrong = [f"{what}: {status}" for what, (status, wanted) in told.items() if status != wanted]
            verdict.hold(
                not wrong,
                f"--max-body={cap}: {len(told) - len(wrong)} of {len(told)}{'; '.join(['', *wrong])}",
            )
    return verdict


def _spellings(size: int) -> dict[str, bytes]:
    """A body of so many bytes, as requests."""
    body = os.urandom(size)
    packed = gzip.compress(b"\0" * size, mtime=0)
    found = {"by length": _HEAD + b"Content-Length: %d\r\n\r\n" % size + body}
    for chunk in _CHUNKS:
        if size / chunk <= _MAX_CHUNKS:
            found[f"by chunks of {chunk}"] = (
                _HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + _chunked(body, chunk)
            )
    if len(packed) < size:
        head = _HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
        found["compressed"] = head + packed
    return found


def _chunked(body: bytes, size: int) -> bytes:
    parts = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def _status(port: int, sent: bytes) -> int:
    """That of the one answer; 0 where there is none, or more than one."""
    with Wire(port) as wire:
        with suppress(OSError):  # it has seen enough
            wire.send(sent)
            wire.finish()
        told = read(wire.rest())
        return told[0].status if len(told) == 1 else 0
