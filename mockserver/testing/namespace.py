"""One namespace of a server in a test: its resources, its calls and its clock.

``AsyncNamespace`` has the same methods as coroutines, which run on a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, Unpack

from mockserver.admin.http import ControlError
from mockserver.diagnostics import MockServerError, UsageError
from mockserver.inputs import format_duration
from mockserver.testing.calls import Call, Calls, Fields, describe_mismatch, request_pattern
from mockserver.testing.control import Control, Members, raises_at_caller

if TYPE_CHECKING:
    import httpx


Moment = str | datetime
"""ISO 8601, or a datetime; one without a zone is UTC."""


class Clock:
    """The clock of a namespace. Holds, timestamps, certificates and delays use it.

    Methods return the new time.
    """

    def __init__(self, get_control: Callable[[], Control], namespace: str) -> None:
        self._get_control = get_control
        self._namespace = namespace

    @property
    @raises_at_caller
    def now(self) -> datetime:
        """The time on the clock."""
        return self._call_clock("get")

    @property
    @raises_at_caller
    def frozen(self) -> bool:
        """Whether the clock is frozen."""
        return bool(self._get_control().clock(self._namespace, "get", {})["frozen"])

    @raises_at_caller
    def freeze(self, at: Moment | None = None) -> datetime:
        """Freeze the clock, at ``at`` or now."""
        return self._call_clock("freeze", {} if at is None else {"at": _iso(at)})

    @raises_at_caller
    def set(self, at: Moment) -> datetime:
        """Set the clock to ``at``. A frozen clock stays frozen."""
        return self._call_clock("set", {"at": _iso(at)})

    @raises_at_caller
    def advance(self, by: str | timedelta) -> datetime:
        """Advance the clock by ``200ms``, ``30s``, ``5m``, ``1h``, ``2d`` or a timedelta.

        Responses whose delay is over then are sent.
        """
        if isinstance(by, timedelta):
            by = format_duration(round(by / timedelta(milliseconds=1)))
        return self._call_clock("advance", {"by": by})

    @raises_at_caller
    def resume(self) -> datetime:
        """Let a frozen clock run from its time."""
        return self._call_clock("resume")

    @raises_at_caller
    def reset(self) -> datetime:
        """Set the clock to the time of the machine and let it run."""
        return self._call_clock("reset")

    def _call_clock(self, verb: str, body: Members | None = None) -> datetime:
        found = self._get_control().clock(self._namespace, verb, body or {})
        return datetime.fromtimestamp(found["milliseconds"] / 1000, UTC)


def _iso(moment: Moment) -> str:
    return moment.isoformat() if isinstance(moment, datetime) else moment


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a namespace at one moment."""

    name: str
    key: str
    scenario: str
    state: str
    calls: int
    """The number of calls in this state."""
    since: datetime
    """The time when the resource entered this state."""
    created: datetime
    changed: datetime
    next: Mapping[str, Any] | None
    """The next ``state``, with ``afterCalls``, ``at``, ``in`` or ``onOperation``; None without one."""

    @classmethod
    def of(cls, found: Members) -> Resource:
        """Create a resource from a ``Resource`` of the control plane."""
        return cls(
            found["resource"],
            found["key"],
            found["scenario"],
            found["state"],
            found["calls"],
            datetime.fromisoformat(found["since"]),
            datetime.fromisoformat(found["created"]),
            datetime.fromisoformat(found["changed"]),
            found["next"],
        )


DEFAULT = "default"


