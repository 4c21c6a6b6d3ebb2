"""Draw the timelines of a scenario file: as Mermaid state diagrams, or as lines of text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mockserver import inputs
from mockserver.compile.scenario.timelines import Predicates, is_exhaustive, read_scenario
from mockserver.compile.scenario.yaml_nodes import Report, compose
from mockserver.compile.source import Source
from mockserver.diagnostics import CompileError
from mockserver.plan import Branch, Condition, Delay, Scenario, Step


@dataclass(frozen=True, slots=True)
class Timelines:
    """The scenarios of one file, and the conditions of their branches."""

    scenarios: dict[str, Scenario]
    predicates: Sequence[tuple[Condition, ...]]


@dataclass(frozen=True, slots=True)
class Transition:
    """A transition between two steps of a scenario, by index; ``label`` says when it happens."""

    start: int
    end: int
    label: str


def read_timelines(source: Source) -> Timelines:
    """Read the timelines without a document. Raises CompileError for errors in them."""
    report = Report()
    root = compose(source, report)
    members = root.value if root is not None and isinstance(root.value, dict) else {}
    states, operations, named = (members.get(key) for key in ("states", "operations", "scenarios"))
    predicates: Predicates = []
    found = {}
    for name, node in named.items() if named is not None else ():
        known = dict(states.items()) if states is not None else {}
        aliases = dict(operations.items()) if operations is not None else {}
        scenario = read_scenario(name, node, known, aliases, report, predicates=predicates)
        if scenario is not None:
            found[name] = scenario
    if report.diagnostics:
        raise CompileError(report.diagnostics)
    return Timelines(found, predicates)


def transitions(step: Step, index: int, predicates: Sequence[tuple[Condition, ...]]) -> Iterator[Transition]:
    """Yield every transition from a step."""
    holds = _holds(step)
    shared = [branch for branch in step.branches if not branch.operation]
    for branch in step.branches:
        trigger = f"on {branch.operation}" if branch.operation else holds
        yield Transition(index, branch.next, _label(trigger, branch, step.branches, predicates))
    if holds and not is_exhaustive(shared):
        yield Transition(index, step.next, f"{holds}, else" if shared else holds)


def _holds(step: Step) -> str:
    parts = []
    if step.calls:
        counted = f" of {step.counted}" if step.counted else ""
        parts.append(f"{step.calls} call{'s' if step.calls != 1 else ''}{counted}")
    if step.after:
        parts.append(f"after {inputs.format_duration(step.after)}")
    if step.operation:
        parts.append(f"on {step.operation}")
    return " or ".join(parts)


def _label(
    trigger: str, branch: Branch, branches: Sequence[Branch], predicates: Sequence[tuple[Condition, ...]]
) -> str:
    label = trigger
    if branch.predicate >= 0:
        label += " if " + " and ".join(map(_condition, predicates[branch.predicate]))
    if branch.weight:
        total = sum(other.weight for other in branches if other.operation == branch.operation)
        label += f" {branch.weight} in {total}"
    return label


def _condition(condition: Condition) -> str:
    place = f"{condition.part}.{condition.name}" if condition.name else condition.part
    return f"{place} = {' | '.join(condition.patterns)}"


def mermaid(scenarios: Mapping[str, Scenario], predicates: Sequence[tuple[Condition, ...]]) -> str:
    """Return a ``stateDiagram-v2`` with one composite state per scenario."""
    lines = ["stateDiagram-v2"]
    for number, (name, scenario) in enumerate(scenarios.items()):
        lines += [f'  state "{_quoted(name)}" as s{number} {{', f"    [*] --> s{number}_0"]
        for index, step in enumerate(scenario.steps):
            lines.append(f'    state "{_quoted(step.state + _suffix(step))}" as s{number}_{index}')
            lines += [
                f"    s{number}_{transition.start} --> s{number}_{transition.end}: {_safe(transition.label)}"
                for transition in transitions(step, index, predicates)
            ]
        lines.append("  }")
    return "\n".join(lines)


def text(scenarios: Mapping[str, Scenario], predicates: Sequence[tuple[Condition, ...]]) -> str:
    """Return one line per step, with its transitions, below the name of its scenario."""
    lines: list[str] = []
    for name, scenario in scenarios.items():
        lines += ["", name] if lines else [name]
        names = [step.state for step in scenario.steps]
        for index, step in enumerate(scenario.steps):
            shown = [
                f"{transition.label} → {_step(transition.end, names)}"
                for transition in transitions(step, index, predicates)
            ] or ["for ever"]
            lines.append(f"  {_step(index, names)}{_suffix(step)}: {'; '.join(shown)}")
    return "\n".join(lines)


def _step(index: int, names: Sequence[str]) -> str:
    """Return the state of a step, with the number of the step if several steps have that state."""
    return f"{names[index]}#{index + 1}" if names.count(names[index]) > 1 else names[index]


def _suffix(step: Step) -> str:
    parts = [f"delay {_delay(step.delay)}"] if step.delay is not None else []
    parts += (
        [f"dribbles over {inputs.format_duration(step.dribble.over)}"] if step.dribble is not None else []
    )
    parts += [step.fault] if step.fault else []
    return f" ({', '.join(parts)})" if parts else ""


def _delay(delay: Delay) -> str:
    match delay.kind:
        case "uniform":
            return f"{inputs.format_duration(delay.low)} to {inputs.format_duration(delay.high)}"
        case "lognormal":
            return f"about {inputs.format_duration(delay.low)}"
    return inputs.format_duration(delay.low)


def _quoted(label: str) -> str:
    return label.replace('"', "'")


def _safe(label: str) -> str:
    """Replace the syntax of Mermaid in a label: colons, semicolons, line breaks, comments."""
    return re.sub(r"[:;\n\r%#<>]", " ", label)


DRAWINGS: Mapping[str, Callable[[Mapping[str, Scenario], Sequence[tuple[Condition, ...]]], str]] = {
    "mermaid": mermaid,
    "text": text,
}
"""Format → function that draws it."""
