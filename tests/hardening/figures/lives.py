"""A thousand certificates, from the order to the end, in eight threads: each sees exactly its own states."""

from __future__ import annotations

from collections import Counter

import yaml

from tests.conformance.test_lifecycle import DOCUMENT, SCENARIOS, expected, lives
from tests.live import compiled
from tests.verdict import Verdict

COUNT = 125
"""Of each thread."""


def run() -> Verdict:
    verdict = Verdict("A thousand lives in eight threads")
    document = yaml.safe_load(DOCUMENT.read_text("utf-8"))
    found = lives(compiled(DOCUMENT, scenarios=(SCENARIOS,)), document, COUNT)
    wrong = found - Counter(expected(COUNT))
    verdict.hold(
        found == expected(COUNT),
        f"{found.total():,} lives, {wrong.total()} of them with other states {dict(wrong) or ''}".rstrip(),
    )
    return verdict
