"""``mockserver init``: a first scenario file for a document."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mockserver.cli.options import REF_ROOT, REMOTE_REFS
from mockserver.cli.report import echo
from mockserver.errors import CompileError, UsageError

if TYPE_CHECKING:
    from mockserver.compile.outline import Outline
    from mockserver.inputs import Inputs
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
    list and delete the resource are included. The file is valid. Edit it.
    """
    from mockserver.compile.compiler import Inputs, compile_plan
    from mockserver.compile.outline import candidates, outline
    from mockserver.compile.relatives import with_relatives
    from mockserver.schema import Schemas

    given = Inputs((document,), (), "0", allow_remote_refs, ref_root)
    [read] = compile_plan(given).plan.documents
    schemas = Schemas(read.trees, read.dialect)
    found = candidates(read, schemas)
    operations = [_named(each, read) for each in wanted] or found[:1]
    if not operations:
        raise UsageError(
            f"no GET of {document} has a path that ends in a parameter and a JSON answer; "
            "name operations by --operation."
        )
    drawn = outline(read, schemas, operations)
    path = output or Path("scenarios", f"{drawn.resource}.yaml")
    is_file = str(path) != "-"
    if is_file and path.exists() and not force:
        raise UsageError(f"{path} exists; choose another file by -o, or write over it by --force.")
    text = "" if wanted else _whole(with_relatives(drawn, read, schemas), path, given)
    text = text or _valid(drawn, path, given)
    if not is_file:
        click.echo(text, nl=False)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    echo(f"{path} describes {operations[0].method} {operations[0].path}. Serve it with")
    echo(f"    mockserver serve {document} --scenarios {path}")
    if not wanted and found[1:]:
        _offer(found[1:])


def _named(name: str, document: Document) -> Operation:
    for operation in document.operations:
        if name in (operation.id, f"{operation.method} {operation.path}"):
            return operation
    from difflib import get_close_matches

    known = [each for o in document.operations for each in (o.id, f"{o.method} {o.path}")]
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "`mockserver routes` lists them."
    raise UsageError(f"the document has no operation {name!r}; {hint}")


def _whole(drawn: Outline, path: Path, given: Inputs) -> str:
    """The text with the resource's whole life; empty where there is none that is valid."""
    try:
        return _valid(drawn, path, given) if drawn.life else ""
    except CompileError:
        return ""


def _valid(drawn: Outline, path: Path, given: Inputs) -> str:
    """The text, without the states that the compiler has something against: their bodies need a person."""
    from dataclasses import replace

    from msgspec import structs

    from mockserver.compile.compiler import compile_plan
    from mockserver.compile.outline_text import write

    document = str(given.documents[0])
    while True:
        text = write(drawn, document)
        try:
            compile_plan(structs.replace(given, scenarios=(path,), texts={path: text}))
        except CompileError as error:
            broken = {_line(text, each.where.line) for each in error.diagnostics}
            kept = tuple(each for each in drawn.states if each.name not in broken)
            if len(kept) == len(drawn.states) or all(each.kind == "error" for each in kept):
                raise
            drawn = replace(drawn, states=kept)
        else:
            return text


def _line(text: str, number: int) -> str:
    """The name of the state that a line of a scenario file is about."""
    lines: Sequence[str] = text.splitlines()
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    return line.strip().partition(":")[0].strip('"')


def _offer(others: Sequence[Operation]) -> None:
    shown = [f"{each.method} {each.path}" for each in others[:5]]
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    echo(f"Others that look like it, for --operation: {', '.join(shown)}{more}.")
