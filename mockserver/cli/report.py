"""Prints diagnostics as text, JSON, GitHub annotations and SARIF, and progress on a terminal."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import quote

import click

from mockserver import __version__
from mockserver.diagnostics import (
    CompileError,
    Diagnostic,
    Location,
    diagnostic_json,
    json_printable,
    printable,
)

Writer = Callable[[Sequence[Diagnostic]], str]
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


def echo(text: str, *, err: bool = False) -> None:
    """Print one line. Control characters in it are escaped."""
    click.echo(printable(text), err=err)


def print_compile_error(error: CompileError) -> None:
    """Print all diagnostics of a CompileError and their number."""
    click.echo(as_text(error.diagnostics), err=True)
    click.echo(f"{summarize(error.diagnostics)}; nothing is served.", err=True)


def summarize(found: Iterable[Diagnostic]) -> str:
    """Return the number of diagnostics as text: ``2 errors, 1 warning`` or ``no errors``."""
    severities = [diagnostic.severity for diagnostic in found]
    numbers = [(severities.count("error"), "error"), (severities.count("warning"), "warning")]
    parts = [f"{number} {severity}{'s' if number != 1 else ''}" for number, severity in numbers if number]
    return ", ".join(parts) or "no errors"


def as_text(found: Sequence[Diagnostic]) -> str:
    """Return diagnostics as text, each with its remedy on the next line."""
    return "\n".join(str(diagnostic) for diagnostic in found)


def as_json(found: Sequence[Diagnostic]) -> str:
    """Return diagnostics as a JSON array of objects. Unknown values are 0 or empty."""
    return as_indented_json([diagnostic_json(diagnostic) for diagnostic in found])


def as_github(found: Sequence[Diagnostic]) -> str:
    """Return diagnostics as workflow commands of GitHub Actions, one per line."""
    return "\n".join(_command(diagnostic) for diagnostic in found)


def as_sarif(found: Sequence[Diagnostic]) -> str:
    """Return diagnostics as one run in the Static Analysis Results Interchange Format 2.1.0 (OASIS)."""
    from mockserver.diagnostics import codes

    known = codes()
    rules = [
        {
            "id": name,
            "shortDescription": {"text": known[name].title},
            "help": {"text": known[name].text, "markdown": known[name].text},
        }
        for name in dict.fromkeys(diagnostic.code for diagnostic in found)
    ]
    driver = {"name": "mockserver", "version": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(diagnostic) for diagnostic in found],
    }
    return as_indented_json({"$schema": _SARIF, "version": "2.1.0", "runs": [run]})


def as_indented_json(value: Any) -> str:
    """Return JSON with line breaks and indentation."""
    return json_printable(json.dumps(value, indent=2, ensure_ascii=False))


FORMATS: Mapping[str, Writer] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
    "sarif": as_sarif,
}


def _command(diagnostic: Diagnostic) -> str:
    properties = {"file": printable(diagnostic.where.source)}
    if diagnostic.where.line:
        properties |= {"line": str(diagnostic.where.line), "col": str(diagnostic.where.column)}
    properties["title"] = diagnostic.code
    settings = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
    message = _escaped(f"{diagnostic.message}\n{diagnostic.remedy}".strip())
    return f"::{diagnostic.severity} {settings}::{message}"


def _escaped(text: str, marks: str = "") -> str:
    """Escape text like the toolkit of GitHub Actions."""
    for mark in "%\r\n" + marks:
        text = text.replace(mark, f"%{ord(mark):02X}")
    return text


def _result(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "ruleId": diagnostic.code,
        "level": diagnostic.severity,
        "message": {"text": f"{diagnostic.message}. {diagnostic.remedy}".strip()},
        "locations": [{"physicalLocation": _physical(diagnostic.where)}],
    }


def _physical(where: Location) -> dict[str, Any]:
    uri = quote(where.source.replace("\\", "/"), errors="backslashreplace")
    artifact = {"artifactLocation": {"uri": uri}}
    if not where.line:
        return artifact
    return artifact | {"region": {"startLine": where.line, "startColumn": where.column}}


_SHOW_AFTER = 1.0
_SHOW_EVERY = 0.2
_WIDTH = 79


class Progress:
    """A line on stderr with the current work and its duration, which disappears at the end.

    Nothing is written if stderr is not a terminal, or in the first second.
    """

    def __init__(self) -> None:
        self._what = ""
        self._began = time.monotonic()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def __call__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self._thread = threading.Thread(target=self._show, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _show(self) -> None:
        if self._done.wait(_SHOW_AFTER):
            return
        while not self._done.wait(_SHOW_EVERY):
            line = f"{printable(self._what)}, {time.monotonic() - self._began:.0f} s"
            sys.stderr.write(f"\r\x1b[K{line[:_WIDTH]}")
            sys.stderr.flush()
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
