"""The protocol of actions on a running server, in this process or another one.

Errors have the traceback of the test, without the frames of this package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from mockserver.diagnostics import MockServerError

Members = dict[str, Any]
"""A JSON object in the shape that ``openapi/admin.yaml`` gives it."""


class Control(Protocol):
    """The actions of the control plane on one namespace.

    Methods raise ``ControlError`` if an action is not possible. Then nothing has changed.
    """

    @property
    def url(self) -> str:
        """The URL of the server, without a slash at the end."""

    def resources(self) -> Sequence[str]:
        """Return the names of the resource kinds of all scenario files."""

    def assign(
        self, namespace: str, resource: str, key: str, scenario: str | None, state: str | None
    ) -> Members:
        """Set the scenario, the state or both of a resource. Return a ``Resource``."""

    def assign_new(self, namespace: str, resource: str, scenario: str) -> None:
        """Set the scenario of all new keys."""

    def read_resource(self, namespace: str, resource: str, key: str) -> Members:
        """Return a ``Resource`` with its state and the next one."""

    def clock(self, namespace: str, verb: str, body: Members) -> Members:
        """Return a ``Clock`` after ``verb``: get, freeze, set, advance, resume or reset."""

    def calls(self, namespace: str) -> list[Members]:
        """Return the calls as ``ServeEvent``s, oldest first."""

    def verify(self, namespace: str, verification: Members) -> Members:
        """Evaluate a ``Verification``. Return ``verified``, ``count``, ``detail`` and ``nearMisses``."""

    def reset(self, namespace: str) -> None:
        """Delete the resources, calls and assignments of the namespace, and reset its clock."""

    def drop(self, namespace: str) -> None:
        """Delete the namespace."""


P = ParamSpec("P")
Result = TypeVar("Result")


def raises_at_caller(function: Callable[P, Result]) -> Callable[P, Result]:
    """Let the traceback of a MockServerError start at the call of ``function``."""

    @wraps(function)
    def call(*given: P.args, **named: P.kwargs) -> Result:
        __tracebackhide__ = True
        try:
            return function(*given, **named)
        except MockServerError as error:
            raise error.with_traceback(None) from None

    return call
