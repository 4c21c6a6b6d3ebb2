"""The request that comes most: a resource asked for by the key at the end of its path, again and again.

Everything that a request's header section decides is the same for the next
request with that very section: its namespace, its preferences, whether its
credentials will do. A ``Poll`` is made of a request that went the engine's
usual way and met nothing out of the ordinary. It answers those that differ
from it in the key alone, as that way would have; what it does not know how to
answer it leaves to it.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from time import perf_counter
from typing import TYPE_CHECKING

from mockserver import problem
from mockserver.diagnostics import MockServerError
from mockserver.engine.request.parameters import Forgiven, Refused
from mockserver.engine.request.validation import Checked
from mockserver.engine.resources.runtime import ResourceRuntime, decided
from mockserver.engine.service import Route
from mockserver.http.wire import first_part
from mockserver.messages import Request, Response

if TYPE_CHECKING:
    from mockserver.engine.engine import Engine

_MOST_SECTIONS = 1024
"""Header sections that are remembered; where there are more, all are forgotten."""
_MOST_PATHS = 256
_UNUSUAL = (Refused, Forgiven)


class Polls:
    """The polls that an engine knows: by the identity of a header section's mapping, then by path.

    ``known`` is read by the engine for every request. A mapping that stands in
    it is held by it, so that its identity is nobody else's.
    """

    def __init__(self, engine: Engine) -> None:
        self.known: dict[int, tuple[dict[str, str], dict[str, Poll]]] = {}
        self._engine = engine

    def learn(self, request: Request, route: Route, parameters: dict[str, str], checked: Checked) -> None:
        """Remember a request that was judged right and is answered by a plain lifecycle."""
        parent, _, last = request.raw_path.rpartition("/")
        runtime: ResourceRuntime = route.runtime  # type: ignore[assignment]
        service = route.service
        if (
            request.method != "GET"
            or route.operation.method != "GET"
            or request.query_string
            or checked.body is not None
            or not parent
            or parent.startswith("/__")
            or service is not self._engine.services[0]
            or runtime.key_part != "path"
            or parameters != {runtime.key_name: last}
            or (literal := service.router.beside(parent)) is None
        ):
            return
        known = self.known.get(id(request.headers))
        if known is None:
            if len(self.known) >= _MOST_SECTIONS:
                self.known.clear()
            known = self.known[id(request.headers)] = request.headers, {}
        if len(known[1]) < _MOST_PATHS:
            known[1][parent] = Poll(self._engine, route, literal)


class Poll:
    """Answers the polls of one path with one header section."""

    __slots__ = (
        "_alias",
        "_choose",
        "_engine",
        "_id",
        "_key_name",
        "_lifecycle",
        "_literal",
        "_name",
        "_normal",
        "_read",
        "_route",
        "_stations",
        "_world",
    )

    def __init__(self, engine: Engine, route: Route, literal: Container[str]) -> None:
        """``literal`` are the last segments of other paths, which go before the key."""
        runtime: ResourceRuntime = route.runtime  # type: ignore[assignment]
        self._engine = engine
        self._route = route
        self._literal = literal
        self._lifecycle = runtime
        self._name = runtime.name
        self._alias = route.alias
        self._id = route.operation.id
        self._key_name = runtime.key_name
        self._normal: Callable[[str], str] | None = (
            runtime.normal if runtime.resource.key.ignore_case else None
        )
        self._read = route.checker.path_reader(runtime.key_name) if engine.judges else None
        self._choose = runtime.selection.choose
        self._world = engine.worlds.default
        self._stations: dict[tuple[str, int], StepCache] = {}

    def response(self, request: Request, last: str) -> Response | None:
        """The answer to a request whose path ends with ``last``; None where the usual way has to find it."""
        if not last or "%" in last or last in self._literal:
            return None
        if self._read is not None and type(self._read(last)) in _UNUSUAL:
            return None
        engine, world = self._engine, self._world
        started = perf_counter()
        now = world.clock.now()
        path = {self._key_name: last}
        key = last if self._normal is None else self._normal(last)
        decision = engine.store.call(
            world.name, self._name, key, now, self._alias, self._lifecycle.steps, self._choose,
            (request, path, None),
        )  # fmt: skip
        left = decision.state
        scenario, created, changed, call = left.scenario, left.created, decision.changed, decision.call
        place = scenario, decision.step
        station = self._stations.get(place)
        if station is None:
            station = self._stations[place] = StepCache(self._lifecycle, scenario, decision.step, self._alias)
        body = station.body(world.name, key, created, changed, now) if station.body is not None else None
        if body is not None:
            response = Response(
                station.status, station.headers, body, f"{station.decision}{call}", 0, "", None, self._id,
                self._name, key, (), station.head,
            )  # fmt: skip
        else:
            response = self._usual(request, path, key, station, (scenario, call, created, changed), now)
        engine.record(request, response, self._route.tally, world, now, perf_counter() - started)
        return response

    def _usual(
        self,
        request: Request,
        path: dict[str, str],
        key: str,
        station: StepCache,
        place: tuple[str, int, int, int],
        now: int,
    ) -> Response:
        """The answer of a step that is more than constants and times."""
        try:
            response = self._engine.render_step(
                self._route, station.step, place, key, path, None, request, self._world, now
            )
        except MockServerError as error:
            response = problem.failed(request, error)
        response.operation = self._id
        return response


class StepCache:
    """A step that polls are answered at, with all of the answer that stays the same."""

    __slots__ = ("body", "decision", "head", "headers", "status", "step")

    def __init__(self, runtime: ResourceRuntime, scenario: str, index: int, alias: str) -> None:
        self.step = step = runtime.timeline(scenario)[index]
        self.decision = decided(scenario, step.state, "")
        renderer = runtime.renderer(step.state, alias)
        self.body = None
        self.status, self.headers, self.head = 0, list[tuple[str, str]](), b""
        if renderer is None or step.delay is not None or step.dribble is not None or step.fault:
            return
        self.body = renderer.quick()
        if self.body is not None:
            self.status, self.headers = renderer.recipe.status, list(renderer.fixed)
            self.head = first_part(self.status, tuple(self.headers))
