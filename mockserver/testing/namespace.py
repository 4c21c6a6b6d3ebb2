"""One namespace of a server, as a test controls it: its resources, its calls and its clock.

``AsyncNamespace`` has the same verbs as coroutines: each waits on a thread, so that the event loop goes on.
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
from mockserver.inputs import written
from mockserver.testing.calls import Call, Calls, Fields, describe_mismatch, request_pattern
from mockserver.testing.control import Control, Members, raises_at_caller

if TYPE_CHECKING:
    import httpx


Moment = str | datetime
"""ISO 8601, or a datetime; one without a zone is UTC."""


class Clock:
    """Holds, timestamps, certificates and delays of the namespace follow it.

    Each verb returns the time that is shown then.
    """

    def __init__(self, get_control: Callable[[], Control], namespace: str) -> None:
        self._get_control = get_control
        self._namespace = namespace

    @property
    @raises_at_caller
    def now(self) -> datetime:
        return self._call_clock("get")

    @property
    @raises_at_caller
    def frozen(self) -> bool:
        return bool(self._get_control().clock(self._namespace, "get", {})["frozen"])

    @raises_at_caller
    def freeze(self, at: Moment | None = None) -> datetime:
        """Stand still, at ``at`` or at this moment."""
        return self._call_clock("freeze", {} if at is None else {"at": _iso(at)})

    @raises_at_caller
    def set(self, at: Moment) -> datetime:
        """Show ``at`` from now on, running or standing as before."""
        return self._call_clock("set", {"at": _iso(at)})

    @raises_at_caller
    def advance(self, by: str | timedelta) -> datetime:
        """Move on by ``200ms``, ``30s``, ``5m``, ``1h``, ``2d`` or a timedelta. What waits for it goes on."""
        if isinstance(by, timedelta):
            by = written(round(by / timedelta(milliseconds=1)))
        return self._call_clock("advance", {"by": by})

    @raises_at_caller
    def resume(self) -> datetime:
        """Run on from the time shown."""
        return self._call_clock("resume")

    @raises_at_caller
    def reset(self) -> datetime:
        """Back to the machine's time, running."""
        return self._call_clock("reset")

    def _call_clock(self, verb: str, body: Members | None = None) -> datetime:
        found = self._get_control().clock(self._namespace, verb, body or {})
        return datetime.fromtimestamp(found["milliseconds"] / 1000, UTC)


