"""The data that a resource has at first: from files, else from the examples of the document."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mockserver.compile.scenario.yaml_nodes import Report
from mockserver.compile.source import SCENARIO_FILE, Source, SourceError, read
from mockserver.diagnostics import Diagnostic, MockServerError
from mockserver.engine.data.projection import Projection, Projections
from mockserver.engine.response.negotiation import is_json, response_for
from mockserver.engine.service import Service
from mockserver.inputs import scenario_files
from mockserver.jsonschema.references import pointer
from mockserver.media.shapes import Shapes
from mockserver.plan import JSON, DataOperation, DataResource, Document, Operation, SchemaRef, Seed


def file_names(resources: Sequence[DataResource]) -> dict[str, str]:
    """Return the name of the seed file of each resource: the last word of its path, or all words."""
    words = {resource.name: _words(resource.path) for resource in resources}
    last = [found[-1] for found in words.values() if found]
    names: dict[str, str] = {}
    for name, found in words.items():
        short = found[-1] if found else "root"
        label = short if last.count(short) == 1 else "-".join(found)
        names[name] = label if label not in names.values() else re.sub(r"\W+", "-", name).strip("-")
    return names


def _words(path: str) -> list[str]:
    return [re.sub(r"[^\w.-]", "", word) for word in path.split("/") if word and "{" not in word]


def seeds_from_folder(
    folder: Path, resources: Sequence[DataResource], services: Mapping[str, Service], report: Report
) -> tuple[dict[str, tuple[Seed, ...]], list[Source]]:
    """Return the seeds of resources by name, and the files. Report what is not valid."""
    by_label = {resource.file: resource for resource in resources}
    found: dict[str, tuple[Seed, ...]] = {}
    sources = []
    for file in scenario_files(folder):
        name = os.path.relpath(file)
        try:
            source = read(file, name, SCENARIO_FILE)
        except SourceError as fault:
            report.diagnostics.append(fault.diagnostic)
            continue
        sources.append(source)
        resource = by_label.get(file.stem)
        if resource is None:
            known = ", ".join(f"{label}.yaml" for label in sorted(by_label)) or "none"
            _report(report, source, "", "belongs to no resource", f"the files can be {known}.")
            continue
        reader = _FileReader(source, resource, services[resource.document], report)
        found[resource.name] = tuple(reader.seeds())
    return found, sources


class _FileReader:
    """Reads the seeds of one file."""

    def __init__(self, source: Source, resource: DataResource, service: Service, report: Report) -> None:
        self._source = source
        self._resource = resource
        self._report = report
        ref = resource.schema
        self._projection = Projections(service, Shapes(service.schemas)).of(ref) if ref is not None else None
        self._service = service

    def seeds(self) -> Iterator[Seed]:
        """Yield the valid seeds."""
        value = self._source.value
        if not self._resource.parents:
            yield from self._collection(value, "", ())
        elif isinstance(value, dict):
            for parent, members in value.items():
                yield from self._collection(members, str(parent), (str(parent),))
        else:
            names = "/".join(self._resource.parents)
            remedy = f"write a mapping of {names} to a list of bodies."
            _report(self._report, self._source, "", "is not a mapping", remedy)

    def _collection(self, value: JSON, parent: str, path: tuple[str, ...]) -> Iterator[Seed]:
        if self._resource.is_singleton:
            if isinstance(value, dict) and self._is_valid(value, path):
                yield Seed(value, parent)
            elif not isinstance(value, dict):
                self._wrong(path, "is not a mapping", "write the body of the singleton.")
        elif isinstance(value, list):
            for index, body in enumerate(value):
                place = (*path, str(index))
                if not isinstance(body, dict):
                    self._wrong(place, "is not a mapping", "write the body of an item.")
                elif self._is_valid(body, place):
                    yield Seed(body, parent)
        else:
            self._wrong(path, "is not a list", "write a list of bodies.")

    def _is_valid(self, body: dict[str, JSON], path: tuple[str, ...]) -> bool:
        """Return whether a body has no field that is wrong. Missing fields are generated."""
        if self._projection is None or self._resource.schema is None:
            return True
        validator = self._service.schemas.validator(self._resource.schema, "response")
        broken = [
            violation
            for violation in validator.violations(self._projection.visible(body))
            if violation.keyword != "required"
        ]
        for violation in broken:
            place = (*path, *(part for part in violation.pointer.split("/") if part))
            self._wrong(place, f"breaks its schema: {violation.message}", "correct the value.")
        return not broken

    def _wrong(self, path: tuple[str, ...], message: str, remedy: str) -> None:
        _report(self._report, self._source, pointer(list(path)), message, remedy)


def _report(report: Report, source: Source, where: str, message: str, remedy: str) -> None:
    report.diagnostics.append(Diagnostic("S801", message, source.locate(where), remedy))


def seeds_from_examples(resource: DataResource, document: Document, service: Service) -> tuple[Seed, ...]:
    """Return the valid examples of a collection: those of its list, else those of its items.

    Only collections without parameters in their path have examples, since examples name no parent.
    """
    if resource.parents or resource.is_singleton or resource.schema is None:
        return ()
    projection = Projections(service, Shapes(service.schemas)).of(resource.schema)
    for verb in ("lists", "reads", "creates"):
        found: dict[str, Seed] = {}
        for index, operation in resource.operations.items():
            if operation.verb != verb:
                continue
            for values in _examples(document.operations[index], operation, service):
                valid: dict[str, Seed] = {}
                for body in (body for value in values for body in _items(value, is_list=verb == "lists")):
                    key = body.get(resource.key_field)
                    if key is not None and _is_valid(projection, body):
                        valid.setdefault(str(key), Seed(body))
                if valid:
                    found = {**valid, **found}
                    break
        if found:
            return tuple(found.values())
    return ()


def _examples(operation: Operation, data: DataOperation, service: Service) -> Iterator[list[JSON]]:
    """Yield the examples of an item, or of a list: those of the whole response first, then of its parts."""
    response = response_for(operation, data.status)
    for media in response.content if response is not None else ():
        if not is_json(media.name):
            continue
        yield [_part(example.value, data.path) for example in media.examples if not example.serialized]
        ref = media.schema
        for depth in range(len(data.path) + 1):
            yield [_part(value, data.path[depth:]) for value in _schema_examples(ref, service)]
            if depth < len(data.path) and ref is not None:
                ref = Shapes(service.schemas).properties(ref).get(data.path[depth])


def _schema_examples(ref: SchemaRef | None, service: Service) -> list[JSON]:
    try:
        node = service.schemas.lookup(ref)[0] if ref else None
    except MockServerError:
        return []
    if not isinstance(node, dict):
        return []
    examples = node.get("examples")
    return [
        *([node["example"]] if "example" in node else []),
        *(examples if isinstance(examples, list) else []),
    ]


def _part(value: JSON, path: Sequence[str]) -> JSON:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _items(value: JSON, *, is_list: bool) -> Iterator[dict[str, JSON]]:
    members = value if is_list and isinstance(value, list) else [] if is_list else [value]
    yield from (member for member in members if isinstance(member, dict))


def _is_valid(projection: Projection, body: dict[str, JSON]) -> bool:
    try:
        return projection.is_valid(projection.visible(body))
    except MockServerError:
        return False
