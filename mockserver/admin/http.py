"""Control requests: their namespace, their responses, errors and limits.

A request that raises ControlError has changed nothing.
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
    """An error that becomes a problem+json response (RFC 9457) with ``status``.

    ``pointer`` is a JSON pointer into the body of the request (RFC 6901). ``members`` are more members
    of the response.
    """

    def __init__(
        self, status: int, detail: str, pointer: str | None = None, members: Mapping[str, JSON] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.members: dict[str, JSON] = {} if pointer is None else {"pointer": pointer}
        self.members |= members or {}


def requested_namespace() -> str:
    """Return the name of the namespace of the current request."""
    from flask import request

    return request.headers.get("X-Mock-Namespace", DEFAULT)


def decode_segment(text: str) -> str:
    """Return a decoded path parameter. Raise ControlError 400 for invalid UTF-8.

    The application gets paths as sent, so that a key can have a slash.
    """
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ControlError(400, f"{text[:200]!r} is not percent-encoded UTF-8") from None


def json_response(value: JSON, status: int = 200) -> flask.Response:
    """Return a JSON response."""
    return _response(encode_json(value), status, "application/json")


def text(value: str, content_type: str) -> flask.Response:
    """Return a text response."""
    return _response(value.encode("utf-8", "replace"), 200, content_type)


def with_error_responses(endpoint: Callable[..., flask.Response]) -> Callable[..., flask.Response]:
    """Wrap an endpoint: its ControlError becomes a problem+json response."""

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
"""Maximum number of JSON values in the body of a control request, and in a string of it that is JSON."""
_JSON = ContentType("application", "json")
MAX_SECONDS = 3.0
MAX_STEPS = 2_000_000


class Budget:
    """The time and steps that one control request can use. Without any left, it raises ControlError 422."""

    __slots__ = ("_end", "_steps")

    def __init__(self) -> None:
        self._end = time.monotonic() + MAX_SECONDS
        self._steps = MAX_STEPS

    def spend(self, pointer: str, steps: int = 1) -> None:
        """Use ``steps`` for the part of the body at ``pointer``."""
        self._steps -= steps
        if self._steps < 0:
            raise ControlError(
                422, "this takes too many steps for the recorded calls. Use a narrower pattern.", pointer
            )
        if self._steps & 0xFF == 0 or steps > 1:
            self.check(pointer)

    def check(self, pointer: str) -> None:
        """Raise ControlError 422 if the time is used up."""
        if time.monotonic() > self._end:
            raise ControlError(
                422, f"this takes longer than {MAX_SECONDS:g} s. Use a narrower pattern.", pointer
            )


def has_too_many_values(data: bytes) -> bool:
    """Return whether a JSON text has more than ``MAX_VALUES`` values."""
    return exceeds(data, "json", _JSON, MAX_VALUES)