def _iso(moment: Moment) -> str:
    return moment.isoformat() if isinstance(moment, datetime) else moment


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of one namespace, at the moment it was read."""

    name: str
    key: str
    scenario: str
    state: str
    calls: int
    """Calls answered in this state."""
    since: datetime
    """When it entered this state."""
    created: datetime
    changed: datetime
    next: Mapping[str, Any] | None
    """What comes next: ``state``, and ``afterCalls``, ``at``, ``in`` or ``onOperation``; None for nothing."""

    @classmethod
    def of(cls, found: Members) -> Resource:
        """From a ``Resource`` of the control plane."""
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
    """What a test sets up, and what it finds afterwards.

    Every method raises ``ControlError`` for what the server cannot do, with a
    sentence that says what there is instead.
    """

    def __init__(self, name: str, get_control: Callable[[], Control]) -> None:
        """``get_control`` gives the control of a server that runs."""
        self.name = name
        self._get_control = get_control
        self._is_open = name == DEFAULT
        self.clock = Clock(get_control, name)

    @property
    @raises_at_caller
    def url(self) -> str:
        """Where this namespace answers: a client needs nothing else to be in it. No slash at the end."""
        base = self._open_control().url
        return base if self.name == DEFAULT else f"{base}/__ns/{self.name}"

    @property
    def aio(self) -> AsyncNamespace:
        """The verbs as coroutines: ``await server.aio.scenario("failed")``."""

        return AsyncNamespace(self)

    @property
    @raises_at_caller
    def headers(self) -> dict[str, str]:
        """For a client that goes by the server's own URL: they put its requests into this namespace."""
        self._open_control()
        return {"X-Mock-Namespace": self.name}

    @raises_at_caller
    def client(self, **settings: Any) -> httpx.Client:
        """An ``httpx.Client`` of this namespace; ``settings`` are its own."""
        import httpx

        return httpx.Client(**{"base_url": self.url, **settings})

    @raises_at_caller
    def scenario(self, name: str, *, key: str | None = None, resource: str | None = None) -> None:
        """Let the resource of a key begin a scenario; without a key, every one that is first seen later."""
        control, kind = self._get_control(), self._resource_name(resource)
        if key is None:
            control.assign_new(self.name, kind, name)
        else:
            control.assign(self.name, kind, key, name, None)

    @raises_at_caller
    def state(
        self, name: str, *, key: str, scenario: str | None = None, resource: str | None = None
    ) -> Resource:
        """Put the resource of a key in a state. It need not have been seen.

        Without a scenario, the state is sought on the one that the resource is
        on; where it is not there, the resource stays in it for ever.
        """
        return Resource.of(
            self._get_control().assign(self.name, self._resource_name(resource), key, scenario, name)
        )

    @raises_at_caller
    def resource(self, key: str, *, resource: str | None = None) -> Resource:
        """Where the resource of a key stands, and what comes next."""
        return Resource.of(self._get_control().read_resource(self.name, self._resource_name(resource), key))

    @property
    @raises_at_caller
    def calls(self) -> Calls:
        """The calls of this namespace as they are now, oldest first."""
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
        """How many calls match; at least one must, where nothing is said.

        With ``in_order``, calls that match one after the other must have come
        in this order; others may stand between. Raises AssertionError, with
        the calls that came closest and the states they were answered in.
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
        """Make it as it was at first: no resources, no calls, no assignments, the first time."""
        self._get_control().reset(self.name)

    @raises_at_caller
    def drop(self) -> None:
        """Let it go with all that is in it, if it was used at all. It is made anew when it is used again."""
        self._is_open = self.name == DEFAULT
        try:
            self._get_control().drop(self.name)
        except ControlError as error:
            if error.status != 404:
                raise

    def _open_control(self) -> Control:
        """The control of the server, which has the namespace from now on.

        Calls that no operation answers make none, and a test wants to be told of them.
        """
        control = self._get_control()
        if not self._is_open:
            control.clock(self.name, "get", {})
            self._is_open = True
        return control

    def _resource_name(self, resource: str | None) -> str:
        """The name of the resource that is meant where none is given: there must be one only."""
        if resource is not None:
            return resource
        known = self._get_control().resources()
        if len(known) != 1:
            there_is = ", ".join(known) or "none: no scenario file is served"
            raise UsageError(f"say which resource is meant, as resource=NAME; there is {there_is}.")
        return known[0]


P = ParamSpec("P")
Result = TypeVar("Result")
Subject = TypeVar("Subject")


class _ThreadProxy(Generic[Subject]):
    """Stands for ``subject``, whose methods it calls on another thread."""

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
        """The time shown."""
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
        return AsyncClock(self._subject.clock)

    async def calls(self) -> Calls:
        """The calls as they are now, oldest first."""
        return await asyncio.to_thread(lambda: self._subject.calls)


_LISTED = 50


def describe_calls(namespace: Namespace) -> str:
    """The calls of a namespace, oldest first. Never raises for a server that is gone."""
    try:
        calls = namespace.calls
    except MockServerError as error:
        return f"its calls cannot be told: {error}"
    if not calls:
        return f"nothing was called. Does the client go by {namespace.url}, or send {namespace.headers}?"
    lines = [f"{len(calls) - _LISTED} earlier calls"] if len(calls) > _LISTED else []
    for call in calls[-_LISTED:]:
        lines += [str(call), *(f"    {problem}" for problem in _problems(call))]
    return "\n".join(lines)


def _problems(call: Call) -> Iterator[str]:
    """In which ways the request breaks the document; the nearest paths, where it has none like it."""
    yield from call.problems
    if call.problems or call.response_headers.get("content-type") != "application/problem+json":
        return
    try:
        yield str(call.response_json()["detail"])
    except (ValueError, KeyError, TypeError):
        return
