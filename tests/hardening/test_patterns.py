"""Patterns that backtrack come to an end, and so do texts for our own; how soon: ``figures.patterns``."""

from __future__ import annotations

import json

import pytest

from mockserver.plan import Plan
from tests.hardening.figures.patterns import OWN, PATTERNS, document
from tests.live import Write, ask, compiled, engine_of


@pytest.fixture
def plan(write: Write) -> Plan:
    return compiled(write("patterns.json", json.dumps(document())))


def test_of_documents(plan: Plan) -> None:
    engine = engine_of(plan)
    for i, bad in enumerate(PATTERNS):
        body = json.dumps({"text": bad.text}).encode()
        response = ask(engine, "POST", f"/p{i}", {"content-type": "application/json"}, body)
        assert response.status in (200, 400, 422), bad.pattern


@pytest.mark.parametrize("own", OWN, ids=lambda own: own[0])
def test_of_our_own(plan: Plan, own: tuple[str, str, dict[str, str]]) -> None:
    _, path, headers = own
    sent = {"content-type": "application/json", **{name.lower(): text for name, text in headers.items()}}
    assert ask(engine_of(plan), "POST", path, sent, b"{}").status < 500
