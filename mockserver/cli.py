"""The command line. Every option is also read from the environment, as ``MOCKSERVER_<OPTION>``."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mockserver import __version__, default
from mockserver.errors import CompileError, UsageError

if TYPE_CHECKING:
    from mockserver.compile.compiler import Compiled

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def main() -> None:
    """Run the command line; exits with 0, 1 (cannot run) or 2 (the inputs are wrong)."""
    try:
        cli(standalone_mode=False, prog_name="mockserver")
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except CompileError as error:
        _tell(error)
        sys.exit(2)
    except UsageError as error:
        click.echo(f"mockserver: {error}", err=True)
        sys.exit(1)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)


@click.group(context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="mockserver")
def cli() -> None:
    """An OpenAPI-driven mock server with a scenario engine."""


def _option(name: str, **settings: object) -> object:
    """An option that the environment can set as well."""
    variable = "MOCKSERVER_" + name.split("/")[0].lstrip("-").replace("-", "_").upper()
    return click.option(name, envvar=variable, show_envvar=True, show_default=True, **settings)  # type: ignore[arg-type]


@cli.command()
@click.argument("document", nargs=-1, envvar="MOCKSERVER_DOCUMENT", type=click.Path(path_type=Path))
@_option(
    "--scenarios",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Scenario file, or folder of them; may be repeated.",
)
@_option("--host", default="127.0.0.1", help="Address to listen on.")
@_option("--port", default=8080, type=click.IntRange(0, 65535), help="Port to listen on; 0 picks a free one.")
@_option("--seed", default="0", help="Everything generated follows from it.")
@_option("--clock", metavar="DATE-TIME", help="Freeze the clock at an ISO 8601 date-time.")
@_option(
    "--validation",
    default="strict",
    type=click.Choice(["strict", "warn", "off"]),
    help="What becomes of requests that break the document.",
)
@_option(
    "--security",
    default="on",
    type=click.Choice(["on", "off"]),
    help="Whether credentials are asked for where the document does.",
)
@_option(
    "--base-path",
    metavar="PATH",
    help="Answer under this prefix only, instead of those of the document's servers.",
)
@_option(
    "--max-body",
    default=10 * 1024 * 1024,
    type=click.IntRange(1),
    metavar="BYTES",
    help="Largest request body.",
)
@_option(
    "--max-resources",
    default=1_000_000,
    type=click.IntRange(1),
    help="Resources kept per kind and namespace; the least recently used go first.",
)
@_option("--allow-remote-refs/--no-allow-remote-refs", default=False, help="Fetch $refs to other hosts.")
@_option(
    "--ref-root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder that $refs to files may not leave; default: the document's.",
)
@_option(
    "--log-level",
    default="warning",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="info also logs each request.",
)
@_option("--log-format", default="text", type=click.Choice(["text", "json"]))
@_option("--cache/--no-cache", default=True, help="Keep compiled documents in the user's cache folder.")
def serve(
    document: tuple[Path, ...],
    scenarios: tuple[Path, ...],
    host: str,
    port: int,
    seed: str,
    clock: str | None,
    validation: str,
    security: str,
    base_path: str | None,
    max_body: int,
    max_resources: int,
    allow_remote_refs: bool,
    ref_root: Path | None,
    log_level: str,
    log_format: str,
    cache: bool,
) -> None:
    """Serve DOCUMENT (OpenAPI 2.0 or 3.x, YAML or JSON); without one, the certificate-request example."""
    from mockserver.serve.clock import parse_time
    from mockserver.serve.log import access_logger, configure

    configure(log_level, log_format)
    try:
        frozen_at = parse_time(clock) if clock else None
    except ValueError as error:
        raise UsageError(f"--clock: {error}.") from None
    documents, scenarios = _inputs(document, scenarios)
    compiled = _compile(documents, scenarios, seed, allow_remote_refs, ref_root, cache=cache)
    for warning in compiled.warnings:
        click.echo(str(warning), err=True)

    from mockserver.serve.engine import Engine, Options
    from mockserver.serve.health import Health
    from mockserver.serve.server import Limits, Server, listen
    from mockserver.serve.world import Worlds
    from mockserver.store.memory import MemoryStore

    listener = listen(host, port)
    options = Options(validation, security == "on", max_body, base_path)
    worlds = Worlds(frozen_at)
    engine = Engine(compiled.plan, store=MemoryStore(max_resources), worlds=worlds, options=options)
    engine.control = Health(engine).answer

    async def run() -> None:
        server = Server(engine.handle, worlds, limits=Limits(body=max_body), log_access=access_logger())
        await server.run(listener, lambda: _announce(listener.getsockname(), host))

    gc.collect()
    gc.freeze()
    _runner()(run())


def _inputs(
    document: tuple[Path, ...], scenarios: tuple[Path, ...]
) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    if document:
        return document, scenarios
    return (default.DOCUMENT,), scenarios or (default.SCENARIOS,)


def _compile(
    documents: tuple[Path, ...],
    scenarios: tuple[Path, ...],
    seed: str,
    allow_remote: bool,
    ref_root: Path | None,
    *,
    cache: bool,
) -> Compiled:
    from mockserver.compile.compiler import Inputs, compile_plan

    return compile_plan(Inputs(documents, scenarios, seed, allow_remote, ref_root))


def _announce(address: tuple[object, ...], host: str) -> None:
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"mockserver {__version__} answers on http://{shown}:{address[1]}")
    sys.stdout.flush()


def _runner() -> object:
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


def _tell(error: CompileError) -> None:
    for each in error.diagnostics:
        click.echo(str(each), err=True)
    errors = sum(each.severity == "error" for each in error.diagnostics)
    click.echo(f"{errors} error{'s' if errors != 1 else ''}; nothing is served.", err=True)


_LOG = logging.getLogger("mockserver")
