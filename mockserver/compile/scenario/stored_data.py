"""The stored data of resources of scenario files: what their operations and their states do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from mockserver.compile.fields import properties
from mockserver.compile.scenario.conditions import suggest
from mockserver.compile.scenario.file import Draft
from mockserver.compile.scenario.responses import Binding, has_volatile_template
from mockserver.compile.scenario.samples import SampleCreations
from mockserver.compile.scenario.yaml_nodes import Node, Report
from mockserver.diagnostics import MockServerError
from mockserver.engine.data.bases import MAX_BASES, Origin
from mockserver.engine.data.projection import Projection, Projections
from mockserver.engine.resources.context import Providers, RenderContext, TemplateValues
from mockserver.engine.resources.render import builder
from mockserver.engine.service import Service
from mockserver.jsonschema.references import tokens
from mockserver.media.json import encode_json, merge_patch
from mockserver.media.shapes import Shapes
from mockserver.plan import JSON, DataOperation, DataResource, DataVerb, Document

_NOW = 1_767_225_600_000
_WHY = "a scenario file says so"


def bind_data(drafts: Sequence[Draft], services: Sequence[Service], seed: str, report: Report) -> None:
    """Describe the data of each resource that stores some, and report what its states cannot write."""
    names: set[str] = set()
    for service in services:
        document = service.document
        own = [draft for draft in drafts if draft.resource.document == document.name]
        storing = [draft for draft in own if draft.stores]
        if not storing:
            continue
        from mockserver.compile.stateful.inference import infer  # only for resources with data

        others = [name for draft in own if not draft.stores for name in draft.resource.operations.values()]
        inferred = infer(document, service.schemas, others).resources
        for draft in storing:
            draft.data = _describe(draft, inferred, document, service)
            inferred = [other for other in inferred if other.path != draft.data.path]
            if draft.data.name in names:
                draft.data = replace(draft.data, name=f"{document.name}:{draft.data.name}")
            names.add(draft.data.name)
            draft.resource = replace(draft.resource, data=draft.data.name)
            _WritesCheck(draft, draft.data, service, seed, report).check()


def with_stored(inferred: Sequence[DataResource], drafts: Sequence[Draft]) -> list[DataResource]:
    """Return the inferred resources of a document, with the data of its scenario files among them."""
    stored = {draft.data.path: draft.data for draft in drafts if draft.data is not None}
    joined = []
    for resource in inferred:
        data = stored.pop(resource.path, None)
        if data is not None:
            resource = replace(resource, name=data.name, operations=resource.operations | data.operations)
        joined.append(resource)
    return [*joined, *stored.values()]


def with_files(resources: Sequence[DataResource]) -> tuple[DataResource, ...]:
    """Return resources with the names of their files of seeds."""
    if not resources:
        return ()
    from mockserver.compile.stateful.seeds import file_names  # only for resources with data

    names = file_names(resources)
    return tuple(replace(resource, file=names[resource.name]) for resource in resources)


def _describe(
    draft: Draft, inferred: Sequence[DataResource], document: Document, service: Service
) -> DataResource:
    """Return the data of a resource: the inferred resource of its operations, or else one of its own."""
    from mockserver.compile.stateful.inference import describe  # only for resources with data

    indices = {operation.id: index for index, operation in enumerate(document.operations)}
    bound = {indices[binding.operation.id]: binding for binding in draft.bindings.values()}
    base = next((other for other in inferred if _is_same(other, draft, bound)), None)
    reader = _OperationReader(draft, base, service)
    operations = {index: reader.read(binding) for index, binding in bound.items()}
    if base is not None:
        return replace(base, operations=operations)
    return describe(
        document, service.schemas, draft.resource.name, reader.schema, reader.key_field, operations
    )


def _is_same(inferred: DataResource, draft: Draft, bound: Mapping[int, Binding]) -> bool:
    """Return whether the items of an inferred resource are the resources of a file, by the same key."""
    key = draft.resource.key
    shared = [inferred.operations[index] for index in bound if index in inferred.operations]
    return (
        key.part == "path"
        and not inferred.is_singleton
        and any(operation.key for operation in shared)
        and all(operation.key in ("", key.name) for operation in shared)
        and all(
            f"{{{parent}}}" in binding.operation.path
            for binding in bound.values()
            for parent in inferred.parents
        )
    )


class _OperationReader:
    """Reads what the operations of one file do to the data of its resource."""

    def __init__(self, draft: Draft, base: DataResource | None, service: Service) -> None:
        from mockserver.compile.stateful.bodies import Bodies, key_names, last_word
        from mockserver.compile.stateful.operations import OperationReader

        self._key = draft.resource.key.name
        self._parents = base.parents if base is not None else ()
        self._bodies = Bodies(service.schemas)
        self._reader = OperationReader(self._bodies)
        self._bindings = draft.bindings
        items = [b for b in draft.bindings.values() if not b.role.creates and b.role.lists is None]
        first = next((b for b in items if b.operation.method == "GET"), None) or next(
            iter(items or draft.bindings.values())
        )
        word = last_word(first.operation.path.partition(f"/{{{self._key}}}")[0])
        self._names = key_names(self._key, word)
        self.schema = base.schema if base is not None else None
        if self.schema is None:
            answers = ((b, self._reader.answer(b.operation)) for b in (first, *draft.bindings.values()))
            self.schema = next(
                (self._bodies.item_of(ref, None, self._names).schema
                 for b, ref in answers if ref is not None and b.role.lists is None
                 and self._bodies.is_object(ref)),
                None,
            )  # fmt: skip
        self.key_field = ""
        if draft.resource.key.part == "path":
            self.key_field = self._bodies.key_field(self.schema, self._key, word)
        known = self._bodies.shapes.properties(self.schema) if self.schema is not None else ()
        for binding in draft.bindings.values():
            if binding.key_path and binding.key_path[-1] in known:
                self.key_field = binding.key_path[-1]

    def read(self, binding: Binding) -> DataOperation:
        """Return what an operation does to the data."""
        role, operation = binding.role, binding.operation
        if role.lists is not None:
            _, status = self._bodies.response(operation)
            return DataOperation(
                "lists", _WHY, self._parents, status=status, path=tuple(tokens(role.lists)),
                schema=binding.item or None,
            )  # fmt: skip
        verbs: dict[str, DataVerb] = {"replace": "replaces", "merge": "merges"}
        verb: DataVerb = "reads" if operation.method == "GET" else "acts"
        if role.creates:
            verb = "creates"
        elif role.deletes:
            verb = "deletes"
        verb = verbs.get(role.updates, verb)
        found = self._reader.operation(verb, operation, _WHY, self.schema, self._names, on_item=False)
        return replace(found, parents=self._parents, key="" if role.creates else self._key)


class _WritesCheck:
    """Checks what the states of one resource write into its data."""

    def __init__(self, draft: Draft, data: DataResource, service: Service, seed: str, report: Report) -> None:
        self._draft = draft
        self._data = data
        self._service = service
        self._seed = seed
        self._report = report

    def check(self) -> None:
        """Report fields that the schema of the data does not have, and values that it does not allow."""
        ref = self._data.schema
        if ref is None:
            return
        known = properties(self._service.schemas, ref)
        projection = Projections(self._service, Shapes(self._service.schemas)).of(ref)
        for state, node in self._draft.writes.items():
            fields = dict(node.items())
            unknown = [] if known.open else [name for name in fields if name not in known.names]
            for name in unknown:
                self._report.error(
                    "S318",
                    fields[name].key_node,
                    f"the stored data of {self._draft.resource.name!r} has no field {name!r}",
                    suggest(name, known.names),
                )
            if not unknown:
                self._check_values(state, node, projection)

    def _check_values(self, state: str, node: Node, projection: Projection) -> None:
        """Report the values of a state that the schema does not allow, if no request or time decides them."""
        constant = {name: child.plain() for name, child in node.items()}
        constant = {name: value for name, value in constant.items() if not has_volatile_template(value)}
        first: list[tuple[str, str, str]] = []
        for number in range(MAX_BASES):
            try:
                base = projection.base(Origin("sample", {}, _NOW), number)
                if not isinstance(base, dict):
                    return
            except MockServerError:  # the schema permits no value: another diagnostic says so
                return
            try:
                written = self._rendered(state, constant, base)
            except MockServerError as error:
                self._report.error(
                    "S501", node, f"`set` cannot be rendered: {error}", "correct the template or the value."
                )
                return
            found = projection.violations(merge_patch(base, written)) - projection.violations(base)
            if not found:
                return
            first = first or sorted(found)
        for pointer, _, message in first:
            self._report.error(
                "S318",
                node.at(tokens(pointer)),
                f"the stored data of {self._draft.resource.name!r} does not allow what the state {state!r} "
                f"sets at {pointer or '/'} ({message})",
                "write a value that the schema of the response allows.",
            )

    def _rendered(self, state: str, writes: JSON, base: JSON) -> JSON:
        providers = Providers(self._seed)
        samples = SampleCreations(self._draft, self._service, providers).samples
        key, creation = samples[0] if samples else ("sample", None)
        context = RenderContext(
            "default", self._draft.resource.name, key, state, "", 1, _NOW, _NOW, _NOW,
            creation=creation, data=encode_json(base),
        )  # fmt: skip
        return builder(writes)(TemplateValues(context, providers))
