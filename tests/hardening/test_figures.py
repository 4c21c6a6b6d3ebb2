"""Figures that are cheap with smaller numbers, so that they are true between one measurement and the next."""

from __future__ import annotations

import pytest

from tests.hardening.figures import bodies, wire_faults


def test_wire_faults_hurt_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_faults, "TIMES", 30)
    verdict = wire_faults.run()
    assert verdict.met, verdict


def test_the_cap_on_bodies_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "CAPS", (1, 1000, 100_003))
    verdict = bodies.run()
    assert verdict.met, verdict
