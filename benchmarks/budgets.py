"""The budgets: ratios between ours and a peer within one run, and whether they are met."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Literal

from benchmarks import documents
from benchmarks.load import Kind, Load
from benchmarks.mission import CONNECTIONS, LOADS, Outcome, Round

MEGABYTE = 1024 * 1024
FULL_JOURNAL = 100_000
"""Keys whose calls have filled the journal, whatever they are."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A bound on a figure; ``measured`` is None where a server was left out or failed."""

    what: str
    relation: Literal["≥", "≤"]
    bound: float
    unit: str
    measured: float | None

    @property
    def met(self) -> bool | None:
        if self.measured is None:
            return None
        return self.measured >= self.bound if self.relation == "≥" else self.measured <= self.bound


def judge(outcome: Outcome) -> list[Budget]:
    """Every budget that the benchmark on the mission's document can tell about."""
    return list(_budgets(outcome))


def judge_documents(outcome: documents.Outcome) -> Iterator[Budget]:
    """Every budget that the benchmark on documents of many operations can tell about."""
    for name, starts in outcome.starts.items():
        ours, steady, prism = (starts.get(each) for each in documents.STARTED)
        first = ours[0] / prism[0] if ours and prism else None
        yield Budget(f"first start ever, {name}, next to prism", "≤", 0.2, "×", first)
        later = again(ours) / again(steady) if ours and steady else None
        yield Budget(f"start again, {name}, next to steady", "≤", 1.0, "×", later)
    one = per_second(outcome.routing.get(documents.OPERATIONS[0]))
    for count in documents.OPERATIONS[1:]:
        many = per_second(outcome.routing.get(count))
        measured = many / one if many and one else None
        yield Budget(f"requests/s, one operation of {count:,}, next to one of one", "≥", 0.9, "×", measured)
    ours = outcome.bodies.get("ours", {})
    body, without = (per_second(ours.get(name)) for name in (documents.BODY, documents.NO_BODY))
    measured = body / without if body and without else None
    yield Budget(f"requests/s with {documents.BODY}, next to {documents.NO_BODY}", "≥", 0.2, "×", measured)
    for peer, bound in (("steady", 1.0), ("prism", 1.0)):
        theirs = per_second(outcome.bodies.get(peer, {}).get(documents.BODY))
        measured = body / theirs if body and theirs else None
        yield Budget(f"requests/s with {documents.BODY}, next to {peer}", "≥", bound, "×", measured)


def per_second(loads: list[Load] | None) -> float | None:
    """The median of the requests per second."""
    return median(each.per_second for each in loads) if loads else None


def again(starts: list[float]) -> float:
    """The median of the starts after the first, in milliseconds; of a single one, that one."""
    return median(starts[1:] or starts)


def _budgets(outcome: Outcome) -> Iterator[Budget]:
    def ratio(peer: str, figure: Callable[[list[Round]], float]) -> float | None:
        ours, theirs = outcome.rounds.get("ours"), outcome.rounds.get(peer)
        if not ours or not theirs or not figure(theirs):
            return None
        return figure(ours) / figure(theirs)

    for kind in LOADS:
        for peer, bound in (("steady", 2.5), ("wiremock", 5.0), ("prism", 8.0)):
            measured = ratio(peer, of_load(kind, lambda each: each.per_second))
            yield Budget(f"requests/s, {kind}, next to {peer}", "≥", bound, "×", measured)
    for kind in LOADS:
        measured = ratio("no-journal", of_load(kind, lambda each: each.per_second))
        yield Budget(f"requests/s, {kind}, next to no-journal", "≥", 0.95, "×", measured)
    for kind in LOADS:
        measured = ratio("nginx", of_load(kind, lambda each: each.processor_time))
        yield Budget(f"processor time a request, {kind}, next to nginx", "≤", 3.5, "×", measured)
    for kind in LOADS:
        measured = ratio("steady", of_load(kind, lambda each: each.p99))
        yield Budget(f"p99, {kind}, next to steady", "≤", 1.0, "×", measured)
    for peer, bound in (("steady", 1.0), ("nginx", 2.0)):
        measured = ratio(peer, of_load(CONNECTIONS, lambda each: each.p99))
        yield Budget(f"p99, {CONNECTIONS}, next to {peer}", "≤", bound, "×", measured)
    yield Budget("first start ever, next to prism", "≤", 1.0, "×", ratio("prism", first_start))
    yield Budget("start again, next to steady", "≤", 1.0, "×", ratio("steady", later_start))
    yield Budget("idle memory, next to steady", "≤", 1.0, "×", ratio("steady", idle_memory))
    for count in outcome.plan.further_keys:
        if count < FULL_JOURNAL:
            continue  # most of what so few add is the journal's, which fills up with them
        added = outcome.added_memory.get(count)
        measured = None if added is None else added / MEGABYTE
        yield Budget(f"memory added by {count:,} keys", "≤", 30.0 * count / 100_000, "MB", measured)


def of_load(kind: Kind, figure: Callable[[Load], float]) -> Callable[[list[Round]], float]:
    """The median of a figure of one kind of load."""
    return lambda rounds: median(figure(each.loads[kind]) for each in rounds)


def first_start(rounds: list[Round]) -> float:
    """Milliseconds; nothing was cached before it."""
    return rounds[0].start


def later_start(rounds: list[Round]) -> float:
    """The median of the starts after the first; of a single round, that one."""
    return again([each.start for each in rounds])


def idle_memory(rounds: list[Round]) -> float:
    """Bytes, shared pages counted once where the kernel tells."""
    return median(each.memory.pss or each.memory.rss for each in rounds)
