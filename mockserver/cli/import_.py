"""``mockserver import``: carry over what was written for WireMock or Prism."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mockserver.cli.options import REF_ROOT, REMOTE_REFS, option
from mockserver.cli.report import as_text, counted, echo
from mockserver.errors import CompileError, Diagnostic, UsageError

if TYPE_CHECKING:
    from mockserver.inputs import Inputs


@click.group("import")
def import_() -> None:
    """Convert files or command lines of another mock server.

    The command reports what it cannot convert, and what to write instead.
    """


@import_.command()
@click.argument("mappings", type=click.Path(path_type=Path, exists=True))
@option(
    "--document",
    required=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="OpenAPI document of the service that the stubs mock.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Folder for the scenario files. Without it, a single file is written to standard output.",
)
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
@REMOTE_REFS
@REF_ROOT
def wiremock(
    mappings: Path,
    document: Path,
    output: Path | None,
    force: bool,
    allow_remote_refs: bool,
    ref_root: Path | None,
) -> int:
    """Convert WireMock stub mappings to scenario files. MAPPINGS is a file or a folder.

    Each scenario of stubs becomes a list of states. The command checks the result against the document.
    It exits with 1 if the result needs corrections.
    """
    from mockserver.compile.compiler import Inputs, compile_plan
    from mockserver.migrate.stubs import read_stubs
    from mockserver.migrate.wiremock import scenario_files

    given = Inputs((document,), (), "0", allow_remote_refs, ref_root)
    [read] = compile_plan(given).plan.documents
    found: list[Diagnostic] = []
    stubs = read_stubs(mappings, found)
    files = scenario_files(stubs, read, found)
    texts = {Path(output or "", f"{name}.yaml"): _text(members, mappings) for name, members in files.items()}
    found += _judged(given, texts)
    _write(texts, output, force=force)
    if found:
        click.echo(as_text(found), err=True)
    places = ", ".join(map(str, texts)) if output else "standard output"
    echo(f"{len(stubs)} stubs → {places if texts else 'nothing'} ({counted(found)}).", err=True)
    return int(any(each.severity == "error" for each in found))


@import_.command(
    context_settings={
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "help_option_names": ["--help"],
    }
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def prism(command: tuple[str, ...]) -> None:
    """Convert a command line of Prism, such as `prism mock -p 4010 openapi.yaml`."""
    from mockserver.migrate.prism import command as translated

    found: list[Diagnostic] = []
    echo(translated(command, found))
    if found:
        click.echo(as_text(found), err=True)


def _judged(given: Inputs, texts: dict[Path, str]) -> list[Diagnostic]:
    """What the compiler says of the scenario files."""
    from msgspec.structs import replace

    from mockserver.compile.compiler import compile_plan

    try:
        return list(compile_plan(replace(given, scenarios=tuple(texts), texts=texts)).warnings)
    except CompileError as error:
        return list(error.diagnostics)


def _write(texts: dict[Path, str], output: Path | None, *, force: bool) -> None:
    if output is None:
        if len(texts) > 1:
            names = ", ".join(each.stem for each in texts)
            raise UsageError(f"the stubs are of several resources ({names}): pass --output FOLDER.")
        for text in texts.values():
            click.echo(text, nl=False)
        return
    there = [str(path) for path in texts if path.exists()]
    if there and not force:
        raise UsageError(f"{', '.join(there)} exists; choose another --output, or write over it by --force.")
    output.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        path.write_text(text, "utf-8")


def _text(members: dict[str, Any], mappings: Path) -> str:
    import yaml

    body: str = yaml.safe_dump(
        members, sort_keys=False, default_flow_style=None, allow_unicode=True, width=100
    )
    return f"# From the stub mappings in {mappings.name}.\n{body}"
