"""One target by Hypothesis: ``python -m tests.fuzz.unguided TARGET SECONDS``. Ends with the first finding.

A target with a loop of its own (``run``) is given its seconds; of the others, seeds
are damaged: cut, joined, and written over.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable
from importlib import import_module

import click
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import KEPT

_BATCH = 200


def main(name: str, seconds: str) -> int:
    target = import_module(f"tests.fuzz.targets.{name}")
    if hasattr(target, "run"):
        return int(target.run(float(seconds), KEPT / "findings" / name))
    end = time.monotonic() + float(seconds)
    made = 0
    while time.monotonic() < end:
        failed = _batch(target.seeds(), target.check)
        made += _BATCH
        if failed is not None:
            data, error = failed
            place = KEPT / "findings" / name / f"crash-{hashlib.sha256(data).hexdigest()[:40]}"
            place.write_bytes(data)
            click.echo(f"  {error!r}"[:500])
            return 1
    click.echo(f"  {made:,} inputs")
    return 0


def _batch(seeds: list[bytes], check: Callable[[bytes], None]) -> tuple[bytes, Exception] | None:
    last: list[bytes] = []
    pieces = st.sampled_from(seeds) | st.binary(max_size=20)
    damages = st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=5)), max_size=5)

    @settings(max_examples=_BATCH, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(pieces, min_size=1, max_size=2), damages)
    def attack(parts: list[bytes], changes: list[tuple[float, bytes]]) -> None:
        data = bytearray(b"".join(parts))
        for place, noise in changes:
            start = int(place * len(data))
            data[start : start + len(noise)] = noise
        last[:] = [bytes(data)]
        check(last[0])

    try:
        attack()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return last[0], error
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
