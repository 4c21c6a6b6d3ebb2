"""``mockserver serve``: compile the inputs and answer on a port."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any

import click

from mockserver import __version__
from mockserver.cli.admin_options import AdminOptions, control_options
from mockserver.cli.compilation import Compilation
from mockserver.cli.limit_options import LimitOptions, limit_options
from mockserver.cli.options import (
    DOCUMENTS,
    REF_ROOT,
    REMOTE_REFS,
    SCENARIOS,
    STRICT_DOCUMENT,
    inputs,
    option,
)
from mockserver.cli.report import echo
from mockserver.cli.store_options import StoreOptions, sharing_options
from mockserver.diagnostics import UsageError
from mockserver.inputs import Compiled, Inputs, forgiveness
from mockserver.plan import Delay, Plan

if TYPE_CHECKING:
    from mockserver.engine.engine import Engine, Options
    from mockserver.namespaces.journal import JournalPool
    from mockserver.namespaces.memory import Memory


@click.command()
@DOCUMENTS
@SCENARIOS
@option("--host", default="127.0.0.1", help="Address to listen on.")
@option("--port", default=8080, type=click.IntRange(0, 65535), help="Port to listen on. 0 picks a free port.")
@option("--seed", default="0", help="Seed of all generated values. The same seed gives the same values.")
@option("--clock", metavar="DATE-TIME", help="Freeze the clock at an ISO 8601 date-time.")
@option(
    "--validation",
    default="strict",
    type=click.Choice(["strict", "warn", "off"]),
    help="strict: a request that breaks the document gets an error. warn: it gets a normal "
    "response with a warning. off: requests are not validated.",
)
@option(
    "--security",
    default="presence",
    type=click.Choice(["presence", "strict", "off", "on"]),
    help="Credentials that the document asks for. presence: any credentials (on means the "
    "same). strict: Basic and Bearer credentials must have the correct form. off: none.",
)
@option(
    "--styles",
    default="any",
    type=click.Choice(["any", "strict"]),
    help="How a client can write arrays and objects in queries and forms. any: in any style "
    "with a clear meaning. strict: in the documented style only.",
)
@option(
    "--base-path",
    metavar="PATH",
    help="Serve under this path prefix, instead of the prefixes in the document's servers.",
)
@option(
    "--max-resources",
    default=1_000_000,
    type=click.IntRange(1),
    help="Maximum number of resources of one kind in one namespace. The least recently used are"
    " deleted first.",
)
@option(
    "--delay",
    metavar="DELAY",
    help="Delay of every response that has no other delay: 200ms, 100ms..2s (uniform), "
    "200ms~0.5 (log-normal).",
)
@option(
    "--allow-callbacks",
    multiple=True,
    metavar="HOST",
    help="Allow webhooks to this host, besides loopback; * allows all hosts. Can be repeated.",
)
@STRICT_DOCUMENT
@REMOTE_REFS
@REF_ROOT
@option(
    "--log-level",
    default=None,
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="info logs each request to a mocked operation. debug logs control requests too. The "
    "default is info on a terminal, and warning elsewhere.",
)
@option("--log-format", default="text", type=click.Choice(["text", "json"]), help="Format of log lines.")
@option(
    "--supervisor/--no-supervisor",
    default=True,
    help="Serve in a child process, and restart it if it stops responding.",
)
@option(
    "--cache/--no-cache",
    default=True,
    help="Store compiled documents in the user's cache folder, so that the next start is faster.",
)
@limit_options
@sharing_options
@control_options
def serve(
    document: tuple[Path, ...],
    scenarios: tuple[Path, ...],
    host: str,
    port: int,
    seed: str,
    clock: str | None,
    validation: str,
    security: str,
    styles: str,
    base_path: str | None,
    max_resources: int,
    delay: str | None,
    allow_callbacks: tuple[str, ...],
    strict_document: bool,
    allow_remote_refs: bool,
    ref_root: Path | None,
    log_level: str | None,
    log_format: str,
    supervisor: bool,
    cache: bool,
    **more: Any,
) -> None:
    """Serve DOCUMENT (OpenAPI 2.0 or 3.x, YAML or JSON). Without DOCUMENT, serve the example.

    \b
    mockserver serve openapi.yaml --scenarios scenarios/ --watch
    mockserver serve pets.yaml shop.yaml --port 9000 --clock 2026-01-01T00:00:00Z
    mockserver serve --wait-for-document --host 0.0.0.0 --admin-token TOKEN
    """
    gc.disable()  # nothing that starting makes is garbage, and collecting took a tenth of it
    from mockserver.cli.workers import Supervisor, Watchdog, Worker
    from mockserver.http.listener import bind, listen, raise_descriptors
    from mockserver.http.log import access_logger, configure
    from mockserver.namespaces.clock import parse_time

    is_terminal = sys.stdout.isatty()
    configure(log_level or ("info" if is_terminal else "warning"), log_format, terminal=is_terminal)
    try:
        frozen_at = parse_time(clock) if clock else None
    except ValueError as error:
        raise UsageError(f"--clock: {error}.") from None
    bounds = LimitOptions(**{name: more.pop(name) for name in LimitOptions.__dataclass_fields__})
    bounds.check()
    shared = StoreOptions(**{name: more.pop(name) for name in StoreOptions.__dataclass_fields__})
    shared.check()
    settings = AdminOptions(**more)
    settings.check(host)
    if not settings.wait_for_document:
        document, scenarios = inputs(document, scenarios)
    given = Inputs(document, scenarios, seed, allow_remote_refs, ref_root, strict_document=strict_document)
    apply_delay = _delay(delay)

    crowd = shared.workers > 1
    closing = click.get_current_context().with_resource
    listeners = [closing(bind(host, port, shared=crowd))]
    listeners += [closing(bind(host, _port(listeners[0]), shared=True)) for _ in range(shared.workers - 1)]
    admin_listener = None if settings.admin_port is None else closing(bind(host, settings.admin_port))
    guided = is_terminal and settings.admin
    announce = partial(_announce, host, listeners[0], admin_listener, guided=guided)
    worker = Worker(0, lambda: None, None)
    if supervisor and not crowd:  # before this process is large: the supervisor stays as small as it is
        worker = Supervisor(1, keeps_state=shared.store is not None).run(announce)
    compilation = None if settings.waits_for(given) else Compilation(given, cached=cache)

    from mockserver.engine.engine import Options
    from mockserver.engine.health import Health
    from mockserver.http.server import Server
    from mockserver.namespaces.journal import JournalPool
    from mockserver.namespaces.memory import Memory

    compiled = compilation.result() if compilation else Compiled(Plan(hash="", documents=(), seed=seed))
    for warning in compiled.warnings:
        click.echo(str(warning), err=True)
    if forgiven := forgiveness(compiled.forgiven):
        echo(forgiven, err=True)
    raise_descriptors()
    options = Options(
        validation,
        security.replace("on", "presence"),
        bounds.max_body,
        base_path,
        settings.cors,
        apply_delay,
        allow_callbacks,
        styles,
        bounds.max_nodes,
        bounds.max_ratio,
        bounds.longest_delay(),
    )
    memory_limits = bounds.memory(settings.journal_bytes, processes=shared.workers)

    async def run(worker: Worker) -> None:
        journal_bytes = memory_limits.journals if shared.store is None else settings.journal_bytes
        journal_pool = JournalPool(settings.journal, journal_bytes)
        memory = Memory(
            memory_limits, max_waiting=bounds.max_waiting, max_client_waiting=bounds.max_waiting_per_client
        )
        watchdog = Watchdog(worker.beat)

        def ready() -> None:
            watchdog.beat()
            if worker.leash is None:
                announce()

        async with _engine(
            compiled.plan, given, journal_pool, memory, frozen_at, max_resources, options, shared
        ) as engine:
            engine.control = Health(engine).response
            for each in (*listeners, *([admin_listener] if admin_listener else ())):
                engine.gate.exclude(each)
            server = Server(
                engine.handle,
                engine.worlds,
                limits=bounds.limits(),
                hosts=settings.served(host),
                log_access=access_logger(),
            )
            server.on_beat = watchdog.beat
            if worker.leash is not None:
                asyncio.get_running_loop().add_reader(worker.leash, server.stop)
            looks = worker.number == 0
            async with settings.controlling(engine, given, host, server, admin_listener, looks=looks):
                listen(listeners[worker.number])
                await server.run(listeners[worker.number], ready)
        watchdog.stop()

    runner = _runner()
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 100)
    if shared.store is not None:
        runner(shared.claim(compiled.plan, given))
    if crowd:
        worker = Supervisor(shared.workers).run(announce)
    runner(run(worker))


@asynccontextmanager
async def _engine(
    plan: Plan,
    inputs: Inputs,
    journal_pool: JournalPool,
    memory: Memory,
    frozen_at: int | None,
    most: int,
    options: Options,
    shared: StoreOptions,
) -> AsyncIterator[Engine]:
    """The engine, over memory or the store that is shared."""
    if shared.store is not None:
        async with shared.engine(plan, inputs, journal_pool, memory, frozen_at, most, options) as engine:
            yield engine
        return
    from mockserver.engine.engine import Engine
    from mockserver.namespaces.namespaces import Namespaces
    from mockserver.state.memory import MemoryStore
    from mockserver.state.tables import MemoryCounters, MemoryCreations

    limits = memory.limits
    counters = MemoryCounters(max_bytes=limits.counts)
    store = MemoryStore(most, limits.resources, MemoryCreations(limits.creations), counters)
    worlds = Namespaces(frozen_at, journal_pool=journal_pool, memory=memory)
    yield Engine(plan, store=store, worlds=worlds, options=options)


def _port(listener: socket) -> int:
    port: int = listener.getsockname()[1]
    return port


def _delay(text: str | None) -> Delay | None:
    from mockserver.engine.delays import stated

    try:
        return stated(text) if text else None
    except ValueError as error:
        raise UsageError(f"--delay: {error}; write 200ms, 100ms..2s or 200ms~0.5.") from None


def _announce(host: str, listener: socket, admin_listener: socket | None, *, guided: bool) -> None:
    """Say where the server answers; ``guided``: and where a person can look at it."""
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"mockserver {__version__} answers on http://{shown}:{_port(listener)}")
    control = f"http://{shown}:{_port(admin_listener or listener)}/__admin"
    if admin_listener is not None:
        click.echo(f"its control plane is on {control}/")
    if guided:
        click.echo(f"  page: {control}/\n  docs: {control}/docs")
    sys.stdout.flush()


def _runner() -> Callable[[Coroutine[None, None, None]], None]:
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run
