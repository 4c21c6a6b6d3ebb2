"""What a run showed, as a file that can be kept."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import asdict
from pathlib import Path

import msgspec

from mockserver import __version__
from tests import programs
from tests.soak.judge import Judgement
from tests.soak.run import HISTORY, Run

_EXAMPLES = 50


def report(run: Run, command: str, folder: Path) -> dict[str, object]:
    """All that can be said, as JSON."""
    found = run.judgement
    outcomes = dict(sorted(found.outcomes.items()))
    attempts = sum(outcomes.values())
    return {
        "exact": found.exact,
        "violations": {"count": len(found.violations), "kinds": found.kinds, "first": _examples(found)},
        "keys": found.keys,
        "attempts": attempts,
        "answered": outcomes.get("answered", 0),
        "fewest answers to a key": found.fewest,
        "without an answer": {name: count for name, count in outcomes.items() if name != "answered"},
        "unknown": {"counted all the same": found.unknown_spent, "still open": found.unknown_open},
        "faults": [each.shown() for each in run.faults],
        "seconds": round(run.seconds, 1),
        "answered per second": round(outcomes.get("answered", 0) / run.seconds),
        "settings": asdict(run.settings),
        "history": {"file": HISTORY, "bytes": (folder / HISTORY).stat().st_size},
        "machine": _machine(),
        "command": command,
        "server said": run.errors.splitlines()[-100:],
    }


def write(said: dict[str, object], path: Path) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(said), indent=2) + b"\n")


def _examples(found: Judgement) -> list[dict[str, object]]:
    return [
        {"kind": each.kind, "key": each.key, "said": each.said, "attempt": msgspec.to_builtins(each.attempt)}
        for each in found.violations[:_EXAMPLES]
    ]


def _machine() -> dict[str, object]:
    redis = [programs.path("redis-server"), "--version"]
    said = subprocess.run(redis, capture_output=True, text=True, check=True).stdout
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "redis": " ".join(said.split()[:3]),
        "mockserver": __version__,
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
