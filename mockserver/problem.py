"""Answers in the mock's own words: Problem Details for HTTP APIs (RFC 9457).

For what no operation answers, and for refusals that the document has no
response for. ``title`` is the status's phrase, ``detail`` a sentence that says
what was wrong and what there is instead.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus

from mockserver.diagnostics import MockServerError, Violation
from mockserver.media.json import encode_json
from mockserver.messages import Request, Response
from mockserver.plan import JSON

_LOG = logging.getLogger("mockserver.problem")
CONTENT_TYPE = "application/problem+json"

MAX_VALUE = 200
"""Characters of an offending value that are quoted."""
MAX_SENTENCE = 2000
MAX_VIOLATIONS = 50
"""Violations that an answer lists one by one."""
MAX_MESSAGE = 500
_MAX_NEARBY = 10

# RFC 9110 renamed these two; Python follows from 3.13 on.
_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}
_PLACES = {
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
    """An ``application/problem+json`` answer; ``members`` are its extension members."""
    body = details(status, detail, instance=instance, members=members)
    return response(body, decision or f"problem; status={status}", headers)


def response(body: dict[str, JSON], decision: str, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """An answer of the problem details ``body``."""
    return Response(body["status"], [("content-type", CONTENT_TYPE), *headers], encode_json(body), decision)


def details(
    status: int, detail: str, *, instance: str = "", members: Mapping[str, JSON] | None = None
) -> dict[str, JSON]:
    """The members of a problem details object, in the order of RFC 9457, section 3.1."""
    body: dict[str, JSON] = {"type": "about:blank", "title": phrase(status), "status": status}
    body["detail"] = shortened(detail, MAX_SENTENCE)
    if instance:
        body["instance"] = shortened(instance, MAX_SENTENCE)
    return {**body, **(members or {})}


def unknown_path(method: str, path: str, nearby: Sequence[tuple[str, str]] = ()) -> Response:
    """404: no path template matches. ``nearby`` are (method, path template), nearest first."""
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
    """400: the path holds what is no text, or NUL, which no path may lead through."""
    return problem(
        400,
        f"the path of {method} {shortened(path)} is not percent-encoded UTF-8 without NUL",
        instance=path,
        decision="undecodable path",
    )


def unknown_method(method: str, path: str, allowed: Sequence[str]) -> Response:
    """405 with ``Allow`` (RFC 9110, section 15.5.6): the path is documented, the method is not."""
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
    """406 (RFC 9110, section 15.5.7): ``available`` are the media types that there are."""
    return problem(
        406,
        unacceptable(accept, available),
        instance=instance,
        decision="not acceptable",
        members={"available": list(available)},
    )


def unacceptable(accept: str, available: Sequence[str]) -> str:
    """The sentence of a 406."""
    there_is = ", ".join(available)
    return f"Accept: {shortened(accept)} takes none of the documented media types; there is {there_is}"


def undocumented(what: str, available: Sequence[str], *, instance: str = "") -> Response:
    """400: ``Prefer`` asks for ``what``, which the operation does not document."""
    return problem(
        400,
        f"Prefer asks for {shortened(what)}, which is not documented; "
        f"there is {', '.join(available) or 'none'}",
        instance=instance,
        decision="undocumented preference",
        members={"available": list(available)},
    )


def internal(detail: str, *, instance: str = "") -> Response:
    """500: the mock itself failed; ``detail`` says how."""
    return problem(500, detail, instance=instance, decision="internal error")


def failed(request: Request, error: Exception) -> Response:
    """500 for what a request came to. The log has it, too, with the traceback if it is a fault of ours."""
    place = f"{request.method} {request.raw_path}"
    if isinstance(error, MockServerError):
        _LOG.error("%s: %s", place, error)
        return internal(str(error))
    _LOG.error("%s", place, exc_info=error)
    return internal("the mock server met a fault of its own; its log has the traceback")


def unavailable(detail: str, *, retry_after: int = 1, instance: str = "") -> Response:
    """503 with ``Retry-After`` in seconds (RFC 9110, section 10.2.3)."""
    return problem(
        503,
        detail,
        instance=instance,
        decision="unavailable",
        headers=[("retry-after", str(retry_after))],
    )


def phrase(status: int) -> str:
    """The reason phrase of RFC 9110 for a status, or a word for its class."""
    try:
        return _PHRASES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return "Error" if status >= 400 else "Status"


def sentence(violations: Sequence[Violation]) -> str:
    """All violations in one text, each with its place."""
    told = [f"{place(each)}: {shortened(each.message, MAX_MESSAGE)}" for each in violations[:MAX_VIOLATIONS]]
    if (more := len(violations) - len(told)) > 0:
        told.append(f"and {more} more")
    return shortened("; ".join(told), MAX_SENTENCE)


def place(violation: Violation) -> str:
    """Where a violation is, in words: ``path parameter requestId``, ``body /pets/0``."""
    words = (_PLACES.get(violation.location, violation.location), violation.name, violation.pointer)
    return " ".join(shortened(word) for word in words if word)


def listed(violations: Sequence[Violation]) -> list[dict[str, JSON]]:
    """Violations as the ``violations`` member of a problem: values cut to a bounded size, no credentials."""
    return [
        {
            "in": each.location,
            "name": shortened(each.name),
            "pointer": shortened(each.pointer),
            "keyword": each.keyword,
            "message": shortened(each.message, MAX_MESSAGE),
            "value": None if each.location == "security" else quoted(each.value),
        }
        for each in violations[:MAX_VIOLATIONS]
    ]


def shortened(text: str, limit: int = MAX_VALUE) -> str:
    """At most ``limit`` characters of ``text``, in what UTF-8 can carry."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return text.encode("utf-8", "replace").decode()


def quoted(value: object, limit: int = MAX_VALUE) -> JSON:
    """``value`` if it is small, else the beginning of its text; never more than ``limit`` characters."""
    match value:
        case None | bool() | float():
            return value
        case str():
            return shortened(value, limit)
        case int():
            # Beyond 4,300 digits Python refuses to print a number.
            return value if value.bit_length() < 4 * limit else f"an integer of {value.bit_length()} bits"
        case bytes() | bytearray():
            return f"{len(value)} bytes"
    text = _beginning(value, limit)
    return json.loads(text) if len(text) <= limit else shortened(text, limit)


def _beginning(value: object, limit: int) -> str:
    """The JSON text of ``value``, written no further than just beyond ``limit``."""
    text = ""
    encoder = json.JSONEncoder(ensure_ascii=False, default=str, separators=(",", ":"))
    for chunk in encoder.iterencode(value):
        text += chunk[: limit + 1]
        if len(text) > limit:
            break
    return shortened(text, limit + 1)
