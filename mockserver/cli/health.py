"""``mockserver health``: the health check of a running server, for containers."""

from __future__ import annotations

import json
import os
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

import click

from mockserver.cli.options import option
from mockserver.cli.report import echo
from mockserver.diagnostics import UsageError

_PATH = "/__admin/health"


@click.command()
@click.option(
    "--url",
    envvar="MOCKSERVER_URL",
    show_envvar=True,
    metavar="URL",
    help="URL of the server. The default is this machine, and the port in MOCKSERVER_ADMIN_PORT"
    " or MOCKSERVER_PORT.",
)
@click.option(
    "--timeout", default=5.0, show_default=True, metavar="SECONDS", help="How long to wait for a response."
)
@option(
    "--wait-for-document",
    is_flag=True,
    help="Accept a server that was started with --wait-for-document and still waits for its document.",
)
def health(url: str | None, timeout: float, *, wait_for_document: bool) -> None:
    """Check that a running server is ready. Exit code: 0 if it is, 1 if not; then the reason is printed."""
    port = os.environ.get("MOCKSERVER_ADMIN_PORT") or os.environ.get("MOCKSERVER_PORT") or "8080"
    url = (url or f"http://127.0.0.1:{port}").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"--url {url} is not an http or https URL such as http://127.0.0.1:8080.")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    try:
        with closing(kind(parts.hostname, parts.port, timeout=timeout)) as connection:
            connection.request("GET", parts.path + _PATH)
            response = connection.getresponse()
            body = response.read().decode("utf-8", "replace")
    except (OSError, HTTPException, ValueError) as error:
        raise UsageError(f"{url} does not respond: {error}.") from None
    if response.status != 200:
        raise UsageError(f"{url}{_PATH} responds with status {response.status}.")
    try:
        found = json.loads(body)
        status, ready, documents = found["status"], found["ready"], found["documents"]
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{url} responds, but it is not a mockserver.") from None
    if not ready and status != "healthy":
        raise UsageError(f"{url} is not ready: {status}.")
    if not ready and not (wait_for_document and not documents):
        raise UsageError(f"{url} is not ready: no document is served yet.")
    echo(body)
