"""A trial: contenders under the same loads, one after the other, round after round."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks import judging, load
from benchmarks.bench import Bench, Contender, Running, StartError
from benchmarks.load import Figures, Request
from benchmarks.peers import MADE_UP, Samples

_SETTLED = 0.5
_LATER_WARM_UP = 1
"""Seconds before a load on a server that has had one."""
_ASKED = 3
"""Requests of each load whose answers are judged before it."""


@dataclass(slots=True)
class Results:
    """All that was measured, of every round."""

    loads: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    """Load → contender → the figures of each round."""
    faults: dict[str, str] = field(default_factory=dict)
    """What did not run, or was not answered validly by ours → why."""
    invalid: dict[str, str] = field(default_factory=dict)
    """A peer and a load → what is wrong with its answer."""

    def add(self, what: str, contender: str, figures: Figures) -> None:
        """Keep the figures of one round."""
        self.loads.setdefault(what, {}).setdefault(contender, []).append(figures)


@dataclass(frozen=True, slots=True)
class Load:
    """Requests in turn, on contenders that ``by`` names, or on all of them."""

    name: str
    requests: tuple[Request, ...] = ()
    by: tuple[str, ...] = ()
    connections: int | None = None
    """None: as many as the run has."""
    seconds: int = 0
    """At least; where requests take long, a short load tells little of them."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Contenders that run side by side, of which one is under load at a time."""

    contenders: Sequence[Contender]
    loads: Sequence[Load]
    first: Request
    """Answered by 200 once a server is ready."""
    samples: Callable[[int], Samples] | None = None
    """Takes answers from the port of ours, which is started first, for peers that repeat them."""
    prepare: Callable[[Contender, Running, Results], None] | None = None
    """What to do with each contender before its loads, and what to keep of it."""


def run(trial: Trial, bench: Bench, results: Results, number: int) -> None:
    """One round: start the contenders, then put each load on each of them, in another order each round."""
    with ExitStack() as stack:
        running: dict[Contender, Running] = {}
        samples = MADE_UP
        for contender in trial.contenders:
            try:
                found = stack.enter_context(bench.started(contender, trial.first, samples))
                if trial.samples and contender.name == "ours":
                    samples = trial.samples(found.port)
                running[contender] = found
            except (StartError, OSError) as reason:
                _fault(bench, results, f"{contender.name} on {contender.document.name}", str(reason))
        time.sleep(_SETTLED)
        if trial.prepare:
            for contender, found in running.items():
                trial.prepare(contender, found, results)
        warm: set[Contender] = set()
        order = deque(running)
        order.rotate(number - 1)
        for each in trial.loads:
            for contender in order:
                if not each.by or contender.name in each.by:
                    bench.say(f"round {number}/{bench.rounds}: {each.name}: {contender.name}")
                    warm_up = _LATER_WARM_UP if contender in warm else contender.server.warm_up
                    warm.add(contender)
                    _put(each, contender, running[contender], bench, results, warm_up)


def _put(
    each: Load, contender: Contender, running: Running, bench: Bench, results: Results, warm_up: int
) -> None:
    requests = contender.requests or each.requests
    try:
        if causes := judging.faults(
            (contender.document, *contender.further), running.port, requests[:_ASKED]
        ):
            found = results.faults if contender.server.name == "ours" else results.invalid
            found[f"an answer of {contender.name} to {each.name}"] = causes[0]
        figures = load.put(
            running.process,
            running.port,
            requests,
            file=bench.folder / "requests.txt",
            warm_up=warm_up,
            seconds=max(bench.seconds, each.seconds),
            connections=each.connections or bench.connections,
            beside=running.redis,
        )
    except (OSError, RuntimeError) as reason:
        _fault(bench, results, f"{contender.name} under {each.name}", str(reason))
    else:
        results.add(each.name, contender.name, figures)


def _fault(bench: Bench, results: Results, what: str, reason: str) -> None:
    results.faults[what] = reason
    bench.say(f"{what}: {reason}")
