"""Replace what is served while it is served: whole, between two requests, or not at all.

``--watch`` and ``--wait-for-document`` replace it when files change.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace
from watchfiles import Change, awatch

from mockserver.admin.control import Control
from mockserver.compile.process import Job, compile_apart
from mockserver.diagnostics import CompileError, Diagnostic
from mockserver.engine.engine import Engine
from mockserver.inputs import Inputs, forgiveness, scenario_files
from mockserver.plan import JSON

if TYPE_CHECKING:
    from mockserver.engine.cluster import Sharing


class Reloader:
    """The inputs of the Plan that is served, and the one place where they change.

    A change is compiled in a process of its own. If it is faulty, nothing has
    happened: the old inputs and the old Plan stay. Every method may be called
    by any thread but the engine's; changes wait for one another.
    """

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._lock = threading.Lock()

    @property
    def inputs(self) -> Inputs:
        return self._inputs

    def documents(self) -> dict[str, Path]:
        """By name, which is the file's stem."""
        return {path.stem: path for path in self._inputs.documents}

    def scenario_files(self) -> dict[str, Path]:
        """By name, which is the file's stem; folders as they are now."""
        return {file.stem: file for path in self._inputs.scenarios for file in scenario_files(path)}

    def text(self, path: Path) -> str:
        """The text of one of the inputs. Raises OSError where its file is gone."""
        return self._inputs.texts.get(path) or path.read_text("utf-8-sig")

    def is_overridden(self, path: Path) -> bool:
        """Whether what is served of an input came over HTTP."""
        return path in self._inputs.texts

    def replaces_file(self, path: Path) -> bool:
        """Whether it did so in place of a file, which can be had back."""
        return self.is_overridden(path) and path not in self._inputs.added

    def put_document(self, control: Control, name: str, text: str) -> list[Diagnostic]:
        """Replace or add a document. Raises CompileError; returns the warnings."""

        def change(inputs: Inputs) -> Inputs:
            path = self.documents().get(name, Path(f"{name}.yaml"))
            if path not in inputs.documents:
                inputs = replace(inputs, documents=(*inputs.documents, path), added=(*inputs.added, path))
            return replace(inputs, texts={**inputs.texts, path: text})

        return self._change(control, change)

    def put_scenario_file(self, control: Control, name: str, text: str) -> list[Diagnostic]:
        """Replace or add a scenario file. Raises CompileError; returns the warnings."""

        def change(inputs: Inputs) -> Inputs:
            path = self.scenario_files().get(name)
            if path is None:
                # A folder of their own: a document may have the same name.
                path = Path("scenarios", f"{name}.yaml")
                inputs = replace(inputs, scenarios=(*inputs.scenarios, path), added=(*inputs.added, path))
            return replace(inputs, texts={**inputs.texts, path: text})

        return self._change(control, change)

    def delete_document(self, control: Control, name: str) -> list[Diagnostic]:
        """Take back a document that was PUT: its file is served again, if there is one.

        Raises CompileError; KeyError where there is none of that name.
        """

        def change(inputs: Inputs) -> Inputs:
            path = self.documents()[name]
            kept = tuple(
                document for document in inputs.documents if document != path or path not in inputs.added
            )
            return replace(_without(inputs, {path}), documents=kept)

        return self._change(control, change)

    def delete_scenario_file(self, control: Control, name: str) -> list[Diagnostic]:
        """Take back a scenario file that was PUT: what was there before is served again, if anything was.

        A file that nothing was PUT in place of is no longer served. Raises
        CompileError; KeyError where there is none of that name.
        """

        def change(inputs: Inputs) -> Inputs:
            files = self.scenario_files()
            path = files.pop(name)
            if self.replaces_file(path):
                return _without(inputs, {path})
            return replace(_without(inputs, {path}), scenarios=tuple(files.values()))

        return self._change(control, change)

    def reload(self, control: Control, changed: set[str]) -> list[Diagnostic]:
        """Read everything anew after files changed; what HTTP put in their place is over."""

        def change(inputs: Inputs) -> Inputs:
            return _without(inputs, {path for path in inputs.texts if str(path.resolve()) in changed})

        return self._change(control, change)

    def _change(self, control: Control, change: Callable[[Inputs], Inputs]) -> list[Diagnostic]:
        with self._lock:
            if control.engine.sharing is not None:
                return self._change_everywhere(control, control.engine.sharing, change)
            inputs = change(self._inputs)
            compiled = compile_apart(inputs)
            engine = control.engine
            # Made here, where its time is nobody's; only the exchange itself is the loop's.
            successor = Engine(
                compiled.plan, store=engine.store, worlds=engine.worlds, options=engine.options
            )
            control.run(lambda: engine.adopt(successor))
            self._inputs = inputs
            return list(compiled.warnings)

    def _change_everywhere(
        self, control: Control, sharing: Sharing, change: Callable[[Inputs], Inputs]
    ) -> list[Diagnostic]:
        """Every process takes it from the store, this one as well. Who comes second begins anew."""
        while True:
            before, known = control.run(lambda: (control.engine.plan.hash, self._inputs))
            inputs = change(known)
            compiled = compile_apart(inputs)
            if control.wait(sharing.replace(before, compiled.plan, Job.of(inputs).packed())):
                if compiled.plan.hash == before:  # nobody takes what is served already
                    self._inputs = inputs
                return list(compiled.warnings)
            control.wait(sharing.follow())

    def take(self, inputs: Inputs) -> None:
        """Go on from what another process changed."""
        self._inputs = inputs


def _without(inputs: Inputs, paths: set[Path]) -> Inputs:
    """Without what came over HTTP for these paths."""
    texts = {path: text for path, text in inputs.texts.items() if path not in paths}
    return replace(inputs, texts=texts, added=tuple(added for added in inputs.added if added not in paths))


def diagnostic_json(diagnostic: Diagnostic) -> dict[str, JSON]:
    """A diagnostic with its place beside it."""
    found: dict[str, JSON] = msgspec.to_builtins(diagnostic)
    place = found.pop("where")
    return {**found, **place}


_LOG = logging.getLogger("mockserver.watch")
_SUFFIXES = (".yaml", ".yml", ".json")
_POLL_INTERVAL = 0.2
"""Seconds between two looks for a document that is not there yet."""

PublishEvent = Callable[[str, dict[str, JSON]], None]


async def watch(
    reloader: Reloader, control: Control, publish_event: PublishEvent, report: Callable[[str], None]
) -> None:
    """Reload whenever an input changes on disk, for ever. A fault is said, and the old Plan serves on."""
    folders = {_folder(path) for path in (*reloader.inputs.documents, *reloader.inputs.scenarios)}
    async for changes in awatch(*(folder for folder in folders if folder.is_dir()), watch_filter=_is_input):
        await _reload(reloader, control, {path for _, path in changes}, publish_event, report)


async def wait_for_documents(
    reloader: Reloader, control: Control, publish_event: PublishEvent, report: Callable[[str], None]
) -> None:
    """Serve the documents as soon as all of them are there and sound, or something else is served instead."""
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
        report("what was served before is still served.")
        publish_event(
            "reload",
            {"ok": False, "diagnostics": [diagnostic_json(diagnostic) for diagnostic in error.diagnostics]},
        )
    except Exception:  # noqa: BLE001 - the next change is another chance
        _LOG.exception("reloading failed; what was served before is still served")
    else:
        _report(warnings, report)
        faults = [fault for document in control.engine.plan.documents for fault in document.faults]
        if forgiven := forgiveness(faults):
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
