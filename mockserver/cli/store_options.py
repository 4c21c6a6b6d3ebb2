"""The options of ``serve`` for stateful data, a shared store and workers, and the engine over the store."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mockserver.cli.options import field
from mockserver.diagnostics import OptionError, UsageError
from mockserver.inputs import Inputs, parse_duration

if TYPE_CHECKING:
    from mockserver.engine.cluster import Cluster
    from mockserver.engine.engine import Engine, Options
    from mockserver.namespaces.journal import JournalPool
    from mockserver.namespaces.memory import Memory
    from mockserver.plan import Plan
    from mockserver.state.redis.connection import Connection

_LOG = logging.getLogger("mockserver.state")
_POLICY = "maxmemory_policy:"
_MAX_SKEW = 2.0
"""Seconds between two clocks from which a difference is logged."""
_WORDS = {"on": "on", "true": "on", "yes": "on", "1": "on", "strict": "strict"}
_WORDS |= dict.fromkeys(("off", "false", "no", "0", ""), "off")
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)
_ERROR_RESPONSES = "mockserver.engine.response.documented"


def _mode(value: str) -> str:
    """Return on, off or strict; true and false are accepted too, for environment variables."""
    mode = _WORDS.get(value.lower())
    if mode is None:
        raise click.BadParameter(f"{value!r} is none of on, strict, off; write --stateful=strict.")
    return mode


class StatefulCommand(click.Command):
    """A command whose option ``--stateful`` needs no value: the next word is another argument."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, ["--stateful=on" if word == "--stateful" else word for word in args])


