"""``mockserver serve``: compile the inputs and listen on a port."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

import click

from mockserver import __version__
from mockserver.cli.admin_options import AdminOptions
from mockserver.cli.compilation import Compilation
from mockserver.cli.limit_options import LimitOptions
from mockserver.cli.options import (
    DOCUMENTS,
    REF_ROOT,
    REMOTE_REFS,
    SCENARIOS,
    SEED,
    STRICT_DOCUMENT,
    ServerOptions,
    inputs,
    options_from,
)
from mockserver.cli.report import echo
from mockserver.cli.store_options import StatefulCommand, StatefulOptions, StoreOptions
from mockserver.inputs import Compiled, Inputs, fault_summary
from mockserver.plan import Plan

if TYPE_CHECKING:
    from mockserver.engine.engine import Engine, Options
    from mockserver.namespaces.journal import JournalPool
    from mockserver.namespaces.memory import Memory


@click.command(cls=StatefulCommand)
@DOCUMENTS
@SCENARIOS
@SEED
@STRICT_DOCUMENT
@REMOTE_REFS
@REF_ROOT
@options_from(
    server_options=ServerOptions,
    stateful=StatefulOptions,
    limits=LimitOptions,
    shared=StoreOptions,
    admin=AdminOptions,
)
def serve(
    document: tuple[Path, ...],
    scenarios: tuple[Path, ...],
    seed: str,
    strict_document: bool,
    allow_remote_refs: bool,
    ref_root: Path | None,
    server_options: ServerOptions,
    stateful: StatefulOptions,
    limits: LimitOptions,
    shared: StoreOptions,
    admin: AdminOptions,
) -> None:
    """Serve DOCUMENT (OpenAPI 2.0 or 3.x, YAML or JSON). Without DOCUMENT, serve the example.

    \b
    mockserver serve openapi.yaml --stateful
    mockserver serve openapi.yaml --scenarios scenarios/ --watch
    mockserver serve pets.yaml shop.yaml --port 9000 --clock 2026-01-01T00:00:00Z
    mockserver serve --wait-for-document --host 0.0.0.0 --admin-token TOKEN
    """
    gc.disable()  # the start makes no garbage, and collecting takes a tenth of its time
    # Not needed for --help
    from mockserver.cli.workers import Supervisor, Watchdog, Worker
    from mockserver.http.listener import bind, listen, raise_descriptors
    from mockserver.http.log import access_logger, configure

    host = server_options.host
    is_terminal = sys.stdout.isatty()
    log_level = server_options.log_level or ("info" if is_terminal else "warning")
    configure(log_level, server_options.log_format, terminal=is_terminal)
    frozen_at = server_options.frozen_at()
    stateful.check()
    limits.check()
    shared.check()
    admin.check(host)
    if not admin.wait_for_document:
        document, scenarios = inputs(document, scenarios)
    given = Inputs(
        document,
        scenarios,
        seed,
        allow_remote_refs,
        ref_root,
        strict_document=strict_document,
        stateful=stateful.is_stateful,
        seed_data=stateful.seed_data,
        seed_examples=stateful.seed_examples,
    )
    default_delay = server_options.default_delay()

    has_workers = shared.workers > 1
    closing = click.get_current_context().with_resource
    listeners = [closing(bind(host, server_options.port, shared=has_workers))]
    listeners += [closing(bind(host, _port(listeners[0]), shared=True)) for _ in range(shared.workers - 1)]
    admin_listener = None if admin.admin_port is None else closing(bind(host, admin.admin_port))
    all_listeners = (*listeners, *([admin_listener] if admin_listener else ()))
    shows_pages = is_terminal and admin.admin
    admin_port = None if admin_listener is None else _port(admin_listener)
    announce = partial(_announce, host, _port(listeners[0]), admin_port, shows_pages=shows_pages)
    worker = Worker(0, lambda: None, None)
    if server_options.supervisor and not has_workers:  # now: the supervisor stays as small as this process is
        worker = Supervisor(1, all_listeners, keeps_state=shared.store is not None).run(announce)
    compilation = None if admin.waits_for(given) else Compilation(given, cached=server_options.cache)

    # Heavy; imported in the worker, while a child process compiles
    from mockserver.engine.engine import Options
    from mockserver.engine.health import Health
    from mockserver.engine.heavy import HeavyRequests
    from mockserver.engine.preparation import prepare_when_idle
    from mockserver.http.server import Server
    from mockserver.namespaces.journal import JournalPool
    from mockserver.namespaces.memory import Memory

    compiled = compilation.result() if compilation else Compiled(Plan(hash="", documents=(), seed=seed))
    for warning in compiled.warnings:
        click.echo(str(warning), err=True)
    if forgiven := fault_summary(compiled.forgiven):
        echo(forgiven, err=True)
    raise_descriptors()
    options = Options(
        server_options.validation,
        server_options.security.replace("on", "presence"),
        limits.max_body,
        server_options.base_path,
        admin.cors,
        default_delay,
        server_options.allow_callbacks,
        server_options.styles,
        limits.max_nodes,
        limits.max_ratio,
        limits.max_delay_ms(),
        stateful.stateful == "strict",
    )
    memory_limits = limits.memory(admin.journal_bytes, processes=shared.workers)

    async def run(worker: Worker) -> None:
        journal_bytes = memory_limits.journals if shared.store is None else admin.journal_bytes
        journal_pool = JournalPool(admin.journal, journal_bytes)
        memory = Memory(
            memory_limits, max_waiting=limits.max_waiting, max_client_waiting=limits.max_waiting_per_client
        )
        watchdog = Watchdog(worker.beat)

        def ready() -> None:
            watchdog.beat()
            if worker.parent_pipe is None:
                announce()

        async with _engine(
            compiled.plan,
            given,
            journal_pool,
            memory,
            frozen_at,
            server_options.max_resources,
            options,
            shared,
        ) as engine:
            engine.control = Health(engine).response
            for listener in all_listeners:
                engine.egress.exclude(listener)
            for listener in listeners:
                if listener is not listeners[worker.number]:
                    listener.close()
            server = Server(
                engine.handle,
                engine.namespaces,
                limits=limits.limits(),
                hosts=admin.allowed_hosts(host),
                log_access=access_logger(),
            )
            if sys.platform == "linux":
                server.read_heavy = HeavyRequests(engine).read
            server.on_beat = watchdog.beat
            if worker.parent_pipe is not None:
                asyncio.get_running_loop().add_reader(worker.parent_pipe, server.stop)
            async with admin.run_control_plane(
                engine, given, host, server, admin_listener, watches_files=worker.number == 0
            ):
                listen(listeners[worker.number])
                preparation = asyncio.create_task(prepare_when_idle(engine))
                server.on_stop = partial(_stop, preparation, server.on_stop)
                await server.run(listeners[worker.number], ready)
        watchdog.stop()

    runner = _runner()
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 100)
    if shared.store is not None:
        runner(shared.claim(compiled.plan, given))
    if has_workers:
        worker = Supervisor(shared.workers, all_listeners).run(announce)
    runner(run(worker))


@asynccontextmanager
async def _engine(
    plan: Plan,
    inputs: Inputs,
    journal_pool: JournalPool,
    memory: Memory,
    frozen_at: int | None,
    max_resources: int,
    options: Options,
    shared: StoreOptions,
) -> AsyncIterator[Engine]:
    """Run the engine, over the memory of this process or a shared store."""
    if shared.store is not None:
        async with shared.engine(
            plan, inputs, journal_pool, memory, frozen_at, max_resources, options
        ) as engine:
            yield engine
        return
    # Heavy; only after the fork of the supervisor
    from mockserver.engine.engine import Engine
    from mockserver.namespaces.namespaces import Namespaces
    from mockserver.state.memory import MemoryStore
    from mockserver.state.tables import MemoryCounters, MemoryCreations

    limits = memory.limits
    counters = MemoryCounters(max_bytes=limits.counts)
    store = MemoryStore(max_resources, limits.resources, MemoryCreations(limits.creations), counters)
    namespaces = Namespaces(frozen_at, journal_pool=journal_pool, memory=memory)
    yield Engine(plan, store=store, namespaces=namespaces, options=options)


def _stop(preparation: asyncio.Task[None], on_stop: Callable[[], None]) -> None:
    preparation.cancel()
    on_stop()


def _port(listener: socket) -> int:
    port: int = listener.getsockname()[1]
    return port


def _announce(host: str, port: int, admin_port: int | None, *, shows_pages: bool) -> None:
    """Print the URLs of the server; with ``shows_pages`` those of its pages as well."""
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"mockserver {__version__} answers on http://{shown}:{port}")
    control = f"http://{shown}:{admin_port or port}/__admin"
    if admin_port is not None:
        click.echo(f"its control plane is on {control}/")
    if shows_pages:
        click.echo(f"  page: {control}/\n  docs: {control}/docs")
    sys.stdout.flush()


def _runner() -> Callable[[Coroutine[None, None, None]], None]:
    """Return the function that runs an event loop: uvloop's if it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run
