"""What the first inputs of each reader cost, small and as large as may be; `make fuzz` searches for worse."""

from __future__ import annotations

from tests.fuzz.costs import least_cost, measuring, smaller
from tests.fuzz.readers import READERS
from tests.verdict import Verdict


def run() -> Verdict:
    verdict = Verdict("Inputs of every reader: 50 ms and 20 MB for each 10 kB, 2 s and 300 MB at most")
    for name, reader in READERS.items():
        with measuring(reader) as (measure, _):
            costs = {
                (shape, most): least_cost(measure, shape.octets(most))
                for shape in reader.starts
                for most in {smaller(reader), reader.most}
            }
        (shape, _), worst = max(costs.items(), key=lambda each: each[1].share)
        verdict.hold(worst.share <= 1, f"{name}: at most {worst}, {shape.before + shape.piece!r:.80}")
    return verdict
