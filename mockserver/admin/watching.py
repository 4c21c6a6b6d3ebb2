"""``--watch`` and ``--wait-for-document``: what is on the disk becomes what is served."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from watchfiles import Change, awatch

from mockserver.admin.control import Control
from mockserver.admin.workshop import Workshop, diagnostic_json
from mockserver.errors import CompileError, Diagnostic
from mockserver.inputs import forgiveness
from mockserver.plan import JSON

_LOG = logging.getLogger("mockserver.watch")
_SUFFIXES = (".yaml", ".yml", ".json")
_LOOK = 0.2
"""Seconds between two looks for a document that is not there yet."""

Told = Callable[[str, dict[str, JSON]], None]


async def watch(workshop: Workshop, control: Control, notify: Told, say: Callable[[str], None]) -> None:
    """Reload whenever an input changes on disk, for ever. A fault is said, and the old Plan serves on."""
    folders = {_folder(path) for path in (*workshop.inputs.documents, *workshop.inputs.scenarios)}
    async for changes in awatch(*(each for each in folders if each.is_dir()), watch_filter=_is_input):
        await _reload(workshop, control, {path for _, path in changes}, notify, say)


async def wait_for_documents(
    workshop: Workshop, control: Control, notify: Told, say: Callable[[str], None]
) -> None:
    """Serve the documents as soon as all of them are there and sound, or something else is served instead."""
    tried: list[int] = []
    while not control.engine.plan.documents:
        found = [path.stat().st_mtime_ns for path in workshop.inputs.documents if path.is_file()]
        if found and found != tried and len(found) == len(workshop.inputs.documents):
            tried = found
            await _reload(workshop, control, set(), notify, say)
        await asyncio.sleep(_LOOK)


async def _reload(
    workshop: Workshop, control: Control, changed: set[str], notify: Told, say: Callable[[str], None]
) -> None:
    try:
        warnings = await asyncio.to_thread(workshop.reload, control, changed)
    except CompileError as error:
        _say(error.diagnostics, say)
        say("what was served before is still served.")
        notify("reload", {"ok": False, "diagnostics": [diagnostic_json(each) for each in error.diagnostics]})
    except Exception:  # noqa: BLE001 - the next change is another chance
        _LOG.exception("reloading failed; what was served before is still served")
    else:
        _say(warnings, say)
        faults = [fault for each in control.engine.plan.documents for fault in each.faults]
        if forgiven := forgiveness(faults):
            say(forgiven)
        say(f"reloaded: plan {control.engine.plan.hash}")
        notify("reload", {"ok": True, "plan": control.engine.plan.hash})


def _say(diagnostics: Iterable[Diagnostic], say: Callable[[str], None]) -> None:
    for each in diagnostics:
        say(str(each))


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.resolve().parent


def _is_input(_: Change, path: str) -> bool:
    return path.endswith(_SUFFIXES)
