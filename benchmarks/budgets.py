"""The budgets: bounds on figures of ours, most of them next to a peer's, and whether they are met."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from benchmarks import answers, bodies, data, first_requests, many, polls, sharing, starts
from benchmarks.trial import Results

MEBIBYTE = 2**20
FULL_JOURNAL = 100_000
"""Keys whose calls have filled the journal, whatever they are."""
_MILLION = 1_000_000
_PROGRAM = 80 * MEBIBYTE
"""What ``docs/limits.md`` allows the program besides ``--max-memory``."""


_WORKERS_ON_TWO_CORES = 2
LABELS = {
    "per_second": ("requests/s", "", 1),
    "p50": ("p50", "ms", 1000),
    "p99": ("p99", "ms", 1000),
    "most": ("slowest", "ms", 1000),
    "processor": ("processor time a request", "µs", 1),
    "redis": ("Redis's time a request", "µs", 1),
    "octets": ("an answer", "octets", 1),
    "start": ("time to an answer", "ms", 1),
    "idle": ("idle memory", "MB", MEBIBYTE),
    "peak": ("peak memory", "MB", MEBIBYTE),
    "added": ("memory added", "MB", MEBIBYTE),
    "a_key": ("memory a key", "octets", 1),
    "asked": ("asked", "", 1),
    "failed": ("failed", "", 1),
}
"""Figure → what it is, the unit it is told in, and how many of what is measured are one of it."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A bound on what was measured in each round; there is none where a server was left out or failed."""

    what: str
    relation: Literal["≥", "≤"]
    bound: float
    unit: str
    rounds: Sequence[float]

    @property
    def measured(self) -> float | None:
        """The median of the rounds."""
        return median(self.rounds) if self.rounds else None

    @property
    def verdict(self) -> Literal["met", "not met", "on the edge", "not measured"]:
        """On the edge where the bound is between the least and the most that was measured."""
        if not self.rounds:
            return "not measured"
        least, most = min(self.rounds), max(self.rounds)
        if least < most and least <= self.bound <= most:
            return "on the edge"
        within = most <= self.bound if self.relation == "≤" else least >= self.bound
        return "met" if within else "not met"


def judge(part: str, results: Results) -> list[Budget]:
    """Every budget of a part that was measured."""
    return list(_PARTS[part](results))


def _next_to(
    results: Results,
    figure: str,
    load: str,
    relation: Literal["≥", "≤"],
    bound: float,
    *,
    peer: str,
    of: str = "ours",
    peers_load: str = "",
) -> Budget:
    """A bound on the ratio to a peer's figure in the same round, or to that under another load."""
    ours = results.loads.get(load, {}).get(of, [])
    theirs = results.loads.get(peers_load or load, {}).get(peer, [])
    ratios = [
        mine[figure] / other[figure] for mine, other in zip(ours, theirs, strict=False) if other[figure]
    ]
    subject = load if of == "ours" else f"{load}, {of}"
    return Budget(
        f"{LABELS[figure][0]}, {subject}, next to {peers_load or peer}", relation, bound, "×", ratios
    )


def _most(results: Results, figure: str, load: str, bound: float, *, of: str = "ours") -> Budget:
    """A bound on a figure itself, in the unit that it is told in."""
    label, unit, scale = LABELS[figure]
    rounds = [each[figure] / scale for each in results.loads.get(load, {}).get(of, [])]
    subject = load if of == "ours" else f"{load}, {of}"
    return Budget(f"{label}, {subject}", "≤", bound, unit, rounds)


