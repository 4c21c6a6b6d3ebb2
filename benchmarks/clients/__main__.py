"""Published clients' round trips: ``python -m benchmarks.clients``, what ``make clients`` runs.

Each client is installed into an environment of its own, and a program here calls it: create, get, update,
list page by page, delete. What it reads has to be what it wrote.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.bench import CORPUS, free_port
from benchmarks.peers import SERVERS, Start
from benchmarks.process import Process
from benchmarks.sdks import FOLDER, run, wait

_PATIENCE = 120
"""Seconds that a round trip may take."""


@dataclass(frozen=True, slots=True)
class Client:
    """A package of the Python package index, the document that it speaks, and the program that calls it."""

    package: str
    version: str
    document: str
    program: str


CLIENTS = (
    Client("twilio", "9.13.0", "twilio-messaging.json", "twilio_services.py"),
    Client("box-sdk-gen", "1.17.0", "box.json", "box_users.py"),
)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([each.package for each in CLIENTS]))
@click.option(
    "--documents", type=click.Path(path_type=Path), default=CORPUS, help="Folder of their documents."
)
def main(names: tuple[str, ...], documents: Path) -> None:
    """Let each client make its round trip; exit 1 where one does not read what it wrote."""
    failed = False
    for client in (each for each in CLIENTS if not names or each.package in names):
        why = _round_trip(client, documents / client.document)
        click.echo(f"{client.package} {client.version} on {client.document}: {why or 'reads what it wrote'}")
        failed |= bool(why)
    sys.exit(failed)


def _round_trip(client: Client, document: Path) -> str:
    """Why a client does not get along with the server; empty if it does."""
    python = _installed(client)
    folder = FOLDER / f"{client.package}-{client.version}"
    port = free_port()
    command = SERVERS["ours"].command(Start(port, folder, document=document, options=("--stateful",)))
    with Process(command, os.environ, folder / "server.log", core=None) as process:
        wait(port, process)
        program = Path(__file__).with_name(client.program)
        said = subprocess.run(
            [str(python), str(program), f"http://127.0.0.1:{port}"],
            capture_output=True, text=True, timeout=_PATIENCE, check=False,
        )  # fmt: skip
    return said.stderr if said.returncode else ""


def _installed(client: Client) -> Path:
    """The interpreter of an environment with a client."""
    folder = FOLDER / f"{client.package}-{client.version}" / "venv"
    python = folder / "bin/python"
    if not (folder / "done").exists():
        run(sys.executable, "-m", "venv", str(folder))
        pip = (str(python), "-m", "pip", "--quiet", "--disable-pip-version-check")
        run(*pip, "install", f"{client.package}=={client.version}")
        (folder / "done").touch()
    return python


if __name__ == "__main__":
    main()
