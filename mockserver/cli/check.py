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
    help="For people, for scripts, to mark lines in a pull request, for code scanning.",
)
@option("--strict/--no-strict", default=False, help="Let warnings fail as errors do.")
@option("--seed", default="0", help="Everything generated follows from it.")
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
    """Judge DOCUMENT and the scenario files that tell the life of its resources.

    Looks further than `serve` does: into every schema and every example, at keys given twice, and at
    answers that cannot be generated. `mockserver explain CODE` tells what a code means.

    \b
    mockserver check openapi.yaml --scenarios scenarios/
    mockserver check openapi.yaml --strict --format github

    Exits with 0 when there is no error, with 1 when there is, with 2 when called wrongly.
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
