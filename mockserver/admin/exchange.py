"""The control request that is being answered, and how answers to it are written."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import flask

from mockserver.admin.faults import ControlError
from mockserver.media.json import encode_json
from mockserver.plan import JSON
from mockserver.serve import problem
from mockserver.serve.world import DEFAULT


def namespace() -> str:
    """The namespace that the request is about."""
    return flask.request.headers.get("X-Mock-Namespace", DEFAULT)


def segment(text: str) -> str:
    """A path parameter as it was meant: paths come here as sent, so that a key may hold a slash."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ControlError(400, f"{text[:200]!r} is not percent-encoded UTF-8") from None


def said(value: JSON, status: int = 200) -> flask.Response:
    """An answer of JSON."""
    return flask.Response(encode_json(value), status, content_type="application/json")


def text(value: str, content_type: str) -> flask.Response:
    """An answer of text."""
    return flask.Response(value.encode("utf-8", "replace"), 200, content_type=content_type)


def answering(endpoint: Callable[..., flask.Response]) -> Callable[..., flask.Response]:
    """An endpoint whose faults become problem+json."""

    @functools.wraps(endpoint)
    def answer(**arguments: Any) -> flask.Response:
        try:
            return endpoint(**arguments)
        except ControlError as error:
            body = problem.details(error.status, error.detail, members=error.members)
            return flask.Response(encode_json(body), error.status, content_type=problem.CONTENT_TYPE)

    return answer
