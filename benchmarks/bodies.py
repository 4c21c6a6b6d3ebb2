"""Requests with bodies: JSON, forms, and multipart with files, from 1 kB to 5 MB."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlencode

from benchmarks import generated
from benchmarks.bench import Bench, Contender
from benchmarks.load import DIFFERENT, Request
from benchmarks.peers import Server
from benchmarks.trial import Load, Trial

COMPARED = ("ours", "steady")
SIZES = {"1 kB": 1000, "100 kB": 100_000, "5 MB": 5_000_000}
LARGEST = "5 MB"
_SLOW_CONNECTIONS, _SLOW_SECONDS = 2, 10
"""Of the loads of the largest bodies."""
ALLOWED = 512 * 2**20
"""``--max-memory`` of ours."""
_BOUNDARY = "benchmark-0d2a1b1e6a11"


def trials(bench: Bench, servers: Sequence[Server]) -> Iterable[Trial]:
    """One trial for each size, so that the memory of each is told."""
    document = bench.document("orders", generated.orders())
    options = {"ours": ("--max-memory", str(ALLOWED))}
    for size, octets in SIZES.items():
        contenders = [
            Contender(each.name, each, document, options.get(each.name, ()))
            for each in servers
            if each.name in COMPARED
        ]
        loads = [
            Load(
                name(size, kind),
                (_request(bench, f"{kind} of {size}", target, media, make(octets)),),
                connections=_SLOW_CONNECTIONS if size == LARGEST else None,
                seconds=_SLOW_SECONDS if size == LARGEST else 0,
            )
            for kind, (target, media, make) in KINDS.items()
        ]
        yield Trial(contenders, loads, Request("/orders"))


def name(size: str, kind: str) -> str:
    """The name of a load."""
    return f"POST of {size}, {kind}"


def _request(bench: Bench, file: str, target: str, media: str, body: bytes) -> Request:
    return Request(target, "POST", (*DIFFERENT, f"Content-Type: {media}"), bench.write(file, body))


def _json(octets: int) -> bytes:
    return json.dumps(generated.order(octets), separators=(",", ":")).encode()


def _form(octets: int) -> bytes:
    note = "as last time, please: the second gate, and ring twice; the parcel may stay with a neighbour " * 10
    fields = [("id", generated.KEY), ("email", "buyer@example.com"), ("placedAt", "2026-01-01T12:00:00Z")]
    notes = max(1, octets // len(urlencode({"notes": note})))
    return urlencode([*fields, *[("notes", note[: octets // 2])] * notes]).encode()


def _multipart(octets: int) -> bytes:
    """Two fields and two files of arbitrary octets."""
    file = bytes(range(256)) * (octets // 512 + 1)
    half = file[: max(1, (octets - 600) // 2)]
    parts = [
        ('name="id"', b"", generated.KEY.encode()),
        ('name="note"', b"", b"as last time, please"),
        *(
            (f'name="{each}"; filename="{each}.bin"', b"Content-Type: application/octet-stream\r\n", half)
            for each in ("drawing", "invoice")
        ),
    ]
    written = b"".join(
        b"--%b\r\nContent-Disposition: form-data; %b\r\n%b\r\n%b\r\n"
        % (_BOUNDARY.encode(), disposition.encode(), fields, content)
        for disposition, fields, content in parts
    )
    return written + b"--%b--\r\n" % _BOUNDARY.encode()


KINDS: dict[str, tuple[str, str, Callable[[int], bytes]]] = {
    "JSON": ("/orders", "application/json", _json),
    "form": ("/forms", "application/x-www-form-urlencoded", _form),
    "multipart": ("/files", f"multipart/form-data; boundary={_BOUNDARY}", _multipart),
}
"""Name → target, media type, and what makes a body of about so many octets."""
