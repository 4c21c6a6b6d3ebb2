"""``document`` and ``scenario-files``: read and replace what is served."""

from __future__ import annotations

import re
from collections.abc import Callable

import flask

from mockserver.admin.control import Control
from mockserver.admin.exchange import ControlError, said, segment, text
from mockserver.admin.reloader import Reloader, diagnostic_json
from mockserver.admin.resources import Notify
from mockserver.diagnostics import CompileError, Diagnostic
from mockserver.engine.engine import ADMIN
from mockserver.plan import JSON, Resource

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_FAULTS = "x-mockserver-diagnostics"
"""Where a document says what had to be forgiven in it."""
_NEW = "document"
"""The name of a document that is given none, where there is none yet."""


class Sources:
    """``workshop`` is None where the Plan was made elsewhere: then it can be read, not replaced."""

    def __init__(self, control: Control, workshop: Reloader | None, notify: Notify) -> None:
        self._control = control
        self._workshop = workshop
        self._notify = notify

    def document(self, name: str | None = None) -> flask.Response:
        """The document as it is served, as JSON, with what had to be forgiven for that."""
        documents = self._control.run(lambda: self._control.engine.plan.documents)
        for each in documents:
            if name in (None, each.name):
                faults = [diagnostic_json(fault) for fault in each.faults]
                return said({**each.trees[each.uri], **({_FAULTS: faults} if faults else {})})
        known = ", ".join(each.name for each in documents) or "none yet"
        raise ControlError(404, f"there is no document {name[:200] if name else ''!r}; there is {known}")

    def put_document(self, name: str | None = None) -> flask.Response:
        workshop = self._open()
        name = _named(name or next(iter(workshop.documents()), _NEW))
        return self._change(lambda source: workshop.put_document(self._control, name, source))

    def delete_document(self, name: str | None = None) -> flask.Response:
        """Take back a document that was PUT."""
        workshop = self._open()
        documents = workshop.documents()
        name = name or next(iter(documents), _NEW)
        if name not in documents:
            known = ", ".join(documents) or "none yet"
            raise ControlError(404, f"there is no document {name[:200]!r}; there is {known}")
        if not workshop.came(documents[name]):
            raise ControlError(
                409, f"the document {name} is served from its file: nothing was PUT in its place"
            )
        return self._compiled(lambda: workshop.delete_document(self._control, name))

    def scenario_files(self) -> flask.Response:
        resources = self._control.run(lambda: self._control.engine.plan.resources)
        return said({"scenarioFiles": [self._shown(each) for each in resources]})

    def _shown(self, resource: Resource) -> dict[str, JSON]:
        """Where a resource's file is from: the disk, or a PUT, which may stand in place of a file."""
        name = resource.source.rpartition("/")[2].rpartition(".")[0]
        found: dict[str, JSON] = {"name": name, "resource": resource.name, "source": resource.source}
        workshop = self._workshop
        path = workshop.scenario_files().get(name) if workshop is not None else None
        if workshop is not None and path is not None and workshop.came(path):
            found["source"] = f"PUT {ADMIN}/scenario-files/{name}"
            if workshop.replaced(path):
                found["replaces"] = resource.source
        return found

    def scenario_file(self, name: str) -> flask.Response:
        """The text of a scenario file."""
        workshop = self._open()
        path = workshop.scenario_files().get(segment(name))
        if path is None:
            raise _no_file(name, workshop)
        try:
            return text(workshop.text(path), "application/yaml")
        except OSError:
            raise ControlError(404, f"the scenario file {name} is gone from the disk") from None

    def put_scenario_file(self, name: str) -> flask.Response:
        workshop, name = self._open(), _named(segment(name))
        return self._change(lambda source: workshop.put_scenario_file(self._control, name, source))

    def delete_scenario_file(self, name: str) -> flask.Response:
        """Take back a scenario file that was PUT; serve without one that is from the disk."""
        workshop, name = self._open(), segment(name)
        if name not in workshop.scenario_files():
            raise _no_file(name, workshop)
        return self._compiled(lambda: workshop.delete_scenario_file(self._control, name))

    def _open(self) -> Reloader:
        if self._workshop is None:
            raise ControlError(409, "what is served here was compiled elsewhere and cannot be replaced")
        return self._workshop

    def _change(self, put: Callable[[str], list[Diagnostic]]) -> flask.Response:
        try:
            source = flask.request.get_data().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ControlError(400, f"the body is not UTF-8 (byte {error.start})", "") from None
        return self._compiled(lambda: put(source))

    def _compiled(self, change: Callable[[], list[Diagnostic]]) -> flask.Response:
        try:
            warnings = change()
        except CompileError as error:
            found = [diagnostic_json(each) for each in error.diagnostics]
            self._notify("reload", {"ok": False, "diagnostics": found})
            count = sum(each.severity == "error" for each in error.diagnostics)
            detail = f"{count} error{'s' if count != 1 else ''}; what was served is still served"
            raise ControlError(422, detail, "", {"diagnostics": found}) from None
        plan = self._control.run(lambda: self._control.engine.plan)
        self._notify("reload", {"ok": True, "plan": plan.hash})
        return said(
            {
                "plan": plan.hash,
                "documents": [each.name for each in plan.documents],
                "resources": [each.name for each in plan.resources],
                "warnings": [diagnostic_json(each) for each in warnings],
                "faults": [diagnostic_json(fault) for each in plan.documents for fault in each.faults],
            }
        )


def _named(name: str) -> str:
    if not _NAME.match(name):
        raise ControlError(400, f"{name[:200]!r} is no name: use letters, digits, dots, hyphens")
    return name


def _no_file(name: str, workshop: Reloader) -> ControlError:
    known = ", ".join(workshop.scenario_files()) or "none"
    return ControlError(404, f"there is no scenario file {name[:200]!r}; there is {known}")
