"""``mockserver scenarios graph``: timelines as lines and as Mermaid."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml12
from jsonschema import Draft202012Validator

from mockserver import inputs
from tests.cli.command import run_here

LIFECYCLE = inputs.SCENARIOS.with_name("certificate-lifecycle.yaml")
FILE = """
resource: thing
key: path.id
operations: {look: "GET /things/{id}", act: "POST /things/{id}"}
states: {new: {}, busy: {}, done: {}}
scenarios:
  usual:
    - state: new
      until: {calls: {look: 1}, after: 90s}
      on: {act: [{when: {header.X-A: [a, b]}, to: done}, busy]}
    - state: busy
      until: {calls: 2}
      next: [{weight: 3, to: done}, {weight: 1, to: new}]
      delay: 1s
      fault: reset
    - done
  twice: [{new: 1}, {busy: 1}, new]
"""
TEXT = """\
usual
  new: on act if header.X-A = a | b → done; on act → busy; 1 call of look or after 90s → busy
  busy (delay 1s, reset): 2 calls 3 in 4 → done; 2 calls 1 in 4 → new
  done: for ever

twice
  new#1: 1 call → busy
  busy: 1 call → new#3
  new#3: for ever
"""


def test_as_lines(tmp_path: Path) -> None:
    file = tmp_path / "life.yaml"
    file.write_text(FILE)
    done = run_here("scenarios", "graph", file)
    assert (done.code, done.out, done.err) == (0, TEXT, "")


def test_one_scenario(tmp_path: Path) -> None:
    file = tmp_path / "life.yaml"
    file.write_text(FILE)
    assert run_here("scenarios", "graph", file, "--scenario", "twice").out == TEXT.partition("\n\n")[2]
    done = run_here("scenarios", "graph", file, "--scenario", "thrice")
    assert done.code == 2
    assert "S402" in done.err
    assert "usual, twice" in done.err


def test_as_mermaid() -> None:
    """Every way is drawn between nodes that are declared, with a label that Mermaid can read."""
    lines = run_here("scenarios", "graph", LIFECYCLE, "--format", "mermaid").out.splitlines()
    assert lines[0] == "stateDiagram-v2"
    named = {found[1] for line in lines if (found := re.match(r' +state ".*" as (\w+)', line))}
    ways = [found for line in lines if (found := re.match(r" +(\w+) --> (\w+): (.+)$", line))]
    assert len(ways) > 25
    for way in ways:
        assert {way[1], way[2]} <= named
        assert not re.search(r"[:;#<>%]", way[3])
    assert sum(line.endswith("{") for line in lines) == sum(line == "  }" for line in lines) == 9


def test_what_is_wrong_is_told(tmp_path: Path) -> None:
    file = tmp_path / "life.yaml"
    file.write_text(FILE.replace("{busy: 1}", "{bsy: 1}"))
    done = run_here("scenarios", "graph", file)
    assert done.code == 2
    assert "life.yaml:17:" in done.err
    assert "S203" in done.err
    assert run_here("scenarios", "graph", tmp_path / "none.yaml").code == 2


def test_the_schema_is_printed_for_editors(tmp_path: Path) -> None:
    done = run_here("scenarios", "schema", folder=tmp_path)
    assert done.code == 0
    Draft202012Validator.check_schema(json.loads(done.out))
    example = yaml12.parse_yaml(LIFECYCLE.read_text("utf-8"))
    Draft202012Validator(json.loads(done.out)).validate(example)
