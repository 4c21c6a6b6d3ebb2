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


def tell(error: CompileError) -> None:
    """Print every diagnostic of a failed compile, and what follows from them."""
    click.echo(as_text(error.diagnostics), err=True)
    click.echo(f"{counted(error.diagnostics)}; nothing is served.", err=True)


def counted(found: Iterable[Diagnostic]) -> str:
    """``1 error``, ``2 errors, 1 warning``, ``no errors``."""
    severities = [each.severity for each in found]
    numbers = [(severities.count("error"), "error"), (severities.count("warning"), "warning")]
    said = [f"{number} {what}{'s' if number != 1 else ''}" for number, what in numbers if number]
    return ", ".join(said) or "no errors"


def as_text(found: Sequence[Diagnostic]) -> str:
    """One after the other, each with its remedy below."""
    return "\n".join(str(each) for each in found)


def as_json(found: Sequence[Diagnostic]) -> str:
    """A list of objects; what is unknown is 0 or empty."""
    return as_lines([_plain(each) for each in found])


def as_github(found: Sequence[Diagnostic]) -> str:
    """Workflow commands of GitHub Actions, one a line."""
    return "\n".join(_command(each) for each in found)


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
        for name in dict.fromkeys(each.code for each in found)
    ]
    driver = {"name": "mockserver", "version": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(each) for each in found],
    }
    return as_lines({"$schema": _SARIF, "version": "2.1.0", "runs": [run]})


def as_lines(value: Any) -> str:
    """JSON to be read by people as well."""
    return json_printable(json.dumps(value, indent=2, ensure_ascii=False))


FORMATS: Mapping[str, Writer] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
    "sarif": as_sarif,
}


def _plain(each: Diagnostic) -> dict[str, Any]:
    return {
        "code": each.code,
        "severity": each.severity,
        "message": each.message,
        "remedy": each.remedy,
        "source": each.where.source,
        "line": each.where.line,
        "column": each.where.column,
        "pointer": each.where.pointer,
    }


def _command(each: Diagnostic) -> str:
    place = {"file": printable(each.where.source)}
    if each.where.line:
        place |= {"line": str(each.where.line), "col": str(each.where.column)}
    place["title"] = each.code
    settings = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in place.items())
    said = _escaped(f"{each.message}\n{each.remedy}".strip())
    return f"::{each.severity} {settings}::{said}"


def _escaped(text: str, marks: str = "") -> str:
    """As the toolkit of GitHub Actions escapes what it writes."""
    for mark in "%\r\n" + marks:
        text = text.replace(mark, f"%{ord(mark):02X}")
    return text


def _result(each: Diagnostic) -> dict[str, Any]:
    return {
        "ruleId": each.code,
        "level": each.severity,
        "message": {"text": f"{each.message}. {each.remedy}".strip()},
        "locations": [{"physicalLocation": _physical(each.where)}],
    }


def _physical(where: Location) -> dict[str, Any]:
    uri = quote(where.source.replace("\\", "/"), errors="backslashreplace")
    artifact = {"artifactLocation": {"uri": uri}}
    if not where.line:
        return artifact
    return artifact | {"region": {"startLine": where.line, "startColumn": where.column}}


_PATIENCE = 1.0
_BEAT = 0.2
_WIDTH = 79


class Progress:
    """A line on stderr that says what is going on and for how long; gone when done.

    Nothing is written where stderr is no terminal, nor in the first second.
    """

    def __init__(self) -> None:
        self._what = ""
        self._began = time.monotonic()
        self._done = threading.Event()
        self._teller: threading.Thread | None = None

    def __call__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self._teller = threading.Thread(target=self._tell, daemon=True)
            self._teller.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._done.set()
        if self._teller is not None:
            self._teller.join()

    def _tell(self) -> None:
        if self._done.wait(_PATIENCE):
            return
        while not self._done.wait(_BEAT):
            line = f"{printable(self._what)}, {time.monotonic() - self._began:.0f} s"
            sys.stderr.write(f"\r\x1b[K{line[:_WIDTH]}")
            sys.stderr.flush()
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
