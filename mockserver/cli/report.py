"""Diagnostics as text, JSON, GitHub annotations and SARIF, and progress on a terminal."""

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
from mockserver.diagnostics import CompileError, Diagnostic, Location, json_printable, printable

Writer = Callable[[Sequence[Diagnostic]], str]
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


def echo(text: str, *, err: bool = False) -> None:
    """Print one line, which may quote an input or another program."""
    click.echo(printable(text), err=err)


def print_compile_error(error: CompileError) -> None:
    """Print every diagnostic of a failed compile, and what follows from them."""
    click.echo(as_text(error.diagnostics), err=True)
    click.echo(f"{summarize(error.diagnostics)}; nothing is served.", err=True)


def summarize(found: Iterable[Diagnostic]) -> str:
    """``1 error``, ``2 errors, 1 warning``, ``no errors``."""
    severities = [diagnostic.severity for diagnostic in found]
    numbers = [(severities.count("error"), "error"), (severities.count("warning"), "warning")]
    said = [f"{number} {what}{'s' if number != 1 else ''}" for number, what in numbers if number]
    return ", ".join(said) or "no errors"


def as_text(found: Sequence[Diagnostic]) -> str:
    """One after the other, each with its remedy below."""
    return "\n".join(str(diagnostic) for diagnostic in found)


def as_json(found: Sequence[Diagnostic]) -> str:
    """A list of objects; what is unknown is 0 or empty."""
    return as_indented_json([_diagnostic_json(diagnostic) for diagnostic in found])


def as_github(found: Sequence[Diagnostic]) -> str:
    """Workflow commands of GitHub Actions, one a line."""
    return "\n".join(_command(diagnostic) for diagnostic in found)


def as_sarif(found: Sequence[Diagnostic]) -> str:
    """One run in the Static Analysis Results Interchange Format 2.1.0 (OASIS)."""
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
    """JSON to be read by people as well."""
    return json_printable(json.dumps(value, indent=2, ensure_ascii=False))


FORMATS: Mapping[str, Writer] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
    "sarif": as_sarif,
}


def _diagnostic_json(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "remedy": diagnostic.remedy,
        "source": diagnostic.where.source,
        "line": diagnostic.where.line,
        "column": diagnostic.where.column,
        "pointer": diagnostic.where.pointer,
    }


def _command(diagnostic: Diagnostic) -> str:
    place = {"file": printable(diagnostic.where.source)}
    if diagnostic.where.line:
        place |= {"line": str(diagnostic.where.line), "col": str(diagnostic.where.column)}
    place["title"] = diagnostic.code
    settings = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in place.items())
    said = _escaped(f"{diagnostic.message}\n{diagnostic.remedy}".strip())
    return f"::{diagnostic.severity} {settings}::{said}"


def _escaped(text: str, marks: str = "") -> str:
    """As the toolkit of GitHub Actions escapes what it writes."""
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
    """A line on stderr that says what is going on and for how long; gone when done.

    Nothing is written where stderr is no terminal, nor in the first second.
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
