"""A tiny version of the figure of that name."""

from __future__ import annotations

from tests.hardening.figures.sharing import run


def test_shared_state_is_exact() -> None:
    verdict = run(clients=8, calls=50, racers=100, controls=30, replicas=(2,))
    assert verdict.met, str(verdict)
