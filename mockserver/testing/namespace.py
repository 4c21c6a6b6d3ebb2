"""One namespace of a server, in a test's hands: a world of its own state, calls and clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from mockserver.admin.faults import ControlError
from mockserver.errors import UsageError
from mockserver.testing.calls import Call, Calls
from mockserver.testing.clock import Clock
from mockserver.testing.control import Control, Members
from mockserver.testing.expectation import Fields, called, mismatch
from mockserver.testing.resource import Resource
from mockserver.testing.tracebacks import raises_at_caller

if TYPE_CHECKING:
    import httpx

    from mockserver.testing.aio import AsyncNamespace

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
        from mockserver.testing.aio import AsyncNamespace

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
