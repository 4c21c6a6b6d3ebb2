"""``verify``: checks the number or the order of calls, and finds near misses.

Calls that the journal has lost may have matched. So a verification with a maximum fails if calls were
lost. A minimum and an order can succeed, because the remaining calls are enough.
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
_MAX_CANDIDATES = 1000
"""Number of newest calls among which near misses are searched."""
_MAX_COMPARED = 200
"""Maximum number of characters that are compared."""


@dataclass(frozen=True, slots=True)
class Times:
    """A number of calls. ``maximum`` None: no maximum."""

    minimum: int
    maximum: int | None

    def __str__(self) -> str:
        if self.maximum == 0:
            return "never"
        if self.minimum == self.maximum:
            return f"exactly {_times(self.minimum)}"
        if self.maximum is None:
            return f"at least {_times(self.minimum)}"
        return (
            f"at most {_times(self.maximum)}"
            if not self.minimum
            else f"{self.minimum} to {_times(self.maximum)}"
        )

    def holds(self, count: int) -> bool:
        """Return whether a count is in the range."""
        return count >= self.minimum and (self.maximum is None or count <= self.maximum)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def wanted_times(body: dict[str, JSON]) -> Times:
    """Return the range of ``atLeast``, ``atMost``, ``exactly`` and ``never``; at least 1 by default."""
    exactly = 0 if body.get("never") is True else body.get("exactly")
    if exactly is not None:
        others = [name for name in ("atLeast", "atMost", "exactly") if name in body]
        if len(others) > (0 if body.get("never") is True else 1):
            raise ControlError(422, f"{', '.join(others)} cannot be combined with never or exactly", "")
        return Times(exactly, exactly)
    minimum, maximum = body.get("atLeast"), body.get("atMost")
    if minimum is None:
        minimum = 1 if maximum is None else 0
    if maximum is not None and maximum < minimum:
        raise ControlError(422, f"atMost {maximum} is less than atLeast {minimum}", "/atMost")
    return Times(minimum, maximum)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a verification. ``count`` calls matched; ``detail`` is the result in a sentence."""

    holds: bool
    count: int
    detail: str
    near_misses: Sequence[JSON] = ()


def evaluate(body: dict[str, JSON], namespace: str, records: Sequence[Record], lost: int = 0) -> Verdict:
    """Evaluate a ``Verification`` of ``openapi/admin.yaml``.

    ``records`` are the calls in the journal; ``lost`` is the number of calls that it has lost.
    Raise ControlError 422 for an invalid verification.
    """
    budget = Budget()
    if "inOrder" in body:
        if extra := sorted(body.keys() - {"inOrder"}):
            raise ControlError(422, f"{extra[0]} cannot be combined with inOrder", f"/{extra[0]}")
        patterns = [
            RequestPattern(source, f"/inOrder/{index}") for index, source in enumerate(body["inOrder"])
        ]
        verdict, sure = in_order(patterns, namespace, records, budget), False
    else:
        times = wanted_times(body)
        pattern = RequestPattern(body.get("request", {}), "/request")
        verdict = count_calls(pattern, times, namespace, records, budget)
        sure = times.maximum is not None and verdict.count > times.maximum
        if lost and times.maximum is not None:
            verdict = replace(verdict, holds=False)
    if lost and not verdict.holds and not sure:
        return replace(verdict, detail=f"{verdict.detail}; {_lost_calls(lost)}")
    return verdict


def count_calls(
    pattern: RequestPattern, times: Times, namespace: str, records: Sequence[Record], budget: Budget
) -> Verdict:
    """Return whether the number of matching calls is in the range."""
    count = len(pattern.find(records, budget))
    holds = times.holds(count)
    detail = f"{_calls(count)} of {len(records)} matched; wanted: {times}"
    if holds:
        return Verdict(holds, count, detail)
    if times.maximum is not None and count > times.maximum:
        return Verdict(holds, count, detail, _matching_calls(pattern, namespace, records, budget))
    return Verdict(holds, count, detail, near_misses(pattern, namespace, records, budget))


def in_order(
    patterns: Sequence[RequestPattern], namespace: str, records: Sequence[Record], budget: Budget
) -> Verdict:
    """Return whether calls match the patterns in their order. Other calls can be between them."""
    waiting = iter(records)
    for index, pattern in enumerate(patterns):
        for record in waiting:
            budget.spend(f"/inOrder/{index}")
            if pattern.matches(Call(*record), budget):
                break
        else:
            position = f"call {index + 1} of {len(patterns)}"
            anywhere = bool(pattern.find(records, budget))
            detail = f"{position} came too early" if anywhere else f"{position} did not come"
            not_found = () if anywhere else near_misses(pattern, namespace, records, budget)
            return Verdict(False, index, detail, not_found)
    return Verdict(True, len(patterns), f"{len(patterns)} calls came in this order")


def _matching_calls(
    pattern: RequestPattern, namespace: str, records: Sequence[Record], budget: Budget
) -> list[JSON]:
    """Return the newest matching calls, with the distance 0, because there are too many."""
    matching = pattern.find(records, budget)[-NEAR_MISSES:]
    return [_near_miss(pattern, namespace, call, 0.0, budget) for call in reversed(matching)]


def near_misses(
    pattern: RequestPattern, namespace: str, records: Sequence[Record], budget: Budget
) -> list[JSON]:
    """Return the most similar calls that do not match, most similar first, with each field."""
    distances: list[tuple[float, Call]] = []
    for record in records[-_MAX_CANDIDATES:]:
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
    """Return a distance from 0 (a match) to 1."""
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
    """Return the similarity of the beginnings of two texts, from 0 to 1."""
    return SequenceMatcher(None, one[:_MAX_COMPARED], other[:_MAX_COMPARED]).ratio()


def _plain(required: JSON) -> str | None:
    """Return the text with which actual values are compared, or None."""
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
    """Return why the verification is not certain, and a remedy."""
    return (
        f"the journal has lost {_calls(lost)}, so the result is not certain. "
        "Use a larger --journal or --journal-bytes, or clear the journal before the calls"
    )


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count} calls"
