"""``mockserver example``: the example that comes with the server, as files to read and to change."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from mockserver import default
from mockserver.errors import UsageError


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def example(folder: Path) -> None:
    """Write the example's documents and scenario files into DIR, which is made where it is not there.

    They are what `mockserver serve` without a document serves, and a second pair with the whole life of a
    certificate. A file that exists is never written over.
    """
    paths = {folder / each.relative_to(default.ROOT): each for each in default.EXAMPLE}
    if taken := [str(path) for path in paths if path.exists()]:
        verb = "exists" if len(taken) == 1 else "exist"
        raise UsageError(f"{', '.join(taken)} {verb}, so nothing was written; choose another folder.")
    for path, original in paths.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(original.read_bytes())
        except OSError as error:
            raise UsageError(f"{error.filename or path} cannot be written: {error.strerror}.") from None
        click.echo(path)
    document, scenarios = (str(folder / each.relative_to(default.ROOT)) for each in default.EXAMPLE[:2])
    command = shlex.join(["mockserver", "serve", document, "--scenarios", scenarios, "--watch"])
    click.echo(f"Serve the first two, and change them while they are served:\n    {command}")
