"""A small run of everything: seconds instead of minutes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.soak import history
from tests.soak.__main__ import VERDICT, main
from tests.soak.run import HISTORY

SMALL = (
    "--workers 2 --connections 16 --keys 50 --polls 2000 --crowded 4 "
    "--restarts 1 --kills 1 --cuts 1 --freezes 1 --timeout 300"
)


@pytest.mark.parametrize("down", ["fail", "wait"])
def test_every_key_has_the_exact_sequence_though_redis_and_workers_fail(tmp_path: Path, down: str) -> None:
    ran = CliRunner().invoke(main, [*SMALL.split(), "--down", down, "--out", str(tmp_path)])
    assert ran.exit_code == 0, ran.output
    said = json.loads((tmp_path / VERDICT).read_bytes())
    assert said["exact"] is True
    assert said["violations"]["count"] == 0
    assert said["keys"] == 54
    assert said["answered"] >= 2000
    assert sorted(each["kind"] for each in said["faults"]) == ["cut", "freeze", "kill", "restart"]
    assert sum(said["without an answer"].values()) > 0, "nothing was hit by the faults"
    assert sum(1 for _ in history.read(tmp_path / HISTORY)) == said["attempts"]


def test_every_call_is_answered_where_redis_is_waited_for(tmp_path: Path) -> None:
    sizes = "--workers 2 --connections 16 --keys 50 --polls 2000 --crowded 4"
    faults = "--restarts 2 --cuts 2 --kills 0 --freezes 0 --down wait --timeout 60000"
    ran = CliRunner().invoke(main, [*sizes.split(), *faults.split(), "--out", str(tmp_path)])
    assert ran.exit_code == 0, ran.output
    said = json.loads((tmp_path / VERDICT).read_bytes())
    assert (said["exact"], said["without an answer"]) == (True, {})
    assert len(said["faults"]) == 4
