"""The engine's calls where the state of resources is on Redis, shared with other workers and replicas.

A poll is one script, and its answer is written when the script's comes. All
else is the engine's own code, run by the store as one atomic step. A store
that is away is answered by 503, in the document's words where it has any.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from mockserver import problem
from mockserver.engine.prefer import PREFIX
from mockserver.engine.resources.runtime import ResourceRuntime, refused
from mockserver.engine.routing import Found
from mockserver.engine.service import Route
from mockserver.http.hosts import Cors
from mockserver.messages import Deferred, Request, Response
from mockserver.namespaces.cluster import SharedNamespaces
from mockserver.namespaces.namespaces import DEFAULT, Namespace
from mockserver.plan import Plan
from mockserver.state.protocol import NamespacesFull, PlanChanged, Unavailable
from mockserver.state.redis.connection import time_limit
from mockserver.state.redis.store import LIFETIME, PollResult, RedisStore

if TYPE_CHECKING:
    from mockserver.engine.engine import Engine
    from mockserver.state.machine import ResourceState

Result = TypeVar("Result")
_LOG = logging.getLogger("mockserver.sharing")
_MOST_PLANS = 10


class Cluster:
    """Serves an engine's calls from a shared store. ``namespaces`` and ``store`` are those of the engine."""

    def __init__(self, engine: Engine, store: RedisStore, namespaces: SharedNamespaces) -> None:
        self._engine = engine
        self._store = store
        self._namespaces = namespaces
        self._origin = engine.plan.hash
        """Of the Plan that this process was started with."""
        self._following = asyncio.Lock()
        self._tasks: set[asyncio.Task[Response]] = set()
        self.listens = asyncio.Event()
        """Set when it hears what other processes say."""
        self.on_inputs: Callable[[bytes], None] = lambda inputs: None
        """Called with what a Plan was made from that another process put in place of ours."""
        engine.cluster = self
        self.stream = engine.providers.stream = store.connection.name
        """Tells our tokens from those of other processes."""
        store.serves = self._serves

    @property
    def address(self) -> str:
        """Where the store is, without its password."""
        return self._store.connection.address.shown

    @property
    def connected(self) -> bool:
        """Whether the store is there, as far as is known."""
        return self._store.connection.connected

    async def find_problem(self) -> str:
        """What keeps the store from being used; empty where nothing does."""
        return await self._store.find_problem(self._engine.runtimes)

    def handle(
        self,
        request: Request,
        found: Found[Route] | None,
        namespace: Namespace,
        cors: Cors | None,
        started: float,
    ) -> Response | Awaitable[Response]:
        """The answer to a request that leads where ``found`` says."""
        if namespace.name != DEFAULT:
            response = self._engine.without_namespace(namespace.name, request, found)
            if response is not None:
                return self._visited(response, request, found, namespace, cors, started)
        return self._led(request, found, namespace, cors, started)

    async def _visited(
        self, response: Response, request: Request, found: Found[Route] | None, namespace: Namespace,
        cors: Cors | None, started: float,
    ) -> Response:  # fmt: skip
        """The answer to a request that makes no namespace: ``response`` where there is none of that name."""
        route, connection = found.target if found is not None else None, self._store.connection
        try:
            known = await connection.ask("ZSCORE", self._store.name("ns"), namespace.name)
        except Unavailable as error:
            known = None
            if route is not None:
                response = self._away(error, request, route, namespace)
        if known is not None:
            deferred = self._led(request, found, namespace, cors, started)
            return deferred if isinstance(deferred, Response) else await deferred
        self._engine.count_unrouted(response, found)
        if cors is not None:
            cors.allow(request, response)
        return response

    def _led(
        self,
        request: Request,
        found: Found[Route] | None,
        namespace: Namespace,
        cors: Cors | None,
        started: float,
    ) -> Response | Awaitable[Response]:
        engine = self._engine
        route = found.target if found is not None else None
        if found is None or route is None:
            return self._finish(engine.not_found(request, found), request, None, namespace, cors, started)
        runtime = route.runtime
        if route.guard is None:
            if runtime is None and (engine.options.delay is None or engine.options.delay.kind == "fixed"):
                response = engine.respond(request, route, found.parameters, namespace, namespace.clock.now())
                return self._finish(response, request, route, namespace, cors, started)
            if (
                runtime is not None and runtime.is_plain and "prefer" not in request.headers
                and PREFIX not in request.query_string
                and request.method == route.operation.method and "%" not in request.raw_path
            ):  # fmt: skip
                return self._polled(request, route, runtime, found.parameters, namespace, cors, started)
        path = found.parameters
        if route.guard is not None and route.guard.concurrency is not None:

            async def respond(*, admitted: bool) -> Response:
                return await self._step(request, route, path, namespace, cors, started, admitted=admitted)

            return engine.with_concurrency(route.guard, namespace, respond)
        return self._step(request, route, path, namespace, cors, started, admitted=True)

    # A poll

    def _polled(
        self, request: Request, route: Route, runtime: ResourceRuntime, path: dict[str, str],
        namespace: Namespace, cors: Cors | None, started: float,
    ) -> Response | Awaitable[Response]:  # fmt: skip
        engine = self._engine
        checked = engine.read(request, route, path)
        body = checked.body
        key = runtime.read_key(route.alias, request, path, body)
        if checked.status or checked.warnings or key is None:
            return self._step(request, route, path, namespace, cors, started, admitted=True)
        deferred = Deferred()

        def done(reply: PollResult | PlanChanged | Unavailable) -> None:
            if not isinstance(reply, PollResult):
                self._failed(reply, deferred, request, route, namespace, cors, started)
                return
            SharedNamespaces.clock(namespace).mirror(reply.clock)
            place = reply.scenario, reply.call, reply.created, reply.changed
            try:
                response = engine.resources.render_step(
                    route, runtime, reply.step, place, key, path, body, request, namespace, reply.now
                )
            except Exception as error:  # noqa: BLE001 - the client is owed an answer
                response = problem.failed(request, error)
            deferred.resolve(self._finish(response, request, route, namespace, cors, started, reply.now))

        chosen = runtime.selection.by_rules(request, path, body)
        default_now = SharedNamespaces.clock(namespace).default_now()
        self._store.poll(namespace.name, runtime.name, key, route.alias, chosen, default_now, done)
        return deferred

    def _failed(
        self, error: PlanChanged | Unavailable, deferred: Deferred, request: Request, route: Route,
        namespace: Namespace, cors: Cors | None, started: float,
    ) -> None:  # fmt: skip
        if isinstance(error, PlanChanged):
            task = asyncio.get_running_loop().create_task(
                self._anew(request, route, namespace, cors, started)
            )
            task.add_done_callback(lambda done: None if done.cancelled() else deferred.resolve(done.result()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        response = self._away(error, request, route, namespace)
        deferred.resolve(self._finish(response, request, route, namespace, cors, started))

    async def _anew(
        self, request: Request, route: Route, namespace: Namespace, cors: Cors | None, started: float
    ) -> Response:
        """The same request, by the Plan that is served now."""
        try:
            await self.follow()
            deferred = self._engine.handle(request)
            return deferred if isinstance(deferred, Response) else await deferred
        except Unavailable as error:
            response = self._away(error, request, route, namespace)
            return self._finish(response, request, route, namespace, cors, started)
        except Exception as error:  # noqa: BLE001 - the client is owed an answer, the log the traceback
            return problem.failed(request, error)

    # Everything else

    async def _step(
        self, request: Request, route: Route, path: dict[str, str], namespace: Namespace, cors: Cors | None,
        started: float, *, admitted: bool,
    ) -> Response:  # fmt: skip
        engine = self._engine

        def work() -> Response:
            return engine.respond(
                request, route, dict(path), namespace, namespace.clock.now(), admitted=admitted
            )

        connection = self._store.connection
        try:
            with time_limit(connection.timeout):
                response = await self._store.atomically(work)
        except PlanChanged:
            return await self._anew(request, route, namespace, cors, started)
        except Unavailable as error:
            response = self._away(error, request, route, namespace)
        finished = self._finish(response, request, route, namespace, cors, started)
        connection.flush()  # a record goes before the answer that it tells of
        return finished

    async def atomically(self, work: Callable[[], Result], *needs: tuple[str, ...]) -> Result:
        """As the store does, with the Plan that is served by then. Raises Unavailable."""
        for _ in range(_MOST_PLANS):
            try:
                return await self._store.atomically(work, *needs)
            except PlanChanged:
                await self.follow()
        raise Unavailable("the Plan was changed again and again")

    # What they share

    def _finish(
        self, response: Response, request: Request, route: Route | None, namespace: Namespace,
        cors: Cors | None, started: float, now: int | None = None,
    ) -> Response:  # fmt: skip
        """Complete a response as the engine does; ``now`` is the time of a call that the store decided."""
        when = namespace.clock.now() if now is None else now
        self._engine.finish(request, response, route, namespace, cors, started, when)
        if now is None:
            self._store.connection.flush()
        return response

    def _away(self, error: Unavailable, request: Request, route: Route, namespace: Namespace) -> Response:
        """The store is away: 503 in the document's words, with when to try again."""
        if isinstance(error, NamespacesFull):
            return problem.unavailable(str(error))
        decision = f"store away; counted={error.counted}"
        response = refused(route, request, namespace.clock.now(), 503, str(error), decision)
        if not any(name == "retry-after" for name, _ in response.headers):
            response.headers.append(("retry-after", "1"))
        return response

    def _serves(self, resource: str, state: ResourceState) -> bool:
        runtime = self._engine.runtimes.get(resource)
        steps = None if runtime is None else runtime.steps(state.scenario)
        return steps is not None and state.step < len(steps)

    # The Plan that all of them serve

    async def replace(self, before: str, plan: Plan, inputs: bytes) -> bool:
        """Let every process serve a Plan in place of that with the hash ``before``; return when they do.

        False where another one is served by now; nothing is changed then. Raises Unavailable.
        """
        if not await publish(self._store, plan, inputs, before=before):
            return False
        await self.follow()
        await self._store.broadcast.publish("plan")
        return True

    async def follow(self) -> None:
        """Serve the Plan that the store names. Raises Unavailable."""
        async with self._following:
            store = self._store
            named = await store.connection.ask("HGET", store.name("g"), "plan")
            wanted = named.decode() if named is not None else None
            if wanted is None or (
                wanted == self._engine.plan.hash
                and not await store.connection.ask("EXISTS", store.name("t", wanted))
            ):  # it has lost everything
                await publish(store, self._engine.plan, self.inputs, origin=self._origin)
                wanted = self._engine.plan.hash
            elif wanted != self._engine.plan.hash:
                self._adopt(
                    wanted, await store.connection.ask("HMGET", store.name("p", wanted), "plan", "inputs")
                )
            store.plan = wanted

    def _adopt(self, wanted: str, told: tuple[bytes | None, bytes | None]) -> None:
        """Serve a Plan that the store has. Raises Unavailable."""
        engine, (packed, inputs) = self._engine, told
        if packed is None or inputs is None:
            raise Unavailable(f"the store names the Plan {wanted}, which it no longer has")
        try:
            plan = msgspec.msgpack.decode(packed, type=Plan)
        except msgspec.MsgspecError:
            raise Unavailable(
                f"the store's Plan {wanted} was made by another version of this server"
            ) from None
        engine.adopt(
            type(engine)(plan, store=self._store, namespaces=self._namespaces, options=engine.options)
        )
        self.inputs = inputs
        self.on_inputs(inputs)

    inputs: bytes = b""
    """What our Plan was made from, for whoever changes a part of it."""

    def tell_reset(self, namespace: str) -> None:
        """Let other processes know that the resources of a namespace are gone. Within a step."""
        self._store.announce(f"reset {self._store.connection.name} {namespace}")

    async def listen(self) -> None:
        """Follow what other processes say: clocks moved, namespaces reset or dropped, Plans replaced."""
        async for what in self._store.broadcast.subscribe():
            kind, _, namespace = what.partition(" ")
            try:
                if kind in ("plan", ""):
                    await self.follow()
                if kind == "clock":
                    await self._store.atomically(_nothing, ("meta", namespace))
                elif kind == "reset":
                    who, _, namespace = namespace.partition(" ")
                    if who != self._store.connection.name:
                        self._engine.let_go(namespace)
                elif kind == "":
                    await self._store.atomically(
                        _nothing, *(("meta", each.name) for each in self._namespaces.local())
                    )
                self.listens.set()
            except (Unavailable, PlanChanged) as error:
                _LOG.warning("what another process told could not be followed: %s", error)
            except Exception:  # noqa: BLE001 - it goes on to listen
                _LOG.exception("what another process told could not be followed")


async def publish(
    store: RedisStore, plan: Plan, inputs: bytes, *, before: str | None = None, origin: str = ""
) -> bool:
    """Let this be the Plan of every process on a store; ``inputs`` is what it was made from.

    False where ``before`` is not the hash of the one that is served. Raises Unavailable.
    """
    place, ask = store.name("p", plan.hash), store.connection.ask
    await ask("HSET", place, "plan", msgspec.msgpack.encode(plan), "inputs", inputs)
    await ask("EXPIRE", place, LIFETIME)
    return await store.publish_plan(plan.hash, {each.name: each for each in plan.resources}, before, origin)


def _nothing() -> None:
    """Work that only reads."""
