"""Templates that grow: each is refused within 100 ms of processor time, and holds 50 MB at most."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.fuzz.costs import forks
from tests.fuzz.readers import READERS
from tests.hardening.growing_templates import growing
from tests.verdict import Verdict

SECONDS, MEMORY = 0.1, 50e6


def run() -> Verdict:
    verdict = Verdict("Templates that grow: 100 ms and 50 MB each")
    sources = list(dict.fromkeys(growing()))
    with tempfile.TemporaryDirectory() as folder:
        measure = forks(READERS["template"], Path(folder))
        costs = {source: measure(source.encode()) for source in sources}
    slowest = max(costs, key=lambda each: costs[each].seconds)
    largest = max(costs, key=lambda each: costs[each].memory)
    verdict.say(f"{len(costs)} templates")
    verdict.hold(costs[slowest].seconds <= SECONDS, f"slowest: {costs[slowest]}, {slowest:.80}")
    verdict.hold(costs[largest].memory <= MEMORY, f"largest: {costs[largest]}, {largest:.80}")
    return verdict
