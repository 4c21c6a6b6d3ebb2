"""What a control request may cost, and how that is kept."""

from __future__ import annotations

import time

from mockserver.admin.faults import ControlError
from mockserver.media.nodes import exceeds
from mockserver.media.types import ContentType

MAX_VALUES = 20_000
"""JSON values in the body of a control request, and in a text of it that holds JSON."""
_JSON = ContentType("application", "json")
MOST_SECONDS = 3.0
MOST_STEPS = 2_000_000


class Budget:
    """Time and steps for one control request. ``spend`` raises a 422 when either is used up."""

    __slots__ = ("_end", "_steps")

    def __init__(self) -> None:
        self._end = time.monotonic() + MOST_SECONDS
        self._steps = MOST_STEPS

    def spend(self, pointer: str, steps: int = 1) -> None:
        """``pointer`` names the part of the body that is being worked on."""
        self._steps -= steps
        if self._steps < 0:
            raise ControlError(
                422, "this takes too many steps over the calls that there are; narrow it", pointer
            )
        if self._steps & 0xFF == 0 or steps > 1:
            self.check(pointer)

    def check(self, pointer: str) -> None:
        if time.monotonic() > self._end:
            raise ControlError(
                422, f"this takes longer than the {MOST_SECONDS:g} s that it may; narrow it", pointer
            )


def has_too_many_values(data: bytes) -> bool:
    """Whether a JSON text of a control request holds over ``MAX_VALUES`` values."""
    return exceeds(data, "json", _JSON, MAX_VALUES)
