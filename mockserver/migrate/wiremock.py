"""Convert stubs of WireMock to scenario files.

Stubs with the same ``scenarioName`` or operation belong to one resource. The states
of a scenario become states, in the order of their transitions. A stub without a
scenario becomes a state with its own scenario.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mockserver.diagnostics import Diagnostic
from mockserver.migrate.stubs import STARTED, Diagnostics, RequestMatch, Stub, read_request, read_response
from mockserver.plan import Document

Members = dict[str, Any]


@dataclass(slots=True)
class _MatchedStub:
    """A stub with its operation, conditions and response."""

    stub: Stub
    asked: RequestMatch
    response: Members


@dataclass(slots=True)
class _Group:
    """The stubs of one resource."""

    parts: list[_MatchedStub] = field(default_factory=list)

    @property
    def operations(self) -> list[str]:
        return list(dict.fromkeys(part.asked.operation.id for part in self.parts))


def scenario_files(stubs: Sequence[Stub], document: Document, found: Diagnostics) -> dict[str, Members]:
    """Return scenario files by name of the resource. Report what cannot be converted."""
    parts = []
    for stub in stubs:
        asked = read_request(stub, document, found)
        if asked is not None:
            parts.append(_MatchedStub(stub, asked, read_response(stub, asked.operation, found)))
    files: dict[str, Members] = {}
    for group in _groups(parts):
        name = _unique(_resource_name(group), files)
        files[name] = _Writer(name, group, found).file()
    return files


def _groups(parts: Sequence[_MatchedStub]) -> list[_Group]:
    groups: list[_Group] = []
    for part in parts:
        matching = [group for group in groups if any(_are_related(part, other) for other in group.parts)]
        joined = _Group([other for group in matching for other in group.parts] + [part])
        groups = [group for group in groups if group not in matching] + [joined]
    return groups


def _are_related(one: _MatchedStub, other: _MatchedStub) -> bool:
    same = one.stub.scenario and one.stub.scenario == other.stub.scenario
    return bool(same) or one.asked.operation.id == other.asked.operation.id


def _resource_name(group: _Group) -> str:
    """Return the name of the resource: the last word of the path, in the singular."""
    segments = group.parts[0].asked.operation.path.split("/")
    words = [segment for segment in segments if segment and not segment.startswith("{")]
    return re.sub(r"(?<![sui])s$", "", _slug(words[-1] if words else "resource"))


class _Writer:
    """Writes the file of one resource."""

    def __init__(self, name: str, group: _Group, found: Diagnostics) -> None:
        self.name = name
        self.parts = group.parts
        self.found = found
        self.aliases = self._aliases(group)
        self.states: Members = {}
        self.scenarios: Members = {}
        self.rules: list[tuple[int, int, int, Members]] = []

    def file(self) -> Members:
        for name in dict.fromkeys(part.stub.scenario for part in self.parts if part.stub.scenario):
            self._add_scenario(name, [part for part in self.parts if part.stub.scenario == name])
        for part in self.parts:
            if not part.stub.scenario:
                self._add_state(part)
        file: Members = {
            "resource": self.name,
            "key": self._key(),
            "operations": {alias: operation for operation, alias in self.aliases.items()},
            "states": self.states,
            "scenarios": self.scenarios,
        }
        rules = self._reachable_rules()
        return {**file, "select": rules} if rules else file

    @staticmethod
    def _aliases(group: _Group) -> dict[str, str]:
        """Operation → alias."""
        verbs = {"GET": "get", "POST": "create", "PUT": "replace", "PATCH": "change", "DELETE": "delete"}
        found: dict[str, str] = {}
        for part in group.parts:
            operation = part.asked.operation
            if operation.id not in found:
                found[operation.id] = _unique(verbs.get(operation.method, "call"), set(found.values()))
        return found

    def _key(self) -> str:
        """Return the last path parameter that all operations have, else ``header.Host``."""
        templates = {part.asked.operation.path for part in self.parts}
        shared = [
            name
            for name in re.findall(r"\{([^}]*)\}", self.parts[0].asked.operation.path)
            if all(f"{{{name}}}" in template for template in templates)
        ]
        if shared:
            return f"path.{shared[-1]}"
        self._warn(self.parts[0], "no path parameter identifies the resource", "choose another `key`.")
        return "header.Host"

    def _add_state(self, part: _MatchedStub) -> None:
        name = _unique(_slug(part.stub.name), {*self.states, *self.scenarios})
        self.states[name] = self._answers([part])
        self.scenarios[name] = [name]
        self._rule(name, [part])

    def _add_scenario(self, name: str, parts: Sequence[_MatchedStub]) -> None:
        """Convert a scenario of WireMock, with its states in the order of their transitions."""
        steps: list[Members] = []
        order = list(_reachable_states(parts))
        labels = {state: _unique(_slug(state), self.states) for state in order}
        for index, state in enumerate(order):
            matching = [part for part in parts if part.stub.state in ("", state)]
            self.states[labels[state]] = self._answers(matching)
            leaving = [part for part in matching if part.stub.next in _next_states(matching, state)]
            step: Members = {"state": labels[state]}
            if leaving and leaving[0].stub.next not in labels:
                part = f"the transition to {leaving[0].stub.next}, a state without a response,"
                self.found.append(leaving[0].stub.unsupported(part, "add a state with a response."))
            elif leaving:
                alias = self.aliases[leaving[0].asked.operation.id]
                step["until"] = {"calls": 1 if len(self.aliases) == 1 else {alias: 1}}
                if index + 1 == len(order) or order[index + 1] != leaving[0].stub.next:
                    step["next"] = labels[leaving[0].stub.next]
                for other in leaving[1:]:
                    self.found.append(
                        other.stub.unsupported(f"the transition to {other.stub.next}", "write it as `on`.")
                    )
            steps.append(step)
        timeline = _unique(_slug(name), self.scenarios)
        self.scenarios[timeline] = [*_merge_steps(steps, self.states)]
        self._rule(timeline, parts)
        if not any("path." in condition for part in parts for condition in part.asked.conditions):
            self._warn(
                parts[0],
                f"the scenario {name!r} was one for all requests; here each key goes through it by itself",
                "nothing, unless a test relied on it.",
            )

    def _answers(self, parts: Sequence[_MatchedStub]) -> Members:
        """Return the response of a state to each operation: that of the stub with the highest priority."""
        answers: Members = {}
        for part in sorted(parts, key=lambda part: (part.stub.priority, -part.stub.order)):
            alias = self.aliases[part.asked.operation.id]
            if alias not in answers:
                answers[alias] = part.response
            elif len(parts) > 1:
                self.found.append(
                    part.stub.unsupported("answering the same state another way", "add a state for it.")
                )
        return answers if len(self.aliases) > 1 else next(iter(answers.values()))

    def _rule(self, scenario: str, parts: Sequence[_MatchedStub]) -> None:
        """Add a rule that selects a scenario, with the conditions that all its stubs have."""
        first = parts[0].asked.conditions
        shared = {
            name: text
            for name, text in first.items()
            if all(part.asked.conditions.get(name) == text for part in parts)
        }
        stub = min((part.stub for part in parts), key=lambda stub: (stub.priority, -stub.order))
        self.rules.append((stub.priority, -len(shared), -stub.order, {**shared, "scenario": scenario}))
        for part in parts:
            for name in part.asked.conditions.keys() - shared.keys():
                self.found.append(
                    part.stub.unsupported(f"{name}, which not all of {scenario} ask for", "add a rule.")
                )

    def _reachable_rules(self) -> list[Members]:
        """Return the reachable rules, in the order of matching of WireMock."""
        rules: list[Members] = []
        for *_, rule in sorted(self.rules, key=lambda entry: entry[:3]):
            asked = {name: text for name, text in rule.items() if name != "scenario"}
            if any(earlier.items() <= asked.items() for earlier in map(_conditions, rules)):
                message = f"{rule['scenario']}: another stub of the same requests goes before it"
                self.found.append(Diagnostic("M104", message, self.parts[0].stub.where, _CHOOSE, "warning"))
            else:
                rules.append(rule)
        return rules

    def _warn(self, part: _MatchedStub, message: str, remedy: str) -> None:
        self.found.append(Diagnostic("M104", message, part.stub.where, remedy, "warning"))


_CHOOSE = "choose it by `Prefer: scenario=NAME`, or let the test assign it."


def _conditions(rule: Members) -> Members:
    return {name: text for name, text in rule.items() if name != "scenario"}


def _reachable_states(parts: Sequence[_MatchedStub]) -> Iterator[str]:
    """Yield the reachable states of a scenario, from the first one."""
    waiting, seen = [STARTED], set()
    states = {part.stub.state for part in parts} - {""}
    if STARTED not in states and states:
        waiting = [parts[0].stub.state or STARTED]
    while waiting:
        state = waiting.pop(0)
        if state in seen:
            continue
        seen.add(state)
        matching = [part for part in parts if part.stub.state in ("", state)]
        if matching:
            yield state
            waiting += _next_states(matching, state)[:1]


def _next_states(parts: Sequence[_MatchedStub], state: str) -> list[str]:
    """Return the states after ``state``. A timeline can follow only one of them."""
    return [part.stub.next for part in parts if part.stub.next not in ("", state)]


def _merge_steps(steps: Sequence[Members], states: Members) -> Iterator[Any]:
    """Yield steps in short form. Merge consecutive steps with the same responses into a longer hold."""
    run: list[Members] = []
    for step in steps:
        if (
            run
            and _is_short(run[-1])
            and _is_short(step)
            and states[run[0]["state"]] == states[step["state"]]
        ):
            del states[step["state"]]
            run.append(step)
            continue
        yield from _short(run)
        run = [step]
    yield from _short(run)


def _is_short(step: Members) -> bool:
    return step.get("until") == {"calls": 1} and "next" not in step


def _short(run: Sequence[Members]) -> Iterator[Any]:
    if not run:
        return
    if _is_short(run[0]):
        yield {run[0]["state"]: len(run)}
    else:
        yield run[0]["state"] if run[0].keys() == {"state"} else run[0]


def _slug(text: str) -> str:
    """Return a valid name for a scenario file."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "state"


def _unique(name: str, taken: Members | set[str]) -> str:
    number = 2
    found = name
    while found in taken:
        found, number = f"{name}-{number}", number + 1
    return found
