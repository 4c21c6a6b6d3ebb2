"""The control request that is being answered, and how answers to it are written.

Flask is imported when the first of them comes: what is behind the endpoints is
also used without HTTP, by tests that run the server in their own process.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from mockserver.admin.faults import ControlError
from mockserver.media.json import encode_json
from mockserver.plan import JSON
from mockserver.serve import problem
from mockserver.serve.world import DEFAULT

if TYPE_CHECKING:
    import flask


def namespace() -> str:
    """The namespace that the request is about."""
    from flask import request

    return request.headers.get("X-Mock-Namespace", DEFAULT)


def segment(text: str) -> str:
    """A path parameter as it was meant: paths come here as sent, so that a key may hold a slash."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ControlError(400, f"{text[:200]!r} is not percent-encoded UTF-8") from None


def said(value: JSON, status: int = 200) -> flask.Response:
    """An answer of JSON."""
    return _response(encode_json(value), status, "application/json")


def text(value: str, content_type: str) -> flask.Response:
    """An answer of text."""
    return _response(value.encode("utf-8", "replace"), 200, content_type)


def answering(endpoint: Callable[..., flask.Response]) -> Callable[..., flask.Response]:
    """An endpoint whose faults become problem+json."""

    @functools.wraps(endpoint)
    def answer(**arguments: Any) -> flask.Response:
        try:
            return endpoint(**arguments)
        except ControlError as error:
            body = problem.details(error.status, error.detail, members=error.members)
            answer = _response(encode_json(body), error.status, problem.CONTENT_TYPE)
            if error.status == 503:
                answer.headers["Retry-After"] = "1"
            return answer

    return answer


def _response(body: bytes, status: int, content_type: str) -> flask.Response:
    from flask import Response

    return Response(body, status, content_type=content_type)