def _polls(results: Results) -> Iterator[Budget]:
    for load in (polls.ONE_KEY, polls.NEW_KEYS):
        for peer, bound in (("steady", 3.0), ("wiremock", 5.0), ("prism", 8.0), ("no-journal", 0.95)):
            yield _next_to(results, "per_second", load, "≥", bound, peer=peer)
        yield _next_to(results, "processor", load, "≤", 3.5, peer="nginx")
        yield _next_to(results, "p99", load, "≤", 1.0, peer="steady")
    load, equal = polls.NEW_KEYS, polls.EQUAL_FIELDS
    yield _next_to(results, "per_second", load, "≥", 0.8, peer="ours", peers_load=equal)
    load = polls.CONNECTIONS
    yield _next_to(results, "per_second", load, "≥", 2.0, peer="steady")
    yield _next_to(results, "p99", load, "≤", 1.0, peer="steady")
    yield _next_to(results, "p99", load, "≤", 2.0, peer="nginx")


def _answers(results: Results) -> Iterator[Budget]:
    for load in answers.LOADS:
        yield _next_to(results, "per_second", load, "≥", 2.5, peer="steady")


def _bodies(results: Results) -> Iterator[Budget]:
    for size in bodies.SIZES:
        for kind in bodies.KINDS:
            yield _next_to(results, "per_second", bodies.name(size, kind), "≥", 3.0, peer="steady")
    for kind in bodies.KINDS:
        allowed = (bodies.ALLOWED + _PROGRAM) / MEBIBYTE
        yield _most(results, "peak", bodies.name(bodies.LARGEST, kind), allowed)


def _data(results: Results) -> Iterator[Budget]:
    yield _next_to(results, "processor", data.READ, "≤", 1.3, peer=data.SCENARIO)
    yield _next_to(results, "per_second", data.LAST_PAGE, "≥", 0.9, peer="ours", peers_load=data.FIRST_PAGE)
    for load in (data.CREATE, data.MERGE):
        yield _next_to(results, "per_second", load, "≥", 2.0, peer="steady", peers_load=data.CREATE)


def _starts(results: Results) -> Iterator[Budget]:
    for name, bound in ((starts.MISSION, 1.0), (starts.GENERATED, 0.2), ("box", 0.2), ("discord", 0.2)):
        yield _next_to(results, "start", f"first start, {name}", "≤", bound, peer="prism")
        yield _next_to(results, "start", f"start again, {name}", "≤", 1.0, peer="steady")
    yield _most(results, "start", f"start again, {starts.TWICE}", 150)
    yield _next_to(results, "idle", f"start again, {starts.MISSION}", "≤", 1.0, peer="steady")


def _first_requests(results: Results) -> Iterator[Budget]:
    for load in first_requests.LOADS:
        yield _most(results, "p50", load, 1.0)
        yield _most(results, "p99", load, 10.0)


def _many(results: Results) -> Iterator[Budget]:
    for load, names in many.MANY.items():
        for name in names:
            yield _next_to(results, "per_second", load, "≥", 0.9, of=name, peer=many.ONE)
    few = many.of_keys(many.FEW)
    for load in (many.BESIDE_KEYS, many.OF_KEYS):
        for name in results.loads.get(load, {}):
            if name != few:
                yield _next_to(results, "per_second", load, "≥", 0.9, of=name, peer=few)
    for name in results.loads.get(many.MEMORY, {}):
        count = int(name.split()[0].replace(",", ""))
        if count >= FULL_JOURNAL:  # most of what fewer add is the journal's, which fills up with them
            bound = 150.0 if count >= _MILLION else 300.0
            yield _most(results, "a_key", many.MEMORY, bound, of=name)


def _sharing(results: Results) -> Iterator[Budget]:
    for load in (sharing.ONE_KEY, sharing.NEW_KEYS):
        for workers in sharing.WORKERS:
            name = sharing.on_redis(workers)
            yield _most(results, "redis", load, 12.0, of=name)
            if workers <= _WORKERS_ON_TWO_CORES:
                yield _next_to(results, "per_second", load, "≥", 25 / 22, of=name, peer="steady")
                yield _most(results, "p99", load, 5.0, of=name)


_PARTS: dict[str, Callable[[Results], Iterator[Budget]]] = {
    "polls": _polls,
    "answers": _answers,
    "bodies": _bodies,
    "data": _data,
    "starts": _starts,
    "first-requests": _first_requests,
    "many": _many,
    "sharing": _sharing,
}
