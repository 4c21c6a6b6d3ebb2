"""``init``, ``example`` and ``import``: commands that write scenario files."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mockserver import inputs
from mockserver.cli.options import REF_ROOT, REMOTE_REFS, option
from mockserver.cli.report import as_text, echo, summarize
from mockserver.diagnostics import CompileError, Diagnostic, UsageError, did_you_mean

if TYPE_CHECKING:
    from mockserver.compile.scaffold import Outline
    from mockserver.inputs import Inputs
    from mockserver.jsonschema import Schemas
    from mockserver.plan import Document, Operation


@click.command()
@click.argument("document", envvar="MOCKSERVER_DOCUMENT", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File to write. The default is scenarios/RESOURCE.yaml. - writes to standard output.",
)
@click.option(
    "--operation",
    "wanted",
    multiple=True,
    metavar="OPERATION",
    help="operationId or 'METHOD /path' of the operation that reads the resource. Repeat it for"
    " other operations on the resource.",
)
@click.option("--force", is_flag=True, help="Overwrite a file that exists.")
@REMOTE_REFS
@REF_ROOT
def init(
    document: Path,
    output: Path | None,
    wanted: tuple[str, ...],
    force: bool,
    allow_remote_refs: bool,
    ref_root: Path | None,
) -> None:
    """Write a first scenario file for DOCUMENT, with comments.

    The command looks for a GET operation whose path ends in a parameter, and prefers one with a status
    field. The values of this field and the documented errors become states. The operations that create,
    list, update and delete the resource are included; PUT and PATCH change its stored data. The file is
    valid. Edit it.
    """
    # Heavy; only for this command
    from mockserver.compile.compiler import Inputs, compile_plan
    from mockserver.compile.scaffold import candidates, outline
    from mockserver.jsonschema import Schemas

    given = Inputs((document,), (), "0", allow_remote_refs, ref_root)
    [read] = compile_plan(given).plan.documents
    schemas = Schemas(read.trees, read.dialect)
    found = candidates(read, schemas)
    operations = [_find_operation(name, read) for name in wanted] or found[:1]
    if not operations:
        raise UsageError(
            f"{document} has no GET operation with a JSON response whose path ends in a parameter. "
            "Name operations by --operation."
        )
    drawn = outline(read, schemas, operations)
    path = output or Path("scenarios", f"{drawn.resource}.yaml")
    is_file = str(path) != "-"
    if is_file and path.exists() and not force:
        raise UsageError(f"{path} exists. Choose another file by -o, or overwrite it by --force.")
    text = "" if wanted else _lifecycle_text(drawn, read, schemas, path, given)
    text = text or _valid_text(drawn, path, given)[0]
    if not is_file:
        click.echo(text, nl=False)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    echo(f"{path} describes {operations[0].method} {operations[0].path}. Serve it with")
    echo(f"    mockserver serve {document} --scenarios {path}")
    if not wanted and found[1:]:
        _list_candidates(found[1:])


def _find_operation(name: str, document: Document) -> Operation:
    for operation in document.operations:
        if name in (operation.id, f"{operation.method} {operation.path}"):
            return operation
    known = [name for o in document.operations for name in (o.id, f"{o.method} {o.path}")]
    hint = did_you_mean(name, known, 0.6) or "`mockserver routes` lists them."
    raise UsageError(f"the document has no operation {name!r}; {hint}")


def _lifecycle_text(drawn: Outline, read: Document, schemas: Schemas, path: Path, given: Inputs) -> str:
    """Return the text with all operations on the resource, or "" if it would not be valid.

    States with their fields in stored data come first, then those with fixed bodies, then no updates.
    """
    from mockserver.compile.scaffold import with_related_operations  # heavy; only for this command

    wanted = sum(state.kind != "error" for state in drawn.states)
    for ways in ({}, {"sets": False}, {"updates": False}):
        whole = with_related_operations(drawn, read, schemas, **ways)
        if not whole.lifecycle:
            return ""
        with contextlib.suppress(CompileError):
            text, written = _valid_text(whole, path, given)
            if sum(state.kind != "error" for state in written.states) == wanted or "updates" in ways:
                return text
    return ""


def _valid_text(drawn: Outline, path: Path, given: Inputs) -> tuple[str, Outline]:
    """Return the text without the states in which the compiler finds errors: users must write those."""
    # Heavy; only for this command
    from dataclasses import replace

    from msgspec import structs

    from mockserver.compile.compiler import compile_plan
    from mockserver.compile.scaffold import write

    document = str(given.documents[0])
    while True:
        text = write(drawn, document)
        try:
            compile_plan(structs.replace(given, scenarios=(path,), texts={path: text}))
        except CompileError as error:
            broken = {_state_at(text, diagnostic.where.line) for diagnostic in error.diagnostics}
            remaining = tuple(state for state in drawn.states if state.name not in broken)
            if len(remaining) == len(drawn.states) or all(state.kind == "error" for state in remaining):
                raise
            drawn = replace(drawn, states=remaining)
        else:
            return text, drawn


def _state_at(text: str, number: int) -> str:
    """Return the name of the state on a line of a scenario file."""
    lines: Sequence[str] = text.splitlines()
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    return line.strip().partition(":")[0].strip('"')


def _list_candidates(others: Sequence[Operation]) -> None:
    shown = [f"{operation.method} {operation.path}" for operation in others[:5]]
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    echo(f"Similar operations for --operation: {', '.join(shown)}{more}.")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def example(folder: Path) -> None:
    """Write the documents and scenario files of the example into the folder DIR.

    One document and scenario file are those that `mockserver serve` serves without arguments. The others
    describe the whole lifecycle of a certificate. The command never overwrites a file.
    """
    paths = {folder / path.relative_to(inputs.ROOT): path for path in inputs.EXAMPLE}
    if taken := [str(path) for path in paths if path.exists()]:
        verb = "exists" if len(taken) == 1 else "exist"
        raise UsageError(f"{', '.join(taken)} {verb}. Nothing was written. Choose another folder.")
    for path, original in paths.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(original.read_bytes())
        except OSError as error:
            raise UsageError(f"{error.filename or path} cannot be written: {error.strerror}.") from None
        click.echo(path)
    document, scenarios = (str(folder / path.relative_to(inputs.ROOT)) for path in inputs.EXAMPLE[:2])
    command = shlex.join(["mockserver", "serve", document, "--scenarios", scenarios, "--watch"])
    click.echo(f"Serve the first two files. You can edit them while the server runs:\n    {command}")


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
    # Heavy; only for this command
    from mockserver.compile.compiler import Inputs, compile_plan
    from mockserver.migrate.stubs import read_stubs
    from mockserver.migrate.wiremock import scenario_files

    given = Inputs((document,), (), "0", allow_remote_refs, ref_root)
    [read] = compile_plan(given).plan.documents
    found: list[Diagnostic] = []
    stubs = read_stubs(mappings, found)
    files = scenario_files(stubs, read, found)
    texts = {Path(output or "", f"{name}.yaml"): _text(members, mappings) for name, members in files.items()}
    found += _check(given, texts)
    _write(texts, output, force=force)
    if found:
        click.echo(as_text(found), err=True)
    places = ", ".join(map(str, texts)) if output else "standard output"
    echo(f"{len(stubs)} stubs → {places if texts else 'nothing'} ({summarize(found)}).", err=True)
    return int(any(diagnostic.severity == "error" for diagnostic in found))


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
    from mockserver.migrate.prism import command as translated  # only for this command

    found: list[Diagnostic] = []
    echo(translated(command, found))
    if found:
        click.echo(as_text(found), err=True)


def _check(given: Inputs, texts: dict[Path, str]) -> list[Diagnostic]:
    """Return the diagnostics of the compiler for scenario files."""
    # Heavy; only for this command
    from msgspec.structs import replace

    from mockserver.compile.compiler import compile_plan

    try:
        return list(compile_plan(replace(given, scenarios=tuple(texts), texts=texts)).warnings)
    except CompileError as error:
        return list(error.diagnostics)


def _write(texts: dict[Path, str], output: Path | None, *, force: bool) -> None:
    if output is None:
        if len(texts) > 1:
            names = ", ".join(path.stem for path in texts)
            raise UsageError(f"the stubs have several resources ({names}). Use --output FOLDER.")
        for text in texts.values():
            click.echo(text, nl=False)
        return
    there = [str(path) for path in texts if path.exists()]
    if there and not force:
        raise UsageError(f"{', '.join(there)} exists. Choose another --output, or overwrite it by --force.")
    output.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        path.write_text(text, "utf-8")


def _text(members: dict[str, Any], mappings: Path) -> str:
    import yaml  # heavy; only for this command

    body: str = yaml.safe_dump(
        members, sort_keys=False, default_flow_style=None, allow_unicode=True, width=100
    )
    return f"# From the stub mappings in {mappings.name}.\n{body}"
