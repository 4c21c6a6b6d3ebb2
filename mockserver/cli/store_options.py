"""The options of ``serve`` that share its state with other processes, and what follows from them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import click

from mockserver.cli.options import option, options
from mockserver.diagnostics import OptionError, UsageError
from mockserver.inputs import Inputs, milliseconds

if TYPE_CHECKING:
    from mockserver.engine.cluster import Sharing
    from mockserver.engine.engine import Engine, Options
    from mockserver.namespaces.journal import JournalPool
    from mockserver.namespaces.memory import Memory
    from mockserver.plan import Plan
    from mockserver.state.redis.connection import Connection

_LOG = logging.getLogger("mockserver.state")
_POLICY = "maxmemory_policy:"
_DIFFERS = 2.0
"""Seconds by which clocks differ when it is told."""
_REFUSALS = "mockserver.engine.response.documented"
sharing_options = options(
    option(
        "--store",
        metavar="URL",
        help="Share state on Redis or Valkey: redis://[user:password@]host[:port][/database] or unix:///path.",
    ),
    option(
        "--store-prefix",
        default="mockserver",
        metavar="NAME",
        help="Prefix of all keys in Redis. Give each mock server on one Redis its own prefix.",
    ),
    option(
        "--store-timeout",
        default="1s",
        metavar="DURATION",
        help="How long a call waits for the store before it gets 503.",
    ),
    option(
        "--store-down",
        default="fail",
        type=click.Choice(["fail", "wait"]),
        help="If the store is not available. fail: respond with 503 at once. wait: wait for it up "
        "to --store-timeout.",
    ),
    option(
        "--workers",
        default=1,
        type=click.IntRange(1, 256),
        help="Number of processes that serve requests. More than one needs --store.",
    ),
)
"""Every option of ``StoreOptions``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """The options, as click hands them over."""

    store: str | None
    store_prefix: str
    store_timeout: str
    store_down: str
    workers: int

    def check(self) -> None:
        """Raises OptionError for what cannot be."""
        if self.workers > 1 and self.store is None:
            raise OptionError(
                f"--workers {self.workers} needs --store redis://HOST: each worker is a process of its own, "
                "and without a shared store they would count the calls to one resource apart."
            )
        if self.store is not None:
            from mockserver.state.redis.handshake import read_address

            read_address(self.store)
            self.timeout()
            if not self.store_prefix or "/" in self.store_prefix or not self.store_prefix.isprintable():
                raise OptionError(f"--store-prefix {self.store_prefix!r} is no name: leave slashes out.")

    def timeout(self) -> float:
        """Seconds."""
        try:
            found = milliseconds(self.store_timeout)
        except ValueError as error:
            raise OptionError(f"--store-timeout: {error}.") from None
        if not found:
            raise OptionError("--store-timeout: nothing is answered in no time; write 1s or 500ms.")
        return found / 1000

    def connection(self) -> Connection:
        """A link that is to be opened. Called on the loop, where there is a store."""
        from mockserver.state.redis.connection import Connection
        from mockserver.state.redis.handshake import read_address

        return Connection(
            read_address(self.store or ""),
            prefix=self.store_prefix,
            timeout=self.timeout(),
            wait=self.store_down == "wait",
        )

    async def claim(self, plan: Plan, inputs: Inputs) -> None:
        """Make ours the Plan of this prefix. Raises UsageError where others serve another one there."""
        from mockserver.engine.cluster import publish
        from mockserver.state.protocol import Unavailable
        from mockserver.state.redis.store import RedisStore

        import_module(_REFUSALS)  # else the first 503 waits for it
        connection = self.connection()
        await connection.open()
        try:
            await self._warn(connection)
            while True:
                known = await connection.ask("HMGET", f"{self.store_prefix}/g", "plan", "origin")
                named, origin = ((each or b"").decode() for each in known)
                others = await self._others(connection) if named != plan.hash else 0
                if others and origin == plan.hash:
                    return  # they were given another one since, which we take
                if others:
                    who = f"{others} other processes serve" if others > 1 else "another process serves"
                    raise UsageError(
                        f"{who} other documents or scenarios on the prefix {self.store_prefix!r} of "
                        f"{connection.address.shown}; choose another --store-prefix, or stop them first."
                    )
                if await publish(
                    RedisStore(connection), plan, _packed(inputs), before=named, origin=plan.hash
                ):
                    return
        except Unavailable as error:
            raise UsageError(f"{error}.") from None
        finally:
            await connection.close()

    async def _warn(self, connection: Connection) -> None:
        """Log what about the store or the clocks is not as it should be. Raises Unavailable."""
        place = connection.address.shown
        memory = (await connection.ask("INFO", "memory")).decode("utf-8", "replace")
        policy = next((each for each in memory.split() if each.startswith(_POLICY)), "").removeprefix(_POLICY)
        if policy not in ("", "noeviction"):
            _LOG.warning(
                "the store at %s has the maxmemory-policy %s: once it is full, it drops resources "
                "without a word; set noeviction there",
                place,
                policy,
            )
        ahead = (time.time_ns() // 1_000_000 - connection.now()) / 1000
        if abs(ahead) >= _DIFFERS:
            _LOG.warning(
                "the clock of this machine is %.0f s %s that of the store at %s; time is the store's",
                abs(ahead),
                "ahead of" if ahead > 0 else "behind",
                place,
            )

    async def _others(self, connection: Connection) -> int:
        """How many processes are connected with this prefix, but this one."""
        clients = (await connection.ask("CLIENT", "LIST")).decode("utf-8", "replace")
        names = {
            part.removeprefix("name=mockserver-") for part in clients.split() if part.startswith("name=")
        }
        place = f"{self.store_prefix}/w/"
        found = 0
        for name in names - {connection.name}:
            found += int(await connection.ask("EXISTS", place + name))
        return found

    @asynccontextmanager
    async def engine(
        self,
        plan: Plan,
        inputs: Inputs,
        journal_pool: JournalPool,
        memory: Memory,
        frozen_at: int | None,
        most: int,
        options: Options,
    ) -> AsyncIterator[Engine]:
        """An engine over the store, for as long as its loop runs."""
        from mockserver.engine.cluster import Sharing
        from mockserver.engine.engine import Engine
        from mockserver.namespaces.clock import Clock
        from mockserver.namespaces.cluster import SharedNamespaces
        from mockserver.state.redis.store import RedisStore

        connection = self.connection()
        await connection.open(
            patient=True
        )  # it was there a moment ago: a worker that is begun anew goes without
        store = RedisStore(connection, most)
        store.plan = plan.hash
        worlds = SharedNamespaces(store, frozen_at, journal_pool=journal_pool, memory=memory)
        engine = Engine(plan, store=store, worlds=worlds, options=options)
        sharing = Sharing(engine, store, worlds)
        if abs(time.time_ns() // 1_000_000 - connection.now()) >= _DIFFERS * 1000:
            Clock.moved = True  # answers are dated by the store's clock
        sharing.inputs = _packed(inputs)
        listening = asyncio.ensure_future(sharing.listen())
        try:
            await self._join(sharing)
            yield engine
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
            await connection.close()

    async def _join(self, sharing: Sharing) -> None:
        """Serve what the others do, and hear what they say, unless the store is away by now."""
        from mockserver.state.protocol import Unavailable

        with contextlib.suppress(Unavailable, TimeoutError):  # else it is followed with the first call
            await sharing.follow()
            await asyncio.wait_for(sharing.listens.wait(), self.timeout())
        if trouble := await sharing.find_problem():
            _LOG.error("the store at %s cannot be used: %s", sharing.address, trouble)


def _packed(inputs: Inputs) -> bytes:
    from mockserver.compile.process import Job

    return Job.of(inputs).packed()
