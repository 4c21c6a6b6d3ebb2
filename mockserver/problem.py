"""The mock server's own error responses: Problem Details for HTTP APIs (RFC 9457).

They are for requests without an operation, and for errors that the document has no response for.
``title`` is the phrase of the status. ``detail`` says what is wrong and what exists instead.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus

from mockserver.diagnostics import MockServerError, Violation
from mockserver.diagnostics import shortened as _shortened
from mockserver.media.json import encode_json
from mockserver.messages import Request, Response
from mockserver.plan import JSON

_LOG = logging.getLogger("mockserver.problem")
CONTENT_TYPE = "application/problem+json"

MAX_VALUE = 200
"""Characters of an invalid value that are quoted."""
MAX_SENTENCE = 2000
MAX_VIOLATIONS = 50
"""Violations that a response lists one by one."""
MAX_MESSAGE = 500
_MAX_NEARBY = 10

# RFC 9110 renamed these two; Python follows from 3.13 on.
_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}
_LOCATIONS = {
    "path": "path parameter",
    "query": "query parameter",
    "header": "header",
    "cookie": "cookie",
    "body": "body",
    "security": "credentials",
    "request": "request",
}


def problem(
    status: int,
    detail: str,
    *,
    instance: str = "",
    decision: str = "",
    headers: Iterable[tuple[str, str]] = (),
    members: Mapping[str, JSON] | None = None,
) -> Response:
    """Return an ``application/problem+json`` response; ``members`` are its extension members."""
    body = details(status, detail, instance=instance, members=members)
    return response(body, decision or f"problem; status={status}", headers)


def response(body: dict[str, JSON], decision: str, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """Return the response with the problem details ``body``."""
    return Response(body["status"], [("content-type", CONTENT_TYPE), *headers], encode_json(body), decision)


def details(
    status: int, detail: str, *, instance: str = "", members: Mapping[str, JSON] | None = None
) -> dict[str, JSON]:
    """Return a problem details object, its members in the order of RFC 9457, section 3.1."""
    body: dict[str, JSON] = {"type": "about:blank", "title": phrase(status), "status": status}
    body["detail"] = shortened(detail, MAX_SENTENCE)
    if instance:
        body["instance"] = shortened(instance, MAX_SENTENCE)
    return {**body, **(members or {})}


def unknown_path(method: str, path: str, nearby: Sequence[tuple[str, str]] = ()) -> Response:
    """Return a 404: no path template matches. ``nearby``: (method, path template), nearest first."""
    shown = nearby[:_MAX_NEARBY]
    hint = "; nearest: " + ", ".join(f"{verb} {template}" for verb, template in shown) if shown else ""
    return problem(
        404,
        f"the document has no path for {method} {shortened(path)}{hint}",
        instance=path,
        decision="unknown path",
        members={"nearby": [{"method": verb, "path": template} for verb, template in shown]},
    )


def undecodable(method: str, path: str) -> Response:
    """Return a 400: the path is not percent-encoded UTF-8, or contains NUL."""
    return problem(
        400,
        f"the path of {method} {shortened(path)} is not percent-encoded UTF-8, or contains NUL",
        instance=path,
        decision="undecodable path",
    )


def unknown_method(method: str, path: str, allowed: Sequence[str]) -> Response:
    """Return a 405 with ``Allow`` (RFC 9110, section 15.5.6): the document has the path, not the method."""
    listed = ", ".join(allowed)
    return problem(
        405,
        f"the document has no {method} for {shortened(path)}; there is {listed or 'no method at all'}",
        instance=path,
        decision="unknown method",
        headers=[("allow", listed)],
        members={"allowed": list(allowed)},
    )


def not_acceptable(accept: str, available: Sequence[str], *, instance: str = "") -> Response:
    """Return a 406 (RFC 9110, section 15.5.7). ``available``: the documented media types."""
    return problem(
        406,
        unacceptable(accept, available),
        instance=instance,
        decision="not acceptable",
        members={"available": list(available)},
    )


def unacceptable(accept: str, available: Sequence[str]) -> str:
    """Return the sentence of a 406."""
    there_is = ", ".join(available)
    return f"Accept: {shortened(accept)} takes none of the documented media types; there is {there_is}"


def undocumented(what: str, available: Sequence[str], *, instance: str = "") -> Response:
    """Return a 400: ``Prefer`` asks for ``what``, which the operation does not document."""
    return problem(
        400,
        f"Prefer asks for {shortened(what)}, which is not documented; "
        f"there is {', '.join(available) or 'none'}",
        instance=instance,
        decision="undocumented preference",
        members={"available": list(available)},
    )


def internal(detail: str, *, instance: str = "") -> Response:
    """Return a 500: the mock server itself failed. ``detail`` says how."""
    return problem(500, detail, instance=instance, decision="internal error")


def failed(request: Request, error: Exception) -> Response:
    """Log an error that a request caused, and return a 500. An unexpected error is logged with traceback."""
    target = f"{request.method} {request.raw_path}"
    if isinstance(error, MockServerError):
        _LOG.error("%s: %s", target, error)
        return internal(str(error))
    _LOG.error("%s", target, exc_info=error)
    return internal("the mock server has an internal error; its log has the traceback")


def unavailable(detail: str, *, retry_after: int = 1, instance: str = "") -> Response:
    """Return a 503 with ``Retry-After`` in seconds (RFC 9110, section 10.2.3)."""
    return problem(
        503,
        detail,
        instance=instance,
        decision="unavailable",
        headers=[("retry-after", str(retry_after))],
    )


def phrase(status: int) -> str:
    """Return the reason phrase of a status (RFC 9110), or a word for its class."""
    try:
        return _PHRASES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return "Error" if status >= 400 else "Status"


def sentence(violations: Sequence[Violation]) -> str:
    """Return all violations as one text, each with its location."""
    texts = [
        f"{place(violation)}: {shortened(violation.message, MAX_MESSAGE)}"
        for violation in violations[:MAX_VIOLATIONS]
    ]
    if (more := len(violations) - len(texts)) > 0:
        texts.append(f"and {more} more")
    return shortened("; ".join(texts), MAX_SENTENCE)


def place(violation: Violation) -> str:
    """Return the location of a violation in words: ``path parameter requestId``, ``body /pets/0``."""
    words = (_LOCATIONS.get(violation.location, violation.location), violation.name, violation.pointer)
    return " ".join(shortened(word) for word in words if word)


def listed(violations: Sequence[Violation]) -> list[dict[str, JSON]]:
    """Return the ``violations`` member of a problem: with shortened values, without credentials."""
    return [
        {
            "in": violation.location,
            "name": shortened(violation.name),
            "pointer": shortened(violation.pointer),
            "keyword": violation.keyword,
            "message": shortened(violation.message, MAX_MESSAGE),
            "value": None if violation.location == "security" else quoted(violation.value),
        }
        for violation in violations[:MAX_VIOLATIONS]
    ]


def shortened(text: str, limit: int = MAX_VALUE) -> str:
    """Return at most ``limit`` characters of ``text``, with a ``?`` for what UTF-8 cannot encode."""
    return _shortened(text, limit).encode("utf-8", "replace").decode()


def quoted(value: object, limit: int = MAX_VALUE) -> JSON:
    """Return ``value`` if it is small, else the first characters of its text: at most ``limit``."""
    match value:
        case None | bool() | float():
            return value
        case str():
            return shortened(value, limit)
        case int():
            # Python raises ValueError when it formats an integer of more than 4,300 digits
            return value if value.bit_length() < 4 * limit else f"an integer of {value.bit_length()} bits"
        case bytes() | bytearray():
            return f"{len(value)} bytes"
    text = _json_prefix(value, limit)
    return json.loads(text) if len(text) <= limit else shortened(text, limit)


def _json_prefix(value: object, limit: int) -> str:
    """Return the first characters of the JSON text of ``value``: at most ``limit`` + 1."""
    text = ""
    # What looks for circles would hold the value, which can be a whole body, until the garbage collector runs
    encoder = json.JSONEncoder(ensure_ascii=False, check_circular=False, default=str, separators=(",", ":"))
    for chunk in encoder.iterencode(value):
        text += chunk[: limit + 1]
        if len(text) > limit:
            break
    return shortened(text, limit + 1)
