"""Load by wrk, from a core of its own: which requests, and what came of them."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import LOAD_CORE, Process, pin

Figures = dict[str, float]
"""Name of a figure → what was measured in one round; times are in microseconds."""

DIFFERENT = (
    "X-Request-Id: {uuid}",
    f"traceparent: 00-{'{octet}' * 16}-{'{octet}' * 8}-01",
    "Authorization: Bearer benchmark",
    "Accept: */*",
)
"""What instrumented clients send: two fields have another value on each request."""
EQUAL = (
    "X-Request-Id: 7d6f0a52-6a0e-4f1c-8f4c-0d2a1b1e6a11",
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    *DIFFERENT[2:],
)
"""The same fields, with the same octets on each request."""
_SCRIPT = Path(__file__).parent / "requests.lua"
_BLANK = re.compile(r"{(\w+) ?(\d*)}")


@dataclass(frozen=True, slots=True)
class Request:
    """A request to send over and over.

    Blanks in its target and fields are filled in anew each time: ``{uuid}``, ``{octet}`` (two hexadecimal
    digits), ``{number N}`` (below N), ``{key N}`` (a number below N of twelve hexadecimal digits).
    """

    target: str
    method: str = "GET"
    fields: tuple[str, ...] = DIFFERENT
    body: Path | None = None

    def line(self) -> str:
        """As ``requests.lua`` reads it."""
        return "\t".join((self.method, self.target, str(self.body or ""), *self.fields))


def filled(text: str) -> str:
    """The text of a request with its blanks filled in."""

    def fill(blank: re.Match[str]) -> str:
        match blank[1]:
            case "uuid":
                return str(uuid.uuid4())
            case "octet":
                return secrets.token_hex(1)
            case "number":
                return str(secrets.randbelow(int(blank[2])))
            case _:
                return f"{secrets.randbelow(int(blank[2])):012x}"

    return _BLANK.sub(fill, text)


def put(
    process: Process,
    port: int,
    requests: Sequence[Request],
    *,
    file: Path,
    warm_up: int,
    seconds: int,
    connections: int,
    beside: Process | None = None,
) -> Figures:
    """Send ``requests``, which are written to ``file``, in turn for ``seconds`` after as much as ``warm_up``.

    ``octets`` are those of an answer with its head, ``processor`` is the processor time of the server and
    its children for each request, ``redis`` that of the process ``beside`` it, ``failed`` the number of
    answers of status 400 and above, of broken connections and of time-outs.
    """
    file.write_text("".join(f"{request.line()}\n" for request in requests))
    if warm_up:
        _wrk(port, file, warm_up, connections)
    watched = {"processor": process} | ({"redis": beside} if beside else {})
    before = {name: each.processor_seconds() for name, each in watched.items()}
    outcome = _wrk(port, file, seconds, connections)
    if not (count := outcome["requests"]):
        raise RuntimeError(f"no request was answered within {seconds} s")
    spent = {name: (each.processor_seconds() - before[name]) / count * 1e6 for name, each in watched.items()}
    return {
        "per_second": count / outcome["duration"] * 1e6,
        "p50": outcome["p50"],
        "p99": outcome["p99"],
        **spent,
        "octets": outcome["octets"] / count,
        "peak": process.peak(),
        "failed": outcome["failed"],
    }


def _wrk(port: int, file: Path, seconds: int, connections: int) -> Figures:
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
    command += ["--timeout", "10s", "--script", str(_SCRIPT), f"http://127.0.0.1:{port}"]
    command += ["--", str(secrets.randbits(31)), str(file)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: pin(LOAD_CORE),
    )
    if done.returncode:
        raise RuntimeError(f"wrk failed: {done.stderr or done.stdout}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures
