"""Control of a server in this process, by the functions of the control plane, without HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from mockserver.admin.calls import event_json
from mockserver.admin.matching.verification import evaluate
from mockserver.admin.namespaces import (
    advance_clock,
    clock_json,
    delete_namespace,
    parse_moment,
    reset_namespace,
)
from mockserver.admin.resource_view import assign_scenario, find_runtime, read_resource, set_resource
from mockserver.namespaces.clock import Clock
from mockserver.namespaces.journal import Call, Record
from mockserver.namespaces.namespaces import Namespace
from mockserver.testing.control import Members
from mockserver.testing.host import Host

Result = TypeVar("Result")


class Local:
    """The ``Control`` of a server in this process. Each action is one step of the engine's loop."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._engine = host.engine

    @property
    def url(self) -> str:
        return self._host.url

    def resources(self) -> Sequence[str]:
        return self._host.control.run(lambda: list(self._engine.runtimes))

    def assign(
        self, namespace: str, resource: str, key: str, scenario: str | None, state: str | None
    ) -> Members:
        def work(target: Namespace) -> Members:
            runtime = find_runtime(self._engine, resource)
            set_resource(self._engine, target, runtime, key, scenario, state)
            return read_resource(self._engine, target, runtime, key).json()

        return self._in_namespace(namespace, work)

    def assign_new(self, namespace: str, resource: str, scenario: str) -> None:
        self._in_namespace(
            namespace, lambda target: assign_scenario(self._engine, target, resource, scenario)
        )

    def read_resource(self, namespace: str, resource: str, key: str) -> Members:
        def work(target: Namespace) -> Members:
            return read_resource(self._engine, target, find_runtime(self._engine, resource), key).json()

        return self._in_namespace(namespace, work)

    def clock(self, namespace: str, verb: str, body: Members) -> Members:
        def work(target: Namespace) -> Members:
            _call_clock(target.clock, verb, body)
            return clock_json(target.clock)

        return self._in_namespace(namespace, work)

    def calls(self, namespace: str) -> list[Members]:
        return [event_json(namespace, Call(*record)) for record in self._records(namespace)]

    def verify(self, namespace: str, verification: Members) -> Members:
        records, lost = self._in_namespace(
            namespace, lambda target: (target.journal.records(), target.journal.lost)
        )
        verdict = evaluate(verification, namespace, records, lost)
        return {
            "verified": verdict.holds,
            "count": verdict.count,
            "detail": verdict.detail,
            "nearMisses": list(verdict.near_misses),
            "lost": lost,
        }

    def reset(self, namespace: str) -> None:
        self._in_namespace(namespace, lambda target: reset_namespace(self._engine, target))

    def drop(self, namespace: str) -> None:
        self._host.control.run(lambda: delete_namespace(self._engine, namespace))

    def _records(self, namespace: str) -> list[Record]:
        return self._in_namespace(namespace, lambda target: target.journal.records())

    def _in_namespace(self, namespace: str, work: Callable[[Namespace], Result]) -> Result:
        return self._host.control.in_namespace(namespace, work)


def _call_clock(clock: Clock, verb: str, body: Members) -> None:
    match verb:
        case "freeze":
            clock.freeze(parse_moment(body["at"]) if "at" in body else None)
        case "set":
            clock.set(parse_moment(body["at"]))
        case "advance":
            advance_clock(clock, body["by"])
        case "resume":
            clock.resume()
        case "reset":
            clock.reset()
