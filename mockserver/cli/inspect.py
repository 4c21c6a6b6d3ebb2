"""``check``, ``routes``, ``scenarios`` and ``explain``: inspect documents and scenario files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from mockserver.cli.compilation import Compilation
from mockserver.cli.options import DOCUMENTS, REF_ROOT, REMOTE_REFS, SCENARIOS, SEED, inputs, option
from mockserver.cli.report import FORMATS, Progress, as_indented_json, echo, summarize
from mockserver.diagnostics import (
    CompileError,
    Diagnostic,
    Location,
    UsageError,
    codes,
    nearest,
    printable,
)
from mockserver.inputs import SCHEMA, Inputs
from mockserver.plan import Plan


@click.command()
@DOCUMENTS
@SCENARIOS
@option(
    "--format",
    "form",
    default="text",
    type=click.Choice(list(FORMATS)),
    help="text for people, json for scripts, github to mark lines in a pull request, sarif for "
    "code scanning.",
)
@option("--strict/--no-strict", default=False, help="Treat warnings as errors.")
@SEED
@REMOTE_REFS
@REF_ROOT
def check(
    document: tuple[Path, ...],
    scenarios: tuple[Path, ...],
    form: str,
    strict: bool,
    seed: str,
    allow_remote_refs: bool,
    ref_root: Path | None,
) -> int:
    """Check DOCUMENT and its scenario files, and print all diagnostics.

    `check` finds more than `serve`: it checks every schema and every example, and finds keys that appear
    twice and responses that cannot be generated. `mockserver explain CODE` explains a code.

    \b
    mockserver check openapi.yaml --scenarios scenarios/
    mockserver check openapi.yaml --strict --format github

    Exit code: 0 without errors, 1 with errors, 2 if the command line is wrong.
    """
    documents, scenarios = inputs(document, scenarios)
    with Progress() as progress:
        progress("loading the compiler")
        from mockserver.compile.compiler import Inputs, inspect_inputs  # heavy; only for this command

        given = Inputs(documents, scenarios, seed, allow_remote_refs, ref_root)
        found = inspect_inputs(given, progress=progress)
    if written := FORMATS[form](found):
        click.echo(written)
    files = ", ".join(os.path.relpath(path) for path in (*documents, *scenarios))
    echo(f"{files}: {summarize(found)}.", err=form != "text")
    return int(any(strict or diagnostic.severity == "error" for diagnostic in found))


_HEADINGS = ("METHOD", "PATH", "OPERATION", "ANSWERED BY", "STATUSES")


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the table. ``answered_by`` is a scenario file or the name of the document."""

    method: str
    path: str
    operation: str
    answered_by: str
    statuses: tuple[str, ...]
    base_paths: tuple[str, ...]
    """The prefixes under which the path is served, with the empty one."""


@click.command()
@DOCUMENTS
@SCENARIOS
@option(
    "--format",
    "form",
    default="text",
    type=click.Choice(["text", "json"]),
    help="text for people, json for scripts.",
)
@REMOTE_REFS
@REF_ROOT
def routes(
    document: tuple[Path, ...],
    scenarios: tuple[Path, ...],
    form: str,
    allow_remote_refs: bool,
    ref_root: Path | None,
) -> None:
    """List the operations of DOCUMENT: method, path, operationId, what responds, documented statuses.

    Without DOCUMENT, list the operations of the example.
    """
    documents, scenarios = inputs(document, scenarios)
    given = Inputs(documents, scenarios, "0", allow_remote_refs, ref_root)
    plan = Compilation(given, cached=True).result().plan
    found = list(_routes(plan))
    if form == "json":
        click.echo(as_indented_json([asdict(route) for route in found]))
        return
    rows = [
        (route.method, route.path, route.operation, route.answered_by, ", ".join(route.statuses))
        for route in found
    ]
    _print([_HEADINGS, *(tuple(map(printable, row)) for row in rows)])
    for served in plan.documents:
        if prefixes := [base for base in served.base_paths if base]:
            echo(f"{served.name} is served under {', '.join(prefixes)} and at the root.")


def _routes(plan: Plan) -> Iterator[Route]:
    owners = _owners(plan)
    for document in plan.documents:
        for operation in document.operations:
            own_id = "" if operation.id == f"{operation.method} {operation.path}" else operation.id
            yield Route(
                operation.method,
                operation.path,
                own_id,
                owners.get((document.name, operation.id), document.name),
                tuple(response.status for response in operation.responses),
                document.base_paths,
            )


def _owners(plan: Plan) -> Mapping[tuple[str, str], str]:
    """Return a map: (document, operation id) → the scenario file with the operation."""
    return {
        (resource.document, operation): resource.source
        for resource in plan.resources
        for operation in resource.operations.values()
    }


def _print(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


@click.group()
def scenarios() -> None:
    """Work with scenario files. No document is needed."""


@scenarios.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    default="text",
    show_default=True,
    type=click.Choice(["text", "mermaid"]),
    help="text for a terminal, mermaid for a diagram in Markdown.",
)
@click.option("--scenario", metavar="NAME", help="Draw this scenario only.")
def graph(file: Path, form: str, scenario: str | None) -> None:
    """Draw the states of FILE and the transitions between them."""
    # Heavy; only for this command
    from mockserver.compile.scenario.diagram import DRAWINGS, read_timelines
    from mockserver.compile.source import SCENARIO_FILE, SourceError, read

    try:
        source = read(file, os.path.relpath(file), SCENARIO_FILE)
    except SourceError as fault:
        raise CompileError([fault.diagnostic]) from None
    found = read_timelines(source)
    if scenario is not None and scenario not in found.scenarios:
        known = ", ".join(found.scenarios) or "none"
        where = Location(source.name)
        raise CompileError(
            [Diagnostic("S402", f"there is no scenario {scenario!r}", where, f"there are {known}.")]
        )
    wanted = {name: timeline for name, timeline in found.scenarios.items() if scenario in (None, name)}
    for line in DRAWINGS[form](wanted, found.predicates).split("\n"):
        echo(line)


@scenarios.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors.

    Write it next to your scenario files, and begin each of them with the line
    # yaml-language-server: $schema=scenario.schema.json
    """
    click.echo(SCHEMA.read_text("utf-8"), nl=False)


def _complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    found = (code for code in codes().values() if code.name.startswith(incomplete.upper()))
    return [CompletionItem(code.name, help=code.title) for code in found]


@click.command()
@click.argument("code", required=False, shell_complete=_complete)
def explain(code: str | None) -> None:
    """Explain a diagnostic CODE, with a wrong and a right example.

    Without CODE, list all codes. D codes are about OpenAPI documents, S codes about scenario files, M
    codes about the import from other mock servers.
    """
    known = codes()
    if code is None:
        for entry in known.values():
            click.echo(f"{entry.name}  {entry.title}")
        return
    found = known.get(code.upper())
    if found is None:
        similar = nearest(code.upper(), known, 0.6)
        hint = f"did you mean {similar}?" if similar else "`mockserver explain` lists all."
        raise UsageError(f"there is no diagnostic code {code}; {hint}")
    click.echo(f"{found.name}: {found.title}\n\n{found.text}")
