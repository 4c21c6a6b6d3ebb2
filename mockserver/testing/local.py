"""Control of an engine in this process: by the functions that the control plane uses, without HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from mockserver.admin.calls import event_json
from mockserver.admin.exchange import ControlError
from mockserver.admin.matching.verification import judge
from mockserver.admin.namespaces import moment, move_on, renew, shown
from mockserver.admin.standing import check_scenario, lifecycle_of, put, standing
from mockserver.namespaces.clock import Clock
from mockserver.namespaces.journal import Call, Record
from mockserver.namespaces.namespaces import DEFAULT, Namespace
from mockserver.testing.control import Members
from mockserver.testing.host import Host

Result = TypeVar("Result")


class Local:
    """Every change is one step of the engine's own loop, between two requests."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._engine = host.engine

    @property
    def url(self) -> str:
        return self._host.url

    def resources(self) -> Sequence[str]:
        return self._host.control.run(lambda: list(self._engine.lifecycles))

    def assign(
        self, namespace: str, resource: str, key: str, scenario: str | None, state: str | None
    ) -> Members:
        def work(world: Namespace) -> Members:
            runtime = lifecycle_of(self._engine, resource)
            put(self._engine, world, runtime, key, scenario, state)
            return standing(self._engine, world, runtime, key).json()

        return self._in_world(namespace, work)

    def assign_new(self, namespace: str, resource: str, scenario: str) -> None:
        def work(world: Namespace) -> None:
            runtime = lifecycle_of(self._engine, resource)
            check_scenario(runtime, scenario)
            self._engine.store.assign(world.name, runtime.name, scenario)

        self._in_world(namespace, work)

    def standing(self, namespace: str, resource: str, key: str) -> Members:
        def work(world: Namespace) -> Members:
            return standing(self._engine, world, lifecycle_of(self._engine, resource), key).json()

        return self._in_world(namespace, work)

    def clock(self, namespace: str, verb: str, body: Members) -> Members:
        def work(world: Namespace) -> Members:
            _turn(world.clock, verb, body)
            return shown(world.clock)

        return self._in_world(namespace, work)

    def calls(self, namespace: str) -> list[Members]:
        return [event_json(namespace, Call(*each)) for each in self._records(namespace)]

    def verify(self, namespace: str, verification: Members) -> Members:
        records, lost = self._in_world(namespace, lambda world: (world.journal.records(), world.journal.lost))
        verdict = judge(verification, namespace, records, lost)
        return {
            "verified": verdict.holds,
            "count": verdict.count,
            "detail": verdict.detail,
            "nearMisses": list(verdict.near_misses),
            "lost": lost,
        }

    def reset(self, namespace: str) -> None:
        self._in_world(namespace, lambda world: renew(self._engine, world))

    def drop(self, namespace: str) -> None:
        def work() -> None:
            if namespace == DEFAULT:
                raise ControlError(409, "the default namespace stays; reset() empties it")
            if self._engine.worlds.get(namespace) is None:
                raise ControlError(404, f"there is no namespace {namespace[:200]!r}")
            self._engine.worlds.drop(namespace)

        self._host.control.run(work)

    def _records(self, namespace: str) -> list[Record]:
        return self._in_world(namespace, lambda world: world.journal.records())

    def _in_world(self, namespace: str, work: Callable[[Namespace], Result]) -> Result:
        return self._host.control.in_world(namespace, work)


def _turn(clock: Clock, verb: str, body: Members) -> None:
    match verb:
        case "freeze":
            clock.freeze(moment(body["at"]) if "at" in body else None)
        case "set":
            clock.set(moment(body["at"]))
        case "advance":
            move_on(clock, body["by"])
        case "resume":
            clock.resume()
        case "reset":
            clock.reset()
