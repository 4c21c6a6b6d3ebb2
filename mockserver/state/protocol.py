"""The interface of a store, which holds the state of resources, and the errors that a store raises.

A new store implements ``Store``. ``mockserver.state.memory`` is the simplest example.

Terms: a *resource* is the name of a resource in a scenario file. A *key* is what
the requests call one of them. Every time and every duration is a whole number of
milliseconds; times are of the namespace's clock, since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from mockserver.diagnostics import MockServerError
from mockserver.plan import Step
from mockserver.state.machine import Decision, ResourceState
from mockserver.state.tables import CreationRecord, Item

Result = TypeVar("Result")
Timelines = Callable[[str], "Sequence[Step] | None"]
"""Maps the name of a scenario to its steps, or to None if the scenario is no longer served."""


class RemoteDecision(NamedTuple):
    """The decision of a store outside this process about a call that was an atomic step of its own."""

    now: int
    """The time of the call, by the clock of its namespace."""
    step: int
    """The index of the step that answers."""
    call: int
    changed: int
    created: int
    scenario: str


class CreationTable(Protocol):
    """The requests that created resources, and the handles of resources.

    A handle is a second name of a resource: a value of the response to its
    creation, by which later requests may name it instead of by its key.
    """

    def get(self, namespace: str, resource: str, key: str) -> CreationRecord | None:
        """Return the request that created a resource, or None if no request created it."""
        ...

    def set_handles(self, namespace: str, resource: str, key: str, handles: Mapping[str, str]) -> None:
        """Replace the handles of a resource by ``handles``, a mapping of name to value.

        A handle with the same value that belonged to another key belongs to this key from now on.
        """
        ...

    def has_handles(self, namespace: str, resource: str, key: str) -> bool:
        """Return whether ``set_handles`` was called for this key since it was created."""
        ...

    def find_key(self, namespace: str, resource: str, handle: str, value: str) -> str | None:
        """Return the key of the resource whose handle ``handle`` has this value, or None."""
        ...


class CounterTable(Protocol):
    """Counters by namespace, resource and name.

    If the store repeats an atomic step, it does not count its counters again.
    """

    def next_in_sequence(self, namespace: str, resource: str, name: str) -> int:
        """Return 1, 2, 3, … for each call with this name.

        The store never evicts a sequence, so ``name`` must be one of a few.
        """
        ...

    def increment(self, namespace: str, resource: str, name: str) -> int:
        """Add 1 to a counter and return it. The first call returns 1.

        There may be any number of names. The store evicts counters above its limit, the memory store
        the least recently used first; an evicted counter starts from 1 again.
        """
        ...

    def count_in_window(
        self, namespace: str, resource: str, name: str, now: int, length: int
    ) -> tuple[int, int]:
        """Count a call in a fixed window of ``length`` milliseconds.

        Return the number of calls in the window, this one included, and the time when the window
        began. A window begins with the first call after the previous window ended. A call less than
        ``length`` before a window is a call of that window, which then begins with it: two workers can
        read their clocks in one order and reach the store in the other.
        The store evicts windows as ``increment`` says.
        """
        ...


class DataTable(Protocol):
    """The data of inferred resources: items by namespace, resource, parent and key.

    ``parent`` names one collection of a nested resource: the keys in its path, percent-encoded and joined
    by ``/``. It is empty for a resource that is not nested.
    """

    def get(self, namespace: str, resource: str, parent: str, key: str) -> Item | None:
        """Return an item and mark it as the most recently used, or None."""
        ...

    def get_all(self, namespace: str, resource: str, parent: str, keys: Sequence[str]) -> dict[str, Item]:
        """Return the items that exist of these ``keys``, as ``get`` does."""
        ...

    def put(self, namespace: str, resource: str, parent: str, key: str, item: Item) -> None:
        """Store an item as the most recently used. The number of an existing one does not change."""
        ...

    def remove(self, namespace: str, resource: str, parent: str, key: str) -> bool:
        """Delete an item. Return whether it existed."""
        ...

    def remove_below(self, namespace: str, resource: str, parent: str) -> None:
        """Delete the items of a collection and of the collections below it."""
        ...

    def page(
        self, namespace: str, resource: str, parent: str, offset: int = 0, limit: int | None = None
    ) -> Sequence[tuple[str, Item]]:
        """Return keys and items of a collection from ``offset`` on, in the order of their numbers."""
        ...

    def count(self, namespace: str, resource: str, parent: str) -> int:
        """Return the number of items of a collection."""
        ...

    def all(self, namespace: str, resource: str) -> Sequence[tuple[str, str, Item]]:
        """Return the parents, keys and items of all collections, in the order of parents and numbers."""
        ...


class Store(Protocol):
    """The state of resources, by namespace, resource and key.

    What one request does to a store is one atomic step: no other request sees
    or changes the state between its reads and its writes. ``atomically`` runs
    such a step. All other methods are called within one, except
    ``memory_usage``, ``assignments`` and ``peek_cached``.

    A store that is not in this process may raise these errors from
    ``atomically``: Unavailable, NamespacesFull and PlanChanged.
    """

    max_resources: int
    """The number of keys per namespace and resource above which the least recently used are evicted."""

    @property
    def evicted(self) -> int:
        """The number of resources that were evicted since the store was started."""
        ...

    def memory_usage(self) -> Iterator[tuple[str, int, int]]:
        """Yield the memory that this process uses for the store: (kind of content, bytes, limit in bytes).

        The kinds are keys of ``mockserver.namespaces.memory.SHARES``. A store elsewhere yields nothing.
        """
        ...

    @property
    def creations(self) -> CreationTable:
        """The requests that created resources, and handles."""
        ...

    @property
    def data(self) -> DataTable:
        """The data of inferred resources."""
        ...

    @property
    def counters(self) -> CounterTable:
        """Counters of creations, random decisions and rate limits."""
        ...

    def assignments(self, resource: str) -> Mapping[str, str]:
        """Return the assigned scenarios of a resource: namespace to scenario.

        The result may change with later assignments, so that a caller can keep it.
        """
        ...

    def assign(self, namespace: str, resource: str, scenario: str | None) -> None:
        """Let every new key of a resource start with ``scenario``.

        None removes the assignment: the rules of the scenario file select again.
        """
        ...

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
        predicates: Sequence[bool] = (),
        branch_seed: str = "",
    ) -> Decision:
        """Count one call of ``operation`` to a key, and return which step answers it.

        The decision is that of ``mockserver.state.machine.decide`` for the state of the key. Its
        ``state`` is stored.

        ``choose(*about)`` returns the scenario of a key that has no state, or whose scenario or step
        is no longer served. ``predicates`` are the values of the predicates that branches refer to by
        index. ``branch_seed`` is the seed of weighted branches.
        """
        ...

    def peek(self, namespace: str, resource: str, key: str) -> ResourceState | None:
        """Return the stored state of a key, or None. Nothing is counted and no time passes."""
        ...

    def peek_cached(self, namespace: str, resource: str, key: str) -> ResourceState | None:
        """Return the state of a key if this process has it, else None. Callable outside an atomic step."""
        ...

    def put(self, namespace: str, resource: str, key: str, state: ResourceState) -> None:
        """Store the state of a key, and mark the key as the most recently used."""
        ...

    def create(
        self, namespace: str, resource: str, key: str, state: ResourceState, creation: CreationRecord
    ) -> None:
        """Store the state of a new key, with the request that created it. Old handles of the key go."""
        ...

    def delete(self, namespace: str, resource: str, key: str) -> bool:
        """Delete a key with its creation and handles. Return whether it had a state."""
        ...

    def prune(self, resource: str, steps: Timelines) -> None:
        """Delete the states and assignments of a resource whose scenario or step is no longer served."""
        ...

    def items(self, namespace: str, resource: str) -> Iterator[tuple[str, ResourceState]]:
        """Yield every key with its state, the least recently used first."""
        ...

    def count(self, namespace: str, resource: str) -> int:
        """Return the number of keys that have a state."""
        ...

    def reset(self, namespace: str, resource: str | None = None) -> None:
        """Delete the states, creations, handles and counters of a resource.

        Without ``resource``: of all resources of the namespace, and their assignments.
        """
        ...

    async def atomically(self, work: Callable[[], Result], *needs: tuple[str, ...]) -> Result:
        """Run ``work`` as one atomic step, and return what it returns.

        The store may run ``work`` several times, so ``work`` may change nothing but the store; use
        ``on_commit`` for everything else. If ``work`` raises, the error is raised and nothing is
        stored. ``needs`` are values that ``work`` will read; a store may fetch them ahead.

        Raises Unavailable, NamespacesFull and PlanChanged.
        """
        ...

    def on_commit(self, work: Callable[[], None]) -> None:
        """Call ``work`` once when the atomic step is committed, for example to send a webhook."""
        ...


Counted = Literal["no", "unknown"]


class Unavailable(MockServerError):  # noqa: N818 - a state of things
    """The store gave no answer in time, or an error. The client gets 503.

    ``counted`` is "no" if the store has changed nothing, and "unknown" if it may have.
    """

    def __init__(self, message: str, counted: Counted = "no") -> None:
        super().__init__(message)
        self.counted = counted


class NamespacesFull(Unavailable):
    """The limit on namespaces is reached, and control requests have used every one of them."""

    def __init__(self) -> None:
        super().__init__(
            "the maximum number of namespaces is reached, and none can be evicted, "
            "because control requests have used each of them; "
            "delete those that you no longer need with DELETE /__admin/namespaces/NAME"
        )


class PlanChanged(Exception):  # noqa: N818
    """Another worker serves another Plan since. Nothing was changed; the caller repeats the request."""
