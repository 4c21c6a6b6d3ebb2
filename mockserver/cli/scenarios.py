"""``mockserver scenarios``: what can be said of a scenario file by itself."""

from __future__ import annotations

import os
from pathlib import Path

import click

from mockserver import default
from mockserver.cli.report import echo
from mockserver.errors import CompileError, Diagnostic, Location


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
    from mockserver.compile.graph import DRAWINGS, timelines
    from mockserver.compile.source import SCENARIO_FILE, SourceFault, read

    try:
        source = read(file, os.path.relpath(file), SCENARIO_FILE)
    except SourceFault as fault:
        raise CompileError([fault.diagnostic]) from None
    found = timelines(source)
    if scenario is not None and scenario not in found.scenarios:
        known = ", ".join(found.scenarios) or "none"
        where = Location(source.name)
        raise CompileError(
            [Diagnostic("S402", f"there is no scenario {scenario!r}", where, f"there are {known}.")]
        )
    wanted = {name: each for name, each in found.scenarios.items() if scenario in (None, name)}
    for line in DRAWINGS[form](wanted, found.facts).split("\n"):
        echo(line)


@scenarios.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors.

    Write it next to your scenario files, and begin each of them with the line
    # yaml-language-server: $schema=scenario.schema.json
    """
    click.echo(default.SCHEMA.read_text("utf-8"), nl=False)
