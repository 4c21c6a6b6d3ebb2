"""``mockserver push``: sends documents and scenario files to a running server over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import click
from msgspec import Struct, ValidationError, convert

from mockserver.admin.http import ControlError
from mockserver.cli.options import SCENARIOS, option
from mockserver.cli.report import as_text, echo, summarize
from mockserver.diagnostics import Diagnostic, Location, Severity, UsageError
from mockserver.inputs import fault_summary, scenario_files
from mockserver.testing.control import Members
from mockserver.testing.remote import Remote

_MAX_RESPONSE = 16 * 1024 * 1024
_POLL_INTERVAL = 0.2
"""Seconds between two checks whether the server responds."""


@click.command()
@option("--url", required=True, metavar="URL", help="URL of the server.")
@option(
    "--document",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="PATH",
    help="OpenAPI document. It cannot refer to other files. Can be repeated.",
)
@SCENARIOS
@option("--admin-token", metavar="TOKEN", help="The --admin-token of the server.")
@option("--replace", is_flag=True, help="Remove all other scenario files from the server.")
@option("--wait", default=0.0, metavar="SECONDS", help="How long to wait until the server responds.")
def push(
    url: str,
    document: tuple[Path, ...],
    scenarios: tuple[Path, ...],
    admin_token: str | None,
    replace: bool,
    wait: float,
) -> int:
    """Send documents and scenario files to a running server.

    Use it for a service that starts before the checkout and has no access to its files. Start such a
    server with --wait-for-document. The server writes nothing to its disk. If a file has an error, the
    command prints the diagnostics, and the server continues to serve the previous files.

    \b
    mockserver push --url http://mock:8080 --document openapi.yaml --scenarios scenarios/ --wait 30

    Exit code: 0 if the server serves the files, 1 if it does not respond, 2 if a file has an error.
    """
    if not document and not scenarios:
        raise UsageError("there is nothing to push. Use --document, --scenarios or both.")
    server = Remote(url, admin_token, max_response=_MAX_RESPONSE)
    _wait_for(server, wait)
    files = {file.stem: file for path in scenarios for file in scenario_files(path)}
    served: Members = {}
    try:
        for name, path, verb in _steps(server, document, files, replace=replace):
            text = None if path is None else path.read_text("utf-8-sig")
            served = server.request(verb, name, text=text)
    except ControlError as error:
        if "diagnostics" not in error.members:
            raise
        found = _convert(error.members["diagnostics"], list[_DiagnosticJson], server)
        click.echo(as_text([diagnostic.diagnostic() for diagnostic in found]), err=True)
        echo(f"{error.detail}.", err=True)
        return 2
    response = _convert(served, _Served, server)
    warnings = [warning.diagnostic() for warning in response.warnings]
    if warnings:
        click.echo(as_text(warnings), err=True)
    if forgiven := fault_summary(response.faults):
        echo(forgiven, err=True)
    summary = f"{server.url} serves {', '.join(response.documents)}"
    if response.resources:
        summary += f" with scenarios for {', '.join(response.resources)}"
    echo(f"{summary} ({summarize(warnings)}; plan {response.plan}).")
    return 0


def _steps(
    server: Remote, documents: tuple[Path, ...], files: dict[str, Path], *, replace: bool
) -> Iterator[tuple[str, Path | None, str]]:
    """Yield the requests (path, file, method) in an order in which the server is valid after each one."""
    if replace:
        for file in _convert(server.request("GET", "/scenario-files"), _Files, server).scenarioFiles:
            if documents or file.name not in files:
                for _ in range(
                    2 if file.replaces else 1
                ):  # the text that was PUT, then the file that it replaced
                    yield f"/scenario-files/{quote(file.name, safe='')}", None, "DELETE"
    # A single document replaces a single served one, even if their names differ.
    is_only = (
        len(documents) == 1
        and len(_convert(server.request("GET", "/health"), _Health, server).documents) == 1
    )
    for path in documents:
        yield "/document" if is_only else f"/document?name={quote(path.stem, safe='')}", path, "PUT"
    for name, path in files.items():
        yield f"/scenario-files/{quote(name, safe='')}", path, "PUT"


def _wait_for(server: Remote, seconds: float) -> None:
    """Wait until the server responds. Raise UsageError if it does not in time."""
    end = time.monotonic() + seconds
    while True:
        try:
            server.request("GET", "/health")
        except UsageError:
            if time.monotonic() >= end:
                raise
            time.sleep(_POLL_INTERVAL)
        else:
            return


class _DiagnosticJson(Struct):
    """A diagnostic in a response of the control plane."""

    code: str
    message: str
    source: str
    remedy: str
    severity: Severity
    line: int
    column: int
    pointer: str

    def diagnostic(self) -> Diagnostic:
        """Return it as a ``Diagnostic``."""
        location = Location(self.source, self.line, self.column, self.pointer)
        return Diagnostic(self.code, self.message, location, self.remedy, self.severity)


class _Served(Struct):
    documents: list[str]
    resources: list[str]
    plan: str
    warnings: list[_DiagnosticJson]
    faults: list[_DiagnosticJson] = []


class _File(Struct):
    name: str
    replaces: Any = None


class _Files(Struct):
    scenarioFiles: list[_File]  # noqa: N815 - the name in the response


class _Health(Struct):
    documents: list[Any]


Value = TypeVar("Value")


def _convert(value: object, kind: type[Value], server: Remote) -> Value:
    """Return a response as ``kind``. Raise UsageError if it is not the response of a mockserver."""
    try:
        return convert(value, kind)
    except ValidationError:
        raise server.not_mockserver() from None
