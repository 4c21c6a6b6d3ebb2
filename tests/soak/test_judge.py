"""The judge is judged: histories made by hand, good ones and one of each kind of violation."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.soak import history, timelines
from tests.soak.attempt import Attempt, Outcome
from tests.soak.judge import WAITED, Judge, Judgement

SKEW = 20_000_000
LATE = 5 * SKEW
KEY, RING, CROWD = "ladder-1", "ring-2", "ladder-crowd-0"


def judged(attempts: Sequence[Attempt]) -> Judgement:
    return Judge(timelines.body, LATE, lambda key: "crowd" in key).judge(attempts)


class Story:
    """Attempts on one key, one after the other, ten ticks each."""

    def __init__(self, key: str = KEY) -> None:
        self.key = key
        self.attempts: list[Attempt] = []
        self._now = 0

    def answered(self, *positions: int) -> Story:
        for position in positions:
            self.said(200, timelines.body(self.key, position))
        return self

    def said(self, status: int, body: str) -> Story:
        return self._add("answered", status, body)

    def silent(self, *outcomes: Outcome) -> Story:
        for outcome in outcomes:
            self._add(outcome)
        return self

    def gave_up(self) -> Story:
        return self._add("unknown", 503, f"the store {WAITED} 1 s")

    def waits(self, ticks: int) -> Story:
        self._now += ticks
        return self

    def _add(self, outcome: Outcome, status: int = 0, body: str = "") -> Story:
        self.attempts.append(Attempt(0, self.key, self._now, self._now + 9, outcome, status, body))
        self._now += 10
        return self

    @property
    def kinds(self) -> list[str]:
        return [each.kind for each in judged(self.attempts).violations]


GOOD = [
    Story().answered(*range(100)),
    Story("ring-0").answered(*range(20)),
    Story("issue-0").answered(*range(20)),
    Story().answered(0, 1).silent("refused", "unsent", "refused").answered(2),
    Story().answered(0, 1).silent("unknown").answered(2, 3),
    Story().answered(0, 1).silent("unknown").answered(3, 4),
    Story().answered(0).silent("unknown", "cut", "unknown").answered(3, 4),
    # Counted late: after a poll that began after the client gave up, but within its time
    Story().answered(0).silent("unknown").answered(1, 3, 4),
    Story().answered(0).silent("cut", "cut").answered(1, 3, 5, 6),
    Story().answered(0).silent("unknown").waits(LATE).answered(2, 3),
    Story().answered(0).gave_up().waits(SKEW).answered(2, 3),
    Story().answered(0).gave_up().waits(SKEW).answered(1, 2),
    Story("ring-0").answered(0, 1, 2).silent("unknown").answered(4, 5, 6),
]


@pytest.mark.parametrize("story", GOOD)
def test_what_the_scenario_allows_is_exact(story: Story) -> None:
    found = judged(story.attempts)
    assert found.exact
    assert found.keys == 1


BAD = [
    # One call counted twice
    (Story().answered(0, 1, 3), ["doubled"]),
    (Story().answered(1), ["doubled"]),
    (Story().answered(0, 1, 3, 4, 6), ["doubled", "doubled"]),
    (Story("ring-0").answered(0, 1, 2, 4), ["doubled"]),
    (Story("issue-0").answered(0, 1, 2, 3, 5), ["doubled"]),
    # The server says that it counted nothing, and did
    (Story().answered(0, 1).silent("refused").answered(3), ["doubled"]),
    (Story().answered(0, 1).silent("unsent").answered(3), ["doubled"]),
    # More than can be
    (Story().answered(0).silent("unknown").answered(3), ["doubled"]),
    # An unknown call that was not counted is not counted later, when its time is over
    (Story().answered(0).silent("unknown").waits(LATE).answered(1, 3), ["doubled"]),
    # nor if the server waited until then
    (Story().answered(0).gave_up().waits(SKEW).answered(1, 3), ["doubled"]),
    # and one that was counted is not counted again
    (Story().answered(0).silent("unknown").answered(2, 4), ["doubled"]),
    # A call that was acknowledged is gone
    (Story().answered(0, 1, 1), ["lost"]),
    (Story().answered(0, 0, 1, 2), ["lost"]),
    (Story().answered(0, 1, 2).silent("unknown").answered(2), ["lost"]),
    # Many are gone
    (Story().answered(0, 1, 2, 3, 4, 0, 1, 2), ["backwards"]),
    (Story().answered(*range(30), 7), ["backwards"]),
    (Story().answered(0, 1, 2, 3).silent("cut").answered(1), ["backwards"]),
    # What no call has
    (Story().answered(0).said(200, timelines.body("ladder-2", 1)), ["wrong"]),
    (Story().answered(0).said(500, timelines.body(KEY, 1)), ["wrong"]),
    (Story().answered(0).said(200, timelines.body(KEY, 1)[:-1]), ["wrong"]),
    (Story().answered(0).said(200, '{"id":"ladder-1","state":"queued","call":2}'), ["wrong"]),
    (Story().answered(0).said(404, "{}").answered(2), ["wrong"]),
]


@pytest.mark.parametrize(("story", "kinds"), BAD)
def test_what_it_does_not_allow_is_found(story: Story, kinds: list[str]) -> None:
    assert story.kinds == kinds
    assert not judged(story.attempts).exact


def test_attempts_that_overlap_cannot_be_judged() -> None:
    first = Attempt(0, KEY, 0, 20, "answered", 200, timelines.body(KEY, 0))
    second = Attempt(1, KEY, 10, 30, "answered", 200, timelines.body(KEY, 1))
    assert [each.kind for each in judged([first, second]).violations] == ["overlap"]


def test_nothing_is_not_exact() -> None:
    assert not judged([]).exact


def test_calls_of_unknown_outcome_are_accounted_for() -> None:
    found = judged(Story().answered(0).silent("cut", "unknown").answered(2).silent("cut").attempts)
    assert found.unknown_spent == 1
    assert found.unknown_open == 1


@pytest.mark.parametrize("seed", range(20))
def test_one_answer_that_is_left_out_or_repeated_is_found_among_many(seed: int) -> None:
    draw = random.Random(seed)
    positions = list(range(200))
    at = draw.randrange(1, 199)
    assert Story().answered(*positions[:at], *positions[at + 1 :]).kinds == ["doubled"]
    assert Story().answered(*positions[:at], *positions[at - 1 :]).kinds == ["lost"]


# Keys that all clients poll at the same time


def racing(*answers: tuple[int, int, int]) -> list[Attempt]:
    """Position, start and end of each."""
    return [
        Attempt(number, CROWD, start, end, "answered", 200, timelines.body(CROWD, position))
        for number, (position, start, end) in enumerate(answers)
    ]


def unanswered(outcome: Outcome) -> Attempt:
    return Attempt(9, CROWD, 0, 100, outcome)


def test_racers_may_be_answered_in_any_order_while_they_race() -> None:
    assert judged(racing((1, 0, 20), (0, 5, 30), (3, 25, 40), (2, 31, 50))).exact


def test_two_racers_with_one_answer_are_found() -> None:
    found = judged(racing((0, 0, 20), (1, 5, 30), (1, 6, 40)))
    assert [each.kind for each in found.violations] == ["lost"]


def test_a_race_that_leaves_an_answer_out_is_found() -> None:
    attempts = racing((0, 0, 20), (2, 5, 30))
    assert [each.kind for each in judged(attempts).violations] == ["doubled"]
    assert [each.kind for each in judged([*attempts, unanswered("refused")]).violations] == ["doubled"]
    assert judged([*attempts, unanswered("cut")]).exact


def test_an_answer_of_an_earlier_position_after_a_race_is_found() -> None:
    found = judged(racing((1, 0, 20), (0, 30, 40)))
    assert [each.kind for each in found.violations] == ["backwards"]


def test_an_answer_that_no_racer_can_have_is_found() -> None:
    attempts = [Attempt(0, CROWD, 0, 1, "answered", 200, "{}")]
    assert [each.kind for each in judged(attempts).violations] == ["wrong"]


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    attempts = Story().answered(0).silent("cut").answered(1).attempts
    with history.History(tmp_path / "history") as written:
        for each in attempts:
            written.write(each)
    assert list(history.read(tmp_path / "history")) == attempts
