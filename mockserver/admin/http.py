"""The control request that is being answered: its parts, its responses, its errors and its budget.

Nothing has been changed when a ControlError is raised.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from mockserver import problem
from mockserver.diagnostics import MockServerError
from mockserver.media.json import encode_json
from mockserver.media.size import exceeds
from mockserver.media.types import ContentType
from mockserver.namespaces.namespaces import DEFAULT
from mockserver.plan import JSON

if TYPE_CHECKING:
    import flask


class ControlError(MockServerError):
    """Becomes a problem+json answer of ``status``; ``pointer`` is into the request's body (RFC 6901)."""

    def __init__(
        self, status: int, detail: str, pointer: str | None = None, members: Mapping[str, JSON] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.members: dict[str, JSON] = {} if pointer is None else {"pointer": pointer}
        self.members |= members or {}


def requested_namespace() -> str:
    """The namespace that the request is about."""
    from flask import request

    return request.headers.get("X-Mock-Namespace", DEFAULT)


def decode_segment(text: str) -> str:
    """A path parameter as it was meant: paths come here as sent, so that a key may hold a slash."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ControlError(400, f"{text[:200]!r} is not percent-encoded UTF-8") from None


def json_response(value: JSON, status: int = 200) -> flask.Response:
    """An answer of JSON."""
    return _response(encode_json(value), status, "application/json")


def text(value: str, content_type: str) -> flask.Response:
    """An answer of text."""
    return _response(value.encode("utf-8", "replace"), 200, content_type)


def with_error_responses(endpoint: Callable[..., flask.Response]) -> Callable[..., flask.Response]:
    """An endpoint whose faults become problem+json."""

    @functools.wraps(endpoint)
    def response(**arguments: Any) -> flask.Response:
        try:
            return endpoint(**arguments)
        except ControlError as error:
            body = problem.details(error.status, error.detail, members=error.members)
            response = _response(encode_json(body), error.status, problem.CONTENT_TYPE)
            if error.status == 503:
                response.headers["Retry-After"] = "1"
            return response

    return response


def _response(body: bytes, status: int, content_type: str) -> flask.Response:
    from flask import Response

    return Response(body, status, content_type=content_type)


MAX_VALUES = 20_000
"""JSON values in the body of a control request, and in a text of it that holds JSON."""
_JSON = ContentType("application", "json")
MAX_SECONDS = 3.0
MAX_STEPS = 2_000_000


class Budget:
    """Time and steps for one control request. ``spend`` raises a 422 when either is used up."""

    __slots__ = ("_end", "_steps")

    def __init__(self) -> None:
        self._end = time.monotonic() + MAX_SECONDS
        self._steps = MAX_STEPS

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
                422, f"this takes longer than the {MAX_SECONDS:g} s that it may; narrow it", pointer
            )


def has_too_many_values(data: bytes) -> bool:
    """Whether a JSON text of a control request holds over ``MAX_VALUES`` values."""
    return exceeds(data, "json", _JSON, MAX_VALUES)
