"""Replaces the Plan of a running server, between two requests.

The control plane replaces documents and scenario files. ``--watch`` and ``--wait-for-document`` reload
changed files.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace
from watchfiles import Change, awatch

from mockserver.admin.control import Control
from mockserver.compile.process import Job, compile_in_process
from mockserver.diagnostics import CompileError, Diagnostic, diagnostic_json
from mockserver.engine.engine import Engine
from mockserver.inputs import Inputs, fault_summary, scenario_files
from mockserver.plan import JSON

if TYPE_CHECKING:
    from mockserver.engine.cluster import Cluster


class Reloader:
    """The inputs of the Plan, and all changes of them.

    A child process compiles each change. If it finds an error, the previous inputs and Plan stay.
    All threads except the engine's can call the methods. Changes run one after the other.
    """

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._lock = threading.Lock()

    @property
    def inputs(self) -> Inputs:
        """The current inputs."""
        return self._inputs

    def documents(self) -> dict[str, Path]:
        """Return the paths of documents by name, which is the stem of the file."""
        return {path.stem: path for path in self._inputs.documents}

    def scenario_files(self) -> dict[str, Path]:
        """Return the paths of scenario files by name, the stem of the file, with the files of folders."""
        return {file.stem: file for path in self._inputs.scenarios for file in scenario_files(path)}

    def text(self, path: Path) -> str:
        """Return the text of an input. Raise OSError if its file cannot be read."""
        return self._inputs.texts.get(path) or path.read_text("utf-8-sig")

    def is_overridden(self, path: Path) -> bool:
        """Return whether the text of an input came over HTTP."""
        return path in self._inputs.texts

    def replaces_file(self, path: Path) -> bool:
        """Return whether the text of an input came over HTTP and replaces a file."""
        return self.is_overridden(path) and path not in self._inputs.added

    def put_document(self, control: Control, name: str, text: str) -> list[Diagnostic]:
        """Replace or add a document. Return the warnings. Raise CompileError for errors."""

        def change(inputs: Inputs) -> Inputs:
            path = self.documents().get(name, Path(f"{name}.yaml"))
            if path not in inputs.documents:
                inputs = replace(inputs, documents=(*inputs.documents, path), added=(*inputs.added, path))
            return replace(inputs, texts={**inputs.texts, path: text})

        return self._change(control, change)

    def put_scenario_file(self, control: Control, name: str, text: str) -> list[Diagnostic]:
        """Replace or add a scenario file. Return the warnings. Raise CompileError for errors."""

        def change(inputs: Inputs) -> Inputs:
            path = self.scenario_files().get(name)
            if path is None:
                # In a folder, because a document can have the same name.
                path = Path("scenarios", f"{name}.yaml")
                inputs = replace(inputs, scenarios=(*inputs.scenarios, path), added=(*inputs.added, path))
            return replace(inputs, texts={**inputs.texts, path: text})

        return self._change(control, change)

    def delete_document(self, control: Control, name: str) -> list[Diagnostic]:
        """Remove a document that was PUT. The file that it replaced is served again.

        Return the warnings. Raise CompileError for errors, KeyError for an unknown name.
        """

        def change(inputs: Inputs) -> Inputs:
            path = self.documents()[name]
            remaining = tuple(
                document for document in inputs.documents if document != path or path not in inputs.added
            )
            return replace(_without(inputs, {path}), documents=remaining)

        return self._change(control, change)

    def delete_scenario_file(self, control: Control, name: str) -> list[Diagnostic]:
        """Remove a scenario file. If it was PUT in place of a file, that file is served again.

        Return the warnings. Raise CompileError for errors, KeyError for an unknown name.
        """

        def change(inputs: Inputs) -> Inputs:
            files = self.scenario_files()
            path = files.pop(name)
            if self.replaces_file(path):
                return _without(inputs, {path})
            return replace(_without(inputs, {path}), scenarios=tuple(files.values()))

        return self._change(control, change)

    def reload(self, control: Control, changed: set[str]) -> list[Diagnostic]:
        """Read all inputs again. Changed files replace the texts that came over HTTP."""

        def change(inputs: Inputs) -> Inputs:
            return _without(inputs, {path for path in inputs.texts if str(path.resolve()) in changed})

        return self._change(control, change)

    def _change(self, control: Control, change: Callable[[Inputs], Inputs]) -> list[Diagnostic]:
        with self._lock:
            if control.engine.cluster is not None:
                return self._change_everywhere(control, control.engine.cluster, change)
            inputs = change(self._inputs)
            compiled = compile_in_process(inputs)
            engine = control.engine
            # Built on this thread, so that only the exchange delays requests.
            successor = Engine(
                compiled.plan, store=engine.store, namespaces=engine.namespaces, options=engine.options
            )
            control.run(lambda: engine.adopt(successor))
            self._inputs = inputs
            return list(compiled.warnings)

    def _change_everywhere(
        self, control: Control, cluster: Cluster, change: Callable[[Inputs], Inputs]
    ) -> list[Diagnostic]:
        """Publish the change in the store for all processes. If another process was first, start again."""
        while True:
            before, known = control.run(lambda: (control.engine.plan.hash, self._inputs))
            inputs = change(known)
            compiled = compile_in_process(inputs)
            if control.wait(cluster.replace(before, compiled.plan, Job.of(inputs).packed())):
                if compiled.plan.hash == before:  # the processes ignore a Plan that they serve already
                    self._inputs = inputs
                return list(compiled.warnings)
            control.wait(cluster.follow())

    def set_inputs(self, inputs: Inputs) -> None:
        """Use the inputs that another process has published."""
        self._inputs = inputs


def _without(inputs: Inputs, paths: set[Path]) -> Inputs:
    """Return the inputs without the texts for ``paths`` that came over HTTP."""
    texts = {path: text for path, text in inputs.texts.items() if path not in paths}
    return replace(inputs, texts=texts, added=tuple(added for added in inputs.added if added not in paths))


_LOG = logging.getLogger("mockserver.watch")
_SUFFIXES = (".yaml", ".yml", ".json")
_POLL_INTERVAL = 0.2
"""Seconds between two checks whether a missing document exists."""

PublishEvent = Callable[[str, dict[str, JSON]], None]


async def watch(
    reloader: Reloader, control: Control, publish_event: PublishEvent, report: Callable[[str], None]
) -> None:
    """Reload when an input changes on disk, without end. After an error the previous Plan stays."""
    folders = {_folder(path) for path in (*reloader.inputs.documents, *reloader.inputs.scenarios)}
    async for changes in awatch(*(folder for folder in folders if folder.is_dir()), watch_filter=_is_input):
        await _reload(reloader, control, {path for _, path in changes}, publish_event, report)


async def wait_for_documents(
    reloader: Reloader, control: Control, publish_event: PublishEvent, report: Callable[[str], None]
) -> None:
    """Serve the documents as soon as all files exist and compile. Stop if other documents are served."""
    tried: list[int] = []
    while not control.engine.plan.documents:
        found = [path.stat().st_mtime_ns for path in reloader.inputs.documents if path.is_file()]
        if found and found != tried and len(found) == len(reloader.inputs.documents):
            tried = found
            await _reload(reloader, control, set(), publish_event, report)
        await asyncio.sleep(_POLL_INTERVAL)


async def _reload(
    reloader: Reloader,
    control: Control,
    changed: set[str],
    publish_event: PublishEvent,
    report: Callable[[str], None],
) -> None:
    try:
        warnings = await asyncio.to_thread(reloader.reload, control, changed)
    except CompileError as error:
        _report(error.diagnostics, report)
        report("the previous files are still served.")
        publish_event(
            "reload",
            {"ok": False, "diagnostics": [diagnostic_json(diagnostic) for diagnostic in error.diagnostics]},
        )
    except Exception:  # noqa: BLE001 - the next change is another attempt
        _LOG.exception("the reload failed; the previous files are still served")
    else:
        _report(warnings, report)
        faults = [fault for document in control.engine.plan.documents for fault in document.faults]
        if forgiven := fault_summary(faults):
            report(forgiven)
        report(f"reloaded: plan {control.engine.plan.hash}")
        publish_event("reload", {"ok": True, "plan": control.engine.plan.hash})


def _report(diagnostics: Iterable[Diagnostic], report: Callable[[str], None]) -> None:
    for diagnostic in diagnostics:
        report(str(diagnostic))


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.resolve().parent


def _is_input(_: Change, path: str) -> bool:
    return path.endswith(_SUFFIXES)
