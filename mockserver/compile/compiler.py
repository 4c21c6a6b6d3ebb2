"""Compile documents and scenario files to a Plan and diagnostics."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from msgspec.structs import replace

import mockserver
from mockserver.compile.document import LoadedDocument, load, load_text
from mockserver.compile.lint import find_overlaps, lint_document
from mockserver.compile.references import ReferenceScope
from mockserver.compile.scenario.dry_run import check_responses
from mockserver.compile.scenario.file import Draft, read_scenario_file
from mockserver.compile.scenario.stored_data import bind_data, with_files, with_stored
from mockserver.compile.scenario.yaml_nodes import Report
from mockserver.compile.source import SCENARIO_FILE, Source, SourceError, parse, read
from mockserver.diagnostics import CompileError, Diagnostic, Location
from mockserver.engine.service import Service
from mockserver.inputs import Compiled, Inputs, digest, scenario_files
from mockserver.plan import DataResource, Plan

__all__ = ["Compiled", "Inputs", "compile_plan", "inspect_inputs", "scenario_files"]


@dataclass(frozen=True, slots=True)
class _Parts:
    """The inputs as far as they could be read."""

    loaded: list[LoadedDocument]
    services: list[Service]
    sources: list[Source]
    """The scenario files."""
    drafts: list[Draft]


Progress = Callable[[str], None]
"""Called with a text that describes the current work."""


def _silent(_: str) -> None:
    pass


def compile_plan(inputs: Inputs, *, quick: bool = True, progress: Progress = _silent) -> Compiled:
    """Compile ``inputs``.

    Raises CompileError with every diagnostic if one of them is an error. Faults of a
    document count as errors only with ``strict_document``; otherwise they are in the Plan.
    """
    report = Report()
    with _without_gc():
        parts = _read(inputs, report, quick=quick and not inputs.strict_document, progress=progress)
        if inputs.strict_document:
            _inspect(parts, report, progress)
    if any(diagnostic.severity == "error" for diagnostic in report.diagnostics):
        raise CompileError(report.diagnostics)
    texts = [source for entry in parts.loaded for source in entry.trees.sources.values()] + parts.sources
    seeds: list[Source] = []
    if inputs.stateful:
        data, seeds = _infer(parts, inputs, report)
    else:
        data = with_files([draft.data for draft in parts.drafts if draft.data is not None])
    if any(diagnostic.severity == "error" for diagnostic in report.diagnostics):
        raise CompileError(report.diagnostics)
    texts += seeds
    plan = Plan(
        hash=_hash(texts, inputs.seed),
        documents=tuple(entry.document for entry in parts.loaded),
        resources=tuple(draft.resource for draft in parts.drafts),
        seed=inputs.seed,
        data=data,
    )
    return Compiled(plan, tuple(report.diagnostics), {source.name: _digest(source) for source in texts})


def inspect_inputs(inputs: Inputs, *, progress: Progress = _silent) -> tuple[Diagnostic, ...]:
    """Return all diagnostics about ``inputs``, including those that only ``mockserver check`` reports."""
    report = Report()
    with _without_gc():
        parts = _read(inputs, report, quick=False, progress=progress)
        _inspect(parts, report, progress)
    return tuple(report.diagnostics)


@contextmanager
def _without_gc() -> Iterator[None]:
    """Turn garbage collection off: it takes half of the time of compiling and frees nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _inspect(parts: _Parts, report: Report, progress: Progress) -> None:
    """Add the faults of the documents, and the diagnostics of ``lint``."""
    report.diagnostics[:0] = (fault for entry in parts.loaded for fault in entry.document.faults)
    for loaded, service in zip(parts.loaded, parts.services, strict=True):
        report.diagnostics += lint_document(loaded, service, progress)


def _read(inputs: Inputs, report: Report, *, quick: bool, progress: Progress) -> _Parts:
    loaded = _load(inputs, report, quick=quick, progress=progress)
    services = [Service(entry.document, inputs.seed, forgiving=False) for entry in loaded]
    report.diagnostics += find_overlaps(loaded, services)
    sources = list(_scenario_sources(inputs, report))
    drafts: list[Draft] = []
    if loaded:
        pairs = [(entry, service.schemas) for entry, service in zip(loaded, services, strict=True)]
        folders = [path for path in inputs.scenarios if path.is_dir()]
        found = [file for path in folders for file in scenario_files(path)]
        collected = {os.path.relpath(file) for file in found if file not in inputs.texts}
        for source in sources:
            progress(f"reading {source.name}")
            draft = read_scenario_file(source, pairs, report, from_folder=source.name in collected)
            if draft is not None:
                drafts.append(draft)
        drafts = _select_drafts(drafts, collected)
        _check_unique(drafts, report)
        check_responses(drafts, services, inputs.seed, report)
        bind_data(drafts, services, inputs.seed, report)
    return _Parts(loaded, services, sources, drafts)


