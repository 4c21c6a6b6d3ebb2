"""Diagnostics on a terminal."""

from __future__ import annotations

import click

from mockserver.errors import CompileError


def tell(error: CompileError) -> None:
    """Print every diagnostic of a failed compile, and what follows from them."""
    for each in error.diagnostics:
        click.echo(str(each), err=True)
    errors = sum(each.severity == "error" for each in error.diagnostics)
    click.echo(f"{errors} error{'s' if errors != 1 else ''}; nothing is served.", err=True)
