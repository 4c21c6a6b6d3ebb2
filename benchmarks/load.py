"""Load by wrk, from a core of its own."""

from __future__ import annotations

import json
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.process import LOAD_CORE, Process, pin

Kind = Literal["one key", "new keys", "a connection each", "targets"]

_SCRIPTS: dict[Kind, Path] = {
    "one key": Path(__file__).parent / "one_key.lua",
    "new keys": Path(__file__).parent / "new_keys.lua",
    "a connection each": Path(__file__).parent / "connections.lua",
    "targets": Path(__file__).parent / "targets.lua",
}


@dataclass(frozen=True, slots=True)
class Load:
    """What one load came to. Times are in microseconds."""

    requests: int
    per_second: float
    p50: float
    p99: float
    processor_time: float
    """Of the server and its children, for each request."""
    failed: int
    """Answers of status 400 and above, broken connections and time-outs."""


def put(
    process: Process,
    url: str,
    kind: Kind,
    *,
    warm_up: int,
    seconds: int,
    connections: int,
    targets: Path | None = None,
) -> Load:
    """Load the server for ``seconds`` after as much as ``warm_up``; of 0 there is none.

    ``url`` is that of one resource for "one key" and "a connection each", of the collection for "new
    keys", of the server for "targets", whose requests stand in the file ``targets``.
    """
    if warm_up:
        _wrk(url, kind, warm_up, connections, targets)
    before = process.processor_seconds()
    outcome = _wrk(url, kind, seconds, connections, targets)
    spent = process.processor_seconds() - before
    requests = int(outcome["requests"])
    return Load(
        requests=requests,
        per_second=requests / outcome["duration"] * 1e6,
        p50=outcome["p50"],
        p99=outcome["p99"],
        processor_time=spent / max(requests, 1) * 1e6,
        failed=int(outcome["failed"]),
    )


def _wrk(url: str, kind: Kind, seconds: int, connections: int, targets: Path | None) -> dict[str, float]:
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
    command += ["--timeout", "10s", "--script", str(_SCRIPTS[kind]), url, "--", str(secrets.randbits(31))]
    if targets is not None:
        command.append(str(targets))
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: pin(LOAD_CORE),
    )
    if done.returncode:
        raise RuntimeError(f"wrk failed: {done.stderr or done.stdout}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures
