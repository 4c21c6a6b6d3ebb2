"""The options of ``serve`` for the control plane, and the control plane that they start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

import click

from mockserver.cli.options import field
from mockserver.cli.report import echo
from mockserver.diagnostics import UsageError
from mockserver.inputs import Inputs

if TYPE_CHECKING:
    from mockserver.admin.plane import ControlPlane
    from mockserver.engine.engine import Engine
    from mockserver.http.hosts import Hosts
    from mockserver.http.server import Server
    from mockserver.messages import Request, Response

_MAX_TOKEN = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminOptions:
    """The control plane, the recorded calls and the host names."""

    admin: bool = field(True, "Serve the control plane under /__admin.")
    admin_port: int | None = field(
        None,
        "Port of the control plane, if it is not --port. 0 picks a free port.",
        type=click.IntRange(0, 65535),
    )
    admin_token: str | None = field(
        None,
        "Token that control requests must send as Authorization: Bearer TOKEN. All users of "
        "the machine can read a command line. Set the token by the environment variable or a "
        "file.",
        metavar="TOKEN",
    )
    admin_token_file: Path | None = field(  # noqa: RUF009 - it calls dataclasses.field
        None, "File whose first line is the token.", metavar="FILE", type=click.Path(path_type=Path)
    )
    admin_open: bool = field(
        False, "Allow control requests without a token from all hosts that can reach --host."
    )
    hosts: tuple[str, ...] = field(
        (),
        "Accept this name in the Host header field. --host, IP addresses, localhost and names "
        "without dots are always accepted. * accepts all names; it is the default if other "
        "machines can reach --host. Can be repeated.",
        multiple=True,
        metavar="NAME",
    )
    journal: int = field(
        10_000,
        "Maximum number of recorded calls in one namespace. 0 records none.",
        type=click.IntRange(0),
    )
    journal_bytes: int = field(
        64 * 1024 * 1024,
        "Maximum memory of the recorded calls of all namespaces.",
        type=click.IntRange(1),
        metavar="BYTES",
    )
    cors: tuple[str, ...] = field(
        (),
        "Allow web pages of this origin to call the mocked operations; * allows all origins. "
        "Can be repeated.",
        multiple=True,
        metavar="ORIGIN",
    )
    watch: bool = field(False, "Reload when a document or scenario file changes.")
    wait_for_document: bool = field(
        False,
        "Start without a document. The server waits for the file, or for a PUT to /__admin/document.",
    )

    def check(self, host: str) -> None:
        """Raise UsageError if hosts without permission could use the control plane."""
        from mockserver.http.hosts import is_loopback  # only servers need it

        if self.admin and not self.token() and not self.admin_open and not is_loopback(host):
            raise UsageError(
                f"on {host} other hosts could control this server. Use --admin-token TOKEN, "
                "or --admin-open to allow it, or --no-admin."
            )
        if self.wait_for_document and not self.admin:
            raise UsageError("--wait-for-document needs the control plane. Remove --no-admin.")

    def token(self) -> str:
        """Return the token that control requests need, or "". Raise UsageError for an unusable file."""
        if self.admin_token_file is None:
            return self.admin_token or ""
        try:
            with self.admin_token_file.open(encoding="utf-8") as file:
                found = file.readline(_MAX_TOKEN).strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not a text file"
            raise UsageError(f"--admin-token-file {self.admin_token_file} cannot be read: {why}.") from None
        if not found:
            raise UsageError(f"--admin-token-file {self.admin_token_file}: its first line is empty.")
        return found

    def allowed_hosts(self, host: str) -> Hosts:
        """Return the names that the Host header field can have."""
        from mockserver.http.hosts import served

        return served(host, self.hosts)

    def waits_for(self, inputs: Inputs) -> bool:
        """Return whether to start without a document, because a file is missing."""
        return self.wait_for_document and not (
            inputs.documents and all(path.is_file() for path in inputs.documents)
        )

    @asynccontextmanager
    async def run_control_plane(
        self,
        engine: Engine,
        inputs: Inputs,
        host: str,
        server: Server,
        listener: socket | None,
        *,
        watches_files: bool = True,
    ) -> AsyncIterator[None]:
        """Serve the control plane of ``engine`` while ``server`` runs; on ``listener`` if there is one.

        ``watches_files``: whether this process watches the files of the inputs.
        """
        if not self.admin:
            yield
            return
        from mockserver.admin.plane import ControlPlane
        from mockserver.http.hosts import ANY
        from mockserver.http.server import Server

        plane = ControlPlane(
            engine,
            token=self.token(),
            hosts=(host, *(name for name in self.hosts if name != ANY)),
            inputs=inputs,
            stop=server.stop,
        )
        server.on_stop = plane.close
        if engine.cluster is not None:
            engine.cluster.on_inputs = plane.set_inputs
        tasks = self._file_tasks(plane) if watches_files else []
        if listener is None:
            engine.control = plane.response
            yield
        else:
            second = Server(
                partial(_only_control, plane), server.namespaces, limits=server.limits, hosts=server.hosts
            )
            running = asyncio.ensure_future(second.run(listener, lambda: None, signals=False))
            yield
            second.stop()
            await running
        for task in tasks:
            task.cancel()

    def _file_tasks(self, plane: ControlPlane) -> list[asyncio.Future[None]]:
        """Start the tasks that wait for documents and watch files."""

        def report(text: str) -> None:
            for line in text.split("\n"):
                echo(line, err=True)

        tasks: list[asyncio.Future[None]] = []
        if self.wait_for_document:
            tasks.append(asyncio.ensure_future(plane.wait_for_documents(report)))
        if self.watch:
            tasks.append(asyncio.ensure_future(plane.watch(report)))
        return tasks


def _only_control(plane: ControlPlane, request: Request) -> Response | Awaitable[Response]:
    """Respond on the port of ``--admin-port``: to control requests only, not to mocked operations."""
    from mockserver import problem
    from mockserver.engine.engine import ADMIN

    if request.raw_path.startswith(ADMIN):
        return plane.response(request)
    return problem.unknown_path(request.method, request.raw_path, [("GET", f"{ADMIN}/")])
