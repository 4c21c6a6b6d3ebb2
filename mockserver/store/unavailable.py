"""Why a store has not done what it was asked for."""

from __future__ import annotations

from typing import Literal

from mockserver.errors import MockServerError

Counted = Literal["no", "unknown"]


class Unavailable(MockServerError):  # noqa: N818 - a state of things
    """Redis did not answer in time, or not as it should. ``counted`` says whether it may have done it."""

    def __init__(self, said: str, counted: Counted = "no") -> None:
        super().__init__(said)
        self.counted = counted


class PlanChanged(Exception):  # noqa: N818
    """Another worker serves another Plan by now; nothing was changed."""
