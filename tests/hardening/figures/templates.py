"""Templates that grow: each is refused within 100 ms of processor time, and holds 50 MB at most."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.fuzz.costs import forks
from tests.fuzz.readers import READERS
from tests.hardening.growing_templates import growing
from tests.hardening.verdict import Verdict

SECONDS, MEMORY = 0.1, 50e6


def run() -> Verdict:
    verdict = Verdict("Templates that grow: 100 ms and 50 MB each")
    sources = list(dict.fromkeys(growing()))
    with tempfile.TemporaryDirectory() as folder:
        measure = forks(READERS["template"], Path(folder))
        costs = {source: measure(source.encode()) for source in sources}
    for source, cost in costs.items():
        verdict.hold(cost.seconds <= SECONDS and cost.memory <= MEMORY, f"{source:.100}: {cost}")
    slowest, largest = (
        max(each.seconds for each in costs.values()),
        max(each.memory for each in costs.values()),
    )
    verdict.say(f"{len(costs)} templates, slowest {slowest * 1000:.0f} ms, largest {largest / 1e6:.1f} MB")
    return verdict
