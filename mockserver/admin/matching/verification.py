"""``verify``: whether calls came as often, or in the order, as a test wants; if not, what came closest.

What the journal no longer has may have matched. So calls that were found are
enough for a lower bound and for an order, and no number of calls that were not
found is enough for an upper bound: it is not held to be kept where any were lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from mockserver import problem
from mockserver.admin.calls import CallView, summary_json
from mockserver.admin.http import Budget, ControlError
from mockserver.admin.matching.patterns import Field, RequestPattern
from mockserver.namespaces.journal import Call, Record
from mockserver.plan import JSON

NEAR_MISSES = 3
_LOOKED_AT = 1000
"""Newest calls among which near misses are sought."""
_COMPARED = 200
"""Characters of two values that are compared."""


@dataclass(frozen=True, slots=True)
class Times:
    """How often. ``most`` None: any number."""

    least: int
    most: int | None

    def __str__(self) -> str:
        if self.most == 0:
            return "never"
        if self.least == self.most:
            return f"exactly {_times(self.least)}"
        if self.most is None:
            return f"at least {_times(self.least)}"
        return f"at most {_times(self.most)}" if not self.least else f"{self.least} to {_times(self.most)}"

    def holds(self, count: int) -> bool:
        return count >= self.least and (self.most is None or count <= self.most)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def wanted_times(body: dict[str, JSON]) -> Times:
    """What ``atLeast``, ``atMost``, ``exactly`` and ``never`` ask for; at least once where none is given."""
    exactly = 0 if body.get("never") is True else body.get("exactly")
    if exactly is not None:
        others = [name for name in ("atLeast", "atMost", "exactly") if name in body]
        if len(others) > (0 if body.get("never") is True else 1):
            raise ControlError(422, f"{', '.join(others)} and never or exactly do not go together", "")
        return Times(exactly, exactly)
    least, most = body.get("atLeast"), body.get("atMost")
    if least is None:
        least = 1 if most is None else 0
    if most is not None and most < least:
        raise ControlError(422, f"at most {most} is less than at least {least}", "/atMost")
    return Times(least, most)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``count`` calls matched; ``detail`` says in a sentence what was wanted and what was found."""

    holds: bool
    count: int
    detail: str
    near_misses: Sequence[JSON] = ()


def evaluate(body: dict[str, JSON], namespace: str, records: Sequence[Record], lost: int = 0) -> Verdict:
    """Whether the calls are as a ``Verification`` of the control plane's document wants them.

    ``records`` are what the journal has, ``lost`` counts what its bounds pushed out.
    """
    budget = Budget()
    if "inOrder" in body:
        if extra := sorted(body.keys() - {"inOrder"}):
            raise ControlError(422, f"{extra[0]} does not go with inOrder", f"/{extra[0]}")
        patterns = [
            RequestPattern(source, f"/inOrder/{index}") for index, source in enumerate(body["inOrder"])
        ]
        verdict, sure = in_order(patterns, namespace, records, budget), False
    else:
        times = wanted_times(body)
        pattern = RequestPattern(body.get("request", {}), "/request")
        verdict = count_calls(pattern, times, namespace, records, budget)
        sure = times.most is not None and verdict.count > times.most
        if lost and times.most is not None:
            verdict = replace(verdict, holds=False)
    if lost and not verdict.holds and not sure:
        return replace(verdict, detail=f"{verdict.detail}; {_lost_calls(lost)}")
    return verdict


def count_calls(
    pattern: RequestPattern, times: Times, namespace: str, records: Sequence[Record], budget: Budget
) -> Verdict:
    """Whether as many calls match as are wanted."""
    count = len(pattern.find(records, budget))
    holds = times.holds(count)
    detail = f"{_calls(count)} of {len(records)} matched; wanted: {times}"
    if holds:
        return Verdict(holds, count, detail)
    if times.most is not None and count > times.most:
        return Verdict(holds, count, detail, _matching_calls(pattern, namespace, records, budget))
    return Verdict(holds, count, detail, near_misses(pattern, namespace, records, budget))


