"""Read ``states`` of a scenario file, with the ``defaults`` of their bodies.

A state has one response for every operation, or one per operation by alias.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from mockserver.compile.fields import properties
from mockserver.compile.scenario.conditions import suggest
from mockserver.compile.scenario.delays_faults import read_members
from mockserver.compile.scenario.responses import (
    RESPONSE_KEYS,
    Binding,
    compile_templates,
    read_item,
    read_response,
)
from mockserver.compile.scenario.yaml_nodes import Node, Report
from mockserver.diagnostics import did_you_mean, nearest
from mockserver.plan import ResponseTemplate, State

NAME = re.compile(r"[A-Za-z0-9][\w.-]*$")
"""The names that states, scenarios and resources may have."""
Nodes = dict[tuple[str, str], Node]
"""(state, alias) → the node of the response."""
SET = "set"
"""The key of a state with the fields that it writes into the stored data."""


def read_states(
    members: Iterable[tuple[str, Node]],
    bindings: Mapping[str, Binding],
    defaults: Mapping[str, Node],
    unbound: Collection[str],
    report: Report,
    *,
    fills: bool = False,
) -> tuple[dict[str, State], Nodes, dict[str, Node]]:
    """Return every state by name, the nodes of their responses, and the nodes of what they write, by state.

    ``fills``: an operation without a response in a state has the documented success there.
    ``unbound`` are aliases of operations that no document has. They are already reported.
    """
    states: dict[str, State] = {}
    nodes: Nodes = {}
    writes: dict[str, Node] = {}
    for name, node in members:
        if not NAME.match(name):
            report.error(
                "S204",
                node.key_node,
                f"{name!r} is not a valid name of a state",
                "use letters, digits, dots and hyphens.",
            )
            continue
        if isinstance(node.value, dict) and SET in node.value and SET not in {*bindings, *unbound}:
            found = node.value[SET]
            node = Node(
                {key: child for key, child in node.value.items() if key != SET}, node.location, node.key
            )
            if _is_patch(name, found, report):
                writes[name] = found
        states[name], answers = _read_state(name, node, bindings, defaults, report, unbound, fills=fills)
        if name in writes:
            states[name] = State(name, states[name].answers, writes[name].plain())
        nodes.update({(name, alias): answer for alias, answer in answers.items()})
    if bindings:
        _report_unused_defaults(defaults, bindings, report)
    return states, nodes, writes


def _is_patch(state: str, node: Node, report: Report) -> bool:
    """Report a ``set`` that is no mapping of fields, or whose templates do not compile."""
    if not isinstance(node.value, dict) or not node.value:
        report.error(
            "S204",
            node,
            f"`set` of state {state!r} is {node.describe()}",
            "write the fields of the stored data, such as {status: cancelled}.",
        )
        return False
    return compile_templates(node, report)


def _report_unused_defaults(
    defaults: Mapping[str, Node], bindings: Mapping[str, Binding], report: Report
) -> None:
    known = {
        name
        for binding in bindings.values()
        for documented_response in binding.operation.responses
        for media in documented_response.content
        if media.schema
        for name in properties(binding.schemas, media.schema).names
    }
    for name, node in defaults.items():
        if name not in known:
            report.error(
                "S311",
                node.key_node,
                f"no documented body has the field {name!r} of `defaults`",
                suggest(name, sorted(known)),
            )


def _read_state(
    name: str,
    node: Node,
    bindings: Mapping[str, Binding],
    defaults: Mapping[str, Node],
    report: Report,
    unbound: Collection[str],
    *,
    fills: bool,
) -> tuple[State, dict[str, Node]]:
    """Return the state at ``node``, and the node of each of its responses by alias."""
    answers: dict[str, ResponseTemplate] = {}
    nodes: dict[str, Node] = {}
    members = node.value
    if not isinstance(members, dict):
        report.error(
            "S204",
            node,
            f"state {name!r} is {node.describe()}",
            "write it as {status: 404, body: {…}}; {} is the documented success response.",
        )
        return State(name, {}), {}
    aliases = {*bindings, *unbound}
    per_operation = not aliases.isdisjoint(members) and (
        aliases.issuperset(members) or RESPONSE_KEYS.isdisjoint(members)
    )
    if per_operation:
        members = _by_alias(name, members, aliases, report)
        if fills:
            members = {**_documented(node, bindings), **members}
    for key, child in members.items():
        if bindings and not per_operation and key not in RESPONSE_KEYS:
            known = ", ".join(sorted(RESPONSE_KEYS))
            report.error(
                "S201",
                child.key_node,
                f"state {name!r} has no key {key!r}",
                f"{did_you_mean(key, [*RESPONSE_KEYS, *aliases])} its keys are {known}; "
                f"or write one response per operation: {', '.join(bindings)}.".lstrip(),
            )
        elif per_operation:
            read_members(child, RESPONSE_KEYS, f"a response of state {name!r}", report)
    for alias, operation in bindings.items():
        response = members.get(alias) if per_operation else node
        if operation.item:
            borrowed = response is None or not per_operation
            response = members.get(operation.source) if response is None else response
            if response is None or (borrowed and not _succeeds(response)):
                continue
            template = read_item(name, response, operation, defaults, report, strict=not borrowed)
        elif response is None:
            continue
        else:
            template = read_response(name, response, operation, defaults, report)
        if template is not None:
            answers[alias], nodes[alias] = template, response
    return State(name, answers), nodes


def _documented(node: Node, bindings: Mapping[str, Binding]) -> dict[str, Node]:
    """Return the documented success for each operation; a list shows the response to its ``items``."""
    return {
        alias: Node({}, node.location, node.key) for alias, binding in bindings.items() if not binding.item
    }


def _by_alias(
    state: str, members: Mapping[str, Node], aliases: Collection[str], report: Report
) -> dict[str, Node]:
    """Return the responses of a state by alias. Report misspelt aliases, and read them as similar ones."""
    answers = {alias: node for alias, node in members.items() if alias in aliases}
    for key, node in members.items():
        if key not in aliases:
            report.error(
                "S202",
                node.key_node,
                f"state {state!r} has a response for {key!r}, but this file has no such operation",
                suggest(key, sorted(aliases)),
            )
            if meant := nearest(key, aliases):
                answers.setdefault(meant, node)
    return answers


def _succeeds(response: Node) -> bool:
    status = response.value.get("status") if isinstance(response.value, dict) else None
    return status is None or (isinstance(status.value, int) and 200 <= status.value < 300)