@dataclass(frozen=True, slots=True, kw_only=True)
class StatefulOptions:
    """What the server does with the data that clients write."""

    stateful: str = field(
        "off",
        "Store what clients create, change and delete, so that later requests read it. The resources are "
        "inferred from the document; `mockserver routes --stateful` lists them. strict: refuse a request "
        "that names a key of another resource that does not exist.",
        type=_mode,
        metavar="[on|strict|off]",
    )

    seed_data: Path | None = field(  # noqa: RUF009 - it calls dataclasses.field
        None,
        "Folder of the data that resources have at first: pets.yaml is a list of the bodies of /pets. The "
        "default is the examples of the document.",
        type=_FOLDER,
        metavar="DIR",
    )
    seed_examples: bool = field(True, "Use the examples of the document as the data at first.")

    def check(self) -> None:
        """Check the options. Raise UsageError for an invalid combination."""
        if self.seed_data is not None and not self.is_stateful:
            raise UsageError("--seed-data needs --stateful.")

    @property
    def is_stateful(self) -> bool:
        """Whether data is stored."""
        return self.stateful != "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """The store, and the processes that share it."""

    store: str | None = field(
        None,
        "Share state on Redis or Valkey: redis://[user:password@]host[:port][/database] or unix:///path.",
        metavar="URL",
    )
    store_prefix: str = field(
        "mockserver",
        "Prefix of all keys in Redis. Give each mock server on one Redis its own prefix.",
        metavar="NAME",
    )
    store_timeout: str = field(
        "1s", "How long a call waits for the store before it gets 503.", metavar="DURATION"
    )
    store_down: str = field(
        "fail",
        "If the store is not available. fail: respond with 503 at once. wait: wait for it up "
        "to --store-timeout.",
        type=click.Choice(["fail", "wait"]),
    )
    workers: int = field(
        1,
        "Number of processes that serve requests. More than one needs --store.",
        type=click.IntRange(1, 256),
    )

    def check(self) -> None:
        """Raise OptionError for an invalid value."""
        if self.workers > 1 and self.store is None:
            raise OptionError(
                f"--workers {self.workers} needs --store redis://HOST. Without a shared store, each worker "
                "would count the calls to a resource separately."
            )
        if self.store is not None:
            from mockserver.state.redis.handshake import read_address

            read_address(self.store)
            self.timeout()
            if not self.store_prefix or "/" in self.store_prefix or not self.store_prefix.isprintable():
                raise OptionError(
                    f"--store-prefix {self.store_prefix!r} is not a valid name. Use no slashes."
                )

    def timeout(self) -> float:
        """Return the seconds of ``--store-timeout``. Raise OptionError for an invalid duration."""
        try:
            found = parse_duration(self.store_timeout)
        except ValueError as error:
            raise OptionError(f"--store-timeout: {error}.") from None
        if not found:
            raise OptionError("--store-timeout: it must be more than 0. Use 1s or 500ms.")
        return found / 1000

    def connection(self) -> Connection:
        """Return a connection to the store, not yet open. Call it on the event loop."""
        from mockserver.state.redis.connection import Connection
        from mockserver.state.redis.handshake import read_address

        return Connection(
            read_address(self.store or ""),
            prefix=self.store_prefix,
            timeout=self.timeout(),
            wait=self.store_down == "wait",
        )

    async def claim(self, plan: Plan, inputs: Inputs) -> None:
        """Publish ``plan`` for the prefix. Raise UsageError if other processes serve another Plan."""
        from mockserver.engine.cluster import publish
        from mockserver.state.protocol import Unavailable
        from mockserver.state.redis.store import RedisStore

        import_module(_ERROR_RESPONSES)  # else the first 503 waits for this import
        connection = self.connection()
        await connection.open()
        try:
            await self._warn(connection)
            while True:
                known = await connection.ask("HMGET", f"{self.store_prefix}/g", "plan", "origin")
                current, origin = ((value or b"").decode() for value in known)
                others = await self._others(connection) if current != plan.hash else 0
                if others and origin == plan.hash:
                    return  # they reloaded since they started with this Plan: serve their Plan
                if others:
                    processes = f"{others} other processes serve" if others > 1 else "another process serves"
                    raise UsageError(
                        f"{processes} other documents or scenarios on the prefix {self.store_prefix!r} of "
                        f"{connection.address.shown}. Choose another --store-prefix, or stop them first."
                    )
                if await publish(
                    RedisStore(connection), plan, _packed(inputs), before=current, origin=plan.hash
                ):
                    return
        except Unavailable as error:
            raise UsageError(f"{error}.") from None
        finally:
            await connection.close()

    async def _warn(self, connection: Connection) -> None:
        """Log wrong settings of the store and a difference of the clocks. Raise Unavailable."""
        address = connection.address.shown
        memory = (await connection.ask("INFO", "memory")).decode("utf-8", "replace")
        policy = next((line for line in memory.split() if line.startswith(_POLICY)), "").removeprefix(_POLICY)
        if policy not in ("", "noeviction"):
            _LOG.warning(
                "the store at %s has the maxmemory-policy %s: when it is full, it deletes resources "
                "without an error; set it to noeviction",
                address,
                policy,
            )
        ahead = (time.time_ns() // 1_000_000 - connection.now()) / 1000
        if abs(ahead) >= _MAX_SKEW:
            _LOG.warning(
                "the clock of this machine is %.0f s %s the clock of the store at %s, which is used",
                abs(ahead),
                "ahead of" if ahead > 0 else "behind",
                address,
            )

    async def _others(self, connection: Connection) -> int:
        """Return the number of other processes that are connected with this prefix."""
        clients = (await connection.ask("CLIENT", "LIST")).decode("utf-8", "replace")
        names = {
            part.removeprefix("name=mockserver-") for part in clients.split() if part.startswith("name=")
        }
        prefix = f"{self.store_prefix}/w/"
        found = 0
        for name in names - {connection.name}:
            found += int(await connection.ask("EXISTS", prefix + name))
        return found

    @asynccontextmanager
    async def engine(
        self,
        plan: Plan,
        inputs: Inputs,
        journal_pool: JournalPool,
        memory: Memory,
        frozen_at: int | None,
        max_resources: int,
        options: Options,
    ) -> AsyncIterator[Engine]:
        """Run an engine over the store, which follows the changes of other processes."""
        from mockserver.engine.cluster import Cluster
        from mockserver.engine.engine import Engine
        from mockserver.namespaces.clock import Clock
        from mockserver.namespaces.cluster import SharedNamespaces
        from mockserver.state.redis.store import RedisStore

        connection = self.connection()
        await connection.open(patient=True)  # it was available a moment ago; a restarted worker does not wait
        store = RedisStore(connection, max_resources, max_bytes=memory.limits.creations)
        store.plan = plan.hash
        namespaces = SharedNamespaces(store, frozen_at, journal_pool=journal_pool, memory=memory)
        engine = Engine(plan, store=store, namespaces=namespaces, options=options)
        cluster = Cluster(engine, store, namespaces)
        if abs(time.time_ns() // 1_000_000 - connection.now()) >= _MAX_SKEW * 1000:
            Clock.moved = True  # responses have the time of the store
        cluster.inputs = _packed(inputs)
        listening = asyncio.ensure_future(cluster.listen())
        try:
            await self._join(cluster)
            yield engine
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
            await connection.close()

    async def _join(self, cluster: Cluster) -> None:
        """Take the Plan of the other processes and subscribe to their changes, if the store is available."""
        from mockserver.state.protocol import Unavailable

        with contextlib.suppress(Unavailable, TimeoutError):  # else the first call does it
            await cluster.follow()
            await asyncio.wait_for(cluster.listens.wait(), self.timeout())
        if trouble := await cluster.find_problem():
            _LOG.error("the store at %s cannot be used: %s", cluster.address, trouble)


def _packed(inputs: Inputs) -> bytes:
    from mockserver.compile.process import Job

    return Job.of(inputs).packed()
