"""The budgets: ratios between ours and a peer within one run, and whether they are met."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Literal

from benchmarks.load import Kind, Load
from benchmarks.mission import LOADS, Outcome, Round

MEGABYTE = 1024 * 1024


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
    """Every budget that this benchmark can tell about."""
    return list(_budgets(outcome))


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
    yield Budget("first start ever, next to prism", "≤", 1.0, "×", ratio("prism", first_start))
    yield Budget("start again, next to steady", "≤", 1.0, "×", ratio("steady", later_start))
    yield Budget("idle memory, next to steady", "≤", 1.0, "×", ratio("steady", idle_memory))
    added = outcome.added_memory
    yield Budget(
        f"memory added by {outcome.plan.further_keys:,} keys",
        "≤",
        30.0 * outcome.plan.further_keys / 100_000,
        "MB",
        None if added is None else added / MEGABYTE,
    )


def of_load(kind: Kind, figure: Callable[[Load], float]) -> Callable[[list[Round]], float]:
    """The median of a figure of one kind of load."""
    return lambda rounds: median(figure(each.loads[kind]) for each in rounds)


def first_start(rounds: list[Round]) -> float:
    """Milliseconds; nothing was cached before it."""
    return rounds[0].start


def later_start(rounds: list[Round]) -> float:
    """The median of the starts after the first; of a single round, that one."""
    return median(each.start for each in rounds[1:] or rounds)


def idle_memory(rounds: list[Round]) -> float:
    """Bytes, shared pages counted once where the kernel tells."""
    return median(each.memory.pss or each.memory.rss for each in rounds)
