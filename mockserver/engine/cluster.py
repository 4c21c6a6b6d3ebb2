"""The engine's calls with resource state on Redis, shared with other workers and replicas.

A poll is one Redis script; its reply resolves the response. For every other call the store runs the
engine's own code as one atomic step. If the store is unavailable, the response is 503, in the document's
form if it documents one.
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
from mockserver.state.protocol import NamespacesFull, PlanChanged, RemoteDecision, Unavailable
from mockserver.state.redis.connection import time_limit
from mockserver.state.redis.store import LIFETIME, PollResult, RedisStore

if TYPE_CHECKING:
    from mockserver.engine.engine import Engine
    from mockserver.state.machine import ResourceState

Result = TypeVar("Result")
_LOG = logging.getLogger("mockserver.sharing")
_MAX_PLANS = 10


class Cluster:
    """Handles an engine's calls with a shared store. ``namespaces`` and ``store`` are those of the engine."""

    def __init__(self, engine: Engine, store: RedisStore, namespaces: SharedNamespaces) -> None:
        self._engine = engine
        self._store = store
        self._namespaces = namespaces
        self._origin = engine.plan.hash
        """The hash of the Plan with which this process started."""
        self._following = asyncio.Lock()
        self._tasks: set[asyncio.Task[Response]] = set()
        self.listens = asyncio.Event()
        """Set when this process receives the messages of other processes."""
        self.on_inputs: Callable[[bytes], None] = lambda inputs: None
        """Called with the inputs of a Plan with which another process replaced ours."""
        engine.cluster = self
        self.stream = engine.providers.stream = store.connection.name
        """The name that keeps the tokens of this process apart from those of others."""
        store.serves = self._has_step

    @property
    def address(self) -> str:
        """The address of the store, without its password."""
        return self._store.connection.address.shown

    @property
    def connected(self) -> bool:
        """Whether the connection to the store is open."""
        return self._store.connection.connected

    async def find_problem(self) -> str:
        """Return why the store cannot be used; empty if it can."""
        return await self._store.find_problem(self._engine.runtimes)

    def handle(
        self,
        request: Request,
        found: Found[Route] | None,
        namespace: Namespace,
        cors: Cors | None,
        started: float,
    ) -> Response | Awaitable[Response]:
        """Return the response to a request with the route ``found``."""
        if namespace.name != DEFAULT:
            response = self._engine.without_namespace(namespace.name, request, found)
            if response is not None:
                return self._handle_unknown_namespace(response, request, found, namespace, cors, started)
        return self._route(request, found, namespace, cors, started)

    async def _handle_unknown_namespace(
        self, response: Response, request: Request, found: Found[Route] | None, namespace: Namespace,
        cors: Cors | None, started: float,
    ) -> Response:  # fmt: skip
        """Return the response to a request that cannot create its namespace.

        It is ``response`` if no process has created the namespace.
        """
        route, connection = found.target if found is not None else None, self._store.connection
        try:
            score = await connection.ask("ZSCORE", self._store.name("ns"), namespace.name)
        except Unavailable as error:
            score = None
            if route is not None:
                response = self._unavailable(error, request, route, namespace)
        if score is not None:
            deferred = self._route(request, found, namespace, cors, started)
            return deferred if isinstance(deferred, Response) else await deferred
        self._engine.count_unrouted(response, found)
        if cors is not None:
            cors.allow(request, response)
        return response

    def _route(
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
            if (
                runtime is None
                and route.data is None
                and (engine.options.delay is None or engine.options.delay.kind == "fixed")
            ):
                response = engine.respond(request, route, found.parameters, namespace, namespace.clock.now())
                return self._finish(response, request, route, namespace, cors, started)
            if (
                runtime is not None and runtime.is_plain and "prefer" not in request.headers
                and PREFIX not in request.query_string
                and request.method == route.operation.method and "%" not in request.raw_path
            ):  # fmt: skip
                return self._poll(request, route, runtime, found.parameters, namespace, cors, started)
        path = found.parameters
        if route.guard is not None and route.guard.concurrency is not None:

            async def respond(*, admitted: bool) -> Response:
                return await self._run_step(request, route, path, namespace, cors, started, admitted=admitted)

            return engine.with_concurrency(route.guard, namespace, respond)
        return self._run_step(request, route, path, namespace, cors, started, admitted=True)

    # A poll

    def _poll(
        self, request: Request, route: Route, runtime: ResourceRuntime, path: dict[str, str],
        namespace: Namespace, cors: Cors | None, started: float,
    ) -> Response | Awaitable[Response]:  # fmt: skip
        engine = self._engine
        checked = engine.read(request, route, path)
        body = checked.body
        key = runtime.read_key(route.alias, request, path, body)
        if checked.status or checked.warnings or key is None:
            return self._run_step(request, route, path, namespace, cors, started, admitted=True)
        engine.remember(request, route, path, checked, namespace)

        def respond(decision: RemoteDecision) -> Response:
            now, step, call, changed, created, scenario = decision
            position = scenario, call, created, changed
            return engine.resources.render_step(
                route, runtime, step, position, key, path, body, request, namespace, now
            )

        chosen = runtime.selection.by_rules(request, path, body)
        return self.poll(request, route, runtime, key, chosen, namespace, cors, started, respond)

    def poll(
        self, request: Request, route: Route, runtime: ResourceRuntime, key: str, chosen: str,
        namespace: Namespace, cors: Cors | None, started: float,
        respond: Callable[[RemoteDecision], Response],
    ) -> Deferred[Response]:  # fmt: skip
        """Count a call to ``key``, and return the response of its step, which ``respond`` makes.

        ``chosen`` is the scenario of a new key, unless one is assigned.
        """
        deferred: Deferred[Response] = Deferred()

        def done(decision: PollResult) -> None:
            if not isinstance(decision, RemoteDecision):
                self._fail(decision, deferred, request, route, namespace, cors, started)
                return
            try:
                response = respond(decision)
            except Exception as error:  # noqa: BLE001 - the client gets a response
                response = problem.failed(request, error)
            deferred.resolve(self._finish(response, request, route, namespace, cors, started, decision.now))

        self._store.poll(namespace.name, runtime.name, key, route.alias, chosen).then(done)
        return deferred

    def _fail(
        self, error: PlanChanged | Unavailable, deferred: Deferred[Response], request: Request, route: Route,
        namespace: Namespace, cors: Cors | None, started: float,
    ) -> None:  # fmt: skip
        """Resolve the response to a poll that the store did not count, or whose reply is lost."""
        if isinstance(error, PlanChanged):
            task = asyncio.get_running_loop().create_task(
                self._retry(request, route, namespace, cors, started)
            )
            task.add_done_callback(lambda done: None if done.cancelled() else deferred.resolve(done.result()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        response = self._unavailable(error, request, route, namespace)
        deferred.resolve(self._finish(response, request, route, namespace, cors, started))

    async def _retry(
        self, request: Request, route: Route, namespace: Namespace, cors: Cors | None, started: float
    ) -> Response:
        """Handle a request again, with the Plan that the store names now."""
        try:
            await self.follow()
            deferred = self._engine.handle(request)
            return deferred if isinstance(deferred, Response) else await deferred
        except Unavailable as error:
            response = self._unavailable(error, request, route, namespace)
            return self._finish(response, request, route, namespace, cors, started)
        except Exception as error:  # noqa: BLE001 - the client gets a response, the log the traceback
            return problem.failed(request, error)

    # All other calls

    async def _run_step(
        self, request: Request, route: Route, path: dict[str, str], namespace: Namespace, cors: Cors | None,
        started: float, *, admitted: bool,
    ) -> Response:  # fmt: skip
        engine = self._engine

        def work() -> Response:
            return engine.respond(
                request, route, dict(path), namespace, namespace.clock.now(), admitted=admitted
            )

        try:
            with time_limit(self._store.connection.timeout):
                data = engine.data if route.data is not None else None
                if data is not None and not data.has_seeds(namespace.name):
                    await self._store.atomically(lambda: data.seed(namespace.name, namespace.clock.now()))
                response = await self._store.atomically(work)
        except PlanChanged:
            return await self._retry(request, route, namespace, cors, started)
        except Unavailable as error:
            response = self._unavailable(error, request, route, namespace)
        return self._finish(response, request, route, namespace, cors, started)

    async def atomically(self, work: Callable[[], Result], *needs: tuple[str, ...]) -> Result:
        """Run ``work`` as one atomic step of the store, after changes of the Plan. Raises Unavailable."""
        for _ in range(_MAX_PLANS):
            try:
                return await self._store.atomically(work, *needs)
            except PlanChanged:
                await self.follow()
        raise Unavailable("the Plan was changed repeatedly")

    # Common parts

    def _finish(
        self, response: Response, request: Request, route: Route | None, namespace: Namespace,
        cors: Cors | None, started: float, now: int | None = None,
    ) -> Response:  # fmt: skip
        """Complete a response as the engine does; ``now`` is the time of a call that the store decided.

        Without it, the record is sent before the response, so that a client finds its call recorded.
        """
        when = namespace.clock.now() if now is None else now
        self._engine.finish(request, response, route, namespace, cors, started, when)
        if now is None:
            self._store.connection.flush()
        return response

    def _unavailable(
        self, error: Unavailable, request: Request, route: Route, namespace: Namespace
    ) -> Response:
        """Return a 503 with ``Retry-After``, in the document's form if it documents one."""
        if isinstance(error, NamespacesFull):
            return problem.unavailable(str(error))
        decision = f"store away; counted={error.counted}"
        response = refused(route, request, namespace.clock.now(), 503, str(error), decision)
        if not any(name == "retry-after" for name, _ in response.headers):
            response.headers.append(("retry-after", "1"))
        return response

    def _has_step(self, resource: str, state: ResourceState) -> bool:
        runtime = self._engine.runtimes.get(resource)
        return runtime is not None and runtime.has_step(state)

    # The Plan of all processes

    async def replace(self, before: str, plan: Plan, inputs: bytes) -> bool:
        """Replace the Plan with the hash ``before`` in every process.

        ``inputs``: the encoded inputs of the compiler. Return False, without a change, if the store names
        another Plan by now. Raises Unavailable.
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
            ):  # the store has lost its data
                await publish(store, self._engine.plan, self.inputs, origin=self._origin)
                wanted = self._engine.plan.hash
            elif wanted != self._engine.plan.hash:
                self._adopt(
                    wanted, await store.connection.ask("HMGET", store.name("p", wanted), "plan", "inputs")
                )
            store.plan = wanted

    def _adopt(self, wanted: str, stored: tuple[bytes | None, bytes | None]) -> None:
        """Serve a Plan from the store; ``stored``: the Plan and its inputs. Raises Unavailable."""
        engine, (packed, inputs) = self._engine, stored
        if packed is None or inputs is None:
            raise Unavailable(f"the store names the Plan {wanted}, but no longer contains it")
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
    """The encoded inputs of the current Plan, for a control request that changes one of them."""

    def tell_reset(self, namespace: str) -> None:
        """Publish that the resources of a namespace are deleted. Call it within an atomic step."""
        self._store.announce(f"reset {self._store.connection.name} {namespace}")

    async def listen(self) -> None:
        """Apply the messages of other processes: clock changes, resets of namespaces, new Plans."""
        async for message in self._store.broadcast.subscribe():
            kind, _, namespace = message.partition(" ")
            try:
                if kind in ("plan", ""):
                    await self.follow()
                if kind == "clock":
                    await self._store.atomically(_nothing, ("meta", namespace))
                elif kind == "reset":
                    sender, _, namespace = namespace.partition(" ")
                    if sender != self._store.connection.name:
                        self._engine.release_namespace(namespace)
                elif kind == "":
                    await self._store.atomically(
                        _nothing, *(("meta", namespace.name) for namespace in self._namespaces.local())
                    )
                self.listens.set()
            except (Unavailable, PlanChanged) as error:
                _LOG.warning("a message of another process could not be applied: %s", error)
            except Exception:  # noqa: BLE001 - it continues to listen
                _LOG.exception("a message of another process could not be applied")


async def publish(
    store: RedisStore, plan: Plan, inputs: bytes, *, before: str | None = None, origin: str = ""
) -> bool:
    """Make ``plan`` the Plan of every process on a store; ``inputs``: the inputs of the compiler.

    Return False if ``before`` is not the hash of the current Plan. Raises Unavailable.
    """
    name, ask = store.name("p", plan.hash), store.connection.ask
    await ask("HSET", name, "plan", msgspec.msgpack.encode(plan), "inputs", inputs)
    await ask("EXPIRE", name, LIFETIME)
    resources = {resource.name: resource for resource in plan.resources}
    return await store.publish_plan(plan.hash, resources, before, origin)


def _nothing() -> None:
    """Do nothing: the atomic step only reads the store."""
