"""``metrics``: the counts of the engine in the format of Prometheus, read on each request."""

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
    """The counts of the engine at one moment."""

    calls: list[tuple[str, str, int, int, float]]
    resources: list[tuple[str, str, int]]
    journals: list[tuple[str, int, int]]
    memory: list[tuple[str, int, int]]
    gauges: list[tuple[str, str, int]]
    counters: list[tuple[str, str, int]]
    plan: str


class Metrics:
    """The metrics of one server. They have their own registry, apart from that of the application."""

    def __init__(self, control: Control, events: Events) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Engine(control, events))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def get(self) -> flask.Response:
        """Return all metrics as text."""
        return flask.Response(generate_latest(self._registry), content_type=CONTENT_TYPE_LATEST)


class _Engine(Collector):
    def __init__(self, control: Control, events: Events) -> None:
        self._control = control
        self._events = events

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering does not read the engine."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the engine."""
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
        journal_calls = GaugeMetricFamily(
            "mockserver_journal_calls", "Calls in the journal.", labels=["namespace"]
        )
        journal_lost = GaugeMetricFamily(
            "mockserver_journal_lost", "Calls that the journal's bounds pushed out.", labels=["namespace"]
        )
        for namespace, count, gone in snapshot.journals:
            journal_calls.add_metric([namespace], count)
            journal_lost.add_metric([namespace], gone)
        memory_used = GaugeMetricFamily(
            "mockserver_memory_bytes", "Bytes that things of a kind take, about.", labels=["kind"]
        )
        memory_limit = GaugeMetricFamily(
            "mockserver_memory_limit_bytes", "Bytes that things of a kind may take.", labels=["kind"]
        )
        for kind, size, limit in snapshot.memory:
            memory_used.add_metric([kind], size)
            memory_limit.add_metric([kind], limit)
        yield from (calls, seconds, resources, journal_calls, journal_lost, memory_used, memory_limit)
        for name, help_text, value in snapshot.gauges:
            yield GaugeMetricFamily(name, help_text, value=value)
        for name, help_text, value in snapshot.counters:
            yield CounterMetricFamily(name, help_text, value=value)
        yield InfoMetricFamily(
            "mockserver_plan", "What is served.", value={"hash": snapshot.plan, "version": __version__}
        )

    def _read(self) -> _Snapshot:
        engine = self._control.engine
        namespaces, store = engine.namespaces, engine.store
        calls = [*_rows("", "", engine.unrouted)]
        for service in engine.services:
            for route in service.routes:
                calls += _rows(service.document.name, route.operation.id, route.tally)
        return _Snapshot(
            calls,
            [
                (namespace.name, name, store.count(namespace.name, name))
                for namespace in namespaces
                for name in engine.runtimes
            ],
            [(namespace.name, len(namespace.journal), namespace.journal.lost) for namespace in namespaces],
            [*engine.memory()],
            [
                ("mockserver_namespaces", "Namespaces.", sum(1 for _ in namespaces)),
                ("mockserver_journal_bytes", "Bytes of all journals, about.", namespaces.journal_pool.size),
                ("mockserver_waiting", "Answers that wait for their delay.", namespaces.memory.waiting),
                ("mockserver_event_followers", "Streams of events.", self._events.subscribers),
            ],
            [
                ("mockserver_resources_evicted", "Resources that the bound pushed out.", store.evicted),
                (
                    "mockserver_clients_cut_off",
                    "Clients that were disconnected because they did not take their answers.",
                    namespaces.memory.cut_off,
                ),
                (
                    "mockserver_namespaces_evicted",
                    "Namespaces that the bound pushed out.",
                    namespaces.evicted,
                ),
            ],
            engine.plan.hash,
        )


def _rows(document: str, operation: str, tally: Tally) -> Iterator[tuple[str, str, int, int, float]]:
    for status, (count, seconds) in tally.items():
        yield document, operation, status, int(count), seconds
