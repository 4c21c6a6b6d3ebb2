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

from mockserver.admin.exchange import ControlError
from mockserver.diagnostics import MockServerError, UsageError
from mockserver.inputs import format_duration
from mockserver.testing.calls import Call, Calls, Fields, called, mismatch
from mockserver.testing.control import Control, Members, raises_at_caller

if TYPE_CHECKING:
    import httpx


Moment = str | datetime
"""ISO 8601, or a datetime; one without a zone is UTC."""


class Clock:
    """Holds, timestamps, certificates and delays of the namespace follow it.

    Each verb returns the time that is shown then.
    """

    def __init__(self, reach: Callable[[], Control], namespace: str) -> None:
        self._reach = reach
        self._namespace = namespace

    @property
    @raises_at_caller
    def now(self) -> datetime:
        return self._turn("get")

    @property
    @raises_at_caller
    def frozen(self) -> bool:
        return bool(self._reach().clock(self._namespace, "get", {})["frozen"])

    @raises_at_caller
    def freeze(self, at: Moment | None = None) -> datetime:
        """Stand still, at ``at`` or at this moment."""
        return self._turn("freeze", {} if at is None else {"at": _iso(at)})

    @raises_at_caller
    def set(self, at: Moment) -> datetime:
        """Show ``at`` from now on, running or standing as before."""
        return self._turn("set", {"at": _iso(at)})

    @raises_at_caller
    def advance(self, by: str | timedelta) -> datetime:
        """Move on by ``200ms``, ``30s``, ``5m``, ``1h``, ``2d`` or a timedelta. What waits for it goes on."""
        if isinstance(by, timedelta):
            by = format_duration(round(by / timedelta(milliseconds=1)))
        return self._turn("advance", {"by": by})

    @raises_at_caller
    def resume(self) -> datetime:
        """Run on from the time shown."""
        return self._turn("resume")

    @raises_at_caller
    def reset(self) -> datetime:
        """Back to the machine's time, running."""
        return self._turn("reset")

    def _turn(self, verb: str, body: Members | None = None) -> datetime:
        found = self._reach().clock(self._namespace, verb, body or {})
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

    def __init__(self, name: str, reach: Callable[[], Control]) -> None:
        """``reach`` gives the control of a server that runs."""
        self.name = name
        self._reach = reach
        self._is_open = name == DEFAULT
        self.clock = Clock(reach, name)

    @property
    @raises_at_caller
    def url(self) -> str:
        """Where this namespace answers: a client needs nothing else to be in it. No slash at the end."""
        base = self._opened().url
        return base if self.name == DEFAULT else f"{base}/__ns/{self.name}"

    @property
    def aio(self) -> AsyncNamespace:
        """The verbs as coroutines: ``await server.aio.scenario("failed")``."""

        return AsyncNamespace(self)

    @property
    @raises_at_caller
    def headers(self) -> dict[str, str]:
        """For a client that goes by the server's own URL: they put its requests into this namespace."""
        self._opened()
        return {"X-Mock-Namespace": self.name}

    @raises_at_caller
    def client(self, **settings: Any) -> httpx.Client:
        """An ``httpx.Client`` of this namespace; ``settings`` are its own."""
        import httpx

        return httpx.Client(**{"base_url": self.url, **settings})

    @raises_at_caller
    def scenario(self, name: str, *, key: str | None = None, resource: str | None = None) -> None:
        """Let the resource of a key begin a scenario; without a key, every one that is first seen later."""
        control, kind = self._reach(), self._kind(resource)
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
        return Resource.of(self._reach().assign(self.name, self._kind(resource), key, scenario, name))

    @raises_at_caller
    def resource(self, key: str, *, resource: str | None = None) -> Resource:
        """Where the resource of a key stands, and what comes next."""
        return Resource.of(self._reach().standing(self.name, self._kind(resource), key))

    @property
    @raises_at_caller
    def calls(self) -> Calls:
        """The calls of this namespace as they are now, oldest first."""
        return Calls([Call.of(each) for each in self._reach().calls(self.name)])

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
            verification["inOrder"] = [called(each) for each in in_order]
        if fields or not in_order:
            verification["request"] = called(fields)
        verdict = self._reach().verify(self.name, verification)
        if not verdict["verified"]:
            raise AssertionError(mismatch(verification, verdict, self.calls))
        return int(verdict["count"])

    @raises_at_caller
    def reset(self) -> None:
        """Make it as it was at first: no resources, no calls, no assignments, the first time."""
        self._reach().reset(self.name)

    @raises_at_caller
    def drop(self) -> None:
        """Let it go with all that is in it, if it was used at all. It is made anew when it is used again."""
        self._is_open = self.name == DEFAULT
        try:
            self._reach().drop(self.name)
        except ControlError as error:
            if error.status != 404:
                raise

    def _opened(self) -> Control:
        """The control of the server, which has the namespace from now on.

        Calls that no operation answers make none, and a test wants to be told of them.
        """
        control = self._reach()
        if not self._is_open:
            control.clock(self.name, "get", {})
            self._is_open = True
        return control

    def _kind(self, resource: str | None) -> str:
        """The name of the resource that is meant where none is given: there must be one only."""
        if resource is not None:
            return resource
        known = self._reach().resources()
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


def _apart(
    method: Callable[Concatenate[Subject, P], Result],
) -> Callable[Concatenate[_ThreadProxy[Subject], P], Coroutine[Any, Any, Result]]:
    @wraps(method)
    async def call(self: _ThreadProxy[Subject], /, *given: P.args, **named: P.kwargs) -> Result:
        __tracebackhide__ = True
        return await asyncio.to_thread(method, self._subject, *given, **named)

    return call


class AsyncClock(_ThreadProxy[Clock]):
    """``Clock`` for coroutines."""

    freeze = _apart(Clock.freeze)
    set = _apart(Clock.set)
    advance = _apart(Clock.advance)
    resume = _apart(Clock.resume)
    reset = _apart(Clock.reset)

    async def now(self) -> datetime:
        """The time shown."""
        return await asyncio.to_thread(lambda: self._subject.now)


class AsyncNamespace(_ThreadProxy[Namespace]):
    """``Namespace`` for coroutines."""

    scenario = _apart(Namespace.scenario)
    state = _apart(Namespace.state)
    resource = _apart(Namespace.resource)
    verify = _apart(Namespace.verify)
    reset = _apart(Namespace.reset)
    drop = _apart(Namespace.drop)

    @property
    def clock(self) -> AsyncClock:
        return AsyncClock(self._subject.clock)

    async def calls(self) -> Calls:
        """The calls as they are now, oldest first."""
        return await asyncio.to_thread(lambda: self._subject.calls)


_LISTED = 50


def told(namespace: Namespace) -> str:
    """The calls of a namespace, oldest first. Never raises for a server that is gone."""
    try:
        calls = namespace.calls
    except MockServerError as error:
        return f"its calls cannot be told: {error}"
    if not calls:
        return f"nothing was called. Does the client go by {namespace.url}, or send {namespace.headers}?"
    lines = [f"{len(calls) - _LISTED} earlier calls"] if len(calls) > _LISTED else []
    for call in calls[-_LISTED:]:
        lines += [str(call), *(f"    {each}" for each in _wrong(call))]
    return "\n".join(lines)


def _wrong(call: Call) -> Iterator[str]:
    """In which ways the request breaks the document; the nearest paths, where it has none like it."""
    yield from call.problems
    if call.problems or call.response_headers.get("content-type") != "application/problem+json":
        return
    try:
        yield str(call.response_json()["detail"])
    except (ValueError, KeyError, TypeError):
        return
