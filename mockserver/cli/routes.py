"""``mockserver routes``: the operations, and what answers each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from mockserver.cli.compilation import Compilation
from mockserver.cli.options import DOCUMENTS, REF_ROOT, REMOTE_REFS, SCENARIOS, inputs, option
from mockserver.cli.report import as_lines, echo
from mockserver.errors import printable
from mockserver.inputs import Inputs
from mockserver.plan import Plan

_HEADINGS = ("METHOD", "PATH", "OPERATION", "ANSWERED BY", "STATUSES")


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the table. ``answered_by`` is a scenario file, or the document's name."""

    method: str
    path: str
    operation: str
    answered_by: str
    statuses: tuple[str, ...]
    base_paths: tuple[str, ...]
    """Prefixes under which the path is answered, the empty one among them."""


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
        click.echo(as_lines([asdict(each) for each in found]))
        return
    rows = [
        (each.method, each.path, each.operation, each.answered_by, ", ".join(each.statuses)) for each in found
    ]
    _print([_HEADINGS, *(tuple(map(printable, row)) for row in rows)])
    for each in plan.documents:
        if prefixes := [base for base in each.base_paths if base]:
            echo(f"{each.name} is answered under {', '.join(prefixes)} and at the root.")


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
    """(document, operation id) → the scenario file that names the operation."""
    return {
        (resource.document, operation): resource.source
        for resource in plan.resources
        for operation in resource.operations.values()
    }


def _print(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
