"""``mockserver check``: everything that can be said about documents and scenario files."""

from __future__ import annotations

import os
from pathlib import Path

import click

from mockserver.cli.options import DOCUMENTS, REF_ROOT, REMOTE_REFS, SCENARIOS, inputs, option
from mockserver.cli.progress import Progress
from mockserver.cli.report import FORMATS, counted, echo


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
@option("--seed", default="0", help="Seed of all generated values. The same seed gives the same values.")
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
        from mockserver.compile.compiler import Inputs, inspect_inputs

        given = Inputs(documents, scenarios, seed, allow_remote_refs, ref_root)
        found = inspect_inputs(given, progress=progress)
    if written := FORMATS[form](found):
        click.echo(written)
    files = ", ".join(os.path.relpath(each) for each in (*documents, *scenarios))
    echo(f"{files}: {counted(found)}.", err=form != "text")
    return int(any(strict or each.severity == "error" for each in found))
