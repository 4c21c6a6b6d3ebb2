"""What a test can do to a running server: one protocol, for a server in this process and for one elsewhere.

Errors are raised at the test's own line, without the frames of this package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from mockserver.diagnostics import MockServerError

Members = dict[str, Any]
"""A JSON object in the shape that ``openapi/admin.yaml`` gives it."""


class Control(Protocol):
    """The control plane's verbs, each about one namespace.

    All of them raise ``ControlError`` for what cannot
    be done, and then nothing was changed.
    """

    @property
    def url(self) -> str:
        """Where the server answers, without a slash at the end."""

    def resources(self) -> Sequence[str]:
        """The names of the resources that scenario files describe."""

    def assign(
        self, namespace: str, resource: str, key: str, scenario: str | None, state: str | None
    ) -> Members:
        """Put a resource on a scenario, in a state, or both. Returns a ``Resource``."""

    def assign_new(self, namespace: str, resource: str, scenario: str) -> None:
        """Let every key that is first seen from now on begin a scenario."""

    def read_resource(self, namespace: str, resource: str, key: str) -> Members:
        """A ``Resource``: where it stands, and what comes next."""

    def clock(self, namespace: str, verb: str, body: Members) -> Members:
        """``verb`` is get, freeze, set, advance, resume or reset. Returns a ``Clock``."""

    def calls(self, namespace: str) -> list[Members]:
        """The calls as ``ServeEvent``s, oldest first."""

    def verify(self, namespace: str, verification: Members) -> Members:
        """Judge a ``Verification``: ``verified``, ``count``, ``detail``; ``nearMisses`` where it fails."""

    def reset(self, namespace: str) -> None:
        """Make the namespace as it was at first."""

    def drop(self, namespace: str) -> None:
        """Let the namespace go, with all that is in it."""


P = ParamSpec("P")
Result = TypeVar("Result")


def raises_at_caller(function: Callable[P, Result]) -> Callable[P, Result]:
    """Let what ``function`` raises on purpose begin at the line that called it."""

    @wraps(function)
    def call(*given: P.args, **named: P.kwargs) -> Result:
        __tracebackhide__ = True
        try:
            return function(*given, **named)
        except MockServerError as error:
            raise error.with_traceback(None) from None

    return call