class Namespace:
    """A namespace of a server, which a test prepares and verifies.

    Methods raise ``ControlError`` if the server cannot do something. The message names what exists.
    """

    def __init__(self, name: str, get_control: Callable[[], Control]) -> None:
        """``get_control`` returns the ``Control`` of a running server."""
        self.name = name
        self._get_control = get_control
        self._is_open = name == DEFAULT
        self.clock = Clock(get_control, name)

    @property
    @raises_at_caller
    def url(self) -> str:
        """The URL of this namespace, without a slash at the end. Calls of it belong to the namespace."""
        base = self._open_control().url
        return base if self.name == DEFAULT else f"{base}/__ns/{self.name}"

    @property
    def aio(self) -> AsyncNamespace:
        """The methods as coroutines: ``await server.aio.scenario("failed")``."""
        return AsyncNamespace(self)

    @property
    @raises_at_caller
    def headers(self) -> dict[str, str]:
        """The header fields that put requests to the URL of the server into this namespace."""
        self._open_control()
        return {"X-Mock-Namespace": self.name}

    @raises_at_caller
    def client(self, **settings: Any) -> httpx.Client:
        """Return an ``httpx.Client`` of this namespace. ``settings`` are settings of the client."""
        import httpx  # an optional dependency

        return httpx.Client(**{"base_url": self.url, **settings})

    @raises_at_caller
    def scenario(self, name: str, *, key: str | None = None, resource: str | None = None) -> None:
        """Set the scenario of the resource with a key; without a key, of all new resources."""
        control, kind = self._get_control(), self._resource_name(resource)
        if key is None:
            control.assign_new(self.name, kind, name)
        else:
            control.assign(self.name, kind, key, name, None)

    @raises_at_caller
    def state(
        self, name: str, *, key: str, scenario: str | None = None, resource: str | None = None
    ) -> Resource:
        """Set the state of the resource with a key, which need not exist.

        Without a scenario, the resource continues its scenario from the state. If its scenario does not
        have the state, the resource stays in the state.
        """
        return Resource.of(
            self._get_control().assign(self.name, self._resource_name(resource), key, scenario, name)
        )

    @raises_at_caller
    def resource(self, key: str, *, resource: str | None = None) -> Resource:
        """Return the resource with a key. Raise ControlError if there is none."""
        return Resource.of(self._get_control().read_resource(self.name, self._resource_name(resource), key))

    @property
    @raises_at_caller
    def calls(self) -> Calls:
        """The current calls of this namespace, oldest first."""
        return Calls([Call.of(event) for event in self._get_control().calls(self.name)])

    @raises_at_caller
    def verify(
        self,
        *,
        exactly: int | None = None,
        at_least: int | None = None,
        at_most: int | None = None,
        never: bool = False,
        in_order: Sequence[Fields] = (),
        **fields: Unpack[Fields],
    ) -> int:
        """Return the number of matching calls. Without a number, at least one call must match.

        With ``in_order``, calls must match the patterns in this order. Other calls can be between them.
        Raise AssertionError with the near misses if the verification fails.
        """
        __tracebackhide__ = True
        bounds = {"exactly": exactly, "atLeast": at_least, "atMost": at_most, "never": never or None}
        verification: Members = {name: value for name, value in bounds.items() if value is not None}
        if in_order:
            verification["inOrder"] = [request_pattern(fields) for fields in in_order]
        if fields or not in_order:
            verification["request"] = request_pattern(fields)
        verdict = self._get_control().verify(self.name, verification)
        if not verdict["verified"]:
            raise AssertionError(describe_mismatch(verification, verdict, self.calls))
        return int(verdict["count"])

    @raises_at_caller
    def reset(self) -> None:
        """Delete the resources, calls and assignments, and reset the clock."""
        self._get_control().reset(self.name)

    @raises_at_caller
    def drop(self) -> None:
        """Delete the namespace, if it exists. The next use creates it again."""
        self._is_open = self.name == DEFAULT
        try:
            self._get_control().drop(self.name)
        except ControlError as error:
            if error.status != 404:
                raise

    def _open_control(self) -> Control:
        """Create the namespace on the server, and return the control of the server.

        A call without an operation does not create a namespace, but a test needs to see the call.
        """
        control = self._get_control()
        if not self._is_open:
            control.clock(self.name, "get", {})
            self._is_open = True
        return control

    def _resource_name(self, resource: str | None) -> str:
        """Return ``resource``, or the name of the only resource kind. Raise UsageError for several."""
        if resource is not None:
            return resource
        known = self._get_control().resources()
        if len(known) != 1:
            there_is = ", ".join(known) or "none: no scenario file is served"
            raise UsageError(f"choose a resource by resource=NAME; there is {there_is}.")
        return known[0]


P = ParamSpec("P")
Result = TypeVar("Result")
Subject = TypeVar("Subject")


class _ThreadProxy(Generic[Subject]):
    """Calls methods of ``subject`` on another thread."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject


def _in_thread(
    method: Callable[Concatenate[Subject, P], Result],
) -> Callable[Concatenate[_ThreadProxy[Subject], P], Coroutine[Any, Any, Result]]:
    @wraps(method)
    async def call(self: _ThreadProxy[Subject], /, *given: P.args, **named: P.kwargs) -> Result:
        __tracebackhide__ = True
        return await asyncio.to_thread(method, self._subject, *given, **named)

    return call


class AsyncClock(_ThreadProxy[Clock]):
    """``Clock`` for coroutines."""

    freeze = _in_thread(Clock.freeze)
    set = _in_thread(Clock.set)
    advance = _in_thread(Clock.advance)
    resume = _in_thread(Clock.resume)
    reset = _in_thread(Clock.reset)

    async def now(self) -> datetime:
        """Return the time on the clock."""
        return await asyncio.to_thread(lambda: self._subject.now)


class AsyncNamespace(_ThreadProxy[Namespace]):
    """``Namespace`` for coroutines."""

    scenario = _in_thread(Namespace.scenario)
    state = _in_thread(Namespace.state)
    resource = _in_thread(Namespace.resource)
    verify = _in_thread(Namespace.verify)
    reset = _in_thread(Namespace.reset)
    drop = _in_thread(Namespace.drop)

    @property
    def clock(self) -> AsyncClock:
        """The clock of the namespace."""
        return AsyncClock(self._subject.clock)

    async def calls(self) -> Calls:
        """Return the current calls, oldest first."""
        return await asyncio.to_thread(lambda: self._subject.calls)


_LISTED = 50


def describe_calls(namespace: Namespace) -> str:
    """Return the calls of a namespace as text, oldest first. Do not raise if the server has stopped."""
    try:
        calls = namespace.calls
    except MockServerError as error:
        return f"its calls cannot be read: {error}"
    if not calls:
        return f"there were no calls. Does the client use {namespace.url}, or send {namespace.headers}?"
    lines = [f"{len(calls) - _LISTED} earlier calls"] if len(calls) > _LISTED else []
    for call in calls[-_LISTED:]:
        lines += [str(call), *(f"    {problem}" for problem in _problems(call))]
    return "\n".join(lines)


def _problems(call: Call) -> Iterator[str]:
    """Yield the ways in which a request breaks the document; for an unknown path, the similar paths."""
    yield from call.problems
    if call.problems or call.response_headers.get("content-type") != "application/problem+json":
        return
    try:
        yield str(call.response_json()["detail"])
    except (ValueError, KeyError, TypeError):
        return
