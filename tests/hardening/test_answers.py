"""Answers that no service would give: refused where they stand, or sent whole."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from mockserver.diagnostics import CompileError, Diagnostic
from tests.hardening.figures.answers import DOCUMENT, WILD, response, written
from tests.live import Wire, Write, compiled, engine_of, serving_engine

HEAD = "resource: shown\nkey: path.id\noperations: {show: show}\nscenarios: {main: [odd]}\nstates:\n"


@pytest.mark.parametrize("number", range(60))
def test_an_answer_by_chance(write: Write, number: int) -> None:
    document = write("answers.yaml", DOCUMENT)
    life = write("shown.yaml", "x")
    life.write_text(f"{HEAD}  odd: {written(response(random.Random(number)))}\n", "utf-8")
    refused: Sequence[Diagnostic] = ()
    try:
        plan = compiled(document, scenarios=[life])
    except CompileError as error:
        refused = error.diagnostics
    if refused:
        assert random.Random(number).random() < WILD, "an answer that is only odd was refused"
        assert {(each.where.source.rpartition("/")[2], each.where.line) for each in refused} == {
            ("shown.yaml", 6)
        }
        assert all(each.remedy for each in refused)
        return
    stated = plan.resources[0].states["odd"].answers["show"].status
    with serving_engine(engine_of(plan)) as live, Wire(live.port) as wire:
        wire.send(b"GET /shown/1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        reply = wire.reply()
        assert reply.status == stated
        assert wire.rest() == b""
        assert "injected" not in reply.headers