def in_order(
    patterns: Sequence[RequestPattern], namespace: str, records: Sequence[Record], budget: Budget
) -> Verdict:
    """Whether calls that match the patterns came one after the other; others may stand between."""
    waiting = iter(records)
    for index, pattern in enumerate(patterns):
        for record in waiting:
            budget.spend(f"/inOrder/{index}")
            if pattern.matches(Call(*record), budget):
                break
        else:
            where = f"call {index + 1} of {len(patterns)}"
            anywhere = bool(pattern.find(records, budget))
            detail = f"{where} came too early" if anywhere else f"{where} did not come"
            not_found = () if anywhere else near_misses(pattern, namespace, records, budget)
            return Verdict(False, index, detail, not_found)
    return Verdict(True, len(patterns), f"{len(patterns)} calls came in this order")


def _matching_calls(
    pattern: RequestPattern, namespace: str, records: Sequence[Record], budget: Budget
) -> list[JSON]:
    """The newest calls that match where too many do: their distance is 0."""
    matching = pattern.find(records, budget)[-NEAR_MISSES:]
    return [_near_miss(pattern, namespace, call, 0.0, budget) for call in reversed(matching)]


def near_misses(
    pattern: RequestPattern, namespace: str, records: Sequence[Record], budget: Budget
) -> list[JSON]:
    """The calls that came closest without matching, closest first, field by field."""
    distances: list[tuple[float, Call]] = []
    for record in records[-_LOOKED_AT:]:
        budget.spend("")
        call = Call(*record)
        distance = _distance(pattern, CallView(call), budget)
        if distance:
            distances.append((distance, call))
    distances.sort(key=lambda pair: (pair[0], -pair[1].number))
    return [
        _near_miss(pattern, namespace, call, distance, budget) for distance, call in distances[:NEAR_MISSES]
    ]


def _distance(pattern: RequestPattern, view: CallView, budget: Budget) -> float:
    """Between 0, a match, and 1."""
    if not pattern.fields:
        return 0.0
    distances = [_field_distance(field, view, budget) for field in pattern.fields]
    return sum(distances) / len(distances)


def _field_distance(field: Field, view: CallView, budget: Budget) -> float:
    if field.holds(view, budget):
        return 0.0
    values, required = field.values(view), _plain(field.required)
    if not values or required is None:
        return 1.0
    budget.spend("", 50)
    return 1.0 - 0.9 * max(similarity(required, value) for value in values[:3])


def similarity(one: str, other: str) -> float:
    """How alike the beginnings of two texts are, from 0 to 1."""
    return SequenceMatcher(None, one[:_COMPARED], other[:_COMPARED]).ratio()


def _plain(required: JSON) -> str | None:
    """The text that a value was meant to be near to."""
    if isinstance(required, dict):
        required = next((value for value in required.values() if isinstance(value, str)), None)
    return required if isinstance(required, str) else None


def _near_miss(
    pattern: RequestPattern, namespace: str, call: Call, distance: float, budget: Budget
) -> dict[str, JSON]:
    view = CallView(call)
    fields: list[JSON] = []
    for field in pattern.fields:
        values = field.values(view)
        actual: JSON = values[0] if len(values) == 1 else values or None
        fields.append(
            {
                "field": field.name,
                "required": field.required,
                "actual": problem.quoted(actual, 1000),
                "matched": field.holds(view, budget),
            }
        )
    return {
        "call": summary_json(namespace, call),
        "scenario": call.decided("scenario"),
        "state": call.decided("state"),
        "distance": round(distance, 4),
        "fields": fields,
    }


def _lost_calls(lost: int) -> str:
    """Why it cannot be known, and what to do."""
    are = "is" if lost == 1 else "are"
    return (
        f"{_calls(lost)} from before {are} no longer in the journal, so it cannot be told: "
        "serve with a larger --journal or --journal-bytes, or clear the journal before what is verified"
    )


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count} calls"
