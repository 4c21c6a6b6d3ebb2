"""What the engine asks of a store, and the errors of one that is unavailable.

Times are milliseconds of the namespace's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar

from mockserver.diagnostics import MockServerError
from mockserver.plan import Step
from mockserver.state.machine import Decision, ResourceState
from mockserver.state.tables import CreationRecord

Result = TypeVar("Result")
Timelines = Callable[[str], "Sequence[Step] | None"]
"""Gives the timeline of a scenario, or None where it is no longer served."""


class CreationRecords(Protocol):
    """How resources came into being, and by which handles they are known."""

    def get(self, namespace: str, resource: str, key: str) -> CreationRecord | None: ...

    def name(self, namespace: str, resource: str, key: str, handles: Mapping[str, str]) -> None: ...

    def has_name(self, namespace: str, resource: str, key: str) -> bool: ...

    def named(self, namespace: str, resource: str, handle: str, value: str) -> str | None: ...


class Counts(Protocol):
    """Creations, throws of dice, calls in a window of time."""

    def run(self, namespace: str, resource: str, name: str) -> int: ...

    def tally(self, namespace: str, resource: str, name: str) -> int: ...

    def window(self, namespace: str, resource: str, name: str, now: int, length: int) -> tuple[int, int]: ...


class Store(Protocol):
    """Where resource state lives: by namespace, resource and key.

    What one call or one control request does to a store is one atomic step.
    """

    max_resources: int

    @property
    def evicted(self) -> int: ...

    def memory(self) -> Iterator[tuple[str, int, int]]:
        """The kinds of things that this process holds, with the bytes that they take and may take."""
        ...

    @property
    def births(self) -> CreationRecords: ...

    @property
    def counters(self) -> Counts: ...

    def assignments(self, resource: str) -> Mapping[str, str]:
        """Namespace → the scenario that every new key of the resource begins with."""
        ...

    def assign(self, namespace: str, resource: str, scenario: str | None) -> None: ...

    def advance(
        self,
        namespace: str,
        resource: str,
        key: str,
        now: int,
        operation: str,
        steps: Timelines,
        choose: Callable[..., str],
        about: tuple[Any, ...] = (),
        facts: Sequence[bool] = (),
        dice: str = "",
    ) -> Decision: ...

    def peek(self, namespace: str, resource: str, key: str) -> ResourceState | None: ...

    def glance(self, namespace: str, resource: str, key: str) -> ResourceState | None:
        """Where a resource stands, if that is known without asking: not within an atomic step."""
        ...

    def put(self, namespace: str, resource: str, key: str, state: ResourceState) -> None: ...

    def create(
        self, namespace: str, resource: str, key: str, state: ResourceState, birth: CreationRecord
    ) -> None: ...

    def delete(self, namespace: str, resource: str, key: str) -> bool: ...

    def retire(self, resource: str, steps: Timelines) -> None: ...

    def items(self, namespace: str, resource: str) -> Iterator[tuple[str, ResourceState]]: ...

    def count(self, namespace: str, resource: str) -> int: ...

    def reset(self, namespace: str, resource: str | None = None) -> None: ...

    async def atomically(self, work: Callable[[], Result], *needs: tuple[str, ...]) -> Result:
        """What ``work`` returns or raises, as one atomic step; ``needs`` is what it will surely read."""
        ...

    def after(self, work: Callable[[], None]) -> None:
        """Do something once the step is certain: what leaves the process, and cannot be taken back."""
        ...


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
