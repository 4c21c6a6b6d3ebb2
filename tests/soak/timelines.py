"""What is served, and what the n-th call of a key has to answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PATH = "/jobs/"

Hold = tuple[str, int]
"""A state, and how many calls it lasts."""


@dataclass(frozen=True)
class Timeline:
    """States, each for so many calls; then ``last`` for ever, or where there is none the first again."""

    name: str
    holds: Sequence[Hold]
    last: str = ""

    def at(self, position: int) -> tuple[str, int]:
        """State and number of the call in it, of the call number ``position``, from 0."""
        period = sum(count for _, count in self.holds)
        if self.last and position >= period:
            return self.last, position - period + 1
        rest = position % period
        for state, count in self.holds:
            if rest < count:
                return state, rest + 1
            rest -= count
        raise AssertionError(position)

    def steps(self) -> str:
        """As a scenario file has it."""
        lines = [f"{{state: {state}, until: {{calls: {count}}}}}" for state, count in self.holds]
        if self.last:
            lines.append(f"{{state: {self.last}}}")
        else:
            state, count = self.holds[-1]
            lines[-1] = f"{{state: {state}, until: {{calls: {count}}}, next: {self.holds[0][0]}}}"
        return f"[{', '.join(lines)}]"


ISSUE = Timeline("issue", [("pending", 2)], "issued")
LADDER = Timeline(
    "ladder", [("queued", 1), ("fetched", 3), ("built", 2), ("tested", 25), ("shipped", 40)], "done"
)
RING = Timeline("ring", [("red", 3), ("green", 1), ("amber", 2)])
TIMELINES = {each.name: each for each in (ISSUE, LADDER, RING)}
_ALONE = (LADDER, ISSUE, RING, LADDER)


def keys(count: int) -> list[str]:
    """Names of keys; each begins with the name of its timeline."""
    return [f"{_ALONE[number % len(_ALONE)].name}-{number}" for number in range(count)]


def crowded(count: int) -> list[str]:
    """Keys that all clients poll at the same time: none of a ring, as equal answers would hide each other."""
    return [f"{(LADDER, ISSUE)[number % 2].name}-crowd-{number}" for number in range(count)]


def timeline(key: str) -> Timeline:
    return TIMELINES[key.partition("-")[0]]


def body(key: str, position: int) -> str:
    """The body that the call number ``position`` of a key has to be answered with."""
    state, call = timeline(key).at(position)
    return f'{{"id":"{key}","state":"{state}","call":{call}}}'


DOCUMENT = """\
openapi: 3.1.0
info: {title: Jobs, version: '1'}
paths:
  /jobs/{id}:
    get:
      operationId: poll
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses:
        '200':
          description: The job.
          content:
            application/json:
              schema:
                type: object
                required: [id, state, call]
                properties: {id: {type: string}, state: {type: string}, call: {type: integer}}
"""


def scenario_file() -> str:
    states = dict.fromkeys(
        state
        for each in TIMELINES.values()
        for state in (*(name for name, _ in each.holds), each.last)
        if state
    )
    own = "{body: {id: '{{ resource.key }}', state: '{{ resource.state }}', call: '{{ resource.call }}'}}"
    lines = ["resource: job", "key: path.id", "operations: {poll: poll}", "states:"]
    lines += [f"  {state}: {own}" for state in states]
    lines += ["scenarios:"] + [f"  {each.name}: {each.steps()}" for each in TIMELINES.values()]
    lines += ["select:"] + [f"  - {{id: '{name}-*', scenario: {name}}}" for name in TIMELINES]
    return "\n".join([*lines, f"  - scenario: {ISSUE.name}", ""])


def write(folder: Path) -> tuple[Path, Path]:
    """The document and the scenario file, in a folder."""
    document, scenarios = folder / "jobs.yaml", folder / "job-scenarios.yaml"
    document.write_text(DOCUMENT, "utf-8")
    scenarios.write_text(scenario_file(), "utf-8")
    return document, scenarios
