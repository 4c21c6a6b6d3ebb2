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
    """Write the documents and scenario files of the example into the folder DIR.

    One document and scenario file are those that `mockserver serve` serves without arguments. The others
    describe the whole lifecycle of a certificate. The command never overwrites a file.
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
