"""Errors as a test should see them: raised at its own line, without the frames of this package."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from mockserver.errors import MockServerError

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
