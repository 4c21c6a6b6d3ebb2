"""``metrics``: what the engine counts anyway, read when Prometheus asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import flask
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from mockserver import __version__
from mockserver.admin.control import Control
from mockserver.admin.events import Events
from mockserver.engine.service import Tally


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The engine's counts at one moment."""

    calls: list[tuple[str, str, int, int, float]]
    resources: list[tuple[str, str, int]]
    journals: list[tuple[str, int, int]]
    memory: list[tuple[str, int, int]]
    gauges: list[tuple[str, str, int]]
    counters: list[tuple[str, str, int]]
    plan: str


class Metrics:
    """One registry of its own, so that an application that embeds the server keeps its own."""

    def __init__(self, control: Control, events: Events) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Engine(control, events))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def get(self) -> flask.Response:
        return flask.Response(generate_latest(self._registry), content_type=CONTENT_TYPE_LATEST)


class _Engine(Collector):
    def __init__(self, control: Control, events: Events) -> None:
        self._control = control
        self._events = events

    def describe(self) -> list[Metric]:
        """Nothing beforehand: registering must not read the engine."""
        return []

    def collect(self) -> Iterator[Metric]:
        snapshot = self._control.run(self._read)
        labels = ["document", "operation", "status"]
        calls = CounterMetricFamily("mockserver_calls", "Calls by operation and status.", labels=labels)
        seconds = CounterMetricFamily("mockserver_call_seconds", "Seconds spent on calls.", labels=labels)
        for document, operation, status, count, spent in snapshot.calls:
            calls.add_metric([document, operation, str(status)], count)
            seconds.add_metric([document, operation, str(status)], spent)
        resources = GaugeMetricFamily(
            "mockserver_resources", "Resources that have been seen.", labels=["namespace", "resource"]
        )
        for namespace, resource, count in snapshot.resources:
            resources.add_metric([namespace, resource], count)
        kept = GaugeMetricFamily("mockserver_journal_calls", "Calls in the journal.", labels=["namespace"])
        lost = GaugeMetricFamily(
            "mockserver_journal_lost", "Calls that the journal's bounds pushed out.", labels=["namespace"]
        )
        for namespace, count, gone in snapshot.journals:
            kept.add_metric([namespace], count)
            lost.add_metric([namespace], gone)
        taken = GaugeMetricFamily(
            "mockserver_memory_bytes", "Bytes that things of a kind take, about.", labels=["kind"]
        )
        bounds = GaugeMetricFamily(
            "mockserver_memory_limit_bytes", "Bytes that things of a kind may take.", labels=["kind"]
        )
        for kind, size, most in snapshot.memory:
            taken.add_metric([kind], size)
            bounds.add_metric([kind], most)
        yield from (calls, seconds, resources, kept, lost, taken, bounds)
        for name, help_text, value in snapshot.gauges:
            yield GaugeMetricFamily(name, help_text, value=value)
        for name, help_text, value in snapshot.counters:
            yield CounterMetricFamily(name, help_text, value=value)
        yield InfoMetricFamily(
            "mockserver_plan", "What is served.", value={"hash": snapshot.plan, "version": __version__}
        )

    def _read(self) -> _Snapshot:
        engine = self._control.engine
        worlds, store = engine.worlds, engine.store
        calls = [*_rows("", "", engine.unrouted)]
        for service in engine.services:
            for route in service.routes:
                calls += _rows(service.document.name, route.operation.id, route.tally)
        return _Snapshot(
            calls,
            [
                (each.name, name, store.count(each.name, name))
                for each in worlds
                for name in engine.lifecycles
            ],
            [(each.name, len(each.journal), each.journal.lost) for each in worlds],
            [*engine.memory()],
            [
                ("mockserver_namespaces", "Namespaces.", sum(1 for _ in worlds)),
                ("mockserver_journal_bytes", "Bytes of all journals, about.", worlds.journal_pool.size),
                ("mockserver_waiting", "Answers that wait for their delay.", worlds.memory.waiting),
                ("mockserver_event_followers", "Streams of events.", self._events.followers),
            ],
            [
                ("mockserver_resources_evicted", "Resources that the bound pushed out.", store.evicted),
                (
                    "mockserver_clients_cut_off",
                    "Clients that were disconnected because they did not take their answers.",
                    worlds.memory.cut_off,
                ),
                ("mockserver_namespaces_evicted", "Namespaces that the bound pushed out.", worlds.evicted),
            ],
            engine.plan.hash,
        )


def _rows(document: str, operation: str, tally: Tally) -> Iterator[tuple[str, str, int, int, float]]:
    for status, (count, seconds) in tally.items():
        yield document, operation, status, int(count), seconds
