"""Read one scenario file as a Resource of the Plan. Report all its errors in one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePath

from msgspec.structs import replace

from mockserver.compile.document import LoadedDocument
from mockserver.compile.scenario.bindings import (
    OperationsReader,
    key_schemas,
    read_certify,
    read_handles,
    read_key,
)
from mockserver.compile.scenario.conditions import read_rules, suggest
from mockserver.compile.scenario.delays_faults import read_delay
from mockserver.compile.scenario.limits import read_flaky, read_limits, read_state_name
from mockserver.compile.scenario.responses import Binding, compile_templates
from mockserver.compile.scenario.states import NAME, SET, read_states
from mockserver.compile.scenario.timelines import Predicates, read_scenario
from mockserver.compile.scenario.webhooks import read_webhooks
from mockserver.compile.scenario.yaml_nodes import Node, Report, compose
from mockserver.compile.source import Source
from mockserver.diagnostics import nearest
from mockserver.jsonschema import Schemas
from mockserver.plan import DataResource, Delay, Resource, Role, Rule, Scenario, State, Step

_KEYS = (
    "resource", "document", "key", "handles", "operations", "states", "defaults", "scenarios", "select",
    "invalid", "unknown", "unanswered", "certify", "delay", "limit", "flaky", "notify",
)  # fmt: skip
_REQUIRED = ("resource", "key", "operations", "states", "scenarios")
STATE_PREFIX = "state:"
"""Every state has a scenario ``state:NAME``, which stays in that state."""


@dataclass(slots=True)
class Draft:
    """A resource with the nodes that it was read from, so that the dry run can locate errors."""

    resource: Resource
    bindings: dict[str, Binding]
    nodes: dict[tuple[str, str], Node]
    """(state, alias) → the node of the response."""
    defaults: Mapping[str, Node]
    document: str = ""
    """The name under ``document``; empty if the file has none."""
    webhooks: tuple[Node, ...] = ()
    """The node of each webhook."""
    writes: Mapping[str, Node] = field(default_factory=dict)
    """State → the node of what it writes into the stored data."""
    data: DataResource | None = None
    """The stored data, if an operation updates it or a state writes it."""

    @property
    def stores(self) -> bool:
        """Whether the resource has stored data."""
        return bool(self.writes) or any(binding.role.updates for binding in self.bindings.values())


def read_scenario_file(
    source: Source,
    documents: Sequence[tuple[LoadedDocument, Schemas]],
    report: Report,
    *,
    from_folder: bool = False,
) -> Draft | None:
    """Return the resource that ``source`` describes, or None after reporting an error.

    ``from_folder``: the file was found in a folder. It is skipped if its document is not served.
    """
    root = compose(source, report)
    if root is None:
        return None
    reader = _Reader(source.name, root, documents, report)
    if from_folder and reader.is_for_other_document:
        return None
    return reader.read()


class _Reader:
    def __init__(
        self, name: str, root: Node, documents: Sequence[tuple[LoadedDocument, Schemas]], report: Report
    ) -> None:
        self.name = name
        self.root = root
        self.documents = documents
        self.report = report
        self.members: dict[str, Node] = root.value if isinstance(root.value, dict) else {}

    @property
    def is_for_other_document(self) -> bool:
        """Whether the file names a document that is not served."""
        node = self.members.get("document")
        names = [document[0].document.name for document in self.documents]
        return node is not None and isinstance(node.value, str) and node.value not in names

    def read(self) -> Draft | None:
        if not isinstance(self.root.value, dict):
            self.report.error(
                "S204",
                self.root,
                f"a scenario file must be a mapping, not {self.root.describe()}",
                "start with `resource: NAME`.",
            )
            return None
        for key, child in list(self.members.items()):
            if key not in _KEYS and not key.startswith("x-"):
                self.report.error(
                    "S201", child.key_node, f"a scenario file has no key {key!r}", suggest(key, _KEYS)
                )
                if similar := nearest(key, _KEYS, 0.75):
                    self.members.setdefault(similar, child)
        for key in _REQUIRED:
            if key not in self.members:
                self.report.error("S205", self.root, f"the key {key!r} is missing", _EXAMPLES[key])
        name = self._name()
        bindings = self._operations()
        key_source = read_key(self.members.get("key"), bindings, self.report)
        defaults = {
            name: node for name, node in self._mapping("defaults") if compile_templates(node, self.report)
        }
        unbound = {alias: node for alias, node in self._mapping("operations") if alias not in bindings}
        states, nodes, writes = read_states(
            self._mapping("states"), bindings, defaults, unbound, self.report, fills=self._fills(bindings)
        )
        predicates: Predicates = []
        known_bindings = {} if unbound else bindings  # with unknown operations, no condition can be checked
        scenarios = self._scenarios(states, known_bindings, predicates)
        rules = self._rules(scenarios, known_bindings)
        fallbacks = {key: self._fallback(key, states) for key in ("invalid", "unknown", "unanswered")}
        limit, flaky = self.members.get("limit"), self.members.get("flaky")
        limits = read_limits(limit, states, self.report) if limit is not None else ()
        flakiness = read_flaky(flaky, states, self.report) if flaky is not None else None
        creates_nowhere = any("creates" in dict(node.items()) for node in unbound.values())
        if not bindings or key_source is None or not states or not scenarios or creates_nowhere:
            return None
        roles = {alias: binding.role for alias, binding in bindings.items() if binding.role != Role()}
        handles = read_handles(self._mapping("handles"), self.report)
        self._check_unknown(roles, fallbacks["unknown"])
        self._check_first_states(scenarios, states, roles)
        if fallbacks["unanswered"]:
            scenarios = {key: _with_answers(scenario, states) for key, scenario in scenarios.items()}
        resource = Resource(
            name=name,
            source=self.name,
            document=next(iter(bindings.values())).document.name,
            key=key_source,
            operations={alias: binding.operation.id for alias, binding in bindings.items()},
            states=states,
            scenarios=scenarios,
            rules=rules,
            invalid=fallbacks["invalid"],
            unknown=fallbacks["unknown"],
            unanswered=fallbacks["unanswered"],
            roles=roles,
            key_schemas=key_schemas(key_source, bindings),
            handles=handles,
            predicates=tuple(predicates),
            certify=read_certify(self.members.get("certify"), bindings, self.report),
            limits=limits,
            flaky=flakiness,
            webhooks=read_webhooks(self.members["notify"], states, bindings, self.report)
            if "notify" in self.members
            else (),
        )
        document = self.members.get("document")
        notify = self.members.get("notify")
        webhooks = () if notify is None else notify.value if isinstance(notify.value, list) else [notify]
        name = "" if document is None else str(document.value)
        return Draft(resource, bindings, nodes, defaults, name, tuple(webhooks), writes)

    def _name(self) -> str:
        node = self.members.get("resource")
        if node is None:
            return ""
        if not isinstance(node.value, str) or not NAME.match(node.value):
            self.report.error(
                "S204",
                node,
                f"`resource` is {node.describe()}",
                "write a name of letters, digits and hyphens.",
            )
            return ""
        return node.value

    def _operations(self) -> dict[str, Binding]:
        members = self._mapping("operations")
        if (
            "operations" in self.members
            and not members
            and isinstance(self.members["operations"].value, dict)
        ):
            self.report.error(
                "S204", self.members["operations"], "no operation is named", _EXAMPLES["operations"]
            )
        node = self.members.get("delay")
        delay: Delay | None = read_delay(node, self.report) if node is not None else None
        states, handles = dict(self._mapping("states")), dict(self._mapping("handles"))
        bindings = OperationsReader(self._documents(), states, handles, delay, self.report).read(members)
        names = {binding.document.name for binding in bindings.values()}
        if len(names) > 1:
            self.report.error(
                "S106",
                self.members["operations"],
                f"the operations belong to several documents: {', '.join(sorted(names))}",
                "choose one with `document: NAME`, or write one file per document.",
            )
            return {}
        return bindings

    def _documents(self) -> Sequence[tuple[LoadedDocument, Schemas]]:
        """Return the documents to search for operations, in order.

        The first is the document under ``document``, else the document with the name of this file.
        """
        node = self.members.get("document")
        if node is not None and not isinstance(node.value, str):
            self.report.error(
                "S204",
                node,
                f"`document` is {node.describe()}",
                "write the name of a document file, without .yaml.",
            )
        wanted = node.value if node is not None else PurePath(self.name).stem
        return sorted(self.documents, key=lambda document: document[0].document.name != wanted)

    def _fills(self, bindings: Mapping[str, Binding]) -> bool:
        """Return whether stored data responds where a state has no response for an operation."""
        states = self._mapping("states") if SET not in bindings else ()
        sets = any(isinstance(node.value, dict) and SET in node.value for _, node in states)
        updates = any(binding.role.updates for binding in bindings.values())
        return (sets or updates) and "unanswered" not in self.members

    def _check_unknown(self, roles: Mapping[str, Role], unknown: str) -> None:
        """Report a missing ``unknown``: operations that delete resources or use a handle need it."""
        wanting = [alias for alias, role in roles.items() if role.deletes or role.handle]
        if wanting and not unknown and "unknown" not in self.members:
            self.report.error(
                "S209",
                self.members["operations"],
                f"operation {wanting[0]!r} needs a response for resources that do not exist",
                "write `unknown: 404`, or `unknown: NAME` with the name of a state.",
            )

    def _check_first_states(
        self, scenarios: Mapping[str, Scenario], states: Mapping[str, State], roles: Mapping[str, Role]
    ) -> None:
        """Report scenarios whose first state has no response to the operation that creates."""
        creator = next((alias for alias, role in roles.items() if role.creates), None)
        for name, node in self._mapping("scenarios") if creator else ():
            first = scenarios[name].steps[0].state if name in scenarios else ""
            if first in states and creator not in states[first].answers:
                self.report.error(
                    "S314",
                    node,
                    f"scenario {name!r} begins with {first!r}, which has no response to {creator!r}",
                    f"add a response to the state: {first}: {{{creator}: {{…}}}}.",
                )

    def _fallback(self, key: str, states: Mapping[str, State]) -> str:
        """Return the state under ``key``, or the status of a documented response; empty if missing."""
        node = self.members.get(key)
        if node is None:
            return ""
        status = node.value
        if key != "invalid" and isinstance(status, int) and not isinstance(status, bool):
            if 400 <= status <= 599:
                return str(status)
            self.report.error(
                "S306", node, f"status {status} is not an error", "give a status from 400 to 599."
            )
            return ""
        return read_state_name(node, states, self.report)

    def _scenarios(
        self, states: Mapping[str, State], bindings: Mapping[str, Binding], predicates: Predicates
    ) -> dict[str, Scenario]:
        scenarios = {}
        known, aliases = dict(self._mapping("states")), dict(self._mapping("operations"))
        for name, node in self._mapping("scenarios"):
            if not NAME.match(name):
                self.report.error(
                    "S204",
                    node.key_node,
                    f"{name!r} is not a valid name of a scenario",
                    "use letters, digits, dots and hyphens.",
                )
                continue
            found = read_scenario(
                name, node, known, aliases, self.report, bindings=bindings, predicates=predicates
            )
            if found is not None:
                scenarios[name] = found
        for state in states:
            scenarios[STATE_PREFIX + state] = Scenario(STATE_PREFIX + state, (Step(state),))
        return scenarios

    def _rules(self, scenarios: Mapping[str, Scenario], bindings: Mapping[str, Binding]) -> tuple[Rule, ...]:
        named = dict(self._mapping("scenarios"))
        node = self.members.get("select")
        if node is None:
            first = next(iter(named), "")
            return (Rule((), first),) if first in scenarios else ()
        return read_rules(node, named, bindings, self.report)

    def _mapping(self, key: str) -> list[tuple[str, Node]]:
        node = self.members.get(key)
        if node is None:
            return []
        if isinstance(node.value, dict):
            if len(node.value) > _MAX_MEMBERS:
                message = f"`{key}` has {len(node.value):,} members, and at most {_MAX_MEMBERS:,} are read"
                self.report.error("D104", node, message, "describe fewer, or split the file.")
            return list(islice(node.value.items(), _MAX_MEMBERS))
        self.report.error(
            "S204", node, f"`{key}` is {node.describe()}, not a mapping", _EXAMPLES.get(key, "")
        )
        return []


_MAX_MEMBERS = 4_000
"""The states, scenarios or operations of one file. To render so many takes about a second."""
_EXAMPLES = {
    "resource": "name the resource, such as `resource: certificate-request`.",
    "key": "name the part of the request that identifies a resource, such as `key: path.requestId`.",
    "operations": "name the operations, such as `operations: {poll: GET /requests/{requestId}}`.",
    "states": "describe the states, such as `states: {pending: {body: {status: pending}}}`.",
    "scenarios": "give at least one, such as `scenarios: {issued: [pending: 2, issued]}`.",
    "defaults": 'write it as `defaults: {createdAt: "{{ resource.created_at }}"}`.',
    "handles": "write it as `handles: {certificateId: \"{{ uuid('certificate') }}\"}`.",
}


def _with_answers(scenario: Scenario, states: Mapping[str, State]) -> Scenario:
    """Return the scenario with ``answers`` of every step: the aliases that its state has a response for.

    A state without any response gets ``("",)``.
    """
    steps = (
        replace(step, answers=tuple(states[step.state].answers) or ("",) if step.state in states else ())
        for step in scenario.steps
    )
    return Scenario(scenario.name, tuple(steps))
