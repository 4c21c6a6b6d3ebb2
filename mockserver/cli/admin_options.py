"""The options of ``serve`` that have to do with the control plane, and what follows from them."""

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

from mockserver.cli.options import option, options
from mockserver.cli.report import echo
from mockserver.diagnostics import UsageError
from mockserver.inputs import Inputs

if TYPE_CHECKING:
    from mockserver.admin.plane import ControlPlane
    from mockserver.engine.engine import Engine
    from mockserver.http.hosts import Hosts
    from mockserver.http.server import Server
    from mockserver.messages import Request, Response

control_options = options(
    option("--admin/--no-admin", default=True, help="Serve the control plane under /__admin."),
    option(
        "--admin-port",
        type=click.IntRange(0, 65535),
        help="Port of the control plane, if it is not --port. 0 picks a free port.",
    ),
    option(
        "--admin-token",
        metavar="TOKEN",
        help="Token that control requests must send as Authorization: Bearer TOKEN. All users of "
        "the machine can read a command line. Set the token by the environment variable or a "
        "file.",
    ),
    option(
        "--admin-token-file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="File whose first line is the token.",
    ),
    option(
        "--admin-open",
        is_flag=True,
        help="Allow control requests without a token from all hosts that can reach --host.",
    ),
    option(
        "--hosts",
        multiple=True,
        metavar="NAME",
        help="Accept this name in the Host header field. --host, IP addresses, localhost and names "
        "without dots are always accepted. * accepts all names; it is the default if other "
        "machines can reach --host. Can be repeated.",
    ),
    option(
        "--journal",
        default=10_000,
        type=click.IntRange(0),
        help="Maximum number of recorded calls in one namespace. 0 records none.",
    ),
    option(
        "--journal-bytes",
        default=64 * 1024 * 1024,
        type=click.IntRange(1),
        metavar="BYTES",
        help="Maximum memory of the recorded calls of all namespaces.",
    ),
    option(
        "--cors",
        multiple=True,
        metavar="ORIGIN",
        help="Allow web pages of this origin to call the mocked operations; * allows all origins. "
        "Can be repeated.",
    ),
    option("--watch", is_flag=True, help="Reload when a document or scenario file changes."),
    option(
        "--wait-for-document",
        is_flag=True,
        help="Start without a document. The server waits for the file, or for a PUT to /__admin/document.",
    ),
)
"""Every option of ``AdminOptions``."""


_MAX_TOKEN = 4096
_LOOPBACK = frozenset(["127.0.0.1", "::1", "localhost"])


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminOptions:
    """The options, as click hands them over."""

    admin: bool
    admin_port: int | None
    admin_token: str | None
    admin_token_file: Path | None
    admin_open: bool
    journal: int
    journal_bytes: int
    hosts: tuple[str, ...]
    cors: tuple[str, ...]
    watch: bool
    wait_for_document: bool

    def check(self, host: str) -> None:
        """Raises UsageError where the control plane would be open to more than was said."""
        guarded = not self.admin or self.token() or self.admin_open or host in _LOOPBACK
        if not guarded and not _is_loopback(host):
            raise UsageError(
                f"on {host} other hosts could control this server: pass --admin-token TOKEN, "
                "or --admin-open if they may, or --no-admin."
            )
        if self.wait_for_document and not self.admin:
            raise UsageError("--wait-for-document needs the control plane; leave --no-admin out.")

    def token(self) -> str:
        """What control requests are asked for, if anything. Raises UsageError for a file without it."""
        if self.admin_token_file is None:
            return self.admin_token or ""
        try:
            with self.admin_token_file.open(encoding="utf-8") as file:
                found = file.readline(_MAX_TOKEN).strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise UsageError(f"--admin-token-file {self.admin_token_file} cannot be read: {why}.") from None
        if not found:
            raise UsageError(f"--admin-token-file {self.admin_token_file}: its first line is empty.")
        return found

    def served(self, host: str) -> Hosts:
        """The names by which the server may be called."""
        from mockserver.http.hosts import served

        return served(host, self.hosts)

    def waits_for(self, inputs: Inputs) -> bool:
        """Whether to start without a document, because it is not there yet."""
        return self.wait_for_document and not (
            inputs.documents and all(path.is_file() for path in inputs.documents)
        )

    @asynccontextmanager
    async def controlling(
        self,
        engine: Engine,
        inputs: Inputs,
        host: str,
        server: Server,
        listener: socket | None,
        *,
        looks: bool = True,
    ) -> AsyncIterator[None]:
        """The control plane of an engine, for as long as ``server`` runs; on ``listener`` if there is one.

        ``looks`` says whether this process is the one that looks at the disk.
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
            hosts=(host, *(each for each in self.hosts if each != ANY)),
            inputs=inputs,
            stop=server.stop,
        )
        server.on_stop = plane.close
        if engine.sharing is not None:
            engine.sharing.on_inputs = plane.take
        tasks = self._looking_at_the_disk(plane) if looks else []
        if listener is None:
            engine.control = plane.response
            yield
        else:
            second = Server(
                partial(_only_control, plane), server.worlds, limits=server.limits, hosts=server.hosts
            )
            running = asyncio.ensure_future(second.run(listener, lambda: None, signals=False))
            yield
            second.stop()
            await running
        for task in tasks:
            task.cancel()

    def _looking_at_the_disk(self, plane: ControlPlane) -> list[asyncio.Future[None]]:
        def say(text: str) -> None:
            for line in text.split("\n"):
                echo(line, err=True)

        tasks: list[asyncio.Future[None]] = []
        if self.wait_for_document:
            tasks.append(asyncio.ensure_future(plane.wait_for_documents(say)))
        if self.watch:
            tasks.append(asyncio.ensure_future(plane.watch(say)))
        return tasks


def _is_loopback(host: str) -> bool:
    from mockserver.http.hosts import is_loopback

    return is_loopback(host)


def _only_control(plane: ControlPlane, request: Request) -> Response | Awaitable[Response]:
    """What the port of ``--admin-port`` answers: nothing of the mocked operations."""
    from mockserver import problem
    from mockserver.engine.engine import ADMIN

    if request.raw_path.startswith(ADMIN):
        return plane.response(request)
    return problem.unknown_path(request.method, request.raw_path, [("GET", f"{ADMIN}/")])
