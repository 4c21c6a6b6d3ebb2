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


class NamespacesFull(Unavailable):
    """No namespace can be made: there are as many as may be, and none of them is to go."""

    def __init__(self) -> None:
        super().__init__(
            "there are as many namespaces as may be, and control requests were about each of them: "
            "delete those that are done with, by DELETE /__admin/namespaces/NAME"
        )


class PlanChanged(Exception):  # noqa: N818
    """Another worker serves another Plan by now; nothing was changed."""