def _infer(parts: _Parts, inputs: Inputs, report: Report) -> tuple[tuple[DataResource, ...], list[Source]]:
    """Return the resources of the documents with their seeds, and the files of seeds."""
    from mockserver.compile.stateful import seeds  # only for a stateful server
    from mockserver.compile.stateful.inference import infer

    resources: list[DataResource] = []
    for loaded, service in zip(parts.loaded, parts.services, strict=True):
        document = loaded.document
        drafts = [draft for draft in parts.drafts if draft.resource.document == document.name]
        claimed = {name for draft in drafts for name in draft.resource.operations.values()}
        shared = {
            name
            for draft in drafts
            if draft.data is not None and draft.data.path.startswith("/")
            for name in draft.resource.operations.values()
        }
        found = infer(document, service.schemas, [*(claimed - shared)])
        for index, reason in found.unclear.items():
            operation = document.operations[index]
            if operation.id in claimed:
                continue
            stays = " stays stateless" if index in found.stateless else ""
            report.diagnostics.append(
                Diagnostic(
                    "D411",
                    f"{operation.method} {operation.path}{stays}: {reason}",
                    loaded.trees.locate(operation.pointer),
                    "describe it in a scenario file, or say what it does (or `none`) in `x-mock-resource`.",
                    "warning",
                )
            )
        found.resources = with_stored(found.resources, drafts)
        names = {resource.name for resource in resources}
        renamed = {
            each.name: f"{document.name}:{each.name}" if each.name in names else each.name
            for each in found.resources
        }
        for resource in found.resources:
            references = {field: renamed.get(target, target) for field, target in resource.references.items()}
            named = replace(resource, name=renamed[resource.name], references=references)
            if inputs.seed_data is None and inputs.seed_examples:
                named = replace(named, seeds=seeds.seeds_from_examples(named, document, service))
            resources.append(named)
        for draft in drafts:
            if draft.data is not None:
                draft.resource = replace(draft.resource, data=renamed[draft.data.name])
    resources = [*with_files(resources)]
    if inputs.seed_data is None:
        return tuple(resources), []
    services = {service.document.name: service for service in parts.services}
    read, sources = seeds.seeds_from_folder(inputs.seed_data, resources, services, report)
    return tuple(replace(each, seeds=read.get(each.name, ())) for each in resources), sources


def _digest(source: Source) -> str:
    return digest(source.text.encode("utf-8", "surrogatepass"))


def _hash(sources: Iterable[Source], seed: str) -> str:
    parts = [mockserver.__version__, seed, *(f"{source.name}={_digest(source)}" for source in sources)]
    return digest("\n".join(parts).encode("utf-8", "surrogatepass"))[:16]


def _load(inputs: Inputs, report: Report, *, quick: bool, progress: Progress) -> list[LoadedDocument]:
    loaded = []
    for path in inputs.documents:
        progress(f"reading {os.path.relpath(path)}")
        scope = ReferenceScope(inputs.ref_root or path.parent, inputs.allow_remote)
        if path in inputs.texts:
            found, diagnostics = load_text(inputs.texts[path], path.name, quick=quick)
        else:
            found, diagnostics = load(path, scope, quick=quick)
        if found is None:
            report.diagnostics += diagnostics
        else:
            loaded.append(found)
            report.diagnostics += (diagnostic for diagnostic in diagnostics if diagnostic.severity != "error")
    names = [entry.document.name for entry in loaded]
    for entry in loaded:
        if names.count(entry.document.name) > 1:
            location = Location(entry.trees.sources[entry.trees.root_uri].name)
            report.diagnostics.append(
                Diagnostic(
                    "D401",
                    f"another document has the name {entry.document.name} too",
                    location,
                    "rename one of the files.",
                )
            )
    return loaded


def _scenario_sources(inputs: Inputs, report: Report) -> Iterable[Source]:
    for path in inputs.scenarios:
        files = scenario_files(path)
        if not files:
            location = Location(os.path.relpath(path))
            report.diagnostics.append(
                Diagnostic("S103", "contains no scenario file", location, "put .yaml files into it.")
            )
        for file in files:
            try:
                name = os.path.relpath(file)
                if file in inputs.texts:
                    yield parse(inputs.texts[file], name, SCENARIO_FILE)
                else:
                    yield read(file, name, SCENARIO_FILE)
            except SourceError as fault:
                report.diagnostics.append(fault.diagnostic)


def _select_drafts(drafts: Sequence[Draft], collected: Collection[str]) -> list[Draft]:
    """Drop files from folders whose operations are all in files that name their document."""
    described = {
        (binding.document.name, binding.operation.id)
        for draft in drafts
        if draft.document
        for binding in draft.bindings.values()
    }
    return [
        draft
        for draft in drafts
        if draft.document
        or draft.resource.source not in collected
        or not all(
            (binding.document.name, binding.operation.id) in described for binding in draft.bindings.values()
        )
    ]


def _check_unique(drafts: Sequence[Draft], report: Report) -> None:
    """Report resources and operations that two files describe."""
    seen: dict[str, Draft] = {}
    owners: dict[tuple[str, str], Draft] = {}
    for draft in drafts:
        location = Location(draft.resource.source, 1, 1)
        first = seen.setdefault(draft.resource.name, draft)
        if first is not draft:
            report.diagnostics.append(
                Diagnostic(
                    "S104",
                    f"the resource {draft.resource.name!r} is already described by {first.resource.source}",
                    location,
                    "give the resource another name.",
                )
            )
        for binding in draft.bindings.values():
            owner = owners.setdefault((binding.document.name, binding.operation.id), draft)
            if owner is not draft:
                report.diagnostics.append(
                    Diagnostic(
                        "S105",
                        f"the operation {binding.operation.id} is already named by {owner.resource.source}",
                        location,
                        "name each operation in one scenario file.",
                    )
                )
