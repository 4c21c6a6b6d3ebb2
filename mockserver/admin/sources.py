"""``document`` and ``scenario-files``: reads and replaces documents and scenario files."""

from __future__ import annotations

import re
from collections.abc import Callable

import flask

from mockserver.admin.control import Control
from mockserver.admin.http import ControlError, decode_segment, json_response, text
from mockserver.admin.reloader import Reloader
from mockserver.admin.resources import PublishEvent
from mockserver.diagnostics import CompileError, Diagnostic, diagnostic_json
from mockserver.engine.engine import ADMIN
from mockserver.plan import JSON, Resource

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_FAULTS_MEMBER = "x-mockserver-diagnostics"
"""Member of a served document with its forgiven errors."""
_NEW_DOCUMENT = "document"
"""The default name of the first document."""


class Sources:
    """The documents and scenario files. If ``reloader`` is None, they cannot be replaced."""

    def __init__(self, control: Control, reloader: Reloader | None, publish_event: PublishEvent) -> None:
        self._control = control
        self._reloader = reloader
        self._publish_event = publish_event

    def document(self, name: str | None = None) -> flask.Response:
        """Return a document as JSON, as it is served, with its forgiven errors."""
        documents = self._control.run(lambda: self._control.engine.plan.documents)
        for document in documents:
            if name in (None, document.name):
                faults = [diagnostic_json(fault) for fault in document.faults]
                return json_response(
                    {**document.trees[document.uri], **({_FAULTS_MEMBER: faults} if faults else {})}
                )
        known = ", ".join(document.name for document in documents) or "none yet"
        raise ControlError(404, f"there is no document {name[:200] if name else ''!r}; there is {known}")

    def put_document(self, name: str | None = None) -> flask.Response:
        """Replace or add a document."""
        reloader = self._require_reloader()
        name = _checked_name(name or next(iter(reloader.documents()), _NEW_DOCUMENT))
        return self._change(lambda source: reloader.put_document(self._control, name, source))

    def delete_document(self, name: str | None = None) -> flask.Response:
        """Remove a document that was PUT. The file that it replaced is served again."""
        reloader = self._require_reloader()
        documents = reloader.documents()
        name = name or next(iter(documents), _NEW_DOCUMENT)
        if name not in documents:
            known = ", ".join(documents) or "none yet"
            raise ControlError(404, f"there is no document {name[:200]!r}; there is {known}")
        if not reloader.is_overridden(documents[name]):
            raise ControlError(409, f"the document {name} is served from its file; no PUT has replaced it")
        return self._respond(lambda: reloader.delete_document(self._control, name))

    def scenario_files(self) -> flask.Response:
        """Return the scenario files with their sources."""
        resources = self._control.run(lambda: self._control.engine.plan.resources)
        return json_response({"scenarioFiles": [self._shown(resource) for resource in resources]})

    def _shown(self, resource: Resource) -> dict[str, JSON]:
        """Return the source of a scenario file: the disk, or a PUT, with the file that it replaces."""
        name = resource.source.rpartition("/")[2].rpartition(".")[0]
        found: dict[str, JSON] = {"name": name, "resource": resource.name, "source": resource.source}
        reloader = self._reloader
        path = reloader.scenario_files().get(name) if reloader is not None else None
        if reloader is not None and path is not None and reloader.is_overridden(path):
            found["source"] = f"PUT {ADMIN}/scenario-files/{name}"
            if reloader.replaces_file(path):
                found["replaces"] = resource.source
        return found

    def scenario_file(self, name: str) -> flask.Response:
        """Return the text of a scenario file."""
        reloader = self._require_reloader()
        path = reloader.scenario_files().get(decode_segment(name))
        if path is None:
            raise _unknown_file(name, reloader)
        try:
            return text(reloader.text(path), "application/yaml")
        except OSError:
            raise ControlError(404, f"the scenario file {name} was deleted from the disk") from None

    def put_scenario_file(self, name: str) -> flask.Response:
        """Replace or add a scenario file."""
        reloader, name = self._require_reloader(), _checked_name(decode_segment(name))
        return self._change(lambda source: reloader.put_scenario_file(self._control, name, source))

    def delete_scenario_file(self, name: str) -> flask.Response:
        """Remove a scenario file. If it was PUT in place of a file, that file is served again."""
        reloader, name = self._require_reloader(), decode_segment(name)
        if name not in reloader.scenario_files():
            raise _unknown_file(name, reloader)
        return self._respond(lambda: reloader.delete_scenario_file(self._control, name))

    def _require_reloader(self) -> Reloader:
        if self._reloader is None:
            raise ControlError(409, "another process compiled the documents, so they cannot be replaced here")
        return self._reloader

    def _change(self, put: Callable[[str], list[Diagnostic]]) -> flask.Response:
        try:
            source = flask.request.get_data().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ControlError(400, f"the body is not UTF-8 (byte {error.start})", "") from None
        return self._respond(lambda: put(source))

    def _respond(self, change: Callable[[], list[Diagnostic]]) -> flask.Response:
        try:
            warnings = change()
        except CompileError as error:
            found = [diagnostic_json(diagnostic) for diagnostic in error.diagnostics]
            self._publish_event("reload", {"ok": False, "diagnostics": found})
            count = sum(diagnostic.severity == "error" for diagnostic in error.diagnostics)
            detail = f"{count} error{'s' if count != 1 else ''}; the previous files are still served"
            raise ControlError(422, detail, "", {"diagnostics": found}) from None
        plan = self._control.run(lambda: self._control.engine.plan)
        self._publish_event("reload", {"ok": True, "plan": plan.hash})
        return json_response(
            {
                "plan": plan.hash,
                "documents": [document.name for document in plan.documents],
                "resources": [resource.name for resource in plan.resources],
                "warnings": [diagnostic_json(warning) for warning in warnings],
                "faults": [
                    diagnostic_json(fault) for document in plan.documents for fault in document.faults
                ],
            }
        )


def _checked_name(name: str) -> str:
    if not _NAME.match(name):
        raise ControlError(400, f"{name[:200]!r} is not a valid name. Use letters, digits, dots and hyphens")
    return name


def _unknown_file(name: str, reloader: Reloader) -> ControlError:
    known = ", ".join(reloader.scenario_files()) or "none"
    return ControlError(404, f"there is no scenario file {name[:200]!r}; there is {known}")
