"""``mockserver explain``: what a diagnostic code means and how to mend it."""

from __future__ import annotations

from difflib import get_close_matches

import click
from click.shell_completion import CompletionItem

from mockserver.codes import codes
from mockserver.errors import UsageError


def _complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    found = (each for each in codes().values() if each.name.startswith(incomplete.upper()))
    return [CompletionItem(each.name, help=each.title) for each in found]


@click.command()
@click.argument("code", required=False, shell_complete=_complete)
def explain(code: str | None) -> None:
    """Explain a diagnostic CODE, with a wrong and a right example.

    Without CODE, list all codes. D codes are about OpenAPI documents, S codes about scenario files, M
    codes about the import from other mock servers.
    """
    known = codes()
    if code is None:
        for each in known.values():
            click.echo(f"{each.name}  {each.title}")
        return
    found = known.get(code.upper())
    if found is None:
        close = get_close_matches(code.upper(), known, n=1)
        hint = f"did you mean {close[0]}?" if close else "`mockserver explain` lists all."
        raise UsageError(f"there is no diagnostic code {code}; {hint}")
    click.echo(f"{found.name}: {found.title}\n\n{found.text}")
